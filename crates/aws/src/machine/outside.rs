//! Checks from outside that a machine has booted, for images that nobody can log in to.

use std::io::ErrorKind as IoErrorKind;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, DialError, Duplex, Exec, Exit, Reader, Writer};
use ami_bake_core::console::is_up;
use ami_bake_core::duration::human;
use ami_bake_core::output::OutputSink;
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;
use aws_sdk_ec2::types::{InstanceStatus, SummaryStatus};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::handle::AwsMachine;
use super::{connect, console, instance, types};

/// Pause between two checks. EC2 runs its own status checks once a minute
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-system-instance-status-check.html>).
const PAUSE: Duration = Duration::from_secs(2);
/// Time between two lines about a wait.
const REPORT: Duration = Duration::from_secs(10);
/// Time limit of the boot, beyond that of a connection: status checks begin minutes after the launch.
const CHECKS: Duration = Duration::from_mins(5);
/// Time limit of one TCP connection.
const DIAL: Duration = Duration::from_secs(5);

/// What is known of a boot.
#[derive(Debug, Default)]
struct Boot {
    /// Whether the console shows the end of the boot; none if the console can't be read while the machine runs.
    console: Option<bool>,
    /// Whether both status checks passed.
    passed: bool,
    /// The status checks in words.
    checks: String,
}

impl Boot {
    fn is_up(&self) -> bool {
        self.passed && self.console.unwrap_or(true)
    }

    fn missing(&self) -> String {
        match (self.console, self.passed) {
            (Some(false), false) => {
                format!("the console shows no login prompt, and the status checks are {}", self.checks)
            }
            (Some(false), true) => "the console shows no login prompt".to_owned(),
            _ => format!("the status checks are {}", self.checks),
        }
    }
}

/// Waits until the console shows the end of the boot and EC2's status checks passed.
pub(crate) async fn booted(machine: &AwsMachine, run: &Run) -> Result<Arc<dyn Communicator>> {
    let limit = machine.access.limit(types::metal(&machine.launched.kind)) + CHECKS;
    let boot = tokio::select! {
        biased;
        ended = connect::end(machine, run, limit * 2) => return Err(ended),
        boot = wait(machine, run, limit) => boot?,
    };
    let console = match boot.console {
        Some(_) => "its console shows the end of the boot",
        None => "its console can't be read while it runs",
    };
    run.progress(format!("Booted {}: EC2 status checks passed, {console}", machine.id));
    let address = machine.access.address(&machine.instance(), true);
    Ok(Arc::new(Outside { id: machine.id.clone(), address, allowed: machine.group.is_some() }))
}

async fn wait(machine: &AwsMachine, run: &Run, limit: Duration) -> Result<Boot> {
    let start = run.clock().elapsed();
    let mut reported = start;
    let mut boot = Boot { console: instance::nitro(&machine.launched.kind).then_some(false), ..Boot::default() };
    loop {
        look(machine, &mut boot).await?;
        let now = run.clock().elapsed();
        if boot.is_up() {
            return Ok(boot);
        }
        if now.saturating_sub(start) > limit {
            return Err(Error::build(format!(
                "{} did not boot within {}: {}",
                machine.in_words(),
                human(limit),
                boot.missing()
            ))
            .help("See its console in the EC2 console; `connect: {timeout: …}` gives it more time."));
        }
        if now.saturating_sub(reported) >= REPORT {
            reported = now;
            run.progress(format!("Waiting for {} to boot: {}", machine.id, boot.missing()));
        }
        run.sleep(PAUSE).await?;
    }
}

async fn look(machine: &AwsMachine, boot: &mut Boot) -> Result<()> {
    let client = machine.client();
    let request = client.ec2.describe_instance_status().instance_ids(&machine.id).send();
    match client.ask("DescribeInstanceStatus", request).await {
        Ok(answer) => {
            let status = answer.instance_statuses().first();
            boot.passed = status.is_some_and(passed);
            boot.checks = status.map_or("not known yet".to_owned(), words);
        }
        Err(failure) if failure.not_found() || failure.unknown() || failure.throttled() => {}
        Err(failure) => {
            return Err(client.explain(*failure, &format!("read the status checks of {}", machine.id)).await);
        }
    }
    if boot.console != Some(false) {
        return Ok(());
    }
    let request = client.ec2.get_console_output().instance_id(&machine.id).latest(true).send();
    match client.ask("GetConsoleOutput", request).await {
        Ok(answer) => boot.console = Some(is_up(&console::decode(answer.output()))),
        Err(failure) if failure.is(&["UnsupportedOperation"]) => boot.console = None,
        Err(failure) if failure.not_found() || failure.unknown() || failure.throttled() => {}
        Err(failure) => return Err(client.explain(*failure, &format!("read the console of {}", machine.id)).await),
    }
    Ok(())
}

fn passed(status: &InstanceStatus) -> bool {
    let both = [status.instance_status(), status.system_status()];
    both.iter().all(|check| check.and_then(|check| check.status()) == Some(&SummaryStatus::Ok))
}

fn words(status: &InstanceStatus) -> String {
    let word = |check: Option<&aws_sdk_ec2::types::InstanceStatusSummary>| {
        check.and_then(|check| check.status()).map_or("unknown", |status| status.as_str()).to_owned()
    };
    format!("{} (instance) and {} (system)", word(status.instance_status()), word(status.system_status()))
}

/// A machine without a login: its ports can be connected to from this computer.
struct Outside {
    id: String,
    address: Option<String>,
    /// True if the bake's own security group lets this computer in.
    allowed: bool,
}

impl Outside {
    fn no_login(&self) -> Error {
        Error::build(format!("could not run a command on {}: `test-connect: none` forbids the login", self.id))
    }
}

#[async_trait]
impl Communicator for Outside {
    async fn exec(&self, _: Exec<'_>, _: &mut dyn OutputSink) -> Result<Exit> {
        Err(self.no_login())
    }

    async fn put(&self, _: Reader<'_>, _: &str) -> Result<()> {
        Err(self.no_login())
    }

    async fn get(&self, _: &str, _: Writer<'_>) -> Result<()> {
        Err(self.no_login())
    }

    async fn dial(&self, _: &str, port: u16) -> Result<Box<dyn Duplex>, DialError> {
        let Some(address) = &self.address else {
            let error = Error::build(format!("{} has no reachable address", self.id));
            return Err(DialError::Untried(error.help("Set `machine: {public-ip: true}`, or remove the step.")));
        };
        let failed =
            |why: &str| Error::build(format!("could not connect to {address}:{port} from this computer: {why}"));
        match timeout(DIAL, TcpStream::connect((address.as_str(), port))).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) if error.kind() == IoErrorKind::ConnectionRefused => {
                Err(DialError::Closed(failed("connection refused").because(error)))
            }
            Ok(Err(error)) => Err(DialError::Untried(failed("the network does not allow it").because(error))),
            // Nothing but the machine's own firewall drops packets that the bake's security group allows.
            Err(_) if self.allowed => Err(DialError::Closed(failed("no answer"))),
            Err(_) => Err(DialError::Untried(
                failed("no answer")
                    .help("Check that `machine.security-groups` allow this computer to connect to the port."),
            )),
        }
    }

    fn runs_commands(&self) -> bool {
        false
    }

    fn detour(&self) -> Option<String> {
        self.address.as_ref().map(|address| format!("to {address} from this computer"))
    }
}
