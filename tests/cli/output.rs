//! Large amounts of output, and readers of the log that are slow, stall or disconnect. Memory is measured, never time.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ami_bake_testkit::test_dir::signal;
use ami_bake_testkit::wait;
use serde_json::Value;

use crate::fixture::Fixture;
use crate::local::{alive, process};

/// Maximum memory in bytes that output may cost, whatever it is.
const MEMORY: usize = 40 << 20;

/// A fixture with a bake of these steps; the last one sleeps for `last` seconds.
fn bake_of(steps: &[&str], last: &str) -> Fixture {
    let mut manifest =
        "format: 1\nname: shop\nplatform: local\nimages:\n  web:\n    source: {local: host}\n    build:\n".to_owned();
    for step in steps.iter().chain([&format!("exec sleep {last}").as_str()]) {
        manifest.push_str(&format!("      - run: |\n          {step}\n"));
    }
    Fixture::with(&manifest)
}

/// A number of seconds that no other test sleeps.
fn seconds(number: u32) -> String {
    format!("{}", 5000 + number * 100_000 + std::process::id() % 90_000)
}

/// The peak memory of a process in bytes (proc_pid_status(5)).
fn peak(process: &Child) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

fn to_file(command: &mut Command, file: &Path) {
    let file = File::create(file).unwrap();
    command.stdout(file.try_clone().unwrap()).stderr(file);
}

fn is_cancelled(fixture: &Fixture) {
    let report: Value = serde_json::from_str(&fixture.read("bake-report.json")).unwrap();
    assert_eq!((&report["exit-code"], &report["images"][0]["status"]), (&130.into(), &"cancelled".into()));
    let ledgers = std::fs::read_dir(fixture.path("state/ami-bake")).unwrap().flatten();
    assert!(ledgers.into_iter().all(|entry| !entry.path().to_string_lossy().ends_with(".ledger.jsonl")));
}

/// The peak memory of a bake of these steps, and its log.
fn measure(number: u32, steps: &[&str], arguments: &[&str]) -> (usize, Fixture, String) {
    let last = seconds(number);
    let fixture = bake_of(steps, &last);
    let mut command = fixture.command(&[&["bake"][..], arguments].concat());
    // Every job has a secret to mask.
    command.env("GH_TOKEN", "walnut-tree-4711");
    to_file(&mut command, &fixture.path("log"));
    let mut child = command.spawn().unwrap();
    wait::until_true("the last step never began", || {
        assert!(child.try_wait().unwrap().is_none(), "{}", fixture.read("log"));
        alive(&format!("sleep {last}"))
    });
    let peak = peak(&child);
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    is_cancelled(&fixture);
    let log = fixture.read("log");
    (peak, fixture, log)
}

#[test]
fn output_of_every_kind_takes_bounded_memory() {
    let (base, _, _) = measure(1, &["true"], &[]);
    let kinds = [
        "yes | head -c 20000000 || true",
        "yes $(printf %099d 0) | head -c 50000000 || true",
        "yes 50% of everything | head -n 250000 | tr '\\n' '\\r' || true",
        "head -c 50000000 /dev/zero | tr '\\0' x",
        "head -c 20000000 /dev/urandom; echo >&2; head -c 5000000 /dev/urandom >&2",
        "yes | head -c 5000000 | sed 's/^/\\x1b]0;/' || true",
    ];
    let (peak, _, log) = measure(2, &kinds, &[]);
    assert!(peak < base + MEMORY, "{peak} bytes, {base} without output");
    assert!(log.contains("[line truncated]") && log.contains("50% of everything"));
    // On a machine that makes less than 1 MB a second nothing is dropped, unless another limit is reached.
    let shown = log.lines().filter(|line| line.ends_with("| y")).count();
    assert!(shown >= 10_000_000 || log.contains(" not shown: "), "{shown} lines are shown");
    let states = log.lines().filter(|line| line.ends_with(" | 50% of everything")).count();
    assert!((1..100).contains(&states), "{states} states of a progress bar are shown");
}

