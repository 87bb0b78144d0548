//! The description of a sandbox, a JSON file that its holder reads.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Description of a sandbox. All paths of the host are absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The read-only layers, top first; `/` is the host's own root.
    pub lower: Vec<PathBuf>,
    /// The folder for all changes; created when it is missing.
    pub upper: PathBuf,
    /// A work folder on the same file system as `upper`; created when it is missing.
    pub work: PathBuf,
    /// Host name inside the sandbox.
    pub hostname: String,
    /// Network of the sandbox.
    #[serde(default)]
    pub network: Network,
    /// Files and folders of the host that are visible inside the sandbox.
    #[serde(default)]
    pub binds: Vec<Bind>,
    /// Paths of the layers to hide: a folder is empty inside, a file is missing. Changes at these paths are kept in
    /// `upper` like all others.
    #[serde(default)]
    pub hide: Vec<PathBuf>,
    /// Files of the layers whose content is replaced, by their path.
    #[serde(default)]
    pub replace: BTreeMap<PathBuf, String>,
    /// The content of `/proc/sys/kernel/random/boot_id`. Default: the host's.
    #[serde(default)]
    pub boot_id: Option<String>,
    /// The program whose end ends the sandbox. Default: none; the sandbox lives until it is killed.
    #[serde(default)]
    pub init: Vec<String>,
    /// Environment of the program. Default: that of a root login.
    #[serde(default)]
    pub env: Option<BTreeMap<String, String>>,
    /// True to ignore syncs, which package managers make often. `upper` is lost in a power failure.
    #[serde(default)]
    pub volatile: bool,
    /// True to end the sandbox when the holder's standard input, a pipe, is closed, so that the sandbox ends with the
    /// process that started it. (A parent-death signal would also be sent when only a thread ends.)
    #[serde(default)]
    pub lifeline: bool,
    /// True to give the program the holder's standard input, for a person at a terminal. Default: empty input.
    #[serde(default)]
    pub interactive: bool,
    /// Number of seconds after which the sandbox is killed.
    #[serde(default)]
    pub lifetime: Option<u64>,
    /// True to print a line with init's process ID, in decimal, when the sandbox is running, and `ended` when its last
    /// process has ended.
    #[serde(default)]
    pub announce: bool,
    /// A file that is written when the sandbox is running, with init's process ID in the holder's PID namespace, in
    /// decimal.
    #[serde(default)]
    pub ready: Option<PathBuf>,
}

/// Network of a sandbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// The network of the host.
    #[default]
    Host,
    /// Only the loopback interface.
    None,
}

/// A file or folder of the host that is visible inside the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bind {
    /// The path on the host.
    pub source: PathBuf,
    /// The path inside the sandbox; created when it is missing.
    pub target: PathBuf,
    /// True for read-only access.
    #[serde(default)]
    pub read_only: bool,
}
