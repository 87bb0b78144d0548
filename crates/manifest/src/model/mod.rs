//! The types of manifest format 1. Their doc comments are the reference that users see in their editors.

mod collections;
mod condition;
mod deploy;
mod expect;
mod image;
mod machine;
mod manifest;
mod platform;
mod publish;
mod scalars;
mod short;
mod source;
mod step;
mod verbs;

pub use collections::{OneOrMany, Ordered};
use condition::condition;
pub use deploy::{Deployment, Refresh, RefreshFailure, Strategy};
pub use expect::{
    CommandExpectation, Expect, FileExpectation, HttpExpectation, PackageExpectation, PortExpectation,
    ServiceExpectation, UserExpectation,
};
pub use image::{CaptureChoice, Image, KeepChoice, Seal};
pub use machine::{
    Address, Connect, Disk, Jump, Machine, Metadata, NetworkChoice, Policy, TokenChoice, Volume, VolumeType,
};
pub use manifest::{Aws, Document, Environment, Format, SecretName};
pub use platform::Platform;
pub use publish::{
    CopyMethod, DockerChanges, DockerLogin, DockerPublish, KeepRule, Publish, RegionChoice, Share, Target,
};
pub use scalars::{
    AccountId, ArchitectureChoice, Cidr, Dollars, DurationText, KmsKey, Mode, Name, Percent, Region, RoleArn,
    VersionRange, VersionText,
};
pub use short::{Short, Shorthand};
pub use source::{AmiSource, Owner, Source};
pub use step::{Common, OnFailureChoice, Step, Verb};
pub use verbs::{
    Ansible, Chef, ChefTool, Component, ComponentPhase, Download, Expectation, Reboot, Run, Script, True, Upload, Wait,
    WaitTarget,
};