#[test]
fn the_whole_output_is_in_the_log_folder() {
    let flood = "seq 1000000; printf '\\033[1mbold\\033[0m 10%%\\r20%%\\rdone\\n' >&2";
    let again = "test -e /tmp/again || { touch /tmp/again; echo first; exit 1; }; echo \"second $TOKEN\"";
    let fixture = bake_of(&[flood, again], "0");
    let manifest = fixture.read("bake.yml").replace("images:", "secrets: [TOKEN]\nimages:");
    let at = manifest.rfind("      - run: |\n          exec sleep").unwrap();
    let env = "        retries: 1\n        env: {TOKEN: \"${{ secrets.TOKEN }}\"}\n";
    fixture.write("bake.yml", &format!("{}{env}{}", &manifest[..at], &manifest[at..]));
    let fixture = fixture.variable("TOKEN", "walnut-tree-4711");
    let outcome = fixture.run(&["bake", "--until", "validate", "--log-dir", "logs/all"]).exits(0);
    // As above.
    let shown = outcome.stderr.lines().filter(|line| line.ends_with("00")).count();
    assert!(shown >= 10_000 || outcome.stderr.contains(" not shown: "), "{shown}");
    // The option is only recommended to those who did not use it.
    assert!(!outcome.stderr.contains("--log-dir"));
    let log = fixture.read("logs/all/web-build-1.log");
    let (bars, numbers): (Vec<&str>, Vec<&str>) = log.lines().partition(|line| *line == "done");
    assert_eq!((bars.len(), numbers.len(), numbers[0], numbers[999_999]), (1, 1_000_000, "1", "1000000"));
    assert_eq!(fixture.read("logs/all/web-build-2.log"), "first\n");
    assert_eq!(fixture.read("logs/all/web-build-2-attempt-2.log"), "second ***\n");

    fixture.write("file", "");
    fixture.run(&["bake", "--log-dir", "file/logs"]).exits(2).says("create the folder file/logs for logs");
}

#[test]
fn a_reader_that_stalls_holds_up_neither_the_bake_nor_its_cancel() {
    let last = seconds(3);
    let fixture = bake_of(&["yes $(printf %099d 0) | head -c 50000000 || true"], &last);
    // Nobody reads either pipe.
    let mut child = fixture.command(&["bake"]).spawn().unwrap();
    wait::until_true("the bake waits for its reader", || alive(&format!("sleep {last}")));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    is_cancelled(&fixture);
    assert!(!alive(&format!("sleep {last}")), "the step lives on");
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_bake() {
    for arguments in [&["bake"][..], &["bake", "--json"]] {
        let fixture = bake_of(&["yes | head -c 1000000 || true"], "0");
        let mut child = fixture.command(arguments).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(0));
        let report: Value = serde_json::from_str(&fixture.read("bake-report.json")).unwrap();
        assert_eq!(report["images"][0]["status"], "baked");
    }
}

/// The terminal is gone, as when a window is closed or an SSH connection is lost: the kernel sends SIGHUP, and all
/// writes to the terminal fail.
#[test]
fn a_terminal_that_is_closed_cancels_the_bake() {
    // With and without a shell in between, which also sends SIGHUP.
    for (number, line) in [(4, "exec ami-bake bake"), (5, "ami-bake bake; true")] {
        let last = seconds(number);
        let fixture = bake_of(&["yes | head -c 1000000 || true"], &last);
        let line = line.replace("ami-bake", env!("CARGO_BIN_EXE_ami-bake"));
        // The test itself may run under nohup.
        let arguments = ["--default-signal=HUP", "script", "-qefc", &line, "/dev/null"];
        let mut command = fixture.dir().command("env", &arguments);
        let mut terminal = command.env("SHELL", "/bin/sh").stdout(Stdio::null()).spawn().unwrap();
        wait::until_true("the last step never began", || alive(&format!("sleep {last}")));
        terminal.kill().unwrap();
        terminal.wait().unwrap();
        wait::until_true("the bake goes on", || fixture.path("bake-report.json").exists());
        wait::until_true("the step lives on", || !alive(&format!("sleep {last}")));
        let left = || {
            std::fs::read_dir(fixture.path("state/ami-bake"))
                .unwrap()
                .flatten()
                .any(|entry| entry.path().to_string_lossy().ends_with(".ledger.jsonl"))
        };
        wait::until_true("the ledger is left", || !left());
        is_cancelled(&fixture);
    }
}

