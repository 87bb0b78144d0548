//! From a machine that was launched to one that runs commands as root.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::plan::MachineSettings;
use ami_bake_core::{Error, ErrorKind, Result, Run};
use ami_bake_ssh::{HostKey, Jump, Key, Ssh, Target, Timing};
use secrecy::SecretString;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::refusal::help_end;
use super::{AwsMachine, Instance, boot, hostkey, types};
use crate::platform::Inner;

/// The limit to become reachable after the launch: the slowest images take a minute or two.
const LIMIT: Duration = Duration::from_mins(5);
/// Bare metal tests its memory first.
const LIMIT_METAL: Duration = Duration::from_mins(25);
/// What is shown of the console when a machine can't be reached.
const TAIL: usize = 25;

/// The host key that a machine must answer with.
#[derive(Debug, Clone)]
pub(super) enum Expected {
    /// Known before the launch.
    Known(HostKey),
    /// Read from the serial console, where cloud-init prints it.
    Console,
}

/// How a machine is reached.
#[derive(Debug, Clone)]
pub(super) struct Access {
    /// The run's login key.
    pub(super) login: Key,
    /// The host key.
    pub(super) expected: Expected,
    /// The login name.
    pub(super) user: String,
    /// What the manifest says.
    pub(super) settings: MachineSettings,
    /// An image will be taken of it.
    pub(super) sealed: bool,
}

/// A connection that is being made in the background; given up when it is dropped.
pub(super) struct Dial(JoinHandle<Result<Ssh>>);

impl Drop for Dial {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Access {
    /// The address to connect to. Before the machine runs only the kind of address that is wanted counts: the other one
    /// may be all that exists yet.
    pub(super) fn address(&self, instance: &Instance, running: bool) -> Option<String> {
        let private = || instance.private.clone().or_else(|| instance.ipv6.clone());
        let settings = &self.settings;
        match settings.connect.private {
            Some(true) => return private(),
            Some(false) => return instance.public.clone(),
            None => {}
        }
        // A jump host stands in the machine's own network.
        if settings.connect.jump.is_some() || settings.public_ip == Some(false) {
            return private();
        }
        if instance.public.is_some() || settings.public_ip == Some(true) {
            return instance.public.clone();
        }
        if running { instance.ipv6.clone().or_else(private) } else { None }
    }

    /// The limit to become reachable.
    fn limit(&self, metal: bool) -> Duration {
        self.settings.connect.timeout.unwrap_or(if metal { LIMIT_METAL } else { LIMIT })
    }

    /// Begins to connect; the port is probed every 0.3 s.
    pub(super) fn dial(&self, aws: &Arc<Inner>, run: &Run, instance: &Instance, metal: bool) -> Dial {
        let limit = self.limit(metal);
        let deadline = Instant::now() + limit;
        let (access, aws, run, instance) = (self.clone(), Arc::clone(aws), run.clone(), instance.clone());
        Dial(tokio::spawn(async move {
            let target = access.target(&aws, &run, &instance, limit).await?;
            Ssh::connect(target, deadline, run.cancel.clone()).await
        }))
    }

    async fn target(&self, aws: &Inner, run: &Run, instance: &Instance, limit: Duration) -> Result<Target> {
        let address = self.address(instance, true).ok_or_else(|| {
            Error::build(format!("{} has no address that could be reached", instance.id))
                .help("Write `machine: {public-ip: true}`, or name a subnet with addresses, or a jump host.")
        })?;
        let host_key = match &self.expected {
            Expected::Known(key) => key.clone(),
            Expected::Console => hostkey::from_console(aws, run, &instance.id, limit).await?,
        };
        let connect = &self.settings.connect;
        let mut target = Target::new(address, &self.user, self.login.clone(), host_key);
        target.port = connect.port.unwrap_or(22);
        target.timing = Timing::default();
        target.jump = match &connect.jump {
            None => None,
            Some(jump) => Some(Jump {
                host: jump.host.clone(),
                port: jump.port.unwrap_or(22),
                user: jump.user.clone(),
                keys: vec![match &jump.key {
                    Some(path) => read_key(path)?,
                    None => self.login.clone(),
                }],
                host_key: match &jump.host_key {
                    Some(key) => HostKey::parse(key)?,
                    None => {
                        return Err(Error::manifest(format!("the host key of the jump host {} is not known", jump.host))
                            .help("Write `connect: {jump: {host-key: \"ssh-ed25519 …\"}}` (`ssh-keyscan` shows it), or `accept-new`."));
                    }
                },
            }),
        };
        Ok(target)
    }
}

fn read_key(path: &str) -> Result<Key> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::preflight(format!("read the jump host's key {path}"))
            .because(error)
            .help("Give the path of a private key.")
    })?;
    Key::parse(&SecretString::from(text))
}

