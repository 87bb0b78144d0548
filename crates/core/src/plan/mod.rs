//! Plans: what is to be baked, as plain data, resolved and validated, without a cloud.

mod action;
mod align;
mod container;
mod deployment;
mod digest;
mod distribution;
mod files;
mod image;
mod inputs;
mod machine;
mod parts;
mod price;
mod probe;
mod read_inputs;
mod recipe;
mod retention;
mod source;
mod step;

pub use action::*;
pub use container::{ContainerChanges, ContainerPublish, RegistryLogin};
pub use deployment::{Deployment, Refresh, Strategy};
pub use digest::{Digest, Digester};
pub use distribution::{CopyMethod, Distribution, RegionPlan, Share, TargetPlan};
pub use files::{Exclude, FileKind, GIT_FOLDER, LocalFile, local_files};
pub use image::{Architecture, CaptureMode, ImageKey, ImagePlan, ImageSettings, Keep};
pub use inputs::{FileHash, InputTree, Inputs, hash_file};
pub use machine::{
    AddressKind, Connect, Disk, JumpHost, KeyType, LoginKey, MachineSettings, Metadata, RootLogin, RootProgram,
    SubnetFilter, TestConnect, Volume, VpcFilter,
};
pub use parts::{Change, ChangedPart, DigestPart, DigestParts, PartKind, ReportedPart};
pub use price::Price;
pub use probe::{Expectation, HttpProbe, Probe, Scheme};
pub use read_inputs::ReadInputs;
pub use recipe::{Draft, ImageDefinition, Recipe, ResolvedDraft, Variant, VersionRule};
pub use retention::Retention;
pub use source::{BakedQuery, SourceImage, SourceQuery};
pub use step::{OnFailure, Phase, SecretPart, Step, Value};