/// Three progress lines are redrawn ten times a second: output that is not written above them is drawn over.
#[test]
fn a_cancel_is_acknowledged_above_the_progress_lines() {
    let last = seconds(7);
    let fixture = bake_of(&[], &last);
    let manifest = fixture.read("bake.yml");
    let (head, image) = manifest.split_once("  web:\n").unwrap();
    fixture.write(
        "bake.yml",
        &["one", "two", "three"].iter().fold(head.to_owned(), |text, name| format!("{text}  {name}:\n{image}")),
    );
    let line = format!("stty rows 40 cols 100; exec {} bake", env!("CARGO_BIN_EXE_ami-bake"));
    let mut command = fixture.dir().command("script", &["-qefc", &line, "screen"]);
    let mut terminal = command.env("SHELL", "/bin/sh").env("TERM", "xterm").stdout(Stdio::null()).spawn().unwrap();
    let screen = || {
        let mut screen = vt100::Parser::new(40.try_into().unwrap(), 100.try_into().unwrap(), 0);
        screen.process(&std::fs::read(fixture.path("screen")).unwrap_or_default());
        screen.screen().rows(0, 100).collect::<Vec<String>>()
    };
    wait::until_true("the steps never began", || {
        screen().iter().filter(|line| line.contains("build 1: run exec sleep")).count() == 3
    });
    let children = format!("/proc/{0}/task/{0}/children", terminal.id());
    let bake = std::fs::read_to_string(children).unwrap();
    assert!(Command::new("kill").args(["-INT", bake.trim()]).status().unwrap().success());
    assert_eq!(terminal.wait().unwrap().code(), Some(130));
    let screen = screen();
    let acknowledged = "Cancelling, cleaning up… (Ctrl-C again to quit now)";
    assert!(screen.iter().any(|line| line.trim_end() == acknowledged), "{screen:#?}");
    is_cancelled(&fixture);
}

#[test]
fn a_supervisor_that_ends_a_session_does_not_end_the_clean_up() {
    let last = seconds(8);
    let fixture = bake_of(&[], &last);
    let arguments = ["--default-signal=HUP", env!("CARGO_BIN_EXE_ami-bake"), "bake"];
    let child = fixture.dir().command("env", &arguments).spawn().unwrap();
    wait::until_true("the step never began", || alive(&format!("sleep {last}")));
    signal(&child, "HUP");
    signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains("Quitting now"), "{text}");
    is_cancelled(&fixture);
    assert!(!alive(&format!("sleep {last}")), "the step lives on");
}

/// A daemon that was started with endless output.
#[test]
fn a_background_process_that_prints_without_end_is_not_waited_for() {
    let fixture = bake_of(&["yes &"], "0");
    fixture.run(&["bake", "--until", "validate"]).exits(0);
}

/// The bake continues to its end, which comes when the test ends the process that its step waits for.
#[test]
fn under_nohup_a_hang_up_is_ignored() {
    let waiting = format!("sleep {}", seconds(6));
    let fixture = bake_of(&[&format!("{waiting} || true")], "0");
    let arguments = ["--ignore-signal=HUP", env!("CARGO_BIN_EXE_ami-bake"), "bake", "--until", "validate"];
    let child = fixture.dir().command("env", &arguments).spawn().unwrap();
    wait::until_true("the step never began", || alive(&waiting));
    signal(&child, "HUP");
    assert!(Command::new("kill").arg(process(&waiting).unwrap()).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
