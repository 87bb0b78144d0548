//! What cloud-init reads at the first boot: a disk with files (NoCloud), and the metadata service of EC2 (IMDS).

mod http;
mod metadata;
mod seed;

pub(crate) use metadata::{MetadataServer, serve};
pub(crate) use seed::{FirstBoot, write_seed};
