//! Runs commands, moves files and opens connections inside a container; it survives reboots.

use std::sync::Arc;

use ami_bake_core::Result;
use ami_bake_core::communicator::{Communicator, DialError, Duplex, Exec, Exit, Reader, Writer};
use ami_bake_core::output::OutputSink;
use async_trait::async_trait;

use super::state::ContainerState;
use super::{dial, exec, files};

/// The communicator of a container.
pub(super) struct ContainerCommunicator {
    pub(super) container: Arc<ContainerState>,
}

#[async_trait]
impl Communicator for ContainerCommunicator {
    async fn exec(&self, exec: Exec<'_>, output: &mut dyn OutputSink) -> Result<Exit> {
        exec::exec(&self.container, exec, output).await
    }

    async fn put(&self, archive: Reader<'_>, to: &str) -> Result<()> {
        files::put(&self.container, archive, to).await
    }

    async fn get(&self, from: &str, archive: Writer<'_>) -> Result<()> {
        files::get(&self.container, from, archive).await
    }

    async fn dial(&self, host: &str, port: u16) -> Result<Box<dyn Duplex>, DialError> {
        dial::dial(&self.container, host, port).await
    }
}
