//! One deployment from the template's version to the group at work.

use std::sync::Arc;

use ami_bake_core::ledger::Closed;
use ami_bake_core::plan::{Deployment, ImagePlan, Refresh, Strategy};
use ami_bake_core::platform::ImageRecord;
use ami_bake_core::rollout::{Outcome, Rollout};
use ami_bake_core::{ErrorKind, Result, Run};
use aws_sdk_ec2::types::Image;

use super::back::{Bad, Way};
use super::entry::{RefreshMark, VERSION, version_id};
use super::group::{self, Follows, Group};
use super::judge::{Beginning, by_id};
use super::refresh::{self, Ask, End};
use super::template::{self, Version, Wanted};
use super::{compare, image, pointers, prune, replace};
use crate::platform::Inner;

/// Where and what for.
pub(super) struct Job<'a> {
    pub(super) there: Arc<Inner>,
    pub(super) run: Run,
    pub(super) plan: &'a ImagePlan,
    pub(super) deployment: &'a Deployment,
    pub(super) begin: Beginning,
    /// The version that is deployed.
    pub(super) version: i64,
    /// True when it was made for this deployment.
    pub(super) made: bool,
}

/// Moves a template, and the group that runs with it, to an image.
///
/// # Errors
/// Why that failed; the rollout's outcome says what it leaves.
pub(crate) async fn deploy(
    home: &Arc<Inner>,
    run: &Run,
    plan: &ImagePlan,
    record: &ImageRecord,
    deployment: &Deployment,
    rollout: &mut Rollout,
) -> Result<()> {
    let run = deployment.role.as_deref().map_or_else(|| run.clone(), |role| run.under(role));
    let region = deployment.region.as_deref().unwrap_or(home.client.region());
    let there = home.at(region, deployment.role.as_deref());
    let image = image::find(home, &there, &run, record, deployment).await?;
    rollout.image = image.image_id().map(str::to_owned);
    let begin = run.until_cancelled(begin(&there, deployment, &image)).await??;
    rollout.template = Some(begin.template.id.clone());
    rollout.from = u64::try_from(begin.from).ok();
    let (version, made) = version(&there, &run, plan, &begin, &image, rollout).await?;
    rollout.version = u64::try_from(version).ok();
    let job = Job { there, run, plan, deployment, begin, version, made };
    match job.carry_out(rollout).await {
        Ok(()) => {
            job.keep_version()?;
            rollout.done.extend(job.prune().await);
            Ok(())
        }
        Err(bad) => {
            rollout.outcome = bad.outcome;
            job.settle_version(bad.outcome).await;
            if job.begin.group.is_some() {
                rollout.done.extend(job.true_state().await);
            }
            Err(bad.error)
        }
    }
}

async fn begin(there: &Arc<Inner>, deployment: &Deployment, image: &Image) -> Result<Beginning> {
    let mut begin = Beginning::look(there, deployment).await?;
    let old = by_id(there, begin.source.data.image_id().unwrap_or_default()).await?;
    begin.fits(old.as_ref(), image)?;
    // A run that was cut off may have moved what the group follows: what its machines run with was at work before.
    let follows = begin.group.as_ref().map(|group| (group, group.follows()));
    if let Some((group, Follows::Default | Follows::Latest)) = follows
        && begin.source.number == begin.from
        && begin.source.data.image_id() == image.image_id()
    {
        begin.from = group.prevailing(begin.from).unwrap_or(begin.from);
    }
    Ok(begin)
}

