//! A run without faults: its calls, and the resulting content of the account. The rows of the table come from here, so
//! a new call is covered without an edit.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::fault::Target;
use super::holdings::Holdings;
use super::process::Process;
use super::rules::Purpose;
use super::scenario::Scenario;
use crate::fixture::Fixture;

/// The calls and results of a scenario without faults.
pub(super) struct Survey {
    pub(super) scenario: Scenario,
    /// The calls that change something, in order.
    pub(super) calls: Vec<SurveyedCall>,
    /// Stages of the run, in order.
    pub(super) stages: Vec<String>,
    /// Content of the account before the run.
    pub(super) before: Holdings,
    /// Content of the account afterwards.
    pub(super) after: Holdings,
    /// Number of resources that the run creates, by kind of ID.
    pub(super) created: BTreeMap<String, usize>,
}

/// A call that changes something.
#[derive(Debug, Clone)]
pub(super) struct SurveyedCall {
    pub(super) target: Target,
    /// The stage that had begun last.
    pub(super) stage: String,
    pub(super) purpose: Purpose,
}

impl Survey {
    /// Runs the scenario once.
    pub(super) fn of(scenario: Scenario) -> Self {
        let fixture = scenario.set_up();
        let before = Holdings::of(&fixture);
        let prepared = fixture.cloud.created();
        fixture.cloud.forget_calls();
        let outcome = Process::start(fixture.command(&["bake", "--json"])).end();
        assert_eq!(outcome.code, Some(0), "{} fails without faults:\n{}", scenario.name, outcome.log);
        let log = fixture.cloud.calls();
        let begun = stages(&outcome.events);
        Self {
            scenario,
            calls: calls(&log, &begun, &prepared),
            stages: begun.into_iter().map(|(_, stage)| stage).collect(),
            before,
            after: Holdings::of(&fixture),
            created: created(&fixture, &prepared),
        }
    }
}

/// Number of resources that were created in addition to prepared ones, by kind of ID.
pub(super) fn created(fixture: &Fixture, prepared: &[String]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for id in fixture.cloud.created().into_iter().filter(|id| !prepared.contains(id)) {
        *counts.entry(id.split('-').next().unwrap_or_default().to_owned()).or_default() += 1;
    }
    counts
}

/// Start times of the stages, in seconds since 1970.
fn stages(events: &[Value]) -> Vec<(f64, String)> {
    let begun = events.iter().filter_map(|event| {
        let stage = event["event"]["stage-started"]["stage"].as_str()?;
        let at: Timestamp = event["at"].as_str()?.parse().ok()?;
        Some((at.as_microsecond() as f64 / 1e6, stage.to_owned()))
    });
    begun.collect()
}

fn calls(log: &[Value], begun: &[(f64, String)], prepared: &[String]) -> Vec<SurveyedCall> {
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut found = Vec::new();
    for call in log.iter().filter(|call| changes_something(call)) {
        let text = |name: &str| call[name].as_str().unwrap_or_default().to_owned();
        let (action, region) = (format!("{}:{}", text("service"), text("action")), text("region"));
        let nth = seen.entry((action.clone(), region.clone())).or_default();
        let target = Target { action, region, nth: *nth };
        *nth += 1;
        let time = call["time"].as_f64().unwrap_or_default();
        let stage = begun.iter().rfind(|(at, _)| *at <= time).map_or("source", |(_, stage)| stage).to_owned();
        let purpose = Purpose::of(&target, &call["parameters"].to_string(), prepared);
        found.push(SurveyedCall { target, stage, purpose });
    }
    found
}

/// True for calls that AWS counts as writes; reads begin with one of a few verbs.
fn changes_something(call: &Value) -> bool {
    let action = call["action"].as_str().unwrap_or_default();
    let asks = ["Describe", "Get", "List", "Head", "Decode", "Assume"].iter().any(|verb| action.starts_with(verb));
    !asks && call["parameters"]["DryRun"] != true
}
