//! Commands, files and connections inside a container; it survives reboots.

use std::sync::Arc;

use ami_bake_core::Result;
use ami_bake_core::communicator::{Communicator, Duplex, Exec, Exit, Reader, Writer};
use ami_bake_core::output::OutputSink;
use async_trait::async_trait;

use super::container::Shared;
use super::{dial, exec, files};

/// The way into a machine.
pub(super) struct Inside {
    pub(super) shared: Arc<Shared>,
}

#[async_trait]
impl Communicator for Inside {
    async fn exec(&self, exec: Exec<'_>, output: &mut dyn OutputSink) -> Result<Exit> {
        exec::exec(&self.shared, exec, output).await
    }

    async fn put(&self, archive: Reader<'_>, to: &str) -> Result<()> {
        files::put(&self.shared, archive, to).await
    }

    async fn get(&self, from: &str, archive: Writer<'_>) -> Result<()> {
        files::get(&self.shared, from, archive).await
    }

    async fn dial(&self, host: &str, port: u16) -> Result<Box<dyn Duplex>> {
        dial::dial(&self.shared, host, port).await
    }
}
