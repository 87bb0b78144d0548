//! Runs one deployment, from the version of the launch template to the group in service.

use std::sync::Arc;

use ami_bake_core::ledger::Closed;
use ami_bake_core::plan::{Deployment, ImagePlan, Refresh, Strategy};
use ami_bake_core::platform::ImageRecord;
use ami_bake_core::rollout::{Rollout, RolloutOutcome};
use ami_bake_core::{ErrorKind, Result, Run};
use aws_sdk_ec2::types::Image;

use super::current::CurrentState;
use super::deployer::Deployer;
use super::group::{self, Group, RequestedVersion};
use super::job::Job;
use super::ledger_kinds::{REFRESH, RefreshMark, VERSION, version_id};
use super::refresh::{self, RefreshEnd, StartRefresh};
use super::rollback::{Rollback, RolloutFailure};
use super::template::{self, LaunchTemplateSpec, Version};
use super::{compare, image, pointers, prune, replace, verify};
use crate::client::Client;
use crate::image::by_id;

/// Moves a template, and the group that uses it, to an image.
///
/// # Errors
/// Why it failed; the rollout's outcome has the resulting state.
pub(crate) async fn deploy(
    deployer: &Deployer,
    run: &Run,
    plan: &ImagePlan,
    record: &ImageRecord,
    deployment: &Deployment,
    force: bool,
    rollout: &mut Rollout,
) -> Result<()> {
    let run = deployment.role.as_deref().map_or_else(|| run.clone(), |role| run.under(role));
    let region = deployment.region.as_deref().unwrap_or(deployer.places.clients().home().region());
    let fleet = deployer.fleets.at(region, deployment.role.as_deref());
    let client = &*fleet.client;
    let image = image::find(&deployer.places, client, &run, record, deployment).await?;
    rollout.image = image.image_id().map(str::to_owned);
    let current = run.until_cancelled(current_state(client, deployment, &image)).await??;
    rollout.template = Some(current.template.id.clone());
    rollout.from = u64::try_from(current.from).ok();
    let (version, made) = version(client, &run, plan, &current, &image, rollout).await?;
    rollout.version = u64::try_from(version).ok();
    let job = Job { run, plan, deployment, force, current, version, made, fleet: Arc::clone(&fleet) };
    match job.carry_out(rollout).await {
        Ok(()) => {
            job.keep_version();
            rollout.done.extend(job.prune().await);
            Ok(())
        }
        Err(failure) => {
            rollout.outcome = failure.outcome;
            job.settle_version(failure.outcome).await;
            if job.current.group.is_some() {
                rollout.done.extend(job.true_state().await);
            }
            Err(failure.error)
        }
    }
}

async fn current_state(client: &Client, deployment: &Deployment, image: &Image) -> Result<CurrentState> {
    let mut current = CurrentState::look_up(client, deployment).await?;
    let old = by_id(client, current.source.data.image_id().unwrap_or_default()).await?;
    current.fits(old.as_ref(), image)?;
    // An interrupted run may have changed what the group follows; the version that its machines use was in use before.
    let follows = current.group.as_ref().map(|group| (group, group.follows()));
    if let Some((group, RequestedVersion::Default | RequestedVersion::Latest)) = follows
        && current.source.number == current.from
        && current.source.data.image_id() == image.image_id()
    {
        current.from = group.prevailing(current.from).unwrap_or(current.from);
    }
    Ok(current)
}

/// The version of the template with the image: the source version itself, another existing one, or a new one.
async fn version(
    client: &Client,
    run: &Run,
    plan: &ImagePlan,
    current: &CurrentState,
    image: &Image,
    rollout: &mut Rollout,
) -> Result<(i64, bool)> {
    let template = &current.template;
    let what =
        format!("{} {} of {} ({})", plan.key, plan.version, plan.namespace, image.image_id().unwrap_or_default());
    let spec = LaunchTemplateSpec {
        template,
        source: &current.source,
        image,
        description: template::described(&what, run),
        group: current.group.as_ref().map(|group| group.name.as_str()),
    };
    if current.source.data.image_id() == image.image_id() {
        return Ok((current.source.number, false));
    }
    let data = spec.data();
    let same = |one: &Version| compare::differences(&data, &one.data).is_empty();
    if let Some(existing) = run.until_cancelled(template::versions(client, &template.id)).await??.into_iter().find(same)
    {
        return Ok((existing.number, false));
    }
    let made = template::create(client, run, &spec).await?;
    rollout.done.push(format!("version {} of {} created from {}", made.number, template.name, current.source.number));
    Ok((made.number, true))
}

