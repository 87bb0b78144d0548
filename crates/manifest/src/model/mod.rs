//! The types of manifest format 1. Their doc comments are the reference that users see in their editors.

mod collections;
mod condition;
mod deploy;
mod image;
mod machine;
mod manifest;
mod platform;
mod publish;
mod scalars;
mod short;
mod source;
mod step;
#[expect(clippy::struct_field_names, reason = "a step type's first key has the name of the type")]
mod step_types;
mod subnet;

pub use collections::{OneOrMany, Ordered};
use condition::condition;
pub use deploy::{Deployment, Refresh, RefreshFailure, Strategy};
pub use image::{CaptureChoice, Image, KeepChoice, Seal};
pub use machine::{
    Address, Connect, DataSourceChoice, Disk, FirmwareChoice, Jump, KeyType, Machine, Metadata, NetworkChoice, NoLogin,
    Policy, RootLogin, RootProgram, RootUser, TestConnect, TestLogin, TokenChoice, Volume, VolumeType,
};
pub use manifest::{Aws, Document, Environment, Format, SecretName};
pub use platform::Platform;
pub use publish::{
    CopyMethod, DockerChanges, DockerLogin, DockerPublish, KeepRule, Publish, RegionChoice, Share, Target, WriteChoice,
    WriteTarget,
};
pub use scalars::{
    AccountId, ArchitectureChoice, Cidr, DataFile, Dollars, DurationText, JsonPointer, KmsKey, LoginName, MachineType,
    Mode, Name, Percent, Region, RoleArn, SecurityGroupId, Sha256Text, SizeText, SubnetId, VariableName, VersionRange,
    VersionText, VpcId,
};
pub use short::{Short, Shorthand};
pub use source::{AmiSource, DiskSource, Owner, PlatformSource, Source};
pub use step::{COMMON_KEYS, Common, OnFailureChoice, Step};
pub(crate) use step_types::StepContext;
pub use step_types::{FileKey, FileKind, STEP_TYPES, StepSettings, StepType, step_type};
pub use subnet::{SubnetChoice, SubnetFilter, VpcChoice, VpcFilter};
