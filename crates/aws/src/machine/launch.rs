//! Launches a machine: prepares everything that it needs concurrently, then makes attempts until one is running.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use ami_bake_core::ledger::Closed;
use ami_bake_core::plan::{Architecture, Phase};
use ami_bake_core::platform::Launch;
use ami_bake_core::{Error, Result, Run};
use aws_sdk_ec2::types::Image;

use super::access::{self, Access, Dial};
use super::handle::{AwsMachine, State};
use super::identity::{Identity, identity};
use super::instance::{self, Instance, by_token};
use super::keypair;
use super::machines::Machines;
use super::network::{self, Network};
use super::refusal::{NextAttempt, decide, decide_end, help_end};
use super::request::{Attempt, Blueprint};
use super::{disk, price, profile, timer, types, user, userdata};
use crate::client::ledger::{MACHINE, PLATFORM};
use crate::client::{Client, Failure, no_retries};
use crate::image::{created, described, source_image};
use crate::lineage;

/// Time limit for a machine to be running; bare metal takes ten minutes.
const PENDING: Duration = Duration::from_mins(15);
/// Time for a running machine to show its address: EC2 assigns it at the launch.
const ADDRESS: Duration = Duration::from_secs(10);
/// Time within which new resources are visible to RunInstances; IAM is the slowest (2 min were seen).
const VISIBLE: Duration = Duration::from_secs(150);
/// Time for which the identical request is repeated after a lost answer.
const LOST: Duration = Duration::from_mins(2);

/// Launches a machine and waits until it is running.
pub(crate) async fn launch(machines: &Arc<Machines>, run: &Run, launch: &Launch<'_>) -> Result<AwsMachine> {
    run.check()?;
    let settings = launch.machine;
    let image = described(&machines.images, run, &launch.source.id).await?;
    let user = settings.user.clone().or_else(|| user::of(&image)).ok_or_else(|| user::unknown(&image))?;
    let snapshots = match launch.phase {
        Phase::Test => disk::Snapshots::new(),
        _ => disk::snapshots(machines.client(), settings).await?,
    };
    let mappings = disk::mappings(&image, settings, launch.phase, &snapshots)?;
    let keys = keypair::login(machines, run, settings).await?;
    let Identity { expected, login, installed, user_data } = identity(run, settings, &keys, launch.lifetime)?;
    let profile = async {
        match (&settings.profile, &settings.policy) {
            (Some(name), _) => Ok(Some(name.clone())),
            (None, Some(policy)) => profile::temporary(machines, run, policy).await.map(Some),
            (None, None) => Ok(None),
        }
    };
    // All of them run to their end, so that one's failure leaves no half-made other that the ledger can't name.
    let lineage = async {
        if settings.lineage && launch.phase == Phase::Build {
            return lineage::own_copy(&machines.lineages, run, &image, settings).await;
        }
        None
    };
    let (network, key_name, profile, own) = futures::join!(
        network::prepare(machines, run, settings),
        keypair::imported(machines, run, &keys),
        profile,
        lineage
    );
    let (network, key_name, profile) = (network?, key_name?, profile?);
    let name = format!("ami-bake {} {} {}", launch.namespace, launch.key, launch.phase.as_str());
    let mut all = created(run, &name, Some(launch.namespace), Some(launch.key), launch.lifetime);
    // The manifest may rename the machine, but not change its ownership: the prefix `ami-bake:` is reserved.
    all.extend(settings.tags.clone());
    let blueprint = Blueprint {
        image: own.unwrap_or_else(|| launch.source.id.clone()),
        key_name,
        groups: network.groups.clone(),
        profile,
        user_data,
        mappings,
        tags: all,
        settings: settings.clone(),
    };
    let sealed = launch.phase != Phase::Test;
    let root = access::root_access(run, settings);
    let access = Access { login, installed, expected, user, root, settings: settings.clone(), sealed };
    let starter = Launcher { machines, run, launch, blueprint: &blueprint, access: &access };
    // If the ingress rule fails, the machine is in the ledger and is terminated with the failed image.
    let (started, opened) = futures::join!(starter.start(&image, &network), network::open(machines, run, &network));
    opened?;
    let started = started?;
    if settings.connect.outside.is_some() && !userdata::joins(settings.user_data.as_deref()) {
        timer::missing(run, &started.instance.id);
    }
    Ok(AwsMachine {
        machines: Arc::clone(machines),
        id: started.instance.id.clone(),
        source: image,
        settings: settings.clone(),
        lifetime: launch.lifetime,
        born: run.clock().elapsed(),
        group: network.own,
        spot_price: price::of_spot(machines.client(), &started.instance),
        access,
        nonce: OnceLock::new(),
        state: Mutex::new(State { seen: Some(started.instance.clone()), dial: started.dial, ..State::default() }),
        launched: started.instance,
    })
}