impl Job<'_> {
    async fn carry_out(&self, rollout: &mut Rollout) -> Result<(), RolloutFailure> {
        let moved = match (&self.current.group, &self.deployment.strategy) {
            (None, _) => self.made,
            (Some(group), Strategy::Refresh(settings)) => self.refresh(group, settings, rollout).await?,
            (Some(group), Strategy::Replace(settings)) => replace::replace(self, group, settings, rollout).await?,
        };
        let pointed = self.point(rollout).await?;
        rollout.outcome = if moved || pointed { RolloutOutcome::Deployed } else { RolloutOutcome::Unchanged };
        Ok(())
    }

    /// Moves the group to the version; false when it was there already.
    async fn refresh(&self, group: &Group, settings: &Refresh, rollout: &mut Rollout) -> Result<bool, RolloutFailure> {
        let (fleet, run) = (&*self.fleet, &self.run);
        let mark = RefreshMark {
            group: group.name.clone(),
            template: self.current.template.id.clone(),
            version: self.version,
        };
        let id = match self.begin_refresh(group, settings, &mark).await {
            Ok(Some(id)) => id,
            Ok(None) => return Ok(false),
            // Nothing was changed yet.
            Err(error) if error.kind() == ErrorKind::Cancelled => {
                return Err(RolloutFailure::new(RolloutOutcome::RollingBack, error));
            }
            Err(error) => return Err(RolloutFailure::new(RolloutOutcome::RolledBack, error)),
        };
        match refresh::watch(fleet, run, &mark, &id, settings.wait).await {
            Ok(RefreshEnd::Successful) => {
                run.ledger().close_id(REFRESH, &id, Closed::Published);
                let state = verify::runs_version(fleet, run, &group.name, self.version).await;
                rollout.done.push(state.map_err(|error| RolloutFailure::new(RolloutOutcome::Failed, error))?);
                Ok(true)
            }
            end => {
                let template = &self.current.template;
                let from = self.current.from;
                Err(Rollback { fleet, run, settings, template, group, from, mark, id, made: self.made }
                    .roll_back(end)
                    .await)
            }
        }
    }

    /// The refresh that rolls out the version: a new one, or that of an interrupted run. `None` when there is nothing
    /// to do.
    async fn begin_refresh(&self, group: &Group, settings: &Refresh, mark: &RefreshMark) -> Result<Option<String>> {
        let (fleet, run) = (&*self.fleet, &self.run);
        let version = self.version.to_string();
        if let Some(active) = run.until_cancelled(refresh::active(&fleet.client, &group.name)).await?? {
            let id = active.instance_refresh_id().unwrap_or_default().to_owned();
            if refresh::brings(&active) != Some(version.as_str()) {
                return Err(refresh::busy(&group.name, &active));
            }
            run.progress(format!("Resuming the instance refresh {id} of {}", group.name));
            refresh::adopt(&fleet.client, run, mark, &id)?;
            return Ok(Some(id));
        }
        if self.is_there(group) {
            return Ok(None);
        }
        let held = group.held();
        if held > 0 {
            run.warn(
                format!(
                    "{held} machines of {} have scale-in protection or are in standby: EC2 waits up to an hour for them",
                    group.name
                ),
                Some("Remove the protection, or put them into service, in the meantime.".to_owned()),
            );
        }
        let start = StartRefresh {
            mark: mark.clone(),
            desired: group.with_version(&version),
            settings,
            forward: true,
            auto_rollback: settings.rollback && group.is_steady(),
        };
        refresh::start(&fleet.client, run, &start).await.map(Some)
    }

    /// Changes the default and lets the group follow it again, once the version is in use.
    async fn point(&self, rollout: &mut Rollout) -> Result<bool, RolloutFailure> {
        let (client, template) = (self.client(), &self.current.template);
        let group = self.current.group.as_ref();
        let follows = group.map(Group::follows);
        let wanted = self.deployment.set_default.unwrap_or(follows == Some(RequestedVersion::Default));
        // Without a group nothing uses the version yet, so it can be deleted.
        let outcome = if group.is_none() { RolloutOutcome::RolledBack } else { RolloutOutcome::Failed };
        let failure = |error| RolloutFailure::new(outcome, error);
        let mut pointed = false;
        if wanted {
            pointed = pointers::make_default(client, template, self.version, self.force).await.map_err(failure)?;
            if pointed {
                rollout.done.push(format!("version {} is the default of {}", self.version, template.name));
            }
        }
        if let (Some(group), Strategy::Refresh(_)) = (group, &self.deployment.strategy)
            && !self.is_there(group)
        {
            pointers::follow_again(client, &self.run, group, template, self.version).await.map_err(failure)?;
        }
        Ok(pointed)
    }

    /// Marks the version as a result of the deployment.
    fn keep_version(&self) {
        let id = version_id(&self.current.template.id, self.version);
        self.run.ledger().close_id(VERSION, &id, Closed::Published);
    }

    /// Deletes versions that the entry does not keep. The deployment is done, so a failure is only a warning.
    async fn prune(&self) -> Option<String> {
        let keep = usize::try_from(self.deployment.keep_versions?).unwrap_or(usize::MAX);
        let template = &self.current.template;
        match prune::prune(self.client(), template, keep, &[self.version, self.current.from]).await {
            Ok(gone) if gone.is_empty() => None,
            Ok(gone) => {
                let gone: Vec<String> = gone.iter().map(i64::to_string).collect();
                Some(format!("version {} of {} deleted, {keep} kept", gone.join(", "), template.name))
            }
            Err(error) => {
                let help = error.help_text().map(str::to_owned);
                self.run.warn(format!("old versions of {} were not deleted: {error}", template.name), help);
                None
            }
        }
    }

    /// Deletes the version after a failure if nothing uses it, because a group that follows `$Latest` would launch it.
    async fn settle_version(&self, outcome: RolloutOutcome) {
        let (template, number) = (&self.current.template, self.version);
        let id = version_id(&template.id, number);
        match outcome {
            RolloutOutcome::RolledBack if self.made => {
                // If it can't be deleted it stays in the ledger; the clean-up retries and reports it.
                let _ = template::discard(self.client(), &self.run, &template.id, number).await;
            }
            // The clean-up of a cancelled run handles the version.
            RolloutOutcome::RollingBack => {}
            _ => self.run.ledger().close_id(VERSION, &id, Closed::Kept),
        }
    }

    /// The template versions that the machines actually use, for messages.
    async fn true_state(&self) -> Option<String> {
        let name = &self.current.group.as_ref()?.name;
        let raw = group::describe(self.client(), name).await.ok()??;
        let group = Group::new(raw).ok()?;
        let (new, all) = (group.on(self.version).count(), group.raw.instances().len());
        Some(if new == 0 && all > 0 { group.state(self.current.from) } else { group.state(self.version) })
    }
}
