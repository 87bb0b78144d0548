//! A Docker engine for tests: the engine of `DOCKER_HOST`; else, for users other than root, the machine's; else an
//! engine of our own, shared by all tests of this machine.
//!
//! Our own engine has its data, sockets and containerd in a folder of its own, no bridge and no firewall rules, so that
//! nothing of the machine changes. The first test starts it; a watchdog stops it and removes its folder some seconds
//! after the last test that used it has ended, even if that test was killed.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{FlockOperation, flock};

/// The base image: this machine's shell and tools.
pub const BASE: &str = "ami-bake-test/base:1";

/// The socket of the machine's own engine.
const MACHINES: &str = "/var/run/docker.sock";

/// Time for an engine to start; a busy machine needs longer than the few seconds that it takes.
const LIMIT: Duration = Duration::from_mins(10);

/// Shell script that starts the engine and, in the background, stops it as soon as nobody holds the users' lock.
/// Arguments: folder, lock of the users, lock of the gate, port for TLS, the script that makes certificates.
const WATCHDOG: &str = r#"
folder=$1 users=$2 gate=$3 port=$4 certificates=$5
# Whatever is still mounted there belongs to containers that a killed test left.
clean() {
  while read -r _ place _; do
    case $place in "$folder"/*) umount -l "$place" ;; esac
  done </proc/mounts
  rm -rf "$folder"
}
clean 2>/dev/null
mkdir -p "$folder"
bash -c "$certificates" certificates "$folder/tls"
echo "$port" >"$folder/tls/port"
# TLS is for the port alone (dockerd(8), --tlsverify). No registry but the loopback interface's is ever asked: for
# every other the engine goes to a proxy that is not there (Go's net/http leaves loopback addresses out).
HTTP_PROXY=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9 dockerd --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/pid" -H "unix://$folder/docker.sock" \
  -H "tcp://127.0.0.1:$port" --tlsverify --tlscacert "$folder/tls/ca.pem" --tlscert "$folder/tls/server.pem" \
  --tlskey "$folder/tls/server-key.pem" --bridge=none --iptables=false >"$folder/log" 2>&1 &
pid=$!
while kill -0 $pid 2>/dev/null; do
  sleep 5
  (
    flock -n 8 || exit 1
    flock -n 9 || exit 1
    export DOCKER_HOST=unix://$folder/docker.sock
    docker ps --all --quiet | xargs -r docker rm --force --volumes
    kill $pid
    while kill -0 $pid 2>/dev/null; do sleep 0.1; done
    clean
  ) 8>"$gate" 9>"$users" && exit 0
done
"#;

/// An engine that tests may use while this value lives.
#[derive(Debug)]
pub struct Engine {
    host: String,
    _user: Option<File>,
}

impl Engine {
    /// The engine of the environment, or our own, with the base image loaded.
    pub fn get() -> Self {
        let engine = match std::env::var("DOCKER_HOST") {
            Ok(host) if !host.is_empty() => Self { host, _user: None },
            _ if !rustix::process::geteuid().is_root() && answers(Path::new(MACHINES)) => {
                Self { host: format!("unix://{MACHINES}"), _user: None }
            }
            _ => Self::own(),
        };
        if engine.docker(&["image", "inspect", BASE]).is_none() {
            engine.import_base();
        }
        engine
    }

    /// Our own engine, which also listens with TLS, whatever other engines exist.
    pub fn own() -> Self {
        let name = format!("ami-bake-tests-docker-{}", rustix::process::getuid().as_raw());
        let folder = std::env::temp_dir().join(&name);
        let lock = |what: &str| std::env::temp_dir().join(format!("{name}.{what}"));
        let (gate, users) = (lock("gate"), lock("users"));
        let gate_file = open(&gate);
        flock(&gate_file, FlockOperation::LockExclusive).unwrap();
        let user = open(&users);
        flock(&user, FlockOperation::LockShared).unwrap();
        let socket = folder.join("docker.sock");
        if !answers(&socket) {
            start(&folder, &users, &gate);
            let begun = Instant::now();
            while !answers(&socket) {
                assert!(
                    begun.elapsed() < LIMIT,
                    "dockerd does not start (is docker.io installed?):\n{}",
                    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
                );
                pause();
            }
        }
        let engine = Self { host: format!("unix://{}", socket.display()), _user: None };
        if engine.docker(&["image", "inspect", BASE]).is_none() {
            engine.import_base();
        }
        Self { host: format!("unix://{}", socket.display()), _user: Some(user) }
    }

    /// The engine's address, as in `DOCKER_HOST`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// For our own engine: its TLS address, and the folder of client certificates: `client` is accepted, `stranger` is
    /// refused.
    ///
    /// # Panics
    /// When it is not our own engine.
    pub fn tls(&self) -> (String, PathBuf) {
        let socket = Path::new(self.host.trim_start_matches("unix://"));
        let folder = socket.with_file_name("tls");
        let port = std::fs::read_to_string(folder.join("port")).expect("the engine is not our own");
        (format!("tcp://127.0.0.1:{}", port.trim()), folder)
    }

    /// Output of the `docker` command; `None` if it fails.
    pub fn docker(&self, arguments: &[&str]) -> Option<String> {
        let output = Command::new("docker").arg("--host").arg(&self.host).args(arguments).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    fn import_base(&self) {
        let mut script = Command::new("bash").arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        script.stdin.take().unwrap().write_all(include_bytes!("docker/base.sh")).unwrap();
        let archive = script.stdout.take().unwrap();
        let imported =
            Command::new("docker").args(["--host", &self.host, "import", "-", BASE]).stdin(archive).output().unwrap();
        assert!(script.wait().unwrap().success(), "the base image could not be made");
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new().create(true).truncate(false).write(true).open(path).unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn pause() {
    std::thread::park_timeout(Duration::from_millis(50));
}

/// Whether an engine answers on this socket.
fn answers(socket: &Path) -> bool {
    let Ok(mut stream) = UnixStream::connect(socket) else { return false };
    let asked = stream.write_all(b"GET /_ping HTTP/1.0\r\n\r\n");
    let mut answer = String::new();
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.contains("200 OK")
}

fn start(folder: &Path, users: &Path, gate: &Path) {
    Command::new("setsid")
        .args(["--fork", "bash", "-c", WATCHDOG, "watchdog"])
        .args([folder, users, gate])
        .args([&free_port().to_string(), include_str!("docker/certificates.sh")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
}

/// A registry on the loopback interface (Debian's `docker-registry`), stopped when dropped.
#[derive(Debug)]
pub struct Registry {
    address: String,
    child: Child,
    folder: tempfile::TempDir,
}

impl Registry {
    /// A registry without authentication.
    pub fn open() -> Self {
        Self::start("")
    }

    /// A registry that requires this user and password.
    pub fn guarded(user: &str, password: &str) -> Self {
        let made = Command::new("htpasswd").args(["-Bbn", user, password]).output().unwrap();
        assert!(made.status.success(), "htpasswd of apache2-utils is missing");
        Self::start(&String::from_utf8(made.stdout).unwrap())
    }

    fn start(passwords: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let path = |name: &str| folder.path().join(name);
        let mut config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{address}\"}}\n",
            path("data").display()
        );
        if !passwords.is_empty() {
            std::fs::write(path("passwords"), passwords).unwrap();
            config.push_str(&format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", path("passwords").display()));
        }
        std::fs::write(path("config.yml"), config).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(path("config.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while std::net::TcpStream::connect(&address).is_err() {
            assert!(begun.elapsed() < LIMIT, "docker-registry does not start");
            pause();
        }
        Self { address, child, folder }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The tags that a repository has, in order.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let mut tags: Vec<String> = std::fs::read_dir(self.manifests(repository).join("tags"))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        tags.sort();
        tags
    }

    /// When a tag of a repository was last pushed.
    ///
    /// # Panics
    /// When there is no such tag.
    pub fn pushed(&self, repository: &str, tag: &str) -> SystemTime {
        let link = self.tag(repository, tag).join("current/link");
        std::fs::metadata(link).unwrap().modified().unwrap()
    }

    /// Deletes a tag.
    ///
    /// # Panics
    /// When there is no such tag.
    pub fn forget(&self, repository: &str, tag: &str) {
        std::fs::remove_dir_all(self.tag(repository, tag)).unwrap();
    }

    fn tag(&self, repository: &str, tag: &str) -> PathBuf {
        self.manifests(repository).join("tags").join(tag)
    }

    fn manifests(&self, repository: &str) -> PathBuf {
        self.folder.path().join("data/docker/registry/v2/repositories").join(repository).join("_manifests")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