/// A machine that is running.
struct StartedMachine {
    instance: Instance,
    dial: Option<Dial>,
}

/// Why an attempt to launch failed.
enum LaunchError {
    /// The next attempt may succeed.
    Next {
        why: String,
        /// Whether to try the same type and subnet again.
        again: bool,
        /// Whether another type or subnet may have capacity.
        elsewhere: bool,
    },
    /// The account's quota for such types is used up.
    Quota(Error),
    /// No attempt can succeed.
    Stop(Error),
}

/// The attempts that failed.
#[derive(Default)]
struct FailedAttempts {
    said: Vec<String>,
    /// Whether another type or subnet may have capacity.
    elsewhere: bool,
    /// The quotas that are used up, by market, and EC2's message for the first.
    quotas: Vec<(bool, &'static str)>,
    quota: Option<Error>,
}

struct Launcher<'a> {
    machines: &'a Arc<Machines>,
    run: &'a Run,
    launch: &'a Launch<'a>,
    blueprint: &'a Blueprint,
    access: &'a Access,
}

impl Launcher<'_> {
    /// Tries spot before on-demand, then the types in their order, then the subnets in theirs.
    async fn start(&self, image: &Image, network: &Network) -> Result<StartedMachine> {
        let settings = self.launch.machine;
        let types = match settings.types.as_slice() {
            [] => types::default(self.launch.source.architecture.or_else(|| architecture(image))),
            named => named.to_vec(),
        };
        let mut failed = FailedAttempts::default();
        let markets: &[bool] = if settings.spot { &[true, false] } else { &[false] };
        for &spot in markets {
            if settings.spot && !spot {
                self.run.warn(
                    format!("no spot capacity for {}; using on-demand capacity", types.join(", ")),
                    Some("Add more types under `machine: {type: […]}` to find spot capacity more often.".to_owned()),
                );
            }
            let types = if spot { self.spot_types(&types) } else { types.clone() };
            if let Some(started) = self.try_places(&types, &network.subnets, spot, &mut failed).await? {
                return Ok(started);
            }
        }
        // EC2's own choice of a zone had no capacity: try the default subnets one by one before giving up.
        if network.subnets == [None] && failed.elsewhere {
            let subnets = network::default_subnets(self.machines.client()).await?;
            if let Some(started) = self.try_places(&types, &subnets, false, &mut failed).await? {
                return Ok(started);
            }
        }
        // Only quotas prevented the launch, which calls for different advice.
        if let (Some(error), []) = (failed.quota, failed.said.as_slice()) {
            return Err(error);
        }
        failed.said.dedup();
        Err(Error::build(format!(
            "could not launch a machine for {} in {}: {}",
            self.launch.key,
            self.machines.client().region(),
            failed.said.join("; ")
        ))
        .help(
            "Add more types under `machine: {type: […]}` and subnets in more zones under `machine: {subnet: […]}`. They \
             are tried in this order. Capacity can change within minutes.",
        ))
    }

    /// The types for which spot works: without StopInstances, which spot does not allow, a Xen guest that halts powers
    /// off, and its disk is deleted.
    fn spot_types(&self, types: &[String]) -> Vec<String> {
        let (nitro, xen): (Vec<&String>, Vec<&String>) = types.iter().partition(|kind| instance::nitro(kind));
        if self.launch.phase == Phase::Test || xen.is_empty() {
            return types.to_vec();
        }
        let xen: Vec<&str> = xen.into_iter().map(String::as_str).collect();
        self.run.warn(
            format!("{} is not used as spot: on Xen, the disk would be lost when the guest halts", xen.join(", ")),
            Some("Use Nitro-based types under `machine: {type: […]}`.".to_owned()),
        );
        nitro.into_iter().cloned().collect()
    }

    async fn try_places(
        &self,
        types: &[String],
        subnets: &[Option<String>],
        spot: bool,
        failed: &mut FailedAttempts,
    ) -> Result<Option<StartedMachine>> {
        let state = self.machines.runs.of(self.run);
        for kind in types {
            if failed.quotas.contains(&(spot, types::quota(kind))) {
                continue;
            }
            'places: for subnet in subnets {
                let mut repeats = 1;
                loop {
                    self.run.check()?;
                    let attempt = Attempt { kind: kind.clone(), subnet: subnet.clone(), spot, number: state.attempt() };
                    match self.attempt(&attempt).await {
                        Ok(started) => return Ok(Some(started)),
                        Err(LaunchError::Stop(error)) => return Err(error),
                        Err(LaunchError::Quota(error)) => {
                            self.run.progress(format!("{}: the account's vCPU quota is used up", attempt.in_words()));
                            failed.quotas.push((spot, types::quota(kind)));
                            failed.quota.get_or_insert(error);
                            break 'places;
                        }
                        Err(LaunchError::Next { why, again, elsewhere }) => {
                            self.run.progress(format!("{}: {why}", attempt.in_words()));
                            failed.said.push(format!("{}: {why}", attempt.in_words()));
                            failed.elsewhere |= elsewhere;
                            if !elsewhere {
                                break 'places;
                            }
                            if again && repeats > 0 {
                                repeats -= 1;
                                continue;
                            }
                        }
                    }
                    break;
                }
            }
        }
        Ok(None)
    }

    async fn attempt(&self, attempt: &Attempt) -> Result<StartedMachine, LaunchError> {
        let token = attempt.token(self.run.id(), self.launch.key, self.launch.phase);
        let id = self.request(attempt, &token).await?;
        self.settle(attempt, &id).await
    }

    /// Sends RunInstances until there is a definite answer. It is a task of its own, so that dropping the caller can't
    /// leave a machine that is not in the ledger.
    async fn request(&self, attempt: &Attempt, token: &str) -> Result<Instance, LaunchError> {
        let (client, run, attempt) = (Arc::clone(self.machines.client()), self.run.clone(), attempt.clone());
        let (blueprint, token) = (self.blueprint.clone(), token.to_owned());
        let doing = format!("launch {} for {}", attempt.in_words(), self.launch.key);
        let task = tokio::spawn(async move {
            let what = format!("EC2 to take the request to {doing}");
            run.waiting(&what, run_instances(&client, &run, &blueprint, &attempt, &token, &doing)).await
        });
        task.await.unwrap_or_else(|error| {
            Err(LaunchError::Stop(Error::internal("the launch task ended unexpectedly").because(error)))
        })
    }

    /// Waits until the machine is running. The connection is tried from the moment that it has an address.
    async fn settle(&self, attempt: &Attempt, launched: &Instance) -> Result<StartedMachine, LaunchError> {
        let run = self.run;
        let start = run.clock().elapsed();
        let (mut dial, mut unaddressed) = (None, None);
        let seen = self
            .machines
            .instances
            .wait(run, &launched.id, &format!("{} ({}) to run", launched.id, attempt.in_words()), PENDING, |state| {
                let Some(instance) = state else {
                    let unseen = run.clock().elapsed().saturating_sub(start);
                    return (unseen > Duration::from_mins(1)).then(|| Ok(Err(launched.clone())));
                };
                match instance.state.as_str() {
                    "pending" | "" => {
                        if dial.is_none()
                            && !self.access.is_outside()
                            && self.access.address(&instance, false).is_some()
                        {
                            dial = Some(self.access.dial(
                                self.machines.client(),
                                run,
                                &instance,
                                types::metal(&attempt.kind),
                            ));
                        }
                        None
                    }
                    // It may be attached a moment later.
                    "running" if self.access.address(&instance, true).is_none() => {
                        let now = run.clock().elapsed();
                        let since = *unaddressed.get_or_insert(now);
                        (now.saturating_sub(since) >= ADDRESS).then(|| Err(self.access.no_address(&instance)))
                    }
                    "running" => Some(Ok(Ok(instance))),
                    _ => Some(Ok(Err(instance))),
                }
            })
            .await
            .map_err(LaunchError::Stop)?;
        let ended = match seen {
            Ok(instance) => {
                let dial = (!self.access.is_outside()).then(|| {
                    dial.unwrap_or_else(|| {
                        self.access.dial(self.machines.client(), run, &instance, types::metal(&attempt.kind))
                    })
                });
                return Ok(StartedMachine { instance, dial });
            }
            Err(instance) => instance,
        };
        let (code, text) = ended.reason.clone().unwrap_or_default();
        let verdict = decide_end(&code);
        if matches!(ended.state.as_str(), "terminated" | "shutting-down") {
            run.ledger().close_id(MACHINE, &launched.id, Closed::Deleted);
        }
        if verdict == NextAttempt::Elsewhere {
            let again = code == "Server.InternalError";
            return Err(LaunchError::Next { why: words(&code, &text), again, elsewhere: true });
        }
        let what = if ended.state == "pending" {
            "was never listed by EC2".to_owned()
        } else {
            format!("went to {}", ended.state)
        };
        let error = Error::build(format!(
            "the machine {} ({}) for {} {what} instead of running: {}",
            launched.id,
            attempt.in_words(),
            self.launch.key,
            words(&code, &text)
        ));
        Err(LaunchError::Stop(error.help(help_end(&code))))
    }
}