/// The version of the template with the image: the source itself, one that is there, or a new one.
async fn version(
    there: &Inner,
    run: &Run,
    plan: &ImagePlan,
    begin: &Beginning,
    image: &Image,
    rollout: &mut Rollout,
) -> Result<(i64, bool)> {
    let template = &begin.template;
    let what =
        format!("{} {} of {} ({})", plan.key, plan.version, plan.namespace, image.image_id().unwrap_or_default());
    let wanted = Wanted {
        template,
        source: &begin.source,
        image,
        description: template::described(&what, run),
        group: begin.group.as_ref().map(|group| group.name.as_str()),
    };
    if begin.source.data.image_id() == image.image_id() {
        return Ok((begin.source.number, false));
    }
    let data = wanted.data();
    let same = |one: &Version| compare::differences(&data, &one.data).is_empty();
    if let Some(there) = run.until_cancelled(template::versions(there, &template.id)).await??.into_iter().find(same) {
        return Ok((there.number, false));
    }
    let made = template::create(there, run, &wanted).await?;
    rollout.done.push(format!("version {} of {} made from {}", made.number, template.name, begin.source.number));
    Ok((made.number, true))
}

impl Job<'_> {
    fn forced(&self) -> bool {
        self.deployment.forced
    }

    async fn carry_out(&self, rollout: &mut Rollout) -> Result<(), Bad> {
        let moved = match (&self.begin.group, &self.deployment.strategy) {
            (None, _) => self.made,
            (Some(group), Strategy::Refresh(settings)) => self.refresh(group, settings, rollout).await?,
            (Some(group), Strategy::Replace(settings)) => replace::replace(self, group, settings, rollout).await?,
        };
        let pointed = self.point(rollout).await?;
        rollout.outcome = if moved || pointed { Outcome::Deployed } else { Outcome::Unchanged };
        Ok(())
    }

    /// Brings the group to the version; false when it was there.
    async fn refresh(&self, group: &Group, settings: &Refresh, rollout: &mut Rollout) -> Result<bool, Bad> {
        let (there, run) = (self.there.as_ref(), &self.run);
        let mark =
            RefreshMark { group: group.name.clone(), template: self.begin.template.id.clone(), version: self.version };
        let id = match self.begin_refresh(group, settings, &mark).await {
            Ok(Some(id)) => id,
            Ok(None) => return Ok(false),
            // Nothing was moved yet.
            Err(error) if error.kind() == ErrorKind::Cancelled => return Err(Bad::new(Outcome::RollingBack, error)),
            Err(error) => return Err(Bad::new(Outcome::RolledBack, error)),
        };
        match refresh::watch(there, run, &mark, &id, settings.wait).await {
            Ok(End::Successful) => {
                run.ledger()
                    .close_id(super::REFRESH, &id, Closed::Published)
                    .map_err(|error| Bad::new(Outcome::Deployed, error))?;
                rollout.done.extend(self.true_state().await);
                Ok(true)
            }
            end => {
                let template = &self.begin.template;
                let from = self.begin.from;
                Err(Way { there, run, settings, template, group, from, mark, id, made: self.made }.back(end).await)
            }
        }
    }

    /// The refresh that brings the version: a new one, or that of a run that was cut off. None when there is nothing to do.
    async fn begin_refresh(&self, group: &Group, settings: &Refresh, mark: &RefreshMark) -> Result<Option<String>> {
        let (there, run) = (self.there.as_ref(), &self.run);
        let version = self.version.to_string();
        if let Some(active) = run.until_cancelled(refresh::active(there, &group.name)).await?? {
            let id = active.instance_refresh_id().unwrap_or_default().to_owned();
            if refresh::brings(&active) != Some(version.as_str()) {
                return Err(refresh::busy(&group.name, &active));
            }
            run.progress(format!("{}: the instance refresh {id} is at work already", group.name));
            refresh::adopt(there, run, mark, &id)?;
            return Ok(Some(id));
        }
        if self.is_there(group) {
            return Ok(None);
        }
        let held = group.held();
        if held > 0 {
            run.warn(
                format!(
                    "{held} machines of {} are protected from scale-in or in standby: EC2 waits an hour for them",
                    group.name
                ),
                Some("Take the protection off, or put them into service, while it waits.".to_owned()),
            );
        }
        let ask = Ask {
            mark: mark.clone(),
            desired: group.with_version(&version),
            settings,
            forward: true,
            auto_rollback: settings.rollback && group.is_steady(),
        };
        refresh::start(there, run, &ask).await.map(Some)
    }

    /// True when the group asks for the version, and all its machines run with it.
    pub(super) fn is_there(&self, group: &Group) -> bool {
        group.follows().number(&self.begin.template) == self.version
            && group.on(self.version).count() == group.raw.instances().len()
    }

    /// Moves the default and lets the group follow it again, once the version is at work.
    async fn point(&self, rollout: &mut Rollout) -> Result<bool, Bad> {
        let (there, template) = (self.there.as_ref(), &self.begin.template);
        let group = self.begin.group.as_ref();
        let follows = group.map(Group::follows);
        let wanted = self.deployment.set_default.unwrap_or(follows == Some(Follows::Default));
        // Without a group nothing runs with the version yet: it can go again.
        let outcome = if group.is_none() { Outcome::RolledBack } else { Outcome::Failed };
        let bad = |error| Bad::new(outcome, error);
        let mut pointed = false;
        if wanted {
            pointed = pointers::make_default(there, template, self.version, self.forced()).await.map_err(bad)?;
            if pointed {
                rollout.done.push(format!("version {} is the default of {}", self.version, template.name));
            }
        }
        if let (Some(group), Strategy::Refresh(_)) = (group, &self.deployment.strategy)
            && !self.is_there(group)
        {
            pointers::follow_again(there, &self.run, group, template, self.version).await.map_err(bad)?;
        }
        Ok(pointed)
    }

    /// The version is the deployment's result.
    fn keep_version(&self) -> Result<()> {
        let id = version_id(&self.begin.template.id, self.version);
        self.run.ledger().close_id(VERSION, &id, Closed::Published)
    }

    /// Deletes versions that the entry does not keep. The deployment is done: what fails here is a warning.
    async fn prune(&self) -> Option<String> {
        let keep = usize::try_from(self.deployment.keep_versions?).unwrap_or(usize::MAX);
        let template = &self.begin.template;
        match prune::prune(&self.there, template, keep, &[self.version, self.begin.from]).await {
            Ok(gone) if gone.is_empty() => None,
            Ok(gone) => {
                let gone: Vec<String> = gone.iter().map(i64::to_string).collect();
                Some(format!("version {} of {} deleted, {keep} are kept", gone.join(", "), template.name))
            }
            Err(error) => {
                let help = error.help_text().map(str::to_owned);
                self.run.warn(format!("old versions of {} stay: could not {error}", template.name), help);
                None
            }
        }
    }

    /// What becomes of the version after a failure: it goes where nothing runs with it, for whoever follows `$Latest` would
    /// launch it.
    async fn settle_version(&self, outcome: Outcome) {
        let (template, number) = (&self.begin.template, self.version);
        let id = version_id(&template.id, number);
        match outcome {
            Outcome::RolledBack if self.made => {
                if let Err(error) = template::discard(&self.there, &self.run, &template.id, number).await {
                    self.run.warn(format!("could not {error}"), error.help_text().map(str::to_owned));
                    let _ = self.run.ledger().close_id(VERSION, &id, Closed::Kept);
                }
            }
            // The clean-up of a cancelled run looks after it.
            Outcome::RollingBack => {}
            _ => _ = self.run.ledger().close_id(VERSION, &id, Closed::Kept),
        }
    }

    /// What the machines really run with.
    async fn true_state(&self) -> Option<String> {
        let name = &self.begin.group.as_ref()?.name;
        let raw = group::describe(&self.there, name).await.ok()??;
        let group = Group::new(raw).ok()?;
        let (new, all) = (group.on(self.version).count(), group.raw.instances().len());
        Some(if new == 0 && all > 0 { group.state(self.begin.from) } else { group.state(self.version) })
    }
}
