//! Lowers `publish` to the plan of core.

use ami_bake_core::plan::{CopyMethod, Distribution, RegionPlan, Share, TargetPlan, WriteBack, WriteMode, WritePlace};

use crate::model::{self, DurationText, Publish, RegionChoice};

/// The plan for publishing an image; `wanted` is the value of `publish.if`.
pub(crate) fn distribution(publish: Option<&Publish>, wanted: bool) -> Distribution {
    let Some(publish) = publish else { return Distribution { wanted, ..Distribution::default() } };
    Distribution {
        wanted,
        regions: publish.regions.iter().map(|choice| region(&choice.0)).collect(),
        targets: publish.targets.iter().map(target).collect(),
        copy: match publish.copy {
            None | Some(model::CopyMethod::Snapshot) => CopyMethod::Snapshot,
            Some(model::CopyMethod::Image) => CopyMethod::Image,
        },
        share: publish.share.as_ref().map(share).unwrap_or_default(),
        parameters: publish.parameters.clone(),
        deprecate_after: publish.deprecate_after.as_ref().and_then(DurationText::duration),
        protect: publish.protect.unwrap_or(false),
        writes: publish.write.0.iter().filter_map(write).collect(),
        environment: None,
    }
}

/// The place to write to; `None` for an incomplete one, which `check` reports.
fn write(target: &model::WriteTarget) -> Option<WriteBack> {
    let place = match (&target.file, &target.pointer, &target.variable) {
        (Some(path), Some(pointer), None) => WritePlace::File {
            path: path.0.clone(),
            pointer: pointer.0.clone(),
            mode: match target.r#as {
                None | Some(model::WriteChoice::PullRequest) => WriteMode::PullRequest,
                Some(model::WriteChoice::Commit) => WriteMode::Commit,
            },
            branch: target.branch.clone(),
        },
        (None, None, Some(name)) => WritePlace::Variable { name: name.0.clone() },
        _ => return None,
    };
    Some(WriteBack { place, region: target.region.as_ref().map(|region| region.0.clone()) })
}

fn region(choice: &RegionChoice) -> RegionPlan {
    RegionPlan { region: choice.region.0.clone(), kms_key: choice.kms_key.as_ref().map(|key| key.0.clone()) }
}

fn target(target: &model::Target) -> TargetPlan {
    TargetPlan { role: target.role.0.clone(), regions: target.regions.iter().map(|choice| region(&choice.0)).collect() }
}

fn share(share: &model::Share) -> Share {
    Share {
        accounts: share.accounts.iter().map(|account| account.0.clone()).collect(),
        organizations: share.organizations.clone(),
        organizational_units: share.organizational_units.clone(),
        public: share.public.unwrap_or(false),
    }
}
