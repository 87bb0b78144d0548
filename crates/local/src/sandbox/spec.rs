//! What a sandbox looks like, as the JSON file that its holder reads.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A sandbox. All paths of the host are absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The layers below, top first; `/` is the host's own root.
    pub lower: Vec<PathBuf>,
    /// Where every change goes; made when it is missing.
    pub upper: PathBuf,
    /// A folder of the sandbox's own on the same file system as `upper`; made when it is missing.
    pub work: PathBuf,
    /// The host name inside.
    pub hostname: String,
    /// The network inside.
    #[serde(default)]
    pub network: Network,
    /// Files and folders of the host that are visible inside.
    #[serde(default)]
    pub binds: Vec<Bind>,
    /// Paths of the layers below that are hidden: a folder is empty inside, a file is missing. What the sandbox itself
    /// writes there is kept in `upper` as everywhere else.
    #[serde(default)]
    pub hide: Vec<PathBuf>,
    /// Files of the layers below that have another content inside, by their path.
    #[serde(default)]
    pub replace: BTreeMap<PathBuf, String>,
    /// What `/proc/sys/kernel/random/boot_id` shows; the host's without.
    #[serde(default)]
    pub boot_id: Option<String>,
    /// The program that the sandbox lives for; without one it lives until it is killed.
    #[serde(default)]
    pub init: Vec<String>,
    /// The program's environment; a plain root login's without.
    #[serde(default)]
    pub env: Option<BTreeMap<String, String>>,
    /// True: syncing inside does nothing, which package managers do all day. A loss of power loses `upper`.
    #[serde(default)]
    pub volatile: bool,
    /// True: the sandbox ends when the holder's standard input, a pipe, reaches its end. That is how it dies with the
    /// process that started it; a parent-death signal would come when a mere thread ends.
    #[serde(default)]
    pub lifeline: bool,
    /// True: the program's standard input is the holder's, for a person at a terminal; without it it is empty.
    #[serde(default)]
    pub interactive: bool,
    /// The sandbox ends after this many seconds, whatever happens.
    #[serde(default)]
    pub lifetime: Option<u64>,
    /// True: the holder prints init's process id, in decimal, on a line of its own when the sandbox stands, and `ended`
    /// when its last process is gone.
    #[serde(default)]
    pub announce: bool,
    /// A file that is written when the sandbox stands: init's process id in the holder's PID namespace, in decimal.
    #[serde(default)]
    pub ready: Option<PathBuf>,
}

/// The network inside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// The host's.
    #[default]
    Host,
    /// Loopback alone.
    None,
}

/// A file or folder of the host that is visible inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bind {
    /// The path on the host.
    pub source: PathBuf,
    /// The path inside; made when it is missing.
    pub target: PathBuf,
    /// True when it can't be written inside.
    #[serde(default)]
    pub read_only: bool,
}
