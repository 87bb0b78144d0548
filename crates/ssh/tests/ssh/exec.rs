//! Commands: output, input, status, signal, time-out.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::ErrorKind;
use ami_bake_core::communicator::{Communicator, DialError, Exec, Exit};
use ami_bake_core::output::{Collect, OutputSink, Stream};
use ami_bake_ssh::Ssh;
use ami_bake_testkit::output::FirstOutput;
use ami_bake_testkit::wait::within_limit;
use async_trait::async_trait;
use tokio::io::AsyncReadExt;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::sshd::{LATER, Sshd, matching, run, running, soon};

#[tokio::test(flavor = "multi_thread")]
async fn both_streams_and_the_status_arrive_apart() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let (exit, output) = run(&ssh, "id -u; echo \"it's $0\" >&2; exit 7").await;
    assert_eq!(exit, Exit::Status(7));
    assert_eq!(output.stdout_text(), "0\n");
    assert_eq!(output.stderr_text(), "it's /bin/sh\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_is_reported_by_name() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    assert_eq!(run(&ssh, "kill -KILL $$").await.0, Exit::Signal("KILL".into()));
    assert_eq!(run(&ssh, "kill -TERM $$").await.0, Exit::Signal("TERM".into()));
    // A signal that only killed a child process is reported by the shell as a status, as on a terminal.
    assert_eq!(run(&ssh, "sh -c 'kill -TERM $$'; exit $?").await.0, Exit::Status(143));
}

#[tokio::test(flavor = "multi_thread")]
async fn input_ends_where_it_ends() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let mut output = Collect::default();
    let exit = ssh.exec(Exec::new("cat; echo end").stdin(b"one\ntwo\n"), &mut output).await.unwrap();
    assert_eq!((exit, output.stdout_text().as_str()), (Exit::Status(0), "one\ntwo\nend\n"));
    assert_eq!(run(&ssh, "cat; echo end").await.1.stdout_text(), "end\n");
}

/// Input that the command does not read must not hold up its end.
#[tokio::test(flavor = "multi_thread")]
async fn unread_input_does_not_block() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let endless = Exec { command: "exit 3", stdin: Box::new(tokio::io::repeat(b'x')), timeout: None };
    let exit = within_limit("the command's end was not seen", ssh.exec(endless, &mut Collect::default())).await;
    assert_eq!(exit.unwrap(), Exit::Status(3));
}

/// A sink that counts and hashes: 50 MB out and 50 MB in at the same time, checked byte for byte.
#[derive(Default)]
struct Check {
    next: u64,
    errors: usize,
}

impl OutputSink for Check {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Stderr {
            self.errors += bytes.len();
            return;
        }
        for &byte in bytes {
            assert_eq!(byte, pattern(self.next), "at byte {}", self.next);
            self.next += 1;
        }
    }
}

