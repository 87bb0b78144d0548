//! Checks all permissions that the images of a plan need.

use std::collections::BTreeMap;

use ami_bake_core::plan::{Deployment, Distribution, ImagePlan, Retention, SourceQuery};
use ami_bake_core::platform::{Grant, Permission};
use ami_bake_core::{Result, Run};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::ask::ask;
use super::question::Subject;
use super::{grants, unasked};
use crate::client::{Client, PerPlace};
use crate::image::Images;
use crate::policy::{Outline, PolicyScope, Statement, at_home, copied, elsewhere, targets};

/// One result for each action that the policy of these plans grants, and for each grant of their documents.
pub(crate) async fn check(
    places: &PerPlace<Images>,
    run: &Run,
    plans: &[ImagePlan],
    documents: &[Grant],
) -> Result<Vec<Permission>> {
    let outlines: Vec<Outline> = plans.iter().map(outline).collect();
    let home = places.home();
    let region = home.client.region();
    let deployments = |role: Option<&str>| -> Vec<&Deployment> {
        let all = outlines.iter().flat_map(|one| &one.plan.settings.deployments);
        all.filter(|deployment| deployment.role.as_deref() == role).collect()
    };
    let parameter = outlines.iter().flat_map(|one| &one.plan.settings.distribution.parameters).next();
    let subject = |role: Option<&str>| Subject {
        machines: outlines.iter().map(|one| &one.plan.machine).collect(),
        deployments: deployments(role),
        parameter: parameter.map(String::as_str),
        from: region,
    };
    let mut found = Findings::default();
    let statements = at_home(&outlines, &[], &PolicyScope::of(None, region));
    found.add(run.until_cancelled(Box::pin(all(&home, &statements, &subject(None)))).await??, "");
    for deployment in deployments(None).into_iter().filter(|one| one.region.as_deref().is_some_and(|at| at != region)) {
        let there = places.at(deployment.region.as_deref().unwrap_or(region), None);
        let of: Vec<&str> = crate::deploy::actions(deployment);
        let only = subject(None).of(deployment);
        let answers = some(&there, of.iter().map(|action| (*action, false)).collect(), &only);
        found.add(run.until_cancelled(Box::pin(answers)).await??, &format!(" in {}", there.client.region()));
    }
    for there in copied(&outlines, region) {
        let statements = [Statement::anywhere("Copy", COPIES)];
        let answers =
            run.until_cancelled(Box::pin(all(&places.at(&there, None), &statements, &subject(None)))).await??;
        found.add(answers, &format!(" in {there}"));
    }
    for role in targets(&outlines) {
        let there = places.at(&region_of(&outlines, &role).unwrap_or_else(|| region.to_owned()), Some(&role));
        found.add(vec![run.until_cancelled(Box::pin(assumable(&there.client, &role))).await??], "");
        let statements = elsewhere(&outlines, &role, &PolicyScope::of(Some(&role), there.client.region()));
        found.add(run.until_cancelled(Box::pin(all(&there, &statements, &subject(Some(&role))))).await??, "");
    }
    found.add(grants::ask(places.clients(), run, documents).await?, "");
    Ok(found.all)
}

/// Actions that copy an image to another region.
const COPIES: [&str; 3] = ["ec2:CopyImage", "ec2:CopySnapshot", "ec2:RegisterImage"];

/// Number of concurrent checks: all at once would be throttled, or wait for each other until their time limit.
const AT_ONCE: usize = 8;

/// The outline of a plan without the parts that this run skips because their `if` is false.
fn outline(plan: &ImagePlan) -> Outline {
    let mut plan = plan.clone();
    if !plan.settings.distribution.wanted {
        plan.settings.distribution = Distribution::default();
        plan.settings.retention = Retention::default();
    }
    plan.settings.deployments.retain(|deployment| deployment.wanted);
    Outline { source: SourceQuery::Id(plan.source.id.clone()), other: plan.clone(), plan }
}

/// A region that a role is used in.
fn region_of(outlines: &[Outline], role: &str) -> Option<String> {
    let settings = || outlines.iter().map(|one| &one.plan.settings);
    let target = settings().flat_map(|one| &one.distribution.targets).find(|target| target.role == role);
    let deployment = settings().flat_map(|one| &one.deployments).find(|one| one.role.as_deref() == Some(role));
    let of_target = target.and_then(|target| target.regions.first()).map(|region| region.region.clone());
    of_target.or_else(|| deployment.and_then(|deployment| deployment.region.clone()))
}

/// Checks all actions that the statements allow.
async fn all(there: &Images, statements: &[Statement], about: &Subject<'_>) -> Result<Vec<Permission>> {
    some(there, actions(statements), about).await
}

/// The actions of statements; true for those that only AWS itself may use.
pub(super) fn actions(statements: &[Statement]) -> BTreeMap<&str, bool> {
    let mut actions = BTreeMap::new();
    for statement in statements {
        for action in statement.actions() {
            let by_aws = actions.entry(action).or_insert(true);
            *by_aws = *by_aws && statement.is_by_aws();
        }
    }
    actions
}

async fn some(there: &Images, actions: BTreeMap<&str, bool>, about: &Subject<'_>) -> Result<Vec<Permission>> {
    // The launch template actions are checked for each deployment; everything else is the same for all of them.
    let each: Vec<Subject<'_>> = about.deployments.iter().skip(1).map(|one| about.of(one)).collect();
    let mut found = Vec::new();
    let mut asked = Vec::new();
    for (action, by_aws) in actions {
        // The role assumption itself is checked separately.
        if action == "sts:AssumeRole" {
            continue;
        }
        let why = if by_aws { Some(unasked::BY_AWS) } else { unasked::why(action) };
        match ask(there, action, about).filter(|_| !by_aws) {
            Some(question) => {
                asked.push(question);
                if action.contains("LaunchTemplate") {
                    asked.extend(each.iter().filter_map(|about| ask(there, action, about)));
                }
            }
            None => found.push(Permission {
                action: named(&there.client, action),
                allowed: None,
                detail: Some(why.unwrap_or(unasked::UNKNOWN).to_owned()),
            }),
        }
    }
    let mut all: Vec<Permission> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
    all.append(&mut found);
    Ok(all)
}

/// The action for a result: `ec2:CopySnapshot`, with the account if it is another one.
fn named(client: &Client, action: &str) -> String {
    client.account().map_or_else(|| action.to_owned(), |account| format!("{action} in {account}"))
}

/// Checks whether a role can be assumed.
async fn assumable(client: &Client, role: &str) -> Result<Permission> {
    let action = format!("sts:AssumeRole on {role}");
    match client.ask("GetCallerIdentity", client.sts.get_caller_identity().send()).await {
        Ok(_) => Ok(Permission { action, allowed: Some(true), detail: None }),
        Err(failure) => super::probe::permission(client, action, *failure).await,
    }
}

/// Results, one per action: of two results the worse.
#[derive(Default)]
struct Findings {
    all: Vec<Permission>,
}

impl Findings {
    fn add(&mut self, found: Vec<Permission>, place: &str) {
        let weight = |one: &Permission| match one.allowed {
            Some(false) => 2,
            None => 1,
            Some(true) => 0,
        };
        for mut permission in found {
            permission.action.push_str(place);
            match self.all.iter_mut().find(|one| one.action == permission.action) {
                Some(known) if weight(&permission) > weight(known) => *known = permission,
                Some(_) => {}
                None => self.all.push(permission),
            }
        }
    }
}
