//! `ami-bake policy`

use ami_bake_aws::{Outline, PolicyScope, RoleArn, policy, policy_of_target, subject_forms, targets, trust_policy};
use ami_bake_component::grants;
use ami_bake_core::{Error, Result};
use ami_bake_manifest::Manifest;
use semver::Version;
use serde_json::Value;

use crate::cli::{ManifestArgs, PlaceArgs};
use crate::session::load;
use crate::ui::Ui;
use crate::wire;

/// GitHub's own provider; a server of one's own has another (GitHub: OpenID Connect reference).
const GITHUB: &str = "https://token.actions.githubusercontent.com";
/// Two versions that have no part in common.
const VERSIONS: [Version; 2] = [Version::new(11, 22, 33), Version::new(44, 55, 66)];

/// Print the IAM policy that a role needs for this manifest, and no more, or its trust policy
///
/// What a bake makes is tagged at its creation, and only what is tagged may be changed or deleted. The trust policy lets a
/// repository's workflows assume the role with their own token.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake policy > policy.json
  aws iam put-role-policy --role-name bake --policy-name ami-bake --policy-document file://policy.json
  ami-bake policy --trust --subject ref:refs/heads/main --subject environment:production
  ami-bake policy --for arn:aws:iam::222222222222:role/publish     of a role that the manifest names")]
pub(crate) struct Args {
    #[command(flatten)]
    manifest: ManifestArgs,

    #[command(flatten)]
    place: PlaceArgs,

    /// Print the policy of this role, which the manifest publishes or deploys under
    #[arg(long = "for", value_name = "ARN", conflicts_with = "trust")]
    of: Option<String>,

    /// Print the trust policy of the role instead
    #[arg(long)]
    trust: bool,

    /// Which runs are trusted: ref:refs/heads/main, environment:production, pull_request …; may be repeated
    ///
    /// Without it: the branch or tag of this workflow run, else the branch main.
    #[arg(long, value_name = "CONTEXT", requires = "trust")]
    subject: Vec<String>,

    /// The repository that is trusted [default: the workflow's, else that of the git remote]
    #[arg(long, value_name = "OWNER/NAME", requires = "trust")]
    repository: Option<String>,

    /// The ids of owner and repository, which stand in the subject of repositories made after July 2026
    ///
    /// In a workflow of the repository they are known; `gh api repos/OWNER/NAME --jq '.owner.id, .id'` shows them.
    #[arg(long, value_name = "OWNER/NAME", requires = "trust")]
    ids: Option<String>,

    /// Who signs the tokens
    #[arg(long, value_name = "URL", default_value = GITHUB, requires = "trust")]
    issuer: String,
}

pub(crate) fn run(args: &Args, ui: Ui) -> Result<u8> {
    let loaded = load(&args.manifest, args.place.region.as_deref(), true)?;
    loaded.show(ui);
    let Some(manifest) = loaded.manifest() else { return Ok(loaded.exit_code()) };
    let (audience, of) = (args.place.identity.audience.clone(), args.of.clone());
    let place = wire::Place::of(args.place.clone(), Some(manifest));
    let role = place.identity.role.last().cloned();
    let value = if args.trust {
        trust(args, role.as_deref(), audience, loaded.facts(), ui)?
    } else {
        let region = place.region.unwrap_or_else(|| "*".to_owned());
        permissions(manifest, of.as_deref(), role.as_deref(), &region, ui)?
    };
    ui.data(&format!("{value:#}\n"));
    Ok(0)
}

fn permissions(manifest: &Manifest, of: Option<&str>, role: Option<&str>, region: &str, ui: Ui) -> Result<Value> {
    let [one, other] = VERSIONS.map(|version| manifest.outlines(&version));
    let outlines: Vec<Outline> =
        one.into_iter().zip(other).map(|((source, plan), (_, other))| Outline { source, plan, other }).collect();
    let roles = targets(&outlines);
    if let Some(of) = of {
        return policy_of_target(&outlines, of, &PolicyScope::of(Some(of), region)).ok_or_else(|| {
            let known =
                if roles.is_empty() { "It names none.".to_owned() } else { format!("It names {}.", roles.join(", ")) };
            Error::usage(format!("the manifest publishes and deploys nothing under {of}")).help(known)
        });
    }
    if role.is_none() {
        ui.say("No role is named, so that the account is a `*`: give --role, or write `aws: {role: …}` into the manifest.\n");
    }
    for role in roles {
        ui.say(&format!("{role} needs a policy of its own: ami-bake policy --for {role}\n"));
    }
    let plans = outlines.iter().map(|outline| &outline.plan);
    let grants = grants(plans.flat_map(|plan| plan.build.iter().chain(&plan.validate).chain(&plan.test)));
    Ok(policy(&outlines, &grants, &PolicyScope::of(role, region)))
}

fn trust(
    args: &Args,
    role: Option<&str>,
    audience: Option<String>,
    facts: &crate::facts::Facts,
    ui: Ui,
) -> Result<Value> {
    let role = role.ok_or_else(|| {
        Error::usage("it is not known which account the role is in")
            .help("Give --role, or write `aws: {role: …}` into the manifest.")
    })?;
    let role = RoleArn::parse(role)?;
    let repository = args.repository.as_ref().or(facts.repository.as_ref()).ok_or_else(|| {
        Error::usage("it is not known which repository is trusted").help("Give --repository OWNER/NAME.")
    })?;
    let given = args.ids.as_deref().and_then(|ids| ids.split_once('/'));
    // The ids of another repository are not this one's.
    let own = facts.ids.as_ref().filter(|_| facts.repository.as_ref() == Some(repository));
    let ids = given.or_else(|| own.map(|(owner, repository)| (owner.as_str(), repository.as_str())));
    if ids.is_none() {
        ui.say(
            "The ids of the repository are not known: when it was made or renamed after July 2026, its tokens have them in \
             the subject, and this policy does not accept them. Give --ids.\n",
        );
    }
    let here = facts.reference.iter().map(|reference| format!("ref:{reference}"));
    let contexts: Vec<String> = match args.subject.as_slice() {
        [] => here.chain(["ref:refs/heads/main".to_owned()]).take(1).collect(),
        subjects => subjects.to_vec(),
    };
    let subjects: Vec<String> = contexts.iter().flat_map(|context| subject_forms(repository, ids, context)).collect();
    let audience = audience.unwrap_or_else(|| role.audience().to_owned());
    Ok(trust_policy(role.partition(), role.account(), &args.issuer, &audience, &subjects))
}
