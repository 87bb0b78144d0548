//! Retention of older versions, in every region and account.

use std::collections::BTreeMap;
use std::sync::Arc;

use ami_bake_core::plan::{Distribution, ImageKey, ImagePlan};
use ami_bake_core::platform::{ImageQuery, ImageRecord, Listed, Superseded};
use ami_bake_core::retention::others;
use ami_bake_core::{Error, Result, Run, tags};
use aws_sdk_ec2::types::Image;
use futures::future::join_all;
use semver::Version;

use super::destination::{Destination, destinations};
use super::mark;
use super::publisher::Publisher;
use crate::client::identity::account_of;
use crate::image::{self, Images};
use crate::usage::{Reports, holder, usage};

/// Identity of an image across regions.
type ImageIdentity = (String, ImageKey, Version);

/// Versions that the plan's retention does not keep, with what protects each. If a region can't be listed, all its
/// versions are kept.
pub(crate) async fn superseded(
    publisher: &Publisher,
    run: &Run,
    plan: &ImagePlan,
    planned: bool,
) -> Result<Vec<Superseded>> {
    let all = destinations(&publisher.places, &[&plan.settings.distribution]);
    // Images of all names: those built on one of them count.
    let everything = ImageQuery::default();
    let listed = join_all(all.iter().map(|to| image::ours(to.client(), run, &everything))).await;
    let mut listed = all.iter().zip(listed);
    let Some((at_home, images)) = listed.next() else { return Ok(Vec::new()) };
    let images = images?;
    let bases: BTreeMap<String, ImageIdentity> =
        images.iter().map(|(_, record)| (record.id.clone(), which(record))).collect();
    let mut found = of_place(at_home, run, plan, planned, images).await;
    for (to, images) in listed {
        match images {
            Ok(mut images) => {
                translate(&mut images, &bases);
                found.extend(of_place(to, run, plan, planned, images).await);
            }
            Err(error) => report_failure(run, to, &error),
        }
    }
    Ok(found)
}

fn report_failure(run: &Run, to: &Destination, error: &Error) {
    let help = error.help_text().map(str::to_owned);
    run.warn(format!("no old images deleted in {}: {error}", to.place()), help);
}

fn which(record: &ImageRecord) -> ImageIdentity {
    (record.namespace.clone(), record.key.clone(), record.version.clone())
}

/// Translates base IDs: images are tagged with their base's ID in the home region; elsewhere the same base has another
/// ID.
fn translate(images: &mut [(Image, ImageRecord)], bases: &BTreeMap<String, ImageIdentity>) {
    let here: BTreeMap<ImageIdentity, String> =
        images.iter().map(|(_, record)| (which(record), record.id.clone())).collect();
    for (_, record) in images {
        if let Some(source) = record.tags.get_mut(tags::SOURCE)
            && let Some(id) = bases.get(source.as_str()).and_then(|base| here.get(base))
        {
            source.clone_from(id);
        }
    }
}

async fn of_place(
    to: &Destination,
    run: &Run,
    plan: &ImagePlan,
    planned: bool,
    images: Vec<(Image, ImageRecord)>,
) -> Vec<Superseded> {
    let now = run.clock().now();
    let (mut described, mut all) = (BTreeMap::new(), Vec::with_capacity(images.len()));
    for (image, record) in images {
        described.insert(record.id.clone(), image);
        all.push(record);
    }
    if planned {
        all.push(ImageRecord::planned(plan, now));
    }
    let wanted = (plan.namespace.clone(), plan.key.clone(), plan.version.clone());
    // Where the new version was not published, the old ones stay.
    let new = all.iter().filter(|record| which(record) == wanted).find(|record| record.tested.is_some());
    let Some(new) = new else { return Vec::new() };
    let environment = plan.settings.distribution.environment.as_deref();
    let going = plan.settings.retention.superfluous(new, &all, environment, now);
    let shared = |record: &ImageRecord| others(record, environment);
    let images: Vec<&Image> =
        going.iter().filter(|record| shared(record).is_none()).filter_map(|record| described.get(&record.id)).collect();
    let used = usage(to.client(), run, &images, if planned { Reports::Look } else { Reports::Ask }).await;
    let held = |record: &ImageRecord| {
        if let Some(others) = shared(record) {
            return Some(format!("published by the {others}"));
        }
        let image = described.get(&record.id)?;
        holder(image, used.get(&record.id))
    };
    going.into_iter().map(|record| Superseded { image: record.clone(), held: held(record) }).collect()
}

