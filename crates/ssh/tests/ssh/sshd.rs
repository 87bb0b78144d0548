//! A real OpenSSH server on a port of this host, stopped when dropped.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Exec, Exit};
use ami_bake_core::output::Collect;
use ami_bake_ssh::{HostKey, Key, KeyType, Ssh, Target, Timing};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const SSHD: &str = "/usr/sbin/sshd";

/// One server with its own host key and its own login key.
pub(crate) struct Sshd {
    pub(crate) port: u16,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) host: Key,
    pub(crate) login: Key,
    child: Option<Child>,
    namespace: Option<String>,
}

impl Sshd {
    /// Starts a server that accepts logins of `root`.
    pub(crate) fn start() -> Self {
        let mut sshd = Self::prepare();
        sshd.authorize();
        sshd.up();
        sshd
    }

    /// A server that is not running yet and has no login key.
    pub(crate) fn prepare() -> Self {
        assert!(Path::new(SSHD).exists(), "{SSHD} is missing; these tests need it: apt-get install -y openssh-server");
        fs::create_dir_all("/run/sshd").unwrap();
        let folder = tempfile::tempdir().unwrap();
        // sshd reads the key file as the user who logs in.
        Command::new("chmod").args(["0755", &folder.path().to_string_lossy()]).status().unwrap();
        let sshd = Self {
            port: free_port(),
            folder,
            host: Key::generate(KeyType::Ed25519, "host").unwrap(),
            login: Key::generate(KeyType::Ed25519, "login").unwrap(),
            child: None,
            namespace: None,
        };
        sshd.host.write(&sshd.path("host_key")).unwrap();
        sshd.configure("");
        sshd
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the configuration, with `more` in front: sshd takes the first value of a keyword.
    pub(crate) fn configure(&self, more: &str) {
        let folder = self.folder.path().display();
        let port = self.port;
        let text = format!(
            "{more}\nPort {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile {folder}/pid\n\
             AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nLogLevel VERBOSE\n"
        );
        fs::write(self.path("config"), text).unwrap();
    }

    /// Runs these shell commands in a mount namespace of the server's own before it starts.
    pub(crate) fn in_namespace(&mut self, setup: &str) {
        self.namespace = Some(setup.to_owned());
    }

    /// The server answers with a new key of this type.
    pub(crate) fn has_host_key(&mut self, kind: KeyType) {
        let path = self.path("host_key");
        fs::remove_file(&path).unwrap();
        self.host = Key::generate(kind, "host").unwrap();
        self.host.write(&path).unwrap();
    }

    /// Lets the login key in.
    pub(crate) fn authorize(&self) {
        fs::write(self.path("authorized_keys"), self.login.public().line() + "\n").unwrap();
    }

    /// Starts the server.
    pub(crate) fn up(&mut self) {
        let config = self.path("config").display().to_string();
        let serve = format!("exec {SSHD} -D -e -f {config}");
        let mut command = if let Some(setup) = &self.namespace {
            let mut command = Command::new("unshare");
            command.args(["-m", "sh", "-ec", &format!("{setup}\n{serve}")]);
            command
        } else {
            let mut command = Command::new("sh");
            command.args(["-c", &serve]);
            command
        };
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        self.child =
            Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).process_group(0).spawn().unwrap());
    }

    /// Number of processes in the server's mount namespace with this text on their command line, whose words are
    /// separated by NUL.
    pub(crate) fn beside(&self, text: &str) -> usize {
        let own = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
        let server = own(&self.child.as_ref().unwrap().id().to_string());
        matching(&text.replace(' ', "\0")).iter().filter(|pid| own(pid) == server).count()
    }

    /// Kills the server and all of its connections, as a machine that goes down does.
    pub(crate) fn down(&mut self) {
        if let Some(mut child) = self.child.take() {
            self.drop_connections_of(child.id());
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Cuts all connections; the server keeps running.
    pub(crate) fn drop_connections(&self) {
        self.drop_connections_of(self.child.as_ref().unwrap().id());
    }

    #[allow(clippy::unused_self)]
    fn drop_connections_of(&self, server: u32) {
        // The connection's monitor and, for a user other than root, its unprivileged half; not the commands themselves.
        let mut doomed = Vec::new();
        for (pid, parent, name) in processes() {
            if name == "sshd" && (parent == server || doomed.contains(&parent)) {
                doomed.push(pid);
            }
        }
        for pid in doomed {
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status();
        }
    }

    pub(crate) fn target(&self) -> Target {
        let mut target = Target::new("127.0.0.1", "root", self.login.clone(), HostKey::Pinned(self.host.public()));
        target.port = self.port;
        target.timing = patient();
        target
    }

    pub(crate) async fn connect(&self) -> Ssh {
        self.connect_to(self.target()).await
    }

    pub(crate) async fn connect_to(&self, target: Target) -> Ssh {
        match Ssh::connect(target, soon(LATER), CancellationToken::new()).await {
            Ok(ssh) => ssh,
            Err(error) => panic!("{error} ({:?})\n{}", error.help_text(), self.log()),
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

impl Drop for Sshd {
    #[expect(clippy::disallowed_methods, reason = "a test that fails shows the server's log")]
    fn drop(&mut self) {
        self.down();
        if std::thread::panicking() {
            let _ = std::io::stderr().write_all(self.log().as_bytes());
        }
    }
}

/// Seconds beyond the time limit of any test.
pub(crate) const LATER: u64 = 3600;

/// The usual timing, with limits that a busy machine does not reach.
fn patient() -> Timing {
    let long = Duration::from_secs(LATER);
    Timing { dial: long, handshake: long, auth: long, reconnect: long, ..Timing::default() }
}

/// A deadline in this many seconds.
pub(crate) fn soon(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Runs a command and collects what it prints.
pub(crate) async fn run(ssh: &Ssh, command: &str) -> (Exit, Collect) {
    let mut output = Collect::default();
    let exit = ssh.exec(Exec::new(command), &mut output).await.unwrap();
    (exit, output)
}

/// Pid, parent and name of every process.
pub(crate) fn processes() -> Vec<(u32, u32, String)> {
    let mut all: Vec<_> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let stat = fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
            let (head, tail) = stat.rsplit_once(") ")?;
            let (pid, name) = head.split_once(" (")?;
            Some((pid.parse().ok()?, tail.split(' ').nth(1)?.parse().ok()?, name.to_owned()))
        })
        .collect();
    all.sort_unstable();
    all
}

/// The processes that have this text on their command line; zombies have none.
pub(crate) fn matching(text: &str) -> Vec<String> {
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let entry = entry.ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        String::from_utf8_lossy(&line).contains(text).then(|| entry.file_name().to_string_lossy().into_owned())
    });
    all.collect()
}

/// Number of processes that have this text on their command line.
pub(crate) fn running(text: &str) -> usize {
    matching(text).len()
}
