//! A launched machine.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ami_bake_core::communicator::Communicator;
use ami_bake_core::plan::{MachineSettings, Price};
use ami_bake_core::platform::{Capture, Keep, Machine, PendingImage};
use ami_bake_core::provision::Login;
use ami_bake_core::{Result, Run};
use ami_bake_ssh::Ssh;
use async_trait::async_trait;
use aws_sdk_ec2::types::Image;

use super::connect::{self, Access, Dial};
use super::{Instance, USER, keep, reboot, terminate};
use crate::capture;
use crate::platform::Inner;

/// A launched machine.
pub(crate) struct AwsMachine {
    /// The platform that it belongs to.
    pub(crate) aws: Arc<Inner>,
    /// Its instance id.
    pub(crate) id: String,
    /// The image that it booted from.
    pub(crate) source: Arc<Image>,
    /// What the manifest says about it.
    pub(crate) settings: MachineSettings,
    /// How long it may live when nobody ends it.
    pub(crate) lifetime: Duration,
    /// What RunInstances answered: type, zone, subnet, spot. Volumes and addresses may be missing in it.
    pub(crate) launched: Instance,
    /// The run's clock when it was launched.
    pub(super) born: Duration,
    /// The security group that the run made, where it made one.
    pub(super) group: Option<String>,
    /// How it is reached.
    pub(super) access: Access,
    /// What spot capacity costs an hour, once EC2 has told it.
    pub(super) spot_price: Arc<OnceLock<Price>>,
    /// What changes while it lives.
    pub(super) state: Mutex<State>,
}

/// What changes while a machine lives.
#[derive(Default)]
pub(super) struct State {
    /// The newest description.
    pub(super) seen: Option<Instance>,
    /// The connection that is being made.
    pub(super) dial: Option<Dial>,
    /// The open connection.
    pub(super) ssh: Option<Arc<Ssh>>,
    /// True once it was given back.
    pub(super) gone: bool,
}

impl AwsMachine {
    /// The connection, once there was one.
    pub(crate) fn communicator(&self) -> Option<Arc<Ssh>> {
        self.with_state(|state| state.ssh.clone())
    }

    /// The newest description: with addresses and volumes once it was connected to.
    pub(crate) fn instance(&self) -> Instance {
        self.with_state(|state| state.seen.clone()).unwrap_or_else(|| self.launched.clone())
    }

    /// The login name, which what is built on its image needs too.
    pub(crate) fn user(&self) -> &str {
        &self.access.user
    }

    /// In words, for messages: "the machine i-0abc (t3.small, us-east-1a)".
    pub(crate) fn in_words(&self) -> String {
        format!("the machine {} ({}, {})", self.id, self.launched.kind, self.launched.zone)
    }

    pub(super) fn with_state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives the machine back at once, without letting its operating system shut down: its disk is not needed any more.
    /// Its interface leaves the bake's own group first, so that the group can go at once.
    pub(crate) async fn end(&self, run: &Run) -> Result<()> {
        terminate::end(self, run, true).await
    }

    /// The same once an image was taken. The group is asked for only at the run's end, when this machine is long gone:
    /// leaving it would be a call for nothing.
    pub(crate) async fn end_captured(&self, run: &Run) -> Result<()> {
        terminate::end(self, run, false).await
    }
}

#[async_trait]
impl Machine for AwsMachine {
    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> &str {
        &self.launched.kind
    }

    fn hourly(&self) -> Option<Price> {
        if self.launched.spot {
            return self.spot_price.get().copied();
        }
        self.settings.hourly.get(&self.launched.kind).copied()
    }

    fn place(&self) -> String {
        let instance = self.instance();
        let address = instance.public.or(instance.private).or(instance.ipv6);
        match address {
            Some(address) => format!("{}, {address}", instance.zone),
            None => instance.zone,
        }
    }

    async fn connect(&self, run: &Run) -> Result<Arc<dyn Communicator>> {
        Ok(connect::connect(self, run).await?)
    }

    fn login(&self) -> Login {
        Login { authorized_keys: vec![self.access.login.public().line()], files: Vec::new() }
    }

    async fn reboot(&self, run: &Run, timeout: Duration) -> Result<()> {
        reboot::reboot(self, run, timeout).await
    }

    async fn recover(&self, run: &Run, timeout: Duration) -> Result<()> {
        reboot::recover(self, run, timeout).await
    }

    async fn capture(&self, run: &Run, capture: &Capture<'_>) -> Result<Box<dyn PendingImage>> {
        let mut tags = capture.tags.clone();
        tags.insert(USER.to_owned(), self.user().to_owned());
        let capture = Capture { plan: capture.plan, tags, name: capture.name.clone() };
        capture::capture(self, run, &capture).await
    }

    async fn destroy(&self, run: &Run) -> Result<()> {
        self.end(run).await
    }

    async fn keep(&self, run: &Run, how: &Keep) -> Result<String> {
        keep::keep(self, run, how).await
    }
}
