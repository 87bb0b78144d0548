//! Updates a bake's report with later publications and deployments.

use super::model::{ImageReport, Report, Status};
use crate::delivery::Delivery;
use crate::error::ErrorKind;
use crate::failure::Failure;

/// What a later run can repeat of a bake.
const LATER: [ErrorKind; 2] = [ErrorKind::Publish, ErrorKind::Deploy];

impl Report {
    /// Takes over the results of a later publish or deploy run, and whether it failed. Everything else stays as the bake
    /// reported it, so that the report can be used again.
    pub fn amend(&mut self, later: &Report) {
        for image in &later.images {
            if let Some(there) = self.images.iter_mut().find(|there| there.key == image.key) {
                there.amend(image);
            }
        }
        let is_later = |code: u8| code == 0 || LATER.iter().any(|kind| kind.exit_code() == code);
        if let (Some(before), Some(now)) = (self.exit_code, later.exit_code)
            && is_later(before)
            && is_later(now)
        {
            // A publication that succeeded leaves a deployment failed, and the other way around.
            let open = self.images.iter().filter_map(|image| Some(image.failure.as_ref()?.kind.exit_code())).min();
            self.exit_code = if now == 0 { Some(open.unwrap_or(0)) } else { Some(now) };
        }
    }
}

impl ImageReport {
    fn amend(&mut self, later: &ImageReport) {
        let place = |delivery: &Delivery| (delivery.region.clone(), delivery.account.clone());
        let published: Vec<_> = later.published.iter().map(place).collect();
        self.published.retain(|delivery| !published.contains(&place(delivery)));
        self.published.extend(later.published.iter().cloned());
        let retired = later.retired.iter().filter(|image| !self.retired.contains(image)).cloned().collect::<Vec<_>>();
        self.retired.extend(retired);
        if !later.held.is_empty() {
            self.held.clone_from(&later.held);
        }
        if !later.deployed.is_empty() {
            self.deployed.clone_from(&later.deployed);
        }
        let failed_in =
            |image: &ImageReport, kind| image.failure.as_ref().is_some_and(|failure: &Failure| failure.kind == kind);
        let repeated = [!later.published.is_empty(), !later.deployed.is_empty()];
        for (kind, repeated) in LATER.into_iter().zip(repeated) {
            if failed_in(later, kind) {
                self.status = Status::Failed;
                self.failure.clone_from(&later.failure);
            } else if repeated && failed_in(self, kind) && later.status.is_good() {
                self.failure = None;
                self.status = if self.reason.is_some() { Status::Baked } else { Status::Reused };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
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
        // What failed in the deployment is not repeated by a publication.
        bake.amend(&report(RolloutOutcome::RolledBack, 8));
        let publication = || {
            let delivery = |region: &str| Delivery {
                region: region.into(),
                account: None,
                image: Some("ami-1".into()),
                done: Vec::new(),
                failure: None,
            };
            let mut later = report(RolloutOutcome::Deployed, 0);
            later.images[0].deployed.clear();
            later.images[0].published = vec![delivery("eu-west-1"), delivery("us-east-1")];
            later
        };
        bake.amend(&publication());
        assert_eq!((bake.exit_code, bake.images[0].published.len()), (Some(8), 2));
        bake.amend(&report(RolloutOutcome::Deployed, 0));
        bake.images[0].failure = Some(Failure::from(&Error::new(ErrorKind::Publish, "publish web")));
        (bake.exit_code, bake.images[0].status) = (Some(7), Status::Failed);
        bake.amend(&publication());
        assert_eq!(
            (bake.exit_code, bake.images[0].status, bake.images[0].published.len()),
            (Some(0), Status::Baked, 2)
        );
        // A report whose tests failed keeps that exit code.
        bake.exit_code = Some(6);
        bake.amend(&report(RolloutOutcome::Deployed, 0));
        assert_eq!(bake.exit_code, Some(6));
    }
}
