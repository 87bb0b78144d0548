//! How an image is taken: decided before anything is touched.

use ami_bake_core::plan::CaptureMode;
use ami_bake_core::{Error, Result};
use aws_sdk_ec2::types::{DeviceType, Image, VirtualizationType};

use crate::source::plain_linux;

/// How the disk is brought to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// StopInstances; `prove` asks the console first, and waits for `stopped` when that proves nothing in time.
    Stop { prove: bool },
    /// `halt` inside the guest, for machines that EC2 can't stop; only the console can prove it.
    Halt,
    /// The live file systems are frozen for the moment of the snapshot.
    Freeze,
}

/// Who makes the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// We do: CreateSnapshots, RegisterImage.
    Snapshots,
    /// EC2 does, with CreateImage, which alone carries billing codes over.
    CreateImage,
}

/// What is known of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    /// It is a one-time spot instance.
    pub(crate) spot: bool,
    /// Its type is built on the Nitro system: the console is live and a halted guest stays halted.
    pub(crate) nitro: bool,
    /// What its image allows.
    pub(crate) take: Take,
}

/// The decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// How the disk is brought to rest.
    pub(crate) rest: Rest,
    /// Who makes the image.
    pub(crate) take: Take,
    /// Something that the manifest asked for and does not get.
    pub(crate) note: Option<&'static str>,
}

/// Decides for a manifest's mode and a machine (design: aws, "Capture").
///
/// # Errors
/// When the machine can't be brought to rest as the manifest asks.
pub(crate) fn decide(mode: CaptureMode, facts: Facts) -> Result<Plan> {
    let Facts { spot, nitro, take } = facts;
    let live = mode == CaptureMode::Live && take == Take::Snapshots;
    let rest = match (mode, spot) {
        _ if live => Rest::Freeze,
        (CaptureMode::Stopped, true) => return Err(unstoppable()),
        (_, true) if nitro => Rest::Halt,
        (_, true) => return Err(loses_its_disk()),
        // CreateImage promises nothing about the moment of its snapshots, so that it gets a machine that is stopped.
        (CaptureMode::Halted, false) => Rest::Stop { prove: nitro && take == Take::Snapshots },
        (CaptureMode::Stopped | CaptureMode::Live, false) => Rest::Stop { prove: false },
    };
    let note = (mode == CaptureMode::Live && !live).then_some(
        "the source image has a billing code, so that EC2 has to make the image itself; it is taken from the machine at rest, not live",
    );
    Ok(Plan { rest, take, note })
}

/// Who may make an image from this source: RegisterImage makes plain Linux alone (EC2 user guide, AMI billing
/// information), so that everything with a billing or product code is EC2's.
pub(crate) fn take(source: &Image) -> Take {
    let plain = plain_linux(source)
        && source.root_device_type().is_none_or(|kind| *kind == DeviceType::Ebs)
        && source.virtualization_type().is_none_or(|kind| *kind == VirtualizationType::Hvm);
    if plain { Take::Snapshots } else { Take::CreateImage }
}

fn unstoppable() -> Error {
    Error::preflight("capture a spot machine in state stopped: EC2 does not stop one-time spot instances")
        .help("Use `capture: halted` (the default), or bake without `spot`.")
}

fn loses_its_disk() -> Error {
    Error::build("capture a spot machine of a type that is built on Xen: its disk goes with it when it powers off")
        .help("Use a machine type of the Nitro system, `capture: live`, or bake without `spot`.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{ProductCode, builders::ImageBuilder};

    const ON_DEMAND: Facts = Facts { spot: false, nitro: true, take: Take::Snapshots };

    #[test]
    fn every_mode_on_plain_linux() {
        let rest = |mode, facts| decide(mode, facts).map(|plan| plan.rest);
        assert_eq!(rest(CaptureMode::Halted, ON_DEMAND).unwrap(), Rest::Stop { prove: true });
        assert_eq!(rest(CaptureMode::Stopped, ON_DEMAND).unwrap(), Rest::Stop { prove: false });
        assert_eq!(rest(CaptureMode::Live, ON_DEMAND).unwrap(), Rest::Freeze);
        // A Xen console is minutes old: nothing is asked of it.
        assert_eq!(
            rest(CaptureMode::Halted, Facts { nitro: false, ..ON_DEMAND }).unwrap(),
            Rest::Stop { prove: false }
        );
        let spot = Facts { spot: true, ..ON_DEMAND };
        assert_eq!(rest(CaptureMode::Halted, spot).unwrap(), Rest::Halt);
        assert_eq!(rest(CaptureMode::Live, Facts { nitro: false, ..spot }).unwrap(), Rest::Freeze);
        for (mode, facts) in [(CaptureMode::Stopped, spot), (CaptureMode::Halted, Facts { nitro: false, ..spot })] {
            assert!(rest(mode, facts).unwrap_err().help_text().unwrap().contains("without `spot`"));
        }
    }

    #[test]
    fn create_image_gets_a_machine_at_rest() {
        let coded = Facts { take: Take::CreateImage, ..ON_DEMAND };
        for mode in [CaptureMode::Halted, CaptureMode::Stopped, CaptureMode::Live] {
            assert_eq!(decide(mode, coded).unwrap().rest, Rest::Stop { prove: false }, "{mode:?}");
        }
        assert!(decide(CaptureMode::Live, coded).unwrap().note.unwrap().contains("not live"));
        assert_eq!(decide(CaptureMode::Halted, coded).unwrap().note, None);
        assert_eq!(decide(CaptureMode::Halted, Facts { spot: true, ..coded }).unwrap().rest, Rest::Halt);
    }

    fn plain() -> ImageBuilder {
        Image::builder()
            .usage_operation("RunInstances")
            .platform_details("Linux/UNIX")
            .root_device_type(DeviceType::Ebs)
            .virtualization_type(VirtualizationType::Hvm)
    }

    #[test]
    fn only_plain_linux_is_ours() {
        assert_eq!(take(&plain().build()), Take::Snapshots);
        for other in [
            plain().usage_operation("RunInstances:0010").platform_details("Red Hat Enterprise Linux"),
            plain().usage_operation("RunInstances:0g00").platform_details("Ubuntu Pro"),
            plain().platform(aws_sdk_ec2::types::PlatformValues::Windows),
            plain().product_codes(ProductCode::builder().product_code_id("abc").build()),
            plain().root_device_type(DeviceType::InstanceStore),
            plain().virtualization_type(VirtualizationType::Paravirtual),
        ] {
            assert_eq!(take(&other.build()), Take::CreateImage);
        }
    }
}
