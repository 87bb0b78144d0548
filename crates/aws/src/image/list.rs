//! Lists images.

use ami_bake_core::platform::{ImageQuery, ImageRecord};
use ami_bake_core::{Result, Run, tags};
use aws_sdk_ec2::types::{Filter, Image};

use super::facts::record;
use crate::client::{Client, filter, pages, tag_filter};

/// Images per page of DescribeImages; EC2's maximum.
const PAGE: i32 = 1000;

/// Images that ami-bake created, including candidates.
pub(crate) async fn list(client: &Client, run: &Run, query: &ImageQuery) -> Result<Vec<ImageRecord>> {
    Ok(ours(client, run, query).await?.into_iter().map(|(_, record)| record).collect())
}

/// Like [`list`], with EC2's description of each.
pub(crate) async fn ours(client: &Client, run: &Run, query: &ImageQuery) -> Result<Vec<(Image, ImageRecord)>> {
    let own = query.owner.as_deref().is_none_or(|owner| owner == "self");
    // The tags of another account are not visible, so they can't be used in filters; images that it shares are filtered
    // here.
    let filters = if own { filters(query) } else { Vec::new() };
    let owner = query.owner.as_deref().unwrap_or("self");
    let found = run.until_cancelled(describe(client, owner, filters, "list the images")).await??;
    let ours = found.into_iter().filter_map(|image| {
        let mut record = record(&image, client.region())?;
        record.account = client.account().map(str::to_owned);
        fits(&record, query).then_some((image, record))
    });
    Ok(ours.collect())
}

fn filters(query: &ImageQuery) -> Vec<Filter> {
    let mut filters = vec![filter("tag-key", tags::DIGEST)];
    if let Some(namespace) = &query.namespace {
        filters.push(tag_filter(tags::NAME, namespace));
    }
    if let Some(key) = &query.key {
        // Not by variant: older images have it in another tag, and EC2 can't filter by one tag or the other.
        filters.push(tag_filter(tags::IMAGE, &key.image));
    }
    filters
}

fn fits(record: &ImageRecord, query: &ImageQuery) -> bool {
    query.namespace.as_ref().is_none_or(|namespace| *namespace == record.namespace)
        && query.key.as_ref().is_none_or(|key| *key == record.key)
}

/// The owners whose images are listed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'a> {
    /// Images of these owners.
    OwnedBy(&'a [String]),
    /// Images that other accounts share with this account.
    SharedWith(&'a str),
}

/// All images of an owner that match the filters, from all pages.
pub(crate) async fn describe(client: &Client, owner: &str, filters: Vec<Filter>, doing: &str) -> Result<Vec<Image>> {
    describe_in(client, Scope::OwnedBy(&[owner.to_owned()]), &filters, doing).await
}

/// All images that match the filters, from all pages.
pub(super) async fn describe_in(
    client: &Client,
    scope: Scope<'_>,
    filters: &[Filter],
    doing: &str,
) -> Result<Vec<Image>> {
    pages(|page| async move {
        let request = client
            .ec2
            .describe_images()
            .set_filters(Some(filters.to_vec()).filter(|filters| !filters.is_empty()))
            .max_results(PAGE)
            .set_next_token(page);
        let request = match scope {
            Scope::OwnedBy(owners) => request.set_owners(Some(owners.to_vec())),
            Scope::SharedWith(account) => request.executable_users(account),
        };
        let answer = client.call("DescribeImages", doing, request.send()).await?;
        Ok((answer.images.unwrap_or_default(), answer.next_token))
    })
    .await
}
