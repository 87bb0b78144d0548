//! Large amounts of output over SSH. Memory is measured, never time; the same for sandboxes is in tests/cli/output.rs.

use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::Child;

use ami_bake_testkit::test_dir::signal;
use ami_bake_testkit::wait;

use crate::fixture::{Fixture, WEB};

/// Maximum memory in bytes that output may cost, whatever it is.
const MEMORY: usize = 40 << 20;

/// The peak memory of a process in bytes (proc_pid_status(5)).
fn peak(process: &Child) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

#[test]
fn output_over_ssh_takes_bounded_memory_and_does_not_hold_up_a_cancel() {
    // The first step waits until the base is measured: machines of the test cloud share the network of the tests.
    let gate = TcpListener::bind("127.0.0.1:0").unwrap();
    gate.set_nonblocking(true).unwrap();
    let port = gate.local_addr().unwrap().port();
    let steps = [
        &format!("bash -c 'read -r go < /dev/tcp/127.0.0.1/{port}'"),
        // A daemon that was started with endless output.
        "yes & echo started",
        "yes | head -c 2000000 || true",
        "yes $(printf %099d 0) | head -c 6000000 || true",
        "yes 50% of everything | head -n 50000 | tr '\\n' '\\r' || true",
        "head -c 6000000 /dev/zero | tr '\\0' x",
        "echo last > /opt/last; exec yes",
    ];
    let steps = steps.map(|step| format!("      - run: |\n          {step}\n")).concat();
    let fixture = Fixture::new(&format!("{WEB}    build:\n{steps}"));
    let log = File::create(fixture.path("log")).unwrap();
    let mut bake = fixture.command(&["bake", "--log-dir", "logs"]);
    let mut child = bake.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let mut open = None;
    wait::until_true("the first step does not begin", || {
        assert!(child.try_wait().unwrap().is_none(), "{}", fixture.read("log"));
        open = gate.accept().ok();
        open.is_some()
    });
    let base = peak(&child);
    open.unwrap().0.write_all(b"go\n").unwrap();
    fixture.until_file("/opt/last");
    let most = peak(&child);
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let log = fixture.read("log");
    assert!(most < base + MEMORY, "{most} bytes, {base} without output:\n{}", &log[log.len().saturating_sub(4000)..]);
    let states = log.lines().filter(|line| line.ends_with(" | 50% of everything")).count();
    assert!((1..1000).contains(&states), "{states} states of a progress bar are shown");
    // The log of a finished step is complete.
    let whole = std::fs::metadata(fixture.path("logs/web-build-4.log")).unwrap();
    assert_eq!(whole.len(), 6_000_000);
    fixture.holds_only(&[]);
}
