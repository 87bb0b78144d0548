//! Decides how an image is captured, before anything is changed.

use ami_bake_core::plan::CaptureMode;
use ami_bake_core::{Error, Result};

use crate::image::CaptureMethod;

/// How the disk is quiesced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quiesce {
    /// StopInstances. With `prove` the console is checked first, and only if it proves nothing in time the capture
    /// waits for the state `stopped`.
    Stop { prove: bool },
    /// `halt` in the guest, for machines that EC2 can't stop; only the console can prove it.
    Halt,
    /// The live file systems are frozen while the snapshot is taken.
    Freeze,
}

/// Facts about the machine that decide the method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MachineFacts {
    /// True for a one-time spot instance.
    pub(super) spot: bool,
    /// True for types built on the Nitro system: the console is live, and a halted guest stays halted.
    pub(super) nitro: bool,
    /// The method that the source image requires.
    pub(super) method: CaptureMethod,
}

/// The decision how to capture a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CapturePlan {
    /// How the disk is quiesced.
    pub(super) quiesce: Quiesce,
    /// Whether ami-bake registers snapshots, or EC2 creates the image.
    pub(super) method: CaptureMethod,
    /// A warning about something in the manifest that is not possible.
    pub(super) note: Option<&'static str>,
}

/// Decides from the manifest's mode and the facts about the machine (docs/dev/aws.md, "Capture").
///
/// # Errors
/// When the machine can't be quiesced in the manifest's mode.
pub(super) fn decide(mode: CaptureMode, facts: MachineFacts) -> Result<CapturePlan> {
    let MachineFacts { spot, nitro, method } = facts;
    let live = mode == CaptureMode::Live && method == CaptureMethod::Snapshots;
    let quiesce = match (mode, spot) {
        _ if live => Quiesce::Freeze,
        (CaptureMode::Stopped, true) => return Err(unstoppable()),
        (_, true) if nitro => Quiesce::Halt,
        (_, true) => return Err(loses_its_disk()),
        // CreateImage does not define the moment of its snapshots, so its machine is stopped.
        (CaptureMode::Halted, false) => Quiesce::Stop { prove: nitro && method == CaptureMethod::Snapshots },
        (CaptureMode::Stopped | CaptureMode::Live, false) => Quiesce::Stop { prove: false },
    };
    let note = (mode == CaptureMode::Live && !live).then_some(
        "the source image has a billing code, so EC2 has to create the image; the machine is stopped first, not captured live",
    );
    Ok(CapturePlan { quiesce, method, note })
}

/// How a machine that was to be captured live is quiesced without a connection.
pub(super) fn at_rest(facts: MachineFacts) -> Quiesce {
    if facts.spot { Quiesce::Halt } else { Quiesce::Stop { prove: facts.nitro } }
}

fn unstoppable() -> Error {
    Error::preflight("`capture: stopped` is not supported for spot machines: EC2 can't stop one-time spot instances")
        .help("Use `capture: halted` (the default), or bake without `spot`.")
}

fn loses_its_disk() -> Error {
    Error::build("spot machines of Xen-based types can't be captured: the disk is lost when the machine powers off")
        .help("Use a Nitro-based machine type, `capture: live`, or bake without `spot`.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON_DEMAND: MachineFacts = MachineFacts { spot: false, nitro: true, method: CaptureMethod::Snapshots };

    #[test]
    fn every_mode_on_plain_linux() {
        let quiesce = |mode, facts| decide(mode, facts).map(|plan| plan.quiesce);
        assert_eq!(quiesce(CaptureMode::Halted, ON_DEMAND).unwrap(), Quiesce::Stop { prove: true });
        assert_eq!(quiesce(CaptureMode::Stopped, ON_DEMAND).unwrap(), Quiesce::Stop { prove: false });
        assert_eq!(quiesce(CaptureMode::Live, ON_DEMAND).unwrap(), Quiesce::Freeze);
        // A Xen console is minutes old, so it is not checked.
        assert_eq!(
            quiesce(CaptureMode::Halted, MachineFacts { nitro: false, ..ON_DEMAND }).unwrap(),
            Quiesce::Stop { prove: false }
        );
        let spot = MachineFacts { spot: true, ..ON_DEMAND };
        assert_eq!(quiesce(CaptureMode::Halted, spot).unwrap(), Quiesce::Halt);
        assert_eq!(quiesce(CaptureMode::Live, MachineFacts { nitro: false, ..spot }).unwrap(), Quiesce::Freeze);
        for (mode, facts) in
            [(CaptureMode::Stopped, spot), (CaptureMode::Halted, MachineFacts { nitro: false, ..spot })]
        {
            assert!(quiesce(mode, facts).unwrap_err().help_text().unwrap().contains("without `spot`"));
        }
    }

    #[test]
    fn create_image_gets_a_machine_at_rest() {
        let coded = MachineFacts { method: CaptureMethod::CreateImage, ..ON_DEMAND };
        for mode in [CaptureMode::Halted, CaptureMode::Stopped, CaptureMode::Live] {
            assert_eq!(decide(mode, coded).unwrap().quiesce, Quiesce::Stop { prove: false }, "{mode:?}");
        }
        assert!(decide(CaptureMode::Live, coded).unwrap().note.unwrap().contains("not captured live"));
        assert_eq!(decide(CaptureMode::Halted, coded).unwrap().note, None);
        assert_eq!(decide(CaptureMode::Halted, MachineFacts { spot: true, ..coded }).unwrap().quiesce, Quiesce::Halt);
    }
}
