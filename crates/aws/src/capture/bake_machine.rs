//! The engine's `Machine` for AWS: an [`AwsMachine`] with the capture of its disk.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::communicator::Communicator;
use ami_bake_core::plan::Price;
use ami_bake_core::platform::{Capture, Keep, Machine, PendingImage};
use ami_bake_core::provision::Login;
use ami_bake_core::{Result, Run};
use async_trait::async_trait;

use super::start::capture;
use crate::machine::{self, AwsMachine, USER};

/// A launched machine as the engine uses it.
pub(crate) struct BakeMachine(AwsMachine);

impl BakeMachine {
    /// Wraps a launched machine.
    pub(crate) fn new(machine: AwsMachine) -> Self {
        Self(machine)
    }
}

#[async_trait]
impl Machine for BakeMachine {
    fn id(&self) -> &str {
        &self.0.id
    }

    fn kind(&self) -> &str {
        &self.0.launched.kind
    }

    fn hourly(&self) -> Option<Price> {
        self.0.hourly()
    }

    fn place(&self) -> String {
        let instance = self.0.instance();
        let address = instance.public.or(instance.private).or(instance.ipv6);
        match address {
            Some(address) => format!("{}, {address}", instance.zone),
            None => instance.zone,
        }
    }

    async fn connect(&self, run: &Run) -> Result<Arc<dyn Communicator>> {
        Ok(machine::connect(&self.0, run).await?)
    }

    async fn booted(&self, run: &Run) -> Result<Arc<dyn Communicator>> {
        machine::booted(&self.0, run).await
    }

    fn login(&self) -> Login {
        self.0.login()
    }

    async fn reboot(&self, run: &Run, timeout: Duration) -> Result<()> {
        machine::reboot(&self.0, run, timeout).await
    }

    async fn recover(&self, run: &Run, timeout: Duration) -> Result<()> {
        machine::recover(&self.0, run, timeout).await
    }

    async fn capture(&self, run: &Run, order: &Capture<'_>) -> Result<Box<dyn PendingImage>> {
        // The login name becomes a tag of the image, for images built on it.
        let mut tags = order.tags.clone();
        tags.insert(USER.to_owned(), self.0.user());
        let order = Capture { plan: order.plan, tags, name: order.name.clone() };
        capture(&self.0, run, &order).await
    }

    async fn destroy(&self, run: &Run) -> Result<()> {
        machine::terminate(&self.0, run).await
    }

    async fn keep(&self, run: &Run, how: &Keep) -> Result<String> {
        machine::keep(&self.0, run, how).await
    }
}
