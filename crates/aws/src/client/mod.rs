//! The lowest layer of the crate: SDK clients per region and account, credentials, rate limits, retries and failures.

mod clients;
mod clock_correction;
mod denied;
mod endpoint;
mod failure;
mod filter;
mod hash;
pub(crate) mod identity;
mod keyed_once_cell;
pub(crate) mod ledger;
mod limits;
mod meter;
mod pages;
mod poller;
mod regional;
mod retry;
mod server_time;
mod visibility;

pub use clients::Settings;
pub(crate) use clients::{Clients, PerPlace};
pub(crate) use denied::service;
pub(crate) use endpoint::{encode, endpoint};
pub(crate) use failure::Failure;
pub(crate) use filter::{filter, one_of, tag_filter};
pub(crate) use hash::hash;
pub(crate) use keyed_once_cell::KeyedOnceCell;
pub(crate) use pages::pages;
pub(crate) use poller::{Timing, poller};
pub(crate) use regional::{Client, retries};
pub(crate) use retry::{create_once, no_retries, until_visible};
pub(crate) use visibility::{MissingTimer, RecentlyCreated};
