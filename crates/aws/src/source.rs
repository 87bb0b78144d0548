//! Finds the image that a bake starts from, and keeps its description for the launch.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ami_bake_core::plan::{Architecture, BakedQuery, SourceImage, SourceQuery};
use ami_bake_core::{Error, Result, Run, tags};
use aws_sdk_ec2::types::{ArchitectureValues, DeviceType, Filter, Image, ImageState, VirtualizationType};
use jiff::Timestamp;
use semver::Version;

use crate::client::Client;
use crate::machine::Once;
use crate::platform::Inner;

/// Images in one page; EC2 gives 1,000 at most.
const PAGE: i32 = 1000;
/// How the error about a missing image begins.
const NONE: &str = "there is no image";
/// What was registered is visible everywhere after this time.
const VISIBLE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_secs(1);
/// Tags that other accounts see stand under this prefix, with `ami-bake/` for `ami-bake:`.
const SHARED: &str = "ec2:SharedTag/ami-bake/";

/// Described images.
#[derive(Default)]
pub(crate) struct Cache {
    by_id: Mutex<HashMap<String, Arc<Image>>>,
    /// What was asked for by name or parameter: many images of a manifest ask for the same source.
    asked: Once<String, Image>,
}

impl Cache {
    /// Keeps a description, so that whoever launches the image need not ask for it.
    pub(crate) fn keep(&self, image: Image) -> Arc<Image> {
        let image = Arc::new(image);
        let id = image.image_id().unwrap_or_default().to_owned();
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&image));
        image
    }

    /// Any image that was asked for before.
    pub(crate) fn any(&self) -> Option<Arc<Image>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).values().next().cloned()
    }

    fn get(&self, id: &str) -> Option<Arc<Image>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

/// Finds the image that `query` asks for.
pub(crate) async fn find(aws: &Inner, run: &Run, query: &SourceQuery) -> Result<SourceImage> {
    let look = run.until_cancelled(Box::pin(look(aws, query)));
    let image = match query {
        SourceQuery::Newest { .. } | SourceQuery::Parameter(_) => {
            aws.sources.asked.get(format!("{query:?}"), async { look.await? }).await?
        }
        _ => look.await??,
    };
    bakeable(&image, aws.client.region())?;
    let found = describe(&image);
    aws.sources.keep(image);
    Ok(found)
}

/// The description of an image, from memory where it was asked for before. One that is not known there was registered
/// a moment ago: it may not be visible everywhere yet.
pub(crate) async fn described(aws: &Inner, run: &Run, id: &str) -> Result<Arc<Image>> {
    if let Some(image) = aws.sources.get(id) {
        return Ok(image);
    }
    let start = run.clock().elapsed();
    loop {
        match by_id(&aws.client, id).await {
            Err(error)
                if error.message().starts_with(NONE) && run.clock().elapsed().saturating_sub(start) < VISIBLE =>
            {
                run.sleep(PAUSE).await?;
            }
            found => return Ok(aws.sources.keep(found?)),
        }
    }
}

/// True when the image's snapshots may be registered anew: plain Linux without product codes. Licences of all others
/// are lost that way (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/creating-an-ami-ebs.html>).
pub(crate) fn plain_linux(image: &Image) -> bool {
    image.product_codes().is_empty()
        && image.usage_operation().is_none_or(|operation| operation == "RunInstances")
        && image.platform_details().is_none_or(|details| details == "Linux/UNIX")
        && image.platform().is_none()
}

async fn look(aws: &Inner, query: &SourceQuery) -> Result<Image> {
    match query {
        SourceQuery::Id(id) => by_id(&aws.client, id).await,
        SourceQuery::Newest { owners, name, architecture, filters } => {
            newest(&aws.client, owners, name, *architecture, filters).await
        }
        SourceQuery::Parameter(path) => by_parameter(&aws.client, path).await,
        SourceQuery::Baked(query) => baked(&aws.client, query).await,
        SourceQuery::Reference(reference) => Err(Error::manifest(format!("{reference:?} is no source on AWS"))
            .help("Write `source: {ami: {id: ami-…}}`, or `owner` and `name`, or `parameter`.")),
    }
}