fn pattern(at: u64) -> u8 {
    u8::try_from(at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_megabytes_both_ways_at_once() {
    const SIZE: u64 = 50_000_000;
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let data: Vec<u8> = (0..SIZE).map(pattern).collect();
    let mut check = Check::default();
    let exec = Exec::new("tee /dev/stderr").stdin(&data).timeout(Duration::from_mins(10));
    assert_eq!(ssh.exec(exec, &mut check).await.unwrap(), Exit::Status(0));
    assert_eq!(check.next, SIZE);
    assert_eq!(check.errors as u64, SIZE);
}

/// The tree ignores TERM, hides in other sessions, and drops its environment; all of it must be gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_kills_everything_that_the_command_started() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let mark = format!("31{}", sshd.port);
    let command = format!(
        "trap '' TERM; echo begun; sleep {mark} & setsid sleep {mark} & env -i setsid sleep {mark} & \
         (setsid sh -c 'trap \"\" TERM; sleep {mark}; sleep {mark}' &) ; sleep {mark}; wait"
    );
    let mut limit = Duration::from_secs(1);
    let output = loop {
        let mut output = Collect::default();
        let exit = ssh.exec(Exec::new(&command).timeout(limit), &mut output).await.unwrap();
        assert_eq!(exit, Exit::TimedOut(limit));
        assert_eq!(output.stderr_text(), "");
        if !output.stdout.is_empty() {
            break output;
        }
        // On a busy machine the processes may not have started within the limit; try a longer one.
        limit *= 2;
    };
    assert_eq!(output.stdout_text(), "begun\n");
    assert_eq!(running(&mark), 0, "a process survived");
    assert_eq!(run(&ssh, "echo alive").await.1.stdout_text(), "alive\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_output_does_not_outrun_the_time_limit() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let mut limit = Duration::from_secs(1);
    loop {
        let mut check = Flood(0);
        let exit = ssh.exec(Exec::new("exec cat /dev/zero").timeout(limit), &mut check).await.unwrap();
        assert_eq!(exit, Exit::TimedOut(limit));
        if check.0 > 1 << 20 {
            break;
        }
        // On a busy machine the command may not have printed enough within the limit; try a longer one.
        limit *= 2;
    }
}

struct Flood(usize);

impl OutputSink for Flood {
    fn write(&mut self, _: Stream, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// When the sink has no room the machine waits, and nothing is buffered in this process.
#[tokio::test(flavor = "multi_thread")]
async fn output_that_has_no_room_stays_on_the_machine() {
    const ALL: usize = 200_000_000;
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let mut sink = Gated { taken: 0, open: Arc::new(Semaphore::new(0)), begun: Arc::default() };
    let (open, begun) = (Arc::clone(&sink.open), Arc::clone(&sink.begun));
    let command = format!("exec head -c {ALL} /dev/zero");
    let watched = async {
        begun.notified().await;
        // Waits until no more output leaves the machine: the count is the same twice.
        let mut before = 0;
        loop {
            let sent = written(&format!("head -c {ALL} /dev/zero"));
            if sent > 0 && sent == before {
                break sent;
            }
            before = sent;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let ran = async {
        let exit = ssh.exec(Exec::new(&command), &mut sink).await.unwrap();
        (exit, sink.taken)
    };
    let opened = async {
        let sent = watched.await;
        open.close();
        sent
    };
    let ((exit, taken), sent) = within_limit("the command does not end", async { tokio::join!(ran, opened) }).await;
    assert!(sent < 40_000_000, "{sent} bytes left the machine");
    assert_eq!((exit, taken), (Exit::Status(0), ALL));
}

/// Takes one chunk, and the others once the gate is closed for good.
struct Gated {
    taken: usize,
    open: Arc<Semaphore>,
    begun: Arc<Notify>,
}

#[async_trait]
impl OutputSink for Gated {
    fn write(&mut self, _: Stream, bytes: &[u8]) {
        self.taken += bytes.len();
    }

    async fn ready(&mut self) {
        self.begun.notify_one();
        let _ = self.open.acquire().await;
    }
}

/// The bytes that the process with this command line has written (proc_pid_io(5)); 0 when there is none.
fn written(command: &str) -> usize {
    let wanted = command.replace(' ', "\0") + "\0";
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let mut process =
        processes.filter(|path| std::fs::read(path.join("cmdline")).is_ok_and(|words| words == wanted.as_bytes()));
    let io = process.next().and_then(|path| std::fs::read_to_string(path.join("io")).ok()).unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok()).unwrap_or(0)
}

/// `daemon &` in a step keeps the streams open forever; the step ends all the same, and the daemon stays alive.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_left_in_the_background_does_not_hang_the_step() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let mark = format!("32{}", sshd.port);
    let (exit, output) = run(&ssh, &format!("sleep {mark} & echo started; exit 4")).await;
    assert_eq!((exit, output.stdout_text().as_str()), (Exit::Status(4), "started\n"));
    assert_eq!(running(&mark), 1);
    std::process::Command::new("kill").args(matching(&mark)).status().unwrap();
}

/// More commands at once than sshd's `MaxSessions` of 10.
#[tokio::test(flavor = "multi_thread")]
async fn thirty_commands_at_once() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let commands: Vec<_> = (0..30).map(|number| format!("sleep 0.1; echo {number}")).collect();
    let results = futures::future::join_all(commands.iter().map(|command| run(&ssh, command))).await;
    for (number, (exit, output)) in results.into_iter().enumerate() {
        assert_eq!((exit, output.stdout_text()), (Exit::Status(0), format!("{number}\n")));
    }
}

/// A hardened server allows fewer sessions than this program opens at once.
#[tokio::test(flavor = "multi_thread")]
async fn commands_wait_for_a_place_on_the_server() {
    let mut sshd = Sshd::prepare();
    sshd.configure("MaxSessions 2");
    sshd.authorize();
    sshd.up();
    let ssh = sshd.connect().await;
    let results = futures::future::join_all((0..6).map(|_| run(&ssh, "sleep 0.2; echo done"))).await;
    assert!(results.iter().all(|(exit, output)| exit.success() && output.stdout_text() == "done\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_ends_a_running_command() {
    let sshd = Sshd::start();
    let cancel = CancellationToken::new();
    let ssh = Ssh::connect(sshd.target(), soon(LATER), cancel.clone()).await.unwrap();
    let (mut output, begun) = FirstOutput::new();
    tokio::spawn(async move {
        begun.await.unwrap();
        cancel.cancel();
    });
    let call = ssh.exec(Exec::new("echo begun; sleep 3600"), &mut output);
    let error = within_limit("it is not cancelled", call).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_from_the_inside() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let mut stream = ssh.dial("127.0.0.1", sshd.port).await.unwrap();
    let mut greeting = [0; 8];
    stream.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"SSH-2.0-");

    let error = ssh.dial("127.0.0.1", crate::sshd::free_port()).await.map(|_| ()).unwrap_err().into_error();
    assert!(error.message().contains("connection refused"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_from_the_inside_without_port_forwarding() {
    let mut sshd = Sshd::prepare();
    sshd.authorize();
    sshd.configure("AllowTcpForwarding no");
    sshd.up();
    let ssh = sshd.connect().await;
    assert_eq!(ssh.detour(), None);
    let mut stream = ssh.dial("127.0.0.1", sshd.port).await.unwrap();
    let mut greeting = [0; 8];
    stream.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"SSH-2.0-");
    assert!(ssh.detour().unwrap().contains("does not forward ports"));

    let closed = ssh.dial("127.0.0.1", crate::sshd::free_port()).await.map(|_| ());
    assert!(matches!(closed, Err(DialError::Closed(_))), "{closed:?}");
    let nowhere = ssh.dial("no-such-host.invalid", 80).await.map(|_| ());
    assert!(matches!(nowhere, Err(DialError::Untried(_))), "{nowhere:?}");
}

/// Bytes written before the stream is dropped still arrive.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_tunnel_delivers_what_was_written() {
    use tokio::io::AsyncWriteExt;
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = tokio::spawn(async move {
        let mut all = Vec::new();
        listener.accept().await.unwrap().0.read_to_end(&mut all).await.unwrap();
        all
    });
    let mut stream = ssh.dial("127.0.0.1", port).await.unwrap();
    let data = vec![7; 1_000_000];
    stream.write_all(&data).await.unwrap();
    drop(stream);
    let all = within_limit("it does not arrive", received).await.unwrap();
    assert_eq!(all.len(), data.len());
}
