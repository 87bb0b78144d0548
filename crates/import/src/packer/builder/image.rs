//! Converts a builder to an image.

use super::{access, block_devices, docker, machine, network, publish, source, unsupported};
use crate::context::Context;
use crate::input::Reader;
use crate::packer::build::{Build, ImageDraft};

/// The image of a builder; `None` when its type is not supported, which is reported.
pub(in crate::packer) fn image<'a>(build: &Build<'a, '_>, context: &Context) -> Option<ImageDraft<'a>> {
    let reader = &build.reader;
    match build.kind() {
        "amazon-ebs" => {}
        "amazon-ebssurrogate" => {
            let why = "amazon-ebssurrogate makes the image from an extra disk that its steps fill; ami-bake makes it from the root disk of the machine";
            let help = "Keep using Packer for this builder, or change it to an amazon-ebs builder whose steps modify the running system.";
            return refuse(reader, why, help);
        }
        "docker" => return docker::image(reader, context),
        "amazon-instance" => {
            let why = "instance-store images (backed by S3) are not supported";
            return refuse(reader, why, "Use an EBS-backed image.");
        }
        "amazon-chroot" => {
            let why = "amazon-chroot works on a volume of the machine that it runs on, which is not supported";
            return refuse(
                reader,
                why,
                "Change it to an amazon-ebs builder, which has its own machine, and import again.",
            );
        }
        "amazon-ebsvolume" => return refuse(reader, "amazon-ebsvolume creates volumes; ami-bake creates images", ""),
        kind => {
            let help = "The rest of the template was imported. Keep using Packer for this builder.";
            return refuse(reader, &format!("the builder type `{kind}` is not supported"), help);
        }
    }
    let communicator = reader.get("communicator").and_then(|name| context.words(&name)).and_then(|name| name.known());
    match communicator.as_deref() {
        None | Some("" | "ssh") => {}
        Some("winrm") => return refuse(reader, "Windows images (WinRM) are not supported", ""),
        Some(other) => {
            let help = "Steps run over SSH. If it has no steps, remove the `communicator` and import again.";
            return refuse(reader, &format!("the communicator `{other}` is not supported"), help);
        }
    }
    let mut image = ImageDraft::default();
    access::read(reader, context, &mut image);
    source::read(build, context, &mut image.map)?;
    machine::read(reader, context, &mut image);
    network::read(reader, context, &mut image.map);
    block_devices::read(build, context, &mut image.map);
    publish::read(reader, context, &mut image);
    unsupported::read(reader, context);
    Some(image)
}

fn refuse<'a>(reader: &Reader, why: &str, help: &str) -> Option<ImageDraft<'a>> {
    reader.drop(why, help);
    None
}
