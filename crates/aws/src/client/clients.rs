//! The one place that makes clients: for each region, and for each role that is assumed in another account.

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
    /// Whose credentials are used.
    pub identity: Identity,
    /// Time that AWS may take to answer one attempt of a call; all attempts together get six times that. Default: 30 s.
    pub attempt: Option<Duration>,
}

/// A role in another account, where there is one, and a region.
type AccountRegion = (Option<String>, String);

/// The clients of every region and account that a run touches, each made at its first use.
pub(crate) struct Clients {
    home: Arc<Client>,
    others: Mutex<HashMap<AccountRegion, Arc<Client>>>,
    account: OnceCell<String>,
}

impl Clients {
    /// Clients with the credentials that are found now. Makes no call to AWS yet.
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

    /// The number of the bake's own account. Every role may ask for it (STS API, GetCallerIdentity).
    ///
    /// # Errors
    /// When STS does not say.
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

    /// The client of a region, in the account of `role` where one is given.
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

    /// Requests sent so far, retries and polls included, by action.
    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        self.home.calls()
    }
}

/// What a feature keeps for each region and account, made at its first use.
pub(crate) struct PerPlace<T> {
    clients: Arc<Clients>,
    make: fn(Arc<Client>) -> T,
    all: Mutex<HashMap<AccountRegion, Arc<T>>>,
}

impl<T> PerPlace<T> {
    /// Values made by `make` from the client of their place.
    pub(crate) fn new(clients: Arc<Clients>, make: fn(Arc<Client>) -> T) -> Self {
        Self { clients, make, all: Mutex::default() }
    }

    /// The value of the home region and the bake's own account.
    pub(crate) fn home(&self) -> Arc<T> {
        self.at(self.clients.home().region(), None)
    }

    /// The value of a region, in the account of `role` where one is given.
    pub(crate) fn at(&self, region: &str, role: Option<&str>) -> Arc<T> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (role.map(str::to_owned), region.to_owned());
        let new = || Arc::new((self.make)(self.clients.at(region, role)));
        Arc::clone(all.entry(place).or_insert_with(new))
    }

    /// The clients that the values are made from.
    pub(crate) fn clients(&self) -> &Arc<Clients> {
        &self.clients
    }
}
