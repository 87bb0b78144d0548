//! Merges the reports of jobs that baked images side by side.

use std::time::Duration;

use jiff::Timestamp;

use super::model::{ImageReport, Report, Status};
use crate::error::{Error, Result};

/// Merges reports into one, in their order. Times count from the earliest start. An image in several reports is taken
/// from the run that did most for it: jobs of the next level find their base unchanged.
///
/// # Errors
/// When `reports` is empty, or has several namespaces.
pub fn merge(reports: Vec<Report>) -> Result<Report> {
    let began = reports.iter().filter_map(|report| report.started).min();
    let exit_code = exit_code(&reports);
    let mut reports = reports.into_iter().map(|report| shifted(report, began));
    let mut all = reports.next().ok_or_else(|| Error::usage("no report to merge"))?;
    for report in reports {
        if report.namespace != all.namespace {
            return Err(Error::usage(format!(
                "could not merge the reports of {:?} and {:?}, which belong to different manifests",
                all.namespace, report.namespace
            ))
            .help("Pass only reports of the same manifest."));
        }
        if report.platform != all.platform {
            all.platform = format!("{}, {}", all.platform, report.platform);
        }
        if report.region != all.region {
            all.region = None;
        }
        if report.run != all.run {
            all.run = format!("{}, {}", all.run, report.run);
        }
        all.took = all.took.max(report.took);
        report.images.into_iter().for_each(|image| take(&mut all.images, image));
        all.machines.extend(report.machines);
        let new = report.warnings.into_iter().filter(|warning| !all.warnings.contains(warning));
        all.warnings.extend(new.collect::<Vec<_>>());
        all.kept.extend(report.kept);
        all.left.extend(report.left);
    }
    Ok(Report { started: began, exit_code, ..all })
}

/// The report with its times relative to `began`.
fn shifted(mut report: Report, began: Option<Timestamp>) -> Report {
    let later = report.started.zip(began).map(|(started, began)| started.duration_since(began));
    let by = later.and_then(|later| Duration::try_from(later).ok()).unwrap_or_default();
    report.took = report.took.saturating_add(by);
    for stage in report.images.iter_mut().flat_map(|image| &mut image.stages) {
        stage.begin = stage.begin.saturating_add(by);
    }
    report
}

fn take(images: &mut Vec<ImageReport>, image: ImageReport) {
    match images.iter_mut().find(|there| there.key == image.key) {
        None => images.push(image),
        Some(there) if weight(image.status) > weight(there.status) => *there = image,
        Some(_) => {}
    }
}

/// Rank of a status when several jobs report the same image: the one that did most for it counts, and a failure above
/// all.
fn weight(status: Status) -> u8 {
    match status {
        Status::Pending => 0,
        Status::Skipped => 1,
        Status::Cancelled => 2,
        Status::Reused => 3,
        Status::Tested | Status::Validated => 4,
        Status::Registered => 5,
        Status::Baked => 6,
        Status::Failed => 7,
    }
}

/// The exit code by the same rule as for several images in one run: the lowest code that is 4 or more, else the
/// highest. `None` when a run was interrupted and nothing else failed.
fn exit_code(reports: &[Report]) -> Option<u8> {
    let codes = || reports.iter().filter_map(|report| report.exit_code);
    let worst = codes().filter(|code| *code >= 4).min().or_else(|| codes().max())?;
    (worst != 0 || reports.iter().all(|report| report.exit_code.is_some())).then_some(worst)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stage;
    use crate::plan::ImageKey;
    use crate::report::StageReport;

    fn report(second: i64, exit_code: Option<u8>, images: &[(&str, Status)]) -> Report {
        let image = |(name, status): &(&str, Status)| {
            let begin = Duration::from_secs(1);
            let stage = StageReport { stage: Stage::Build, begin, took: Some(begin), failed: false };
            ImageReport { status: *status, stages: vec![stage], ..ImageReport::new(ImageKey::new(*name)) }
        };
        Report {
            run: format!("r{second}"),
            namespace: "shop".into(),
            started: Some(Timestamp::from_second(second).unwrap()),
            took: Duration::from_secs(5),
            exit_code,
            images: images.iter().map(image).collect(),
            ..Report::default()
        }
    }

    #[test]
    fn the_job_that_baked_an_image_reports_it_and_times_are_of_one_clock() {
        let later = report(110, Some(0), &[("base", Status::Reused), ("web", Status::Baked)]);
        let first = report(100, Some(0), &[("base", Status::Baked)]);
        let all = merge(vec![later, first]).unwrap();
        assert_eq!(
            (all.started.unwrap().as_second(), all.took, all.exit_code),
            (100, Duration::from_secs(15), Some(0))
        );
        let merged: Vec<_> =
            all.images.iter().map(|i| (i.name.as_str(), i.status, i.stages[0].begin.as_secs())).collect();
        assert_eq!(merged, [("base", Status::Baked, 1), ("web", Status::Baked, 11)]);
        assert_eq!(all.run, "r110, r100");
    }

    #[test]
    fn the_worst_end_counts() {
        let code =
            |codes: &[Option<u8>]| merge(codes.iter().map(|code| report(0, *code, &[])).collect()).unwrap().exit_code;
        assert_eq!(code(&[Some(0), Some(7), Some(5)]), Some(5));
        assert_eq!(code(&[Some(0), Some(130)]), Some(130));
        assert_eq!(code(&[Some(0), Some(3)]), Some(3));
        assert_eq!(code(&[Some(0), None]), None);
        assert_eq!(code(&[Some(6), None]), Some(6));
    }

    #[test]
    fn two_manifests_are_no_one_report() {
        let other = Report { namespace: "pay".into(), ..report(0, Some(0), &[]) };
        assert!(merge(vec![report(0, Some(0), &[]), other]).unwrap_err().to_string().contains("different manifests"));
        assert!(merge(Vec::new()).is_err());
    }
}