async fn run_instances(
    client: &Client,
    run: &Run,
    blueprint: &Blueprint,
    attempt: &Attempt,
    token: &str,
    doing: &str,
) -> Result<Instance, LaunchError> {
    let stop = LaunchError::Stop;
    let ticket = run.intend(PLATFORM, MACHINE, Some(client.region()), token).map_err(stop)?;
    let start = run.clock().elapsed();
    let mut pause = Duration::from_millis(500);
    loop {
        let request = blueprint.request(client, attempt, token).customize().config_override(no_retries()).send();
        let failure = match client.ask("RunInstances", request).await {
            Ok(answer) => {
                let instance = answer.instances().first().map_or_else(|| Instance::unknown(""), Instance::from);
                run.ledger().confirm(ticket, &instance.id);
                return Ok(instance);
            }
            Err(failure) => *failure,
        };
        let passed = run.clock().elapsed().saturating_sub(start);
        match decide(&failure, blueprint.made()) {
            NextAttempt::Repeat if passed < LOST => {
                tracing::debug!(code = failure.code(), "RunInstances again, with the same token");
            }
            NextAttempt::TooEarly if passed < VISIBLE && !run.cancel.is_cancelled() => {}
            verdict @ (NextAttempt::Elsewhere | NextAttempt::OtherType) => {
                run.ledger().close(ticket, Closed::Refused);
                let why = words(failure.code(), failure.text());
                return Err(LaunchError::Next { why, again: false, elsewhere: verdict == NextAttempt::Elsewhere });
            }
            verdict => {
                if verdict == NextAttempt::Repeat
                    && let Some(instance) = by_token(client, token).await.map_err(stop)?
                {
                    run.ledger().confirm(ticket, &instance.id);
                    return Ok(instance);
                }
                if !failure.unknown() {
                    run.ledger().close(ticket, Closed::Refused);
                }
                let error = refused(client, failure, doing).await;
                return Err(if verdict == NextAttempt::OtherQuota { LaunchError::Quota(error) } else { stop(error) });
            }
        }
        // Not the run's own sleep, which a cancel ends: a request with a lost answer must be settled before a cancelled
        // run cleans up.
        run.clock().sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(8));
    }
}