async fn by_id(client: &Client, id: &str) -> Result<Image> {
    let region = client.region();
    let request = client.ec2.describe_images().image_ids(id).include_deprecated(true).send();
    let missing = || {
        Error::preflight(format!("{NONE} {id} in {region} that this account can see")).help(
            "Image ids differ from region to region, and a private image must be shared with this account. With `owner` \
             and `name` the newest image of any region is found.",
        )
    };
    match client.ask("DescribeImages", request).await {
        Ok(answer) => answer.images.unwrap_or_default().pop().ok_or_else(missing),
        Err(failure) if failure.not_found() || failure.is(&["InvalidAMIID.Malformed"]) => Err(missing()),
        Err(failure) => Err(client.explain(*failure, &format!("look up the image {id}")).await),
    }
}

async fn newest(
    client: &Client,
    owners: &[String],
    name: &str,
    architecture: Option<Architecture>,
    further: &BTreeMap<String, Vec<String>>,
) -> Result<Image> {
    let mut filters = vec![filter("name", [name]), filter("state", ["available"])];
    filters.extend(architecture.map(|architecture| filter("architecture", [architecture.as_str()])));
    filters.extend(further.iter().map(|(key, values)| filter(key, values.iter().map(String::as_str))));
    let doing = format!("find the newest image {name} of {}", owners.join(", "));
    let images = pages(client, Who::Own(owners), &filters, &doing).await?;
    // RFC 3339 in UTC with fixed width: text order is time order. The id decides between two of one second.
    images
        .into_iter()
        .filter(|image| image.state() == Some(&ImageState::Available) && !is_passing(image))
        .max_by(|a, b| (a.creation_date(), a.image_id()).cmp(&(b.creation_date(), b.image_id())))
        .ok_or_else(|| {
            let kind = architecture.map_or(String::new(), |architecture| format!(" for {}", architecture.as_str()));
            Error::preflight(format!(
                "no image of {} is named like {name}{kind} in {}",
                owners.join(" or "),
                client.region()
            ))
            .help(
                "Names take `*` and `?`. Deprecated images are not considered; an owner is an account id, `self`, \
                 `amazon` or `aws-marketplace`.",
            )
        })
}

/// True for an image that a bake made for itself and that has an end: a candidate, or a copy of a source.
fn is_passing(image: &Image) -> bool {
    let all = tags_of(image);
    all.contains_key(tags::EXPIRES) && !all.contains_key(tags::TESTED)
}

async fn by_parameter(client: &Client, path: &str) -> Result<Image> {
    let region = client.region();
    let request = client.ssm.get_parameter().name(path).with_decryption(true).send();
    let answer = match client.ask("GetParameter", request).await {
        Ok(answer) => answer,
        Err(failure) if failure.not_found() => {
            return Err(Error::preflight(format!("there is no parameter {path} in {region}")).help(
                "`aws ssm get-parameter --name …` shows it where it exists; public ones begin with /aws/service/.",
            ));
        }
        Err(failure) => return Err(client.explain(*failure, &format!("read the parameter {path}")).await),
    };
    let id = answer.parameter().and_then(|parameter| parameter.value()).unwrap_or_default().trim();
    if !id.starts_with("ami-") {
        return Err(Error::preflight(format!("the parameter {path} in {region} holds no image id"))
            .help("Its value must be an image id such as ami-0123456789abcdef0 and nothing else."));
    }
    by_id(client, id).await
}

/// The highest version that was tested: of this account, else of those that others share with it.
async fn baked(client: &Client, query: &BakedQuery) -> Result<Image> {
    let what = format!("{} of {}", query.key, query.namespace);
    let range = query.version.as_ref().map_or_else(|| "any release".to_owned(), ToString::to_string);
    let doing = format!("find the baked image {what}");
    let own = |key: &str| format!("tag:{key}");
    let shared = |key: &str| format!("tag:{}", shared(key));
    let images = pages(client, Who::Own(&["self".to_owned()]), &ours(query, own), &doing).await?;
    if let Some(image) = highest(images, query) {
        return Ok(image);
    }
    let images = pages(client, Who::ShareWith("self"), &ours(query, shared), &doing).await?;
    highest(images, query).ok_or_else(|| {
        Error::preflight(format!("no tested image {what} fits {range} in {}", client.region())).help(
            "`ami-bake images` lists what there is. Bake the base first, or name another version, namespace or region.",
        )
    })
}

