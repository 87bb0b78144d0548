//! The description of a sandbox, as the JSON file that its holder reads.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A sandbox. All paths of the host are absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The read-only layers, top first; `/` is the host's own root.
    pub lower: Vec<PathBuf>,
    /// The folder for all changes; created when it is missing.
    pub upper: PathBuf,
    /// A work folder on the same file system as `upper`; created when it is missing.
    pub work: PathBuf,
    /// The host name inside.
    pub hostname: String,
    /// The network inside.
    #[serde(default)]
    pub network: Network,
    /// Files and folders of the host that are visible inside.
    #[serde(default)]
    pub binds: Vec<Bind>,
    /// Paths of the layers that are hidden: a folder is empty inside, a file is missing. Changes at these paths are kept in
    /// `upper` like all others.
    #[serde(default)]
    pub hide: Vec<PathBuf>,
    /// Files of the layers that have another content inside, by their path.
    #[serde(default)]
    pub replace: BTreeMap<PathBuf, String>,
    /// The content of `/proc/sys/kernel/random/boot_id`. Default: the host's.
    #[serde(default)]
    pub boot_id: Option<String>,
    /// The program whose end ends the sandbox. Default: none; the sandbox lives until it is killed.
    #[serde(default)]
    pub init: Vec<String>,
    /// The program's environment. Default: that of a root login.
    #[serde(default)]
    pub env: Option<BTreeMap<String, String>>,
    /// True to ignore syncs, which package managers do often. `upper` is lost in a power failure.
    #[serde(default)]
    pub volatile: bool,
    /// True to end the sandbox when the holder's standard input, a pipe, is closed, so that the sandbox ends with the process
    /// that started it. (A parent-death signal would also be sent when only a thread ends.)
    #[serde(default)]
    pub lifeline: bool,
    /// True to give the program the holder's standard input, for a person at a terminal. Default: empty input.
    #[serde(default)]
    pub interactive: bool,
    /// The sandbox is killed after this many seconds.
    #[serde(default)]
    pub lifetime: Option<u64>,
    /// True to print init's process id, in decimal, on a line when the sandbox is running, and `ended` when its last process
    /// has ended.
    #[serde(default)]
    pub announce: bool,
    /// A file that is written when the sandbox is running: init's process id in the holder's PID namespace, in decimal.
    #[serde(default)]
    pub ready: Option<PathBuf>,
}

/// The network inside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// The network of the host.
    #[default]
    Host,
    /// Only the loopback interface.
    None,
}

/// A file or folder of the host that is visible inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bind {
    /// The path on the host.
    pub source: PathBuf,
    /// The path inside; created when it is missing.
    pub target: PathBuf,
    /// True when it is read-only inside.
    #[serde(default)]
    pub read_only: bool,
}
