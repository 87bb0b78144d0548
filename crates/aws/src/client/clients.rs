//! Creates all clients: one per region, and per role that is assumed in another account.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ami_bake_core::clock::Clock;
use ami_bake_core::limit::Limiter;
use ami_bake_core::{Error, Result};
use tokio::sync::OnceCell;

use super::identity::Identity;
use super::regional::Client;

/// Region and credentials of a bake.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The home region. Default: from the environment or the profile.
    pub region: Option<String>,
    /// The credentials to use.
    pub identity: Identity,
    /// Time limit for one attempt of a call; all attempts together have six times that. Default: 30 s.
    pub attempt: Option<Duration>,
}

/// A role in another account, if any, and a region.
type AccountRegion = (Option<String>, String);

/// The clients of every region and account that a run uses, each created on first use.
pub(crate) struct Clients {
    home: Arc<Client>,
    others: Mutex<HashMap<AccountRegion, Arc<Client>>>,
    account: OnceCell<String>,
}

impl Clients {
    /// Creates the home client with the current credentials. Makes no call to AWS yet.
    ///
    /// # Errors
    /// When no region is set, or a setting is invalid.
    pub(crate) async fn new(settings: Settings, clock: Arc<dyn Clock>, limiter: Arc<Limiter>) -> Result<Self> {
        let home = Arc::new(Client::new(settings.region, settings.identity, settings.attempt, clock, limiter).await?);
        Ok(Self { home, others: Mutex::default(), account: OnceCell::new() })
    }

    /// The client of the home region and the bake's own account.
    pub(crate) fn home(&self) -> &Arc<Client> {
        &self.home
    }

    /// ID of the bake's own account. Every role may request it (STS API, GetCallerIdentity).
    ///
    /// # Errors
    /// When the call to STS fails.
    pub(crate) async fn account(&self) -> Result<&str> {
        let ask = async {
            let request = self.home.sts.get_caller_identity().send();
            let answer = self.home.call("GetCallerIdentity", "find out the AWS account", request).await?;
            answer
                .account
                .ok_or_else(|| Error::build("could not find out the AWS account: the answer of STS has no account"))
        };
        self.account.get_or_try_init(|| ask).await.map(String::as_str)
    }

    /// The client of another region of the bake's own account.
    pub(crate) fn in_region(&self, region: &str) -> Arc<Client> {
        self.at(region, None)
    }

    /// The client of a region, in the account of `role` if there is one.
    pub(crate) fn at(&self, region: &str, role: Option<&str>) -> Arc<Client> {
        if role.is_none() && region == self.home.region() {
            return Arc::clone(&self.home);
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        // All regions of an account share the session of its role.
        let account = match role {
            None => Arc::clone(&self.home),
            Some(role) => {
                let at_home = (Some(role.to_owned()), self.home.region().to_owned());
                Arc::clone(others.entry(at_home).or_insert_with(|| Arc::new(self.home.under(role))))
            }
        };
        let place = (role.map(str::to_owned), region.to_owned());
        Arc::clone(others.entry(place).or_insert_with(|| Arc::new(account.in_region(region))))
    }

    /// Number of requests sent so far, including retries and polls, by action.
    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        self.home.calls()
    }
}

/// A value of a feature for each region and account, created on first use.
pub(crate) struct PerPlace<T> {
    clients: Arc<Clients>,
    make: fn(Arc<Client>) -> T,
    all: Mutex<HashMap<AccountRegion, Arc<T>>>,
}

impl<T> PerPlace<T> {
    /// Values created by `make` from the client of their region and account.
    pub(crate) fn new(clients: Arc<Clients>, make: fn(Arc<Client>) -> T) -> Self {
        Self { clients, make, all: Mutex::default() }
    }

    /// The value of the home region and the bake's own account.
    pub(crate) fn home(&self) -> Arc<T> {
        self.at(self.clients.home().region(), None)
    }

    /// The value of a region, in the account of `role` if there is one.
    pub(crate) fn at(&self, region: &str, role: Option<&str>) -> Arc<T> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (role.map(str::to_owned), region.to_owned());
        let new = || Arc::new((self.make)(self.clients.at(region, role)));
        Arc::clone(all.entry(place).or_insert_with(new))
    }

    /// The clients that the values are created from.
    pub(crate) fn clients(&self) -> &Arc<Clients> {
        &self.clients
    }
}
