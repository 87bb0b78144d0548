//! Builders: what kind each is, and whether there is a platform for it.

mod access;
mod block_devices;
pub(crate) mod docker;
mod left;
mod machine;
mod network;
mod publish;
mod source;

use super::build::{Build, Image};
use crate::context::Context;
use crate::input::Reader;

/// The image of a builder; none when there is no platform for it, which is told.
pub(crate) fn image(build: &Build, context: &Context) -> Option<Image> {
    let reader = &build.reader;
    match build.kind.as_str() {
        "amazon-ebs" | "amazon-ebssurrogate" => {}
        "docker" => return docker::image(reader, context),
        "amazon-instance" => {
            return refuse(
                reader,
                "it makes an image that is backed by S3, which AWS no longer starts on current machines",
                "Use an image that is backed by EBS.",
            );
        }
        "amazon-chroot" => {
            return refuse(
                reader,
                "it works on a volume of the machine that it runs on",
                "The steps can run on a machine of their own: make it an amazon-ebs builder, and import again.",
            );
        }
        "amazon-ebsvolume" => return refuse(reader, "it makes volumes, and ami-bake makes images", ""),
        kind => {
            return refuse(
                reader,
                &format!("there is no platform for builders of the type `{kind}` yet"),
                "The rest of the template came over: where the image is needed elsewhere too, keep Packer for it.",
            );
        }
    }
    let communicator = reader.get("communicator").and_then(|name| context.words(&name)).and_then(|name| name.known());
    match communicator.as_deref() {
        None | Some("" | "ssh") => {}
        Some("winrm") => return refuse(reader, "it makes a Windows image over WinRM, and there is only SSH here", ""),
        Some(other) => {
            let help = "Steps run over SSH; without steps, take the `communicator` out, and import again.";
            return refuse(reader, &format!("there is no communicator `{other}` here"), help);
        }
    }
    let mut image = Image::default();
    access::read(reader, context, &mut image);
    source::read(reader, context, &mut image.map)?;
    machine::read(reader, context, &mut image);
    network::read(reader, context, &mut image.map);
    block_devices::read(build, context, &mut image.map);
    publish::read(reader, context, &mut image);
    left::read(reader, context);
    Some(image)
}

fn refuse(reader: &Reader, why: &str, help: &str) -> Option<Image> {
    reader.drop(why, help);
    None
}
