//! Updates a bake's report with later deployments.

use super::model::{ImageReport, Report, Status};
use crate::error::ErrorKind;

impl Report {
    /// Takes over the results of a later deploy run: its rollouts, and whether it failed. Everything else stays as the
    /// bake reported it, so that the report can be used again.
    pub fn amend(&mut self, later: &Report) {
        for image in &later.images {
            if let Some(there) = self.images.iter_mut().find(|there| there.key == image.key) {
                there.amend(image);
            }
        }
        let ended = |code: Option<u8>| matches!(code, Some(0)) || code == Some(ErrorKind::Deploy.exit_code());
        if ended(self.exit_code) && ended(later.exit_code) {
            self.exit_code = later.exit_code;
        }
    }
}

impl ImageReport {
    fn amend(&mut self, later: &ImageReport) {
        if later.deployed.is_empty() {
            return;
        }
        self.deployed.clone_from(&later.deployed);
        let of_deploy =
            |image: &ImageReport| image.failure.as_ref().is_some_and(|failure| failure.kind == ErrorKind::Deploy);
        if of_deploy(later) {
            self.status = Status::Failed;
            self.failure.clone_from(&later.failure);
        } else if of_deploy(self) && later.status.is_good() {
            self.failure = None;
            self.status = if self.reason.is_some() { Status::Baked } else { Status::Reused };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::failure::Failure;
    use crate::plan::ImageKey;
    use crate::rollout::{Rollout, RolloutOutcome};

    fn report(outcome: RolloutOutcome, code: u8) -> Report {
        let mut image = ImageReport::new(ImageKey::new("web"));
        image.deployed = vec![Rollout { outcome, ..Rollout::new("web", None) }];
        image.status = Status::Reused;
        if code == 8 {
            image.status = Status::Failed;
            image.failure = Some(Failure::from(&Error::new(ErrorKind::Deploy, "deploy web")));
        }
        Report { exit_code: Some(code), images: vec![image], ..Report::default() }
    }

    #[test]
    fn a_later_deployment_is_the_one_that_counts() {
        let mut bake = report(RolloutOutcome::Deployed, 0);
        bake.images[0].reason = Some("nothing is published yet".into());
        bake.amend(&report(RolloutOutcome::RolledBack, 8));
        assert_eq!((bake.exit_code, bake.images[0].status), (Some(8), Status::Failed));
        assert_eq!(bake.images[0].deployed[0].outcome, RolloutOutcome::RolledBack);
        bake.amend(&report(RolloutOutcome::Deployed, 0));
        assert_eq!((bake.exit_code, bake.images[0].status), (Some(0), Status::Baked));
        assert_eq!(bake.images[0].failure, None);
        // A report whose tests failed keeps that exit code.
        bake.exit_code = Some(6);
        bake.amend(&report(RolloutOutcome::Deployed, 0));
        assert_eq!(bake.exit_code, Some(6));
    }
}
