//! One cell of the fault table: a run with one fault, and its result checked against the rules.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ami_bake_testkit::action::{Ended, Job};
use ami_bake_testkit::cloud::Hold;
use ami_bake_testkit::test_dir::signal;
use ami_bake_testkit::wait;

use super::fault::{Cleaner, Fault};
use super::holdings::Holdings;
use super::process::{HandClock, Outcome, Process};
use super::rules::{Purpose, exit_code};
use super::survey::{Survey, SurveyedCall, created};
use crate::fixture::{Fixture, binary, ledgers};
use crate::fleet::HOME;

/// Result of a cell.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    /// Exit code of the program; `None` when it was killed.
    pub(super) code: Option<i32>,
    /// Violations of the rules; empty is good.
    pub(super) complaints: Vec<String>,
    /// Log of the program.
    pub(super) log: String,
}

/// Runs a scenario with a fault in one of its calls.
pub(super) fn with_fault(survey: &Survey, call: &SurveyedCall, fault: Fault) -> Verdict {
    guarded(|verdict| {
        let fixture = survey.scenario.set_up();
        match fault {
            Fault::Killed { done, cleaner } => killed_in_call(survey, &fixture, call, done, cleaner, verdict),
            _ => disturbed(survey, &fixture, call, fault, verdict),
        }
    })
}

/// Kills a scenario at the beginning of a stage.
pub(super) fn killed_at_stage(survey: &Survey, stage: &str, cleaner: Cleaner) -> Verdict {
    guarded(|verdict| {
        let fixture = survey.scenario.set_up();
        let mut process = Process::start(fixture.command(&["bake", "--json"]));
        if !process.until_stage(stage) {
            return verdict.complaints.push("the stage did not begin".to_owned());
        }
        verdict.log = process.kill().log;
        until_answered(&fixture);
        match cleaner {
            Cleaner::Sweep => sweep(&fixture, verdict),
            Cleaner::Post => {
                // The action's main step saves this before it does anything. Its log does not name the stages.
                let args = r#"{"region": "us-east-1", "store": {}, "identity": {"role": []}}"#;
                let ledger = ledgers(&fixture.path("state")).pop().unwrap_or_else(|| fixture.path("none"));
                let saved = [
                    ("ledger", ledger.display().to_string()),
                    ("platform", "aws".to_owned()),
                    ("platform-args", args.to_owned()),
                ];
                let state = saved.map(|(name, value)| (name.to_owned(), value)).into();
                ended_post(&job(&fixture).start_post(binary(), &[], &state).end(), verdict);
            }
        }
        holds_nothing_odd(survey, &fixture, verdict);
        next_bake_completes(survey, &fixture, verdict);
    })
}

fn ended_post(post: &Ended, verdict: &mut Verdict) {
    verdict.log.push_str(&format!("\n--- post\n{}", post.step.text()));
    if post.code != Some(0) {
        verdict.complaints.push(format!("the post step ends with {}", shown(post.code)));
    }
}

/// Turns a panic of a helper into a complaint of its cell, so that the other cells continue.
pub(super) fn guarded(work: impl FnOnce(&mut Verdict)) -> Verdict {
    let mut verdict = Verdict { code: None, complaints: Vec::new(), log: String::new() };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(&mut verdict))) {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        verdict.complaints.push(text.unwrap_or_else(|| "panicked".to_owned()));
    }
    verdict
}

fn disturbed(survey: &Survey, fixture: &Fixture, call: &SurveyedCall, fault: Fault, verdict: &mut Verdict) {
    let prepared = fixture.cloud.created();
    let rule = fixture.cloud.rule(&fault.rule(&call.target));
    let mut command = fixture.command(&["bake", "--json"]);
    let clock = (fault == Fault::Silent).then(|| HandClock::of(&mut command, fixture.folder()));
    let mut process = Process::start(command);
    let met = process.until_reached(&rule);
    if let Some(clock) = clock {
        pass_a_minute(&mut process, clock);
        rule.release();
    }
    let Outcome { code, log, .. } = process.end();
    fixture.cloud.forgive();
    verdict.code = code;
    verdict.log = log;
    if !met {
        verdict.complaints.push("the call was not made".to_owned());
    }
    let expected = exit_code(call, fault, HOME);
    if code != expected {
        verdict.complaints.push(format!("exit code {} instead of {}", shown(code), shown(expected)));
    }
    let holdings = Holdings::of(fixture);
    if fault == Fault::Denied {
        if call.purpose == Purpose::CleanUp {
            // What can't be deleted stays, and is deleted as soon as that is allowed.
            sweep(fixture, verdict);
        }
        if expected != Some(9) {
            let mut odd = holdings.beyond(&[&survey.before, &survey.after]);
            if !odd.is_empty() && call.target.region != HOME {
                // In other regions the image is registered before its snapshots get their tags, which sweep completes,
                // too.
                sweep(fixture, verdict);
                odd = Holdings::of(fixture).beyond(&[&survey.before, &survey.after]);
            }
            verdict.complaints.extend(odd.into_iter().map(|line| format!("left: {line}")));
        }
        next_bake_completes(survey, fixture, verdict);
    } else {
        let differences = holdings.differences(&survey.after);
        verdict.complaints.extend(differences);
        for (kind, count) in created(fixture, &prepared) {
            let usual = survey.created.get(&kind).copied().unwrap_or_default();
            if count > usual {
                verdict.complaints.push(format!("created twice: {count} of {kind} instead of {usual}"));
            }
        }
    }
}

