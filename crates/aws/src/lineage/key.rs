//! The identity of a copy: source and encryption. Only a snapshot with the same key makes the next one incremental.

use std::collections::BTreeMap;
use std::time::Duration;

use ami_bake_core::Run;
use ami_bake_core::plan::{ImageSettings, MachineSettings};
use aws_sdk_ec2::types::{Filter, Image, ImdsSupportValues};

use crate::client::{hash, tag_filter};
use crate::image::{Device, ImageSpec, created, devices, with_snapshots};

/// Prefix of these images' names; no image of a manifest has such a name.
pub(super) const NAME: &str = "ami-bake-lineage/";
/// Tag with the source's ID, on image and snapshots.
const SOURCE: &str = "ami-bake:lineage";
/// Tag that says how the copy is encrypted.
const KEY: &str = "ami-bake:lineage-key";
/// Tag with the source's snapshot, on snapshots.
const PART: &str = "ami-bake:lineage-part";
/// Lifetime of a copy after its last use.
pub(super) const LIFETIME: Duration = Duration::from_hours(14 * 24);

/// Source and encryption of a copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct LineageKey {
    /// ID of the source.
    pub(super) source: String,
    /// The manifest's encryption of the root; `None` leaves it to the account's setting.
    pub(super) encrypted: Option<bool>,
    /// The key in the manifest.
    pub(super) key: Option<String>,
}

impl LineageKey {
    /// The key of the copy that a machine with these settings would boot from.
    pub(super) fn new(source: &Image, settings: &MachineSettings) -> Self {
        let disk = &settings.disk;
        Self {
            source: source.image_id().unwrap_or_default().to_owned(),
            encrypted: disk.encrypted.or(disk.kms_key.is_some().then_some(true)),
            key: disk.kms_key.clone(),
        }
    }

    /// The encryption as the value of its tag.
    fn encryption(&self) -> &str {
        match (&self.key, self.encrypted) {
            (Some(key), _) => key,
            (None, Some(true)) => "default",
            (None, _) => "account",
        }
    }

    /// Name of the private image: unique per identity, so that two runs can't register it twice.
    pub(super) fn name(&self) -> String {
        format!("{NAME}{}/{}", self.source, hash(self.encryption(), 8))
    }

    /// Filters for the image and snapshots of this identity.
    pub(super) fn filters(&self) -> Vec<Filter> {
        vec![tag_filter(SOURCE, &self.source), tag_filter(KEY, self.encryption())]
    }

    /// Filters for the copy of one snapshot of the source.
    pub(super) fn part(&self, snapshot: &str) -> Vec<Filter> {
        let mut filters = self.filters();
        filters.push(of_part(snapshot));
        filters
    }

    /// The tags of the image, or with `part` those of the copy of that snapshot.
    pub(super) fn tags(&self, run: &Run, part: Option<&str>) -> BTreeMap<String, String> {
        let mut tags = created(run, &format!("ami-bake lineage of {}", self.source), None, None, LIFETIME);
        tags.insert(SOURCE.to_owned(), self.source.clone());
        tags.insert(KEY.to_owned(), self.encryption().to_owned());
        tags.extend(part.map(|part| (PART.to_owned(), part.to_owned())));
        tags
    }

    /// The spec of the private image: like the source except for name, description and snapshots. `copies` maps
    /// snapshots to their copies.
    pub(super) fn spec(&self, run: &Run, source: &Image, copies: &BTreeMap<String, String>) -> ImageSpec {
        let settings = ImageSettings {
            description: format!("{} in this account, for bakes on it", self.source),
            imds_v2: Some(source.imds_support() == Some(&ImdsSupportValues::V20)),
            ..ImageSettings::default()
        };
        ImageSpec::new(source, self.name(), &settings, self.tags(run, None), with_snapshots(source, copies))
    }

    /// The differences between `seen` and the expected copy of `source`.
    pub(super) fn differences(&self, run: &Run, source: &Image, seen: &Image) -> Vec<String> {
        let snapshot = |image: &Image, name: &str| {
            devices(image).iter().find(|device| device.name == name).and_then(Device::snapshot).map(str::to_owned)
        };
        let copies = devices(source)
            .iter()
            .filter_map(|device| Some((device.snapshot()?.to_owned(), snapshot(seen, &device.name)?)))
            .collect();
        self.spec(run, source, &copies).differences(seen)
    }
}

/// A filter for the copies of one snapshot, of any run and key.
pub(super) fn of_part(snapshot: &str) -> Filter {
    tag_filter(PART, snapshot)
}

#[cfg(test)]
mod tests {
    use ami_bake_core::plan::Disk;

    use super::*;

    #[test]
    fn another_key_is_another_copy() {
        let source = Image::builder().image_id("ami-1").build();
        let name =
            |disk: Disk| LineageKey::new(&source, &MachineSettings { disk, ..MachineSettings::default() }).name();
        let plain = name(Disk::default());
        assert!(plain.starts_with("ami-bake-lineage/ami-1/"), "{plain}");
        assert_eq!(plain, name(Disk { size: Some(20), ..Disk::default() }));
        let encrypted = name(Disk { encrypted: Some(true), ..Disk::default() });
        let keyed = name(Disk { kms_key: Some("alias/bake".to_owned()), ..Disk::default() });
        assert!(plain != encrypted && encrypted != keyed && plain != keyed);
        assert!(crate::image::validate_name(&plain).is_ok());
    }
}
