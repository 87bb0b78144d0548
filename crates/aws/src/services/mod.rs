//! Objects, parameters and component documents for steps, with the credentials of the bake.

mod aws_services;
mod image_builder;

pub(crate) use aws_services::AwsServices;
pub(crate) use image_builder::probe as probe_component;
