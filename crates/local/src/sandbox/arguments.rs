//! The words of the hidden command line: who runs what in which process.

/// The hidden command: `ami-bake __sandbox …`.
pub const COMMAND: &str = "__sandbox";

/// The exit status of a holder whose sandbox could not be set up.
pub(crate) const SETUP_FAILED: u8 = 125;

/// The helper that writes the user maps; see [`users`](super::users).
pub(super) const MAP: &str = "--map";
/// PID 1 of a sandbox; see [`init`](super::init).
pub(super) const INIT: &str = "--init";
/// Enters a sandbox from outside; see [`enter`](super::enter).
pub(super) const ENTER: &str = "--enter";
/// The part of entering that runs inside; see [`within`](super::within).
pub(super) const WITHIN: &str = "--within";
/// Works on files of a sandbox's users; see [`file_task`](super::file_task).
pub(super) const FILES: &str = "--files";
/// Exports an image, with the rights of a sandbox's users.
pub(crate) const EXPORT: &str = "--export";
