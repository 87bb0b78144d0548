//! The local machine as a bake machine: commands run in the local shell, directly or in a throw-away copy of the
//! system.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, DialError, Duplex, Exec, Exit, Reader, Writer};
use ami_bake_core::output::{OutputSink, Stream};
use ami_bake_core::platform::{Capture, Keep, Machine, PendingImage};
use ami_bake_core::provision::{ConnectedMachine, Login};
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

/// A [`Communicator`] that runs local processes.
#[derive(Debug)]
pub struct HostShell {
    sandbox: Option<Sandbox>,
    /// Ends the next command that prints this text, once. Time limits of commands are not enforced.
    pub ending: Mutex<Option<(&'static str, Ending)>>,
    /// Every command line that was run.
    pub commands: Mutex<Vec<String>>,
}

/// How a command is ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The time limit was exceeded.
    TimedOut,
    /// The loss of the connection.
    Lost,
}

/// A mount namespace whose `/` is this system's, with all changes in memory.
#[derive(Debug)]
struct Sandbox {
    holder: Child,
    folder: tempfile::TempDir,
}

impl HostShell {
    /// Runs commands on this system itself: only for harmless ones.
    pub fn bare() -> Self {
        Self { sandbox: None, ending: Mutex::default(), commands: Mutex::default() }
    }

