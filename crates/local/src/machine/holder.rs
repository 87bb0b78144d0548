//! The process that holds a sandbox, seen from the process that wants it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ami_bake_core::{Error, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin};

use super::Helper;
use crate::sandbox::{Address, said};

/// No sandbox takes so long to stand or to fall, however loaded the machine is.
const LIMIT: Duration = Duration::from_mins(1);

/// A running sandbox.
#[derive(Debug)]
pub(crate) struct Holder {
    child: Child,
    address: Address,
    /// The sandbox ends when this end of the pipe is closed: with this process, however that ends.
    _lifeline: Option<ChildStdin>,
}

impl Holder {
    /// Starts the sandbox of a description and waits until it stands.
    pub(crate) async fn start(helper: &Helper, spec: &Path) -> Result<Self> {
        let doing = |error: std::io::Error| Error::build("start a sandbox").because(error);
        let mut child = helper
            .hold(spec)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(doing)?;
        let lifeline = child.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let read = tokio::time::timeout(LIMIT, BufReader::new(stdout).read_line(&mut line)).await;
            read.map_err(|_| Error::build(format!("start a sandbox within {} s", LIMIT.as_secs())))?.map_err(doing)?;
        }
        let Ok(pid) = line.trim().parse() else {
            let mut text = Vec::new();
            if let Some(stderr) = &mut child.stderr {
                stderr.read_to_end(&mut text).await.map_err(doing)?;
            }
            return Err(said(&text));
        };
        Ok(Self { child, address: Address::of(pid).map_err(doing)?, _lifeline: lifeline })
    }

    /// Where to enter it.
    pub(crate) fn address(&self) -> Address {
        self.address
    }

    /// Ends every process of the sandbox and waits until they are gone.
    pub(crate) async fn end(mut self) -> Result<()> {
        let doing = |error: std::io::Error| Error::build("end a sandbox").because(error);
        // Init first: the holder sees its end only when the kernel has ended all the others.
        let init = i32::try_from(self.address.pid).ok().and_then(Pid::from_raw);
        if let Some(init) = init.filter(|_| Address::of(self.address.pid).is_ok_and(|now| now == self.address)) {
            let _ = kill_process(init, Signal::KILL);
        }
        match tokio::time::timeout(LIMIT, self.child.wait()).await {
            Ok(ended) => ended.map(drop).map_err(doing),
            Err(_) => Err(Error::build(format!("end a sandbox within {} s", LIMIT.as_secs()))),
        }
    }
}