/// Deletes an image with its snapshots, in the region and account that has it.
pub(crate) async fn retire(
    publisher: &Publisher,
    run: &Run,
    published: &[Distribution],
    image: &ImageRecord,
) -> Result<()> {
    image::delete(&place_of(publisher, published, image), run, &image.id).await
}

/// Removes the tag of the plan's environment from an image that other environments publish too.
pub(crate) async fn release(publisher: &Publisher, plan: &ImagePlan, image: &ImageRecord) -> Result<()> {
    let Some(environment) = &plan.settings.distribution.environment else { return Ok(()) };
    mark::release(
        &place_of(publisher, std::slice::from_ref(&plan.settings.distribution), image).client,
        &image.id,
        environment,
    )
    .await
}

/// Access to the region and account that contains the image.
fn place_of(publisher: &Publisher, published: &[Distribution], image: &ImageRecord) -> Arc<Images> {
    let role = image.account.as_ref().and_then(|account| {
        let of = published
            .iter()
            .flat_map(|one| &one.targets)
            .find(|target| account_of(&target.role).as_ref() == Some(account));
        of.map(|target| target.role.as_str())
    });
    let region = image.region.as_deref().unwrap_or(publisher.client().region());
    publisher.places.at(region, role)
}

/// Images that ami-bake created, in the home region and wherever one of these distributions publishes, with the users
/// of each. Regions that can't be listed are reported; the others are still listed.
pub(crate) async fn inventory(
    publisher: &Publisher,
    run: &Run,
    query: &ImageQuery,
    published: &[Distribution],
) -> Result<Vec<Listed>> {
    let all = destinations(&publisher.places, &published.iter().collect::<Vec<_>>());
    let places = join_all(all.iter().map(async |to| {
        let images = image::ours(to.client(), run, query).await?;
        let described: Vec<&Image> = images.iter().map(|(image, _)| image).collect();
        let mut used = run.until_cancelled(usage(to.client(), run, &described, Reports::No)).await?;
        let listed = images.into_iter().map(|(_, image)| Listed { usage: used.remove(&image.id), image });
        Ok::<_, Error>(listed.collect::<Vec<Listed>>())
    }))
    .await;
    let mut found = Vec::new();
    for (to, place) in all.iter().zip(places) {
        match place {
            Ok(listed) => found.extend(listed),
            Err(error) if to.home => return Err(error),
            Err(error) => run.warn(
                format!("could not list the images in {}: {error}", to.place()),
                error.help_text().map(str::to_owned),
            ),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::Tag;

    use super::*;

    fn image(id: &str, key: &str, version: &str, source: &str) -> (Image, ImageRecord) {
        let tags = [
            (tags::NAME, "shop"),
            (tags::IMAGE, key),
            (tags::VERSION, version),
            (tags::DIGEST, "sha256:0"),
            (tags::SOURCE, source),
        ];
        let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build());
        let image = Image::builder().image_id(id).set_tags(Some(tags.to_vec())).build();
        let record = image::record(&image, "eu-west-1").unwrap();
        (image, record)
    }

    #[test]
    fn a_base_is_known_in_every_region_by_what_it_is() {
        let home = [image("ami-home", "base", "1.0.0", "ami-ubuntu"), image("ami-old", "base", "0.9.0", "ami-ubuntu")];
        let bases = home.iter().map(|(_, record)| (record.id.clone(), which(record))).collect();
        let mut away = [
            image("ami-away", "base", "1.0.0", "ami-ubuntu"),
            image("ami-web", "web", "1.0.0", "ami-home"),
            image("ami-web-old", "web", "0.9.0", "ami-old"),
        ];
        translate(&mut away, &bases);
        let sources: Vec<&str> = away.iter().map(|(_, record)| record.tags[tags::SOURCE].as_str()).collect();
        assert_eq!(sources, ["ami-ubuntu", "ami-away", "ami-old"], "what is not there keeps its home id");
    }
}