    /// Runs commands in a copy of this system that is removed when dropped. Needs root.
    pub async fn sandbox() -> Self {
        // Hides the checkout: builds run beside the tests, and what they write must not show up in the sandbox.
        let hidden = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).canonicalize().unwrap();
        Self::mounted(
            "mkdir u w; mount -t overlay overlay -o lowerdir=/,upperdir=$PWD/u,workdir=$PWD/w m; mount -t tmpfs tmpfs \"m$2\"",
            &hidden,
        )
        .await
    }

    /// Runs commands in a root that has only this static busybox, like a small image. Needs root.
    pub async fn busybox(binary: &Path) -> Self {
        let script = r#"mkdir -p m/bin m/proc m/dev m/run m/tmp m/etc m/root m/var/log m/home; cp "$2" m/bin/busybox
            chroot m /bin/busybox --install -s /bin; echo root:x:0:0:root:/root:/bin/sh >m/etc/passwd
            echo www:x:33:33:www:/var:/bin/sh >>m/etc/passwd; printf 'root:x:0:\nwww:x:33:\n' >m/etc/group"#;
        Self::mounted(script, binary).await
    }

    /// A mount namespace whose root is made by `script` in the folder `m` of its working folder; `$2` is `argument`.
    async fn mounted(script: &str, argument: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            r#"set -e; cd "$1"; mount -t tmpfs tmpfs . ; cd "$1"; mkdir m; {script}
            mount -t proc proc m/proc; mount -t tmpfs tmpfs m/dev; mkdir m/dev/shm; mount -t tmpfs tmpfs m/dev/shm
            for d in null zero full random urandom tty; do touch m/dev/$d; mount --bind /dev/$d m/dev/$d; done
            mount -t tmpfs tmpfs m/run; mkdir -p m/var/tmp
            for d in tmp var/tmp; do mount -t tmpfs tmpfs m/$d; chmod 1777 m/$d; done; echo ready; exec sleep 100000"#
        );
        let mut holder = Command::new("unshare")
            .args(["--mount", "sh", "-c", &script, "sh"])
            .arg(folder.path())
            .arg(argument)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut line = String::new();
        tokio::io::BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        assert_eq!(line, "ready\n", "the sandbox could not be mounted");
        Self { sandbox: Some(Sandbox { holder, folder }), ..Self::bare() }
    }

    /// The path outside for a path inside the sandbox.
    pub fn path(&self, inside: &str) -> PathBuf {
        match &self.sandbox {
            Some(sandbox) => Path::new(&format!("/proc/{}/root", sandbox.holder.id().unwrap()))
                .join(sandbox.folder.path().strip_prefix("/").unwrap())
                .join("m")
                .join(inside.trim_start_matches('/')),
            None => PathBuf::from(inside),
        }
    }

    /// Runs a command that must succeed, and returns its standard output.
    pub async fn sh(&self, command: &str) -> String {
        let mut output = ami_bake_core::output::Collect::default();
        let exit = self.exec(Exec::new(command), &mut output).await.unwrap();
        assert!(exit.success(), "{command}: {exit:?}, {}", output.stderr_text());
        output.stdout_text()
    }

    fn command(&self, line: &str) -> Command {
        let mut command = match &self.sandbox {
            None => Command::new("/bin/sh"),
            Some(sandbox) => {
                let mut command = Command::new("nsenter");
                command.args(["-t", &sandbox.holder.id().unwrap().to_string(), "-m", "chroot"]);
                command.arg(sandbox.folder.path().join("m"));
                command.arg("/bin/sh");
                command
            }
        };
        command.args(["-c", line]).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl HostShell {
    /// How the command ends now that it has also printed `bytes`.
    fn ended(&self, printed: &mut Vec<u8>, bytes: &[u8]) -> Option<Ending> {
        let mut ending = self.ending.lock().unwrap();
        let (text, _) = (*ending)?;
        printed.extend_from_slice(bytes);
        let found = printed.windows(text.len()).any(|window| window == text.as_bytes());
        ending.take_if(|_| found).map(|(_, ending)| ending)
    }
}

/// The end of a process in the form that SSH reports.
fn exit_of(status: std::process::ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt as _;
    match status.signal() {
        Some(9) => Exit::Signal("KILL".to_owned()),
        Some(15) => Exit::Signal("TERM".to_owned()),
        Some(other) => Exit::Signal(other.to_string()),
        None => Exit::Status(status.code().unwrap()),
    }
}

#[async_trait]
impl Communicator for HostShell {
    async fn exec(&self, exec: Exec<'_>, output: &mut dyn OutputSink) -> Result<Exit> {
        self.commands.lock().unwrap().push(exec.command.to_owned());
        let mut child = self.command(exec.command).spawn().map_err(|error| Error::build("start").because(error))?;
        let group = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
        let (mut stdin, mut stdout, mut stderr) =
            (child.stdin.take().unwrap(), child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let mut input = exec.stdin;
        let mut feed = Box::pin(async move {
            // A command that does not read all of its input is not an error.
            let _ = tokio::io::copy(&mut input, &mut stdin).await;
            let _ = stdin.shutdown().await;
        });
        let mut printed = Vec::new();
        let (mut out, mut err) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        let (mut open, mut fed) = ([true, true], false);
        while open != [false, false] {
            output.ready().await;
            let read = tokio::select! {
                () = &mut feed, if !fed => {
                    fed = true;
                    continue;
                }
                read = stdout.read(&mut out), if open[0] => (0, Stream::Stdout, read.unwrap_or(0)),
                read = stderr.read(&mut err), if open[1] => (1, Stream::Stderr, read.unwrap_or(0)),
            };
            let (stream, bytes) = match read {
                (at, _, 0) => {
                    open[at] = false;
                    continue;
                }
                (_, Stream::Stdout, read) => (Stream::Stdout, &out[..read]),
                (_, Stream::Stderr, read) => (Stream::Stderr, &err[..read]),
            };
            output.write(stream, bytes);
            if let Some(ending) = self.ended(&mut printed, bytes) {
                let _ = kill_process_group(group, Signal::KILL);
                let _ = child.wait().await;
                return Ok(match ending {
                    Ending::Lost => Exit::Lost("broken pipe".to_owned()),
                    Ending::TimedOut => Exit::TimedOut(exec.timeout.expect("the command has no time limit")),
                });
            }
        }
        Ok(exit_of(child.wait().await.unwrap()))
    }

    async fn put(&self, mut archive: Reader<'_>, to: &str) -> Result<()> {
        let line = format!("mkdir -p '{to}' && exec tar -xpf - --numeric-owner -C '{to}'");
        let mut child = self.command(&line).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        if let Err(error) = tokio::io::copy(&mut archive, &mut stdin).await {
            let _ = child.kill().await;
            return Err(Error::build("send the archive").because(error));
        }
        stdin.shutdown().await.unwrap();
        drop(stdin);
        let done = child.wait_with_output().await.unwrap();
        if done.status.success() {
            return Ok(());
        }
        Err(Error::build(format!("unpack: {}", String::from_utf8_lossy(&done.stderr))))
    }

    async fn get(&self, from: &str, mut archive: Writer<'_>) -> Result<()> {
        let (folder, name) = from.rsplit_once('/').unwrap();
        let line = format!(
            "exec tar -cf - --numeric-owner -C '{}/' -- '{name}'",
            if folder.is_empty() { "/" } else { folder }
        );
        let mut child = self.command(&line).spawn().unwrap();
        drop(child.stdin.take());
        let mut stdout = child.stdout.take().unwrap();
        let copied = tokio::io::copy(&mut stdout, &mut archive).await;
        let _ = archive.shutdown().await;
        copied.map_err(|error| Error::build("receive the archive").because(error))?;
        let done = child.wait_with_output().await.unwrap();
        if done.status.success() {
            return Ok(());
        }
        Err(Error::build(format!("pack: {}", String::from_utf8_lossy(&done.stderr))))
    }

    async fn dial(&self, host: &str, port: u16) -> Result<Box<dyn Duplex>, DialError> {
        let stream = tokio::net::TcpStream::connect((host, port)).await;
        Ok(Box::new(stream.map_err(|error| DialError::of_io(error, format!("connect to {host}:{port}")))?))
    }
}

/// The machine of a [`HostShell`]; reboots are only counted.
#[derive(Debug, Default)]
pub struct HostMachine {
    /// Number of reboots.
    pub reboots: AtomicUsize,
    /// The changed files that the machine reports.
    pub changes: Option<Vec<PathBuf>>,
}

impl HostMachine {
    /// The machine together with its connection.
    pub fn reached(&self, shell: &Arc<HostShell>) -> ConnectedMachine<'_> {
        ConnectedMachine { machine: self, communicator: Arc::clone(shell) as Arc<dyn Communicator> }
    }
}

#[async_trait]
impl Machine for HostMachine {
    fn id(&self) -> &'static str {
        "host"
    }

    fn kind(&self) -> &'static str {
        "host"
    }

    fn place(&self) -> String {
        "here".to_owned()
    }

    async fn connect(&self, _: &Run) -> Result<Arc<dyn Communicator>> {
        Ok(Arc::new(HostShell::bare()))
    }

    fn login(&self) -> Login {
        Login::default()
    }

    async fn changes(&self, _: &Run) -> Result<Option<Vec<PathBuf>>> {
        Ok(self.changes.clone())
    }

    async fn reboot(&self, _: &Run, _: Duration) -> Result<()> {
        self.reboots.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn capture(&self, _: &Run, _: &Capture<'_>) -> Result<Box<dyn PendingImage>> {
        Err(Error::internal("this machine is not captured"))
    }

    async fn destroy(&self, _: &Run) -> Result<()> {
        Ok(())
    }

    async fn keep(&self, _: &Run, _: &Keep) -> Result<String> {
        Ok("here".to_owned())
    }
}
