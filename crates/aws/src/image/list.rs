//! Which images are there.

use ami_bake_core::platform::{ImageQuery, ImageRecord};
use ami_bake_core::{Result, Run, tags};
use aws_sdk_ec2::types::{Filter, Image};

use super::record::record;
use crate::client::Client;
use crate::platform::Inner;

/// A page of DescribeImages; EC2's largest.
const PAGE: i32 = 1000;

/// Our own images, candidates included.
pub(crate) async fn list(aws: &Inner, run: &Run, query: &ImageQuery) -> Result<Vec<ImageRecord>> {
    Ok(ours(aws, run, query).await?.into_iter().map(|(_, record)| record).collect())
}

/// The same, with all that EC2 says of each.
pub(crate) async fn ours(aws: &Inner, run: &Run, query: &ImageQuery) -> Result<Vec<(Image, ImageRecord)>> {
    let own = query.owner.as_deref().is_none_or(|owner| owner == "self");
    // Another account's tags can't be seen, so they can't be asked for either; what it shares is looked through here.
    let filters = if own { filters(query) } else { Vec::new() };
    let owner = query.owner.as_deref().unwrap_or("self");
    let found = run.until_cancelled(describe(&aws.client, owner, filters, "list the images")).await??;
    let client = &aws.client;
    let ours = found.into_iter().filter_map(|image| {
        let mut record = record(&image, client.region())?;
        record.account = client.account().map(str::to_owned);
        fits(&record, query).then_some((image, record))
    });
    Ok(ours.collect())
}

fn filters(query: &ImageQuery) -> Vec<Filter> {
    let tag = |key: &str, value: &str| filter(&format!("tag:{key}"), value);
    let mut filters = vec![filter("tag-key", tags::DIGEST)];
    if let Some(namespace) = &query.namespace {
        filters.push(tag(tags::NAME, namespace));
    }
    if let Some(key) = &query.key {
        // Not by variant: older images name it in another tag, and EC2 can't ask for one tag or the other.
        filters.push(tag(tags::IMAGE, &key.image));
    }
    filters
}

fn fits(record: &ImageRecord, query: &ImageQuery) -> bool {
    query.namespace.as_ref().is_none_or(|namespace| *namespace == record.namespace)
        && query.key.as_ref().is_none_or(|key| *key == record.key)
}

/// A filter with one value. `*`, `?` and `\` mean something to EC2.
pub(crate) fn filter(name: &str, value: &str) -> Filter {
    let mut literal = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, '*' | '?' | '\\') {
            literal.push('\\');
        }
        literal.push(character);
    }
    Filter::builder().name(name).values(literal).build()
}

/// All images of an owner that pass the filters, every page.
pub(crate) async fn describe(client: &Client, owner: &str, filters: Vec<Filter>, doing: &str) -> Result<Vec<Image>> {
    let mut found = Vec::new();
    let mut page = None;
    loop {
        let request = client
            .ec2
            .describe_images()
            .owners(owner)
            .set_filters(Some(filters.clone()).filter(|filters| !filters.is_empty()))
            .max_results(PAGE)
            .set_next_token(page.take());
        let answer = client.call("DescribeImages", doing, request.send()).await?;
        page = answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        found.extend(answer.images.unwrap_or_default());
        if page.is_none() {
            return Ok(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_literally() {
        assert_eq!(filter("name", r"a*b?c\d").values(), [r"a\*b\?c\\d"]);
        assert_eq!(filter("name", "shop/web-1.2.3").values(), ["shop/web-1.2.3"]);
    }
}