/// A tag of ours as other accounts see it.
pub(crate) fn shared(key: &str) -> String {
    key.replacen("ami-bake:", SHARED, 1)
}

fn ours(query: &BakedQuery, name: impl Fn(&str) -> String) -> Vec<Filter> {
    // Not by variant: older images name it in another tag, and EC2 can't ask for one tag or the other.
    vec![
        filter(&name(tags::NAME), [query.namespace.as_str()]),
        filter(&name(tags::IMAGE), [query.key.image.as_str()]),
        filter("state", ["available"]),
    ]
}

/// The highest tested version in the range; among equal ones the newest. Without a range a release, never what a pull
/// request baked.
fn highest(images: Vec<Image>, query: &BakedQuery) -> Option<Image> {
    images
        .into_iter()
        .filter_map(|image| {
            let all = tags_of(&image);
            let version = Version::parse(all.get(tags::VERSION)?).ok()?;
            let fits = match &query.version {
                Some(range) => range.matches(&version),
                None => version.pre.is_empty(),
            };
            let variant = tags::variant(&all) == query.key.variant.as_ref();
            (fits && variant && all.contains_key(tags::TESTED)).then_some((version, image))
        })
        .max_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.creation_date().cmp(&y.creation_date())))
        .map(|(_, image)| image)
}

/// Whose images are looked through.
#[derive(Clone, Copy)]
enum Who<'a> {
    /// Those of these owners.
    Own(&'a [String]),
    /// Those that others share with this account.
    ShareWith(&'a str),
}

async fn pages(client: &Client, who: Who<'_>, filters: &[Filter], doing: &str) -> Result<Vec<Image>> {
    let mut images = Vec::new();
    let mut page = None;
    loop {
        let request = client
            .ec2
            .describe_images()
            .set_filters(Some(filters.to_vec()))
            .include_deprecated(false)
            .max_results(PAGE)
            .set_next_token(page.take());
        let request = match who {
            Who::Own(owners) => request.set_owners(Some(owners.to_vec())),
            Who::ShareWith(account) => request.executable_users(account),
        };
        let answer = client.call("DescribeImages", doing, request.send()).await?;
        page = answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        images.extend(answer.images.unwrap_or_default());
        if page.is_none() {
            return Ok(images);
        }
    }
}

fn filter<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> Filter {
    let values = values.into_iter().map(str::to_owned).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

/// Refuses what EC2 would launch but nobody can bake.
fn bakeable(image: &Image, region: &str) -> Result<()> {
    let id = image.image_id().unwrap_or_default();
    let no = |why: &str, help: &str| Err(Error::preflight(format!("{id} in {region} {why}")).help(help));
    match image.state() {
        None | Some(ImageState::Available) => {}
        Some(state) => {
            return no(&format!("is not available but {}", state.as_str()), "Wait until it is, or name another image.");
        }
    }
    if image.root_device_type().is_some_and(|kind| *kind != DeviceType::Ebs) {
        return no("has no EBS root volume", "Only EBS-backed images can be baked on; name another source.");
    }
    if image.virtualization_type().is_some_and(|kind| *kind != VirtualizationType::Hvm) {
        return no("is a paravirtual image", "Current instance types boot HVM images alone; name another source.");
    }
    if architecture(image).is_none() {
        let name = image.architecture().map_or("unknown", ArchitectureValues::as_str);
        return no(
            &format!("has the architecture {name}"),
            "x86_64 and arm64 can be baked; name another source, or filter by `architecture`.",
        );
    }
    Ok(())
}

fn architecture(image: &Image) -> Option<Architecture> {
    match image.architecture()? {
        ArchitectureValues::X8664 => Some(Architecture::X86_64),
        ArchitectureValues::Arm64 => Some(Architecture::Arm64),
        _ => None,
    }
}

/// All tags, with those that the owner shares under our own names.
pub(crate) fn tags_of(image: &Image) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = image
        .tags()
        .iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())))
        .collect();
    let shared: Vec<(String, String)> = all
        .iter()
        .filter_map(|(key, value)| Some((format!("ami-bake:{}", key.strip_prefix(SHARED)?), value.clone())))
        .collect();
    for (key, value) in shared {
        all.entry(key).or_insert(value);
    }
    all
}