async fn refused(client: &Client, failure: Failure, doing: &str) -> Error {
    let (code, text) = (failure.code().to_owned(), failure.text().to_owned());
    let error = client.explain(failure, doing).await;
    if error.help_text().is_some() {
        return error;
    }
    match code.as_str() {
        "InvalidParameterValue" if text.contains("Instance Profile") => {
            error.help("Check `machine: {profile: …}`: it takes the name of an instance profile, not of a role.")
        }
        "InvalidGroup.NotFound" | "InvalidSecurityGroupID.NotFound" => {
            error.help("Check `machine: {security-groups: …}`: groups belong to one region and one VPC.")
        }
        "InvalidSubnetID.NotFound" => error.help("Check `machine: {subnet: …}`: subnets belong to one region."),
        "VPCIdNotSpecified" => error.help("The account has no default VPC in this region: set `machine: {subnet: …}`."),
        _ => error,
    }
}

/// A refusal in a few words; AWS's own text has details that the code only hints at.
fn words(code: &str, text: &str) -> String {
    match code {
        "InsufficientInstanceCapacity" | "Server.InsufficientInstanceCapacity" => "no capacity".to_owned(),
        "InsufficientFreeAddressesInSubnet" => "the subnet has no free address".to_owned(),
        "SpotMaxPriceTooLow" => "no spot capacity".to_owned(),
        "" if text.is_empty() => "EC2 gave no reason".to_owned(),
        "" => text.to_owned(),
        code => {
            format!("{code} ({})", text.trim_start_matches(code).trim_start_matches(':').trim().trim_end_matches('.'))
        }
    }
}

fn architecture(image: &Image) -> Option<Architecture> {
    source_image(image).architecture
}
