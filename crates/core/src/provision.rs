//! How steps are applied to a machine; the step types are in crates/steps.

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
    /// Checks that this computer has what these steps need, before a machine is launched; by default nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Preflight`], with what to do.
    async fn preflight(&self, run: &Run, steps: &[&Step]) -> Result<()> {
        let _ = (run, steps);
        Ok(())
    }

    /// Notes the state of a fresh machine, against which [`Provisioner::scan`] looks for changed files.
    async fn begin(&self, run: &Run, on: &ConnectedMachine<'_>) -> Result<()>;

    /// Applies one step once. Retries and what a failure means are the engine's.
    async fn apply(&self, run: &Run, on: &ConnectedMachine<'_>, step: &Step, output: &mut dyn OutputSink)
    -> Result<()>;

    /// The installed packages; empty where the machine has no package manager that is known.
    async fn packages(&self, run: &Run, on: &ConnectedMachine<'_>) -> Result<Vec<Package>>;

    /// Removes what must not be in an image, but not the way to the machine.
    async fn clean(&self, run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings) -> Result<()>;

    /// Searches the files that changed since [`Provisioner::begin`] for declared secrets, private keys and credentials of
    /// common tools. It comes after [`Provisioner::clean`]: what was removed is not found. It comes before
    /// [`Provisioner::seal`], so that a machine that is kept on failure can be looked at.
    ///
    /// # Errors
    /// Names each file in which one was found.
    async fn scan(&self, run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings) -> Result<()>;

    /// Removes the way to the machine, such as the bake's keys: the last command on the machine's connection.
    async fn seal(&self, run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings, login: &Login) -> Result<()>;
}
