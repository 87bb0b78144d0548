//! Flags of the hidden command line, one for each kind of process.

/// The hidden command: `ami-bake __sandbox …`.
pub const COMMAND: &str = "__sandbox";

/// Exit status of a holder whose sandbox could not be set up.
pub(crate) const SETUP_FAILED: u8 = 125;

/// Flag of the helper that writes the user maps; see [`users`](super::users).
pub(super) const MAP: &str = "--map";
/// Flag of PID 1 of a sandbox; see [`init`](super::init).
pub(super) const INIT: &str = "--init";
/// Flag of the process that enters a sandbox from outside; see [`enter`](super::enter).
pub(super) const ENTER: &str = "--enter";
/// Flag of the process that works inside a sandbox; see [`within`](super::within).
pub(super) const WITHIN: &str = "--within";
/// Flag of the process that works on files of a sandbox's users; see [`file_task`](super::file_task).
pub(super) const FILES: &str = "--files";
/// Flag of the process that exports an image, with the rights of a sandbox's users.
pub(crate) const EXPORT: &str = "--export";
