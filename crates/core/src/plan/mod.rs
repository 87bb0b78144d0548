//! Plans: what is to be baked, as plain data, resolved and validated, without a cloud.

mod action;
mod align;
mod container;
mod deployment;
mod digest;
mod distribution;
mod files;
mod git;
mod image;
mod inputs;
mod machine;
mod parts;
mod price;
mod probe;
mod read_inputs;
mod recipe;
mod retention;
mod selection;
mod source;
mod step;

pub use action::*;
pub use container::{ContainerChanges, ContainerPublish, RegistryLogin};
pub use deployment::{Deployment, Refresh, Strategy};
pub use digest::{Digest, Digester};
pub use distribution::{CopyMethod, Distribution, RegionPlan, Share, TargetPlan, WriteBack, WriteMode, WritePlace};
pub use files::{FileKind, LocalFile, LocalFiles, local_files};
pub use git::{GIT_FOLDER, is_git_folder, is_git_name};
pub use image::{Architecture, CaptureMode, ImageKey, ImagePlan, ImageSettings, Keep};
pub use inputs::{FileHash, InputTree, Inputs, hash_file};
pub use machine::{
    AddressKind, Connect, DataSource, Disk, Firmware, JumpHost, KeyType, LoginKey, MachineSettings, Metadata,
    RootLogin, RootProgram, SubnetFilter, TestConnect, VirtualHardware, Volume, VpcFilter,
};
pub use parts::{Change, ChangedPart, DigestPart, DigestParts, PartKind, ReportedPart};
pub use price::Price;
pub use probe::{Expectation, HttpProbe, Probe, Scheme};
pub use read_inputs::ReadInputs;
pub use recipe::{Draft, ImageDefinition, Recipe, ResolvedDraft, Variant, VersionRule};
pub use retention::Retention;
pub use selection::{Exclude, Selection};
pub use source::{BakedQuery, DiskQuery, SourceImage, SourceQuery};
pub use step::{OnFailure, Phase, SecretPart, Step, Value};