/// Holds back a call's answer for a minute of the program's time: the program's own limit ends the wait before that, or
/// never.
fn pass_a_minute(process: &mut Process, mut clock: HandClock) {
    for _ in 0..4 {
        process.advance(&mut clock, Duration::from_secs(15));
        // Time limits that follow from one another are set between the moves.
        std::thread::sleep(Duration::from_millis(200));
    }
    // The rest of the run uses the same clock, which runs at its own pace again.
}

fn killed_in_call(
    survey: &Survey,
    fixture: &Fixture,
    call: &SurveyedCall,
    done: bool,
    cleaner: Cleaner,
    verdict: &mut Verdict,
) {
    let rule = fixture.cloud.rule(&Fault::Killed { done, cleaner }.rule(&call.target));
    match cleaner {
        Cleaner::Sweep => {
            let mut process = Process::start(fixture.command(&["bake", "--json"]));
            if !process.until_reached(&rule) {
                return verdict.complaints.push("the call was not made".to_owned());
            }
            verdict.log = process.kill().log;
            end_of(rule, fixture);
            sweep(fixture, verdict);
        }
        Cleaner::Post => {
            let job = job(fixture);
            let mut main = job.start(binary(), &[]);
            wait::until_true("the call was not made", || rule.is_reached() || main.child.try_wait().unwrap().is_some());
            if !rule.is_reached() {
                verdict.log = main.end().step.text();
                return verdict.complaints.push("the call was not made".to_owned());
            }
            signal(&main.child, "KILL");
            let main = main.end();
            end_of(rule, fixture);
            verdict.log = main.step.text();
            ended_post(&job.post(binary(), &[], &main), verdict);
        }
    }
    holds_nothing_odd(survey, fixture, verdict);
    next_bake_completes(survey, fixture, verdict);
}

/// A job of a workflow with the fixture's manifest and cloud.
fn job(fixture: &Fixture) -> Job {
    let job = fixture.cloud.env().into_iter().fold(Job::new(), |job, (name, value)| job.variable(name, &value));
    job.write("bake.yml", &fixture.read("bake.yml"));
    job
}

/// Releases the held call, and waits until no request of the killed program is in progress.
fn end_of(rule: Hold<'_>, fixture: &Fixture) {
    rule.release();
    fixture.cloud.forgive();
    until_answered(fixture);
}

fn until_answered(fixture: &Fixture) {
    wait::until_true("a call is not answered", || fixture.cloud.calls().iter().all(|call| call["status"].is_number()));
}

fn sweep(fixture: &Fixture, verdict: &mut Verdict) {
    let swept = fixture.run(&["sweep", "bake.yml", "--yes"]);
    verdict.log.push_str(&format!("\n--- sweep\n{}{}", swept.stdout, swept.stderr));
    if swept.code != Some(0) {
        verdict.complaints.push(format!("sweep ends with {}", shown(swept.code)));
    }
}

/// Asserts that the account is as before or the image is published, and nothing in between.
fn holds_nothing_odd(survey: &Survey, fixture: &Fixture, verdict: &mut Verdict) {
    let odd = Holdings::of(fixture).beyond(&[&survey.before, &survey.after]);
    verdict.complaints.extend(odd.into_iter().map(|line| format!("left: {line}")));
}

/// Asserts that the next bake completes the work, whatever the fault did: the account has the same resources as without
/// faults.
fn next_bake_completes(survey: &Survey, fixture: &Fixture, verdict: &mut Verdict) {
    let next = fixture.run(&["bake"]);
    verdict.log.push_str(&format!("\n--- next bake\n{}", next.stderr));
    if next.code != Some(0) {
        return verdict.complaints.push(format!("the next bake ends with {}", shown(next.code)));
    }
    let differences = Holdings::of(fixture).differences(&survey.after);
    verdict.complaints.extend(differences.into_iter().map(|line| format!("after the next bake: {line}")));
}

fn shown(code: Option<i32>) -> String {
    code.map_or_else(|| "a signal".to_owned(), |code| code.to_string())
}