/// Waits until the machine is reached and its first boot is finished.
pub(super) async fn connect(machine: &AwsMachine, run: &Run) -> Result<Arc<Ssh>> {
    if let Some(ssh) = machine.communicator() {
        return Ok(ssh);
    }
    let metal = types::metal(&machine.launched.kind);
    let dial = machine.with_state(|state| state.dial.take());
    let mut dial = match dial {
        Some(dial) => dial,
        None => machine.access.dial(&machine.aws, run, &machine.instance(), metal),
    };
    let limit = machine.access.limit(metal);
    let connected = tokio::select! {
        biased;
        () = run.cancel.cancelled() => Err(Error::cancelled()),
        ended = end(machine, run, limit * 2) => Err(ended),
        connected = &mut dial.0 => connected
            .unwrap_or_else(|error| Err(Error::internal("the task that connects ended").because(error))),
    };
    let ssh = match connected {
        Ok(ssh) => Arc::new(ssh),
        Err(error) => return Err(unreached(machine, run, error).await),
    };
    let prepare = boot::prepare(machine, run, &ssh, limit);
    tokio::select! {
        biased;
        ended = end(machine, run, limit * 2) => return Err(ended),
        prepared = prepare => prepared?,
    }
    machine.with_state(|state| state.ssh = Some(Arc::clone(&ssh)));
    Ok(ssh)
}

/// Resolves when the machine goes away by itself, and says why.
pub(super) async fn end(machine: &AwsMachine, run: &Run, limit: Duration) -> Error {
    let seen = machine
        .aws
        .instances
        .wait(run, &machine.id, limit, |state| {
            let instance = state?;
            let ended = matches!(instance.state.as_str(), "shutting-down" | "terminated" | "stopping" | "stopped");
            machine.with_state(|state| state.seen = Some(instance.clone()));
            ended.then(|| Ok(instance))
        })
        .await;
    match seen {
        Ok(instance) => {
            let (code, text) = instance.reason.unwrap_or_default();
            let text = if text.is_empty() { code.clone() } else { text };
            Error::build(format!("{} went to {} by itself: {text}", machine.in_words(), instance.state))
                .help(help_end(&code))
        }
        Err(error) if error.kind() == ErrorKind::Cancelled => error,
        // Not being able to look is no end; the connection's own limit decides.
        Err(_) => std::future::pending().await,
    }
}

/// The failure with what the reader needs to find out why: whether the address is the right one, and the console.
async fn unreached(machine: &AwsMachine, run: &Run, error: Error) -> Error {
    if error.kind() != ErrorKind::Build || run.cancel.is_cancelled() {
        return error;
    }
    let request = machine.aws.client.ec2.get_console_output().instance_id(&machine.id).latest(true).send();
    if let Ok(answer) = machine.aws.client.ask("GetConsoleOutput", request).await {
        let text = hostkey::decode(answer.output());
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let tail = &lines[lines.len().saturating_sub(TAIL)..];
        if !tail.is_empty() {
            run.warn(format!("the console of {} ends with:\n{}", machine.id, tail.join("\n")), None);
        }
    }
    if error.help_text().is_some() {
        return error;
    }
    let instance = machine.instance();
    let address = machine.access.address(&instance, true).unwrap_or_default();
    let private = instance.public.as_deref() != Some(address.as_str());
    let waited = human(run.clock().elapsed().saturating_sub(machine.born));
    let help = if private {
        format!(
            "{address} is a private address: it is reached from its own network alone. Write `machine: {{public-ip: true}}` \
             with a public subnet, or a jump host under `connect`, or run the bake inside the VPC with `ingress`."
        )
    } else {
        format!(
            "After {waited}: check that the subnet has a route to an internet gateway, that no network ACL stops port {}, \
             and that the image starts an SSH server. The console's last lines stand above.",
            machine.settings.connect.port.unwrap_or(22)
        )
    };
    error.help(help)
}

#[cfg(test)]
mod tests {
    use ami_bake_core::plan::Connect;

    use super::*;

    fn access(settings: MachineSettings) -> Access {
        let login = Key::generate("test").unwrap();
        Access { login, expected: Expected::Console, user: "admin".to_owned(), settings, sealed: true }
    }

    fn instance(public: Option<&str>) -> Instance {
        Instance { public: public.map(str::to_owned), private: Some("10.0.0.1".to_owned()), ..Instance::unknown("i-1") }
    }

    #[test]
    fn the_public_address_is_waited_for_while_it_may_come() {
        let usual = access(MachineSettings::default());
        assert_eq!(usual.address(&instance(None), false), None);
        assert_eq!(usual.address(&instance(None), true).as_deref(), Some("10.0.0.1"));
        assert_eq!(usual.address(&instance(Some("203.0.113.7")), false).as_deref(), Some("203.0.113.7"));
        let wanted = access(MachineSettings { public_ip: Some(true), ..MachineSettings::default() });
        assert_eq!(wanted.address(&instance(None), true), None);
    }

    #[test]
    fn a_private_connection_never_takes_the_public_address() {
        let connect = Connect { private: Some(true), ..Connect::default() };
        let private = access(MachineSettings { connect, ..MachineSettings::default() });
        assert_eq!(private.address(&instance(Some("203.0.113.7")), false).as_deref(), Some("10.0.0.1"));
    }
}
