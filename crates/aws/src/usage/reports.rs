//! Usage reports about accounts that an image is shared with. EC2 creates them on request, within hours at most, and
//! keeps them for 30 days (EC2 user guide, "View your AMI usage"). They cost nothing and need no clean-up.

use std::collections::{BTreeMap, BTreeSet};

use ami_bake_core::{Result, Run, tags};
use aws_sdk_ec2::types::{
    ImageUsageReport, ImageUsageReportEntry, ImageUsageResourceTypeOptionRequest, ImageUsageResourceTypeRequest,
    ResourceType,
};
use jiff::Timestamp;

use super::users::Users;
use crate::client::{Client, pages};
use crate::image::specification;

/// Number of versions of each launch template to search: all.
const ALL_VERSIONS: &str = "10000";
/// Age in seconds after which a report is requested again.
const AGE: i64 = 24 * 60 * 60;
const INSTANCE: &str = "ec2:Instance";
const TEMPLATE: &str = "ec2:LaunchTemplate";

/// Usage reports of shared images.
#[derive(Debug, Default)]
pub(super) struct Reported {
    /// Users of each image.
    pub(super) users: Users,
    /// Images without a report yet, with the reason.
    pub(super) open: BTreeMap<String, String>,
}

/// Reads the newest report of each image; with `asks` missing reports are requested.
pub(super) async fn reported(client: &Client, run: &Run, images: &[String], asks: bool) -> Result<Reported> {
    let mut found = Reported::default();
    if images.is_empty() {
        return Ok(found);
    }
    let reports = reports(client, images).await?;
    let of = |image: &str, state: &str| {
        let fits = |report: &&ImageUsageReport| report.image_id() == Some(image) && report.state() == Some(state);
        reports.iter().filter(fits).max_by_key(|report| report.creation_time().copied())
    };
    let mut ready = Vec::new();
    for image in images {
        let pending = of(image, "pending").is_some();
        if let Some(report) = of(image, "available") {
            ready.extend(report.report_id().map(str::to_owned));
            // This report counts in the meantime; the next one may show no users.
            if asks && !pending && is_old(report, run.clock().now()) {
                ask(client, run, image).await?;
            }
            continue;
        }
        let why = if pending {
            "EC2 is still searching the accounts that it is shared with"
        } else if asks {
            ask(client, run, image).await?;
            "EC2 started to search the accounts that it is shared with; a later publication reads the report"
        } else {
            "EC2 has not searched the accounts that it is shared with"
        };
        found.open.insert(image.clone(), why.to_owned());
    }
    for entry in entries(client, &ready).await? {
        if let (Some(image), Some(words)) = (entry.image_id(), in_words(&entry, client.account())) {
            found.users.entry(image.to_owned()).or_insert_with(BTreeSet::new).insert(words);
        }
    }
    Ok(found)
}

fn is_old(report: &ImageUsageReport, now: Timestamp) -> bool {
    report.creation_time().is_some_and(|made| made.secs() + AGE < now.as_second())
}

async fn reports(client: &Client, images: &[String]) -> Result<Vec<ImageUsageReport>> {
    let doing = format!("look for usage reports of the images {}", images.join(", "));
    let doing = doing.as_str();
    pages(|page| async move {
        let request = client.ec2.describe_image_usage_reports().set_image_ids(Some(images.to_vec()));
        let answer = client.call("DescribeImageUsageReports", doing, request.set_next_token(page).send()).await?;
        Ok((answer.image_usage_reports.unwrap_or_default(), answer.next_token))
    })
    .await
}

async fn entries(client: &Client, reports: &[String]) -> Result<Vec<ImageUsageReportEntry>> {
    if reports.is_empty() {
        return Ok(Vec::new());
    }
    pages(|page| async move {
        let request = client.ec2.describe_image_usage_report_entries().set_report_ids(Some(reports.to_vec()));
        let doing = "read the usage reports of shared images";
        let request = request.set_next_token(page).send();
        let answer = client.call("DescribeImageUsageReportEntries", doing, request).await?;
        Ok((answer.image_usage_report_entries.unwrap_or_default(), answer.next_token))
    })
    .await
}

async fn ask(client: &Client, run: &Run, image: &str) -> Result<()> {
    let mut tags = run.origin().clone();
    tags.insert(tags::RUN.to_owned(), run.id().to_owned());
    let depth = ImageUsageResourceTypeOptionRequest::builder().option_name("version-depth").option_values(ALL_VERSIONS);
    let templates =
        ImageUsageResourceTypeRequest::builder().resource_type(TEMPLATE).resource_type_options(depth.build());
    let request = client
        .ec2
        .create_image_usage_report()
        .image_id(image)
        .resource_types(ImageUsageResourceTypeRequest::builder().resource_type(INSTANCE).build())
        .resource_types(templates.build())
        .tag_specifications(specification(ResourceType::ImageUsageReport, &tags))
        .client_token(format!("{}-{image}", run.id()).chars().take(64).collect::<String>());
    let doing = format!("create a usage report of the image {image}");
    client.call("CreateImageUsageReport", &doing, request.send()).await?;
    Ok(())
}

/// An entry for messages: "account 111122223333 (3 instances)"; `None` for this account, whose own references are more
/// precise.
fn in_words(entry: &ImageUsageReportEntry, own: Option<&str>) -> Option<String> {
    let account = entry.account_id().filter(|account| Some(*account) != own)?;
    let count = entry.usage_count().filter(|count| *count > 0)?;
    let what = match entry.resource_type() {
        Some(INSTANCE) => "instance",
        Some(TEMPLATE) => "launch template",
        _ => "resource",
    };
    Some(format!("account {account} ({count} {what}{})", if count == 1 { "" } else { "s" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_accounts_are_named_with_what_they_have() {
        let entry = |account: &str, kind: &str, count: i64| {
            let entry = ImageUsageReportEntry::builder().account_id(account).resource_type(kind).usage_count(count);
            in_words(&entry.build(), Some("111111111111"))
        };
        assert_eq!(entry("222222222222", INSTANCE, 3).as_deref(), Some("account 222222222222 (3 instances)"));
        assert_eq!(entry("222222222222", TEMPLATE, 1).as_deref(), Some("account 222222222222 (1 launch template)"));
        assert_eq!(entry("222222222222", INSTANCE, 0), None);
        assert_eq!(entry("111111111111", INSTANCE, 3), None);
    }
}
