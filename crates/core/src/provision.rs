//! The interface for applying steps to a machine; crates/steps implements it.

use async_trait::async_trait;

use crate::error::Result;
use crate::event::Package;
use crate::output::OutputSink;
use crate::plan::{ImageSettings, Step};
use crate::run::Run;

pub use crate::machine::{ConnectedMachine, Login};

/// Applies steps to machines.
#[async_trait]
pub trait Provisioner: Send + Sync {
    /// Checks that this computer has what these steps need, before a machine is launched; does nothing by default.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Preflight`], with what to do.
    async fn preflight(&self, run: &Run, steps: &[&Step]) -> Result<()> {
        let _ = (run, steps);
        Ok(())
    }

    /// Records the state of a new machine, with which [`Provisioner::scan`] compares to find changed files.
    async fn begin(&self, run: &Run, on: &ConnectedMachine<'_>) -> Result<()>;

    /// Applies one step once. Retries and the consequences of failures are up to the engine.
    async fn apply(&self, run: &Run, on: &ConnectedMachine<'_>, step: &Step, output: &mut dyn OutputSink)
    -> Result<()>;

    /// The installed packages; empty if the machine has no known package manager.
    async fn packages(&self, run: &Run, on: &ConnectedMachine<'_>) -> Result<Vec<Package>>;

    /// Removes what must not be in an image, except the access to the machine.
    async fn clean(&self, run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings) -> Result<()>;

    /// Searches the files that changed since [`Provisioner::begin`] for declared secrets, private keys and credentials
    /// of common tools. Runs after [`Provisioner::clean`], so that removed files are not reported, and before
    /// [`Provisioner::seal`], so that a machine kept on failure is still accessible.
    ///
    /// # Errors
    /// When anything is found; the error names each file.
    async fn scan(&self, run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings) -> Result<()>;

    /// Removes the access to the machine, such as the bake's keys: the last command on its connection.
    async fn seal(&self, run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings, login: &Login) -> Result<()>;
}