/// What a bake records of an image.
pub(crate) fn describe(image: &Image) -> SourceImage {
    let id = image.image_id().unwrap_or_default().to_owned();
    let tags = tags_of(image);
    SourceImage {
        name: image.name().unwrap_or_default().to_owned(),
        owner: image.owner_id().unwrap_or_default().to_owned(),
        created: image.creation_date().and_then(|date| date.parse::<Timestamp>().ok()),
        architecture: architecture(image),
        version: tags.get(tags::VERSION).and_then(|version| Version::parse(version).ok()),
        tags,
        identity: id.clone(),
        id,
    }
}

#[cfg(test)]
mod tests {
    use ami_bake_core::plan::ImageKey;
    use aws_sdk_ec2::types::{PlatformValues, Tag};

    use super::*;

    fn image(id: &str, tags: &[(&str, &str)]) -> Image {
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
        Image::builder().image_id(id).set_tags(Some(tags)).build()
    }

    fn query(range: Option<&str>) -> BakedQuery {
        BakedQuery {
            namespace: "shop".to_owned(),
            key: ImageKey::new("base"),
            version: range.map(|range| range.parse().unwrap()),
            sibling: false,
        }
    }

    #[test]
    fn the_highest_tested_release_wins() {
        let all = || {
            vec![
                image("ami-9", &[(tags::VERSION, "1.9.0"), (tags::TESTED, "x")]),
                image("ami-10", &[(tags::VERSION, "1.10.0"), (tags::TESTED, "x")]),
                image("ami-candidate", &[(tags::VERSION, "1.11.0")]),
                image("ami-pr", &[(tags::VERSION, "2.0.0-pr.1"), (tags::TESTED, "x")]),
                image("ami-2", &[("ec2:SharedTag/ami-bake/version", "2.0.0"), ("ec2:SharedTag/ami-bake/tested", "x")]),
                image("ami-variant", &[(tags::VERSION, "3.0.0"), (tags::TESTED, "x"), (tags::VARIANT, "arm64")]),
                image(
                    "ami-legacy-variant",
                    &[(tags::VERSION, "3.1.0"), (tags::TESTED, "x"), ("ami-bake:leg", "arm64")],
                ),
            ]
        };
        let id = |range| highest(all(), &query(range)).unwrap().image_id().unwrap().to_owned();
        assert_eq!(id(None), "ami-2");
        assert_eq!(id(Some("^1")), "ami-10");
        assert!(highest(all(), &query(Some("^4"))).is_none());
        let arm64 = ImageKey { variant: Some("arm64".to_owned()), ..ImageKey::new("base") };
        let of_variant = |range| highest(all(), &BakedQuery { key: arm64.clone(), ..query(range) }).unwrap();
        assert_eq!(of_variant(Some("=3.0.0")).image_id(), Some("ami-variant"));
        assert_eq!(of_variant(None).image_id(), Some("ami-legacy-variant"));
    }

    #[test]
    fn licences_are_not_registered_away() {
        let plain = Image::builder().usage_operation("RunInstances").platform_details("Linux/UNIX");
        assert!(plain_linux(&plain.clone().build()));
        assert!(!plain_linux(&plain.clone().usage_operation("RunInstances:0010").build()));
        assert!(!plain_linux(&plain.clone().platform_details("Red Hat Enterprise Linux").build()));
        assert!(!plain_linux(&plain.platform(PlatformValues::Windows).build()));
    }

    #[test]
    fn what_cannot_be_baked_is_refused_in_words() {
        let mac = Image::builder().image_id("ami-1").architecture(ArchitectureValues::X8664Mac).build();
        let error = bakeable(&mac, "us-east-1").unwrap_err();
        assert_eq!(error.message(), "ami-1 in us-east-1 has the architecture x86_64_mac");
        let store = Image::builder().image_id("ami-1").root_device_type(DeviceType::InstanceStore).build();
        assert!(bakeable(&store, "us-east-1").unwrap_err().message().contains("no EBS root"));
    }
}
