//! The sample of cells that the checks run, and the whole table on request.

use std::collections::BTreeMap;

use super::cell::{killed_at_stage, with_fault};
use super::fault::{Cleaner, Fault};
use super::scenario;
use super::storm;
use super::survey::{Survey, SurveyedCall};
use super::table::{Planned, Table};

/// The cell for a call with a fault.
fn cell<'a>(survey: &'a Survey, call: &'a SurveyedCall, fault: Fault) -> Planned<'a> {
    Planned {
        row: format!("{} {} ({})", survey.scenario.name, call.target, call.stage),
        column: fault.name().to_owned(),
        run: Box::new(move || with_fault(survey, call, fault)),
    }
}

/// All cells of a survey: its calls with every fault, and its stages with a kill.
fn cells(survey: &Survey) -> Vec<Planned<'_>> {
    let calls = survey.calls.iter();
    let calls = calls.flat_map(|call| Fault::ALL.into_iter().map(move |fault| cell(survey, call, fault)));
    let cleaners = [(Cleaner::Post, "kill-post"), (Cleaner::Sweep, "kill-sweep")];
    let stages = survey.stages.iter().flat_map(|stage| {
        cleaners.map(|(cleaner, name)| Planned {
            row: format!("{} stage {stage}", survey.scenario.name),
            column: name.to_owned(),
            run: Box::new(move || killed_at_stage(survey, stage, cleaner)),
        })
    });
    calls.chain(stages).collect()
}

/// One fault for each family of calls, and each fault for at least one family; which call of a family gets it varies
/// with the fault.
fn sample(survey: &Survey) -> Vec<Planned<'_>> {
    let mut families: BTreeMap<&str, Vec<&SurveyedCall>> = BTreeMap::new();
    for call in &survey.calls {
        families.entry(call.target.family()).or_default().push(call);
    }
    assert!(families.len() >= Fault::ALL.len(), "a fault has no family: {:?}", families.keys());
    let picked = families.into_values().zip(Fault::ALL.into_iter().cycle()).enumerate();
    picked.map(|(number, (calls, fault))| cell(survey, calls[number % calls.len()], fault)).collect()
}

/// The sample of the checks: the calls of a rollout, in some two minutes.
#[test]
fn a_fault_of_each_kind_in_each_family_of_calls() {
    let survey = Survey::of(scenario::ALL[0]);
    Table::run(&sample(&survey), 2).assert_good();
}

/// For `bench/faults/run`. FAULTS_ONLY has words, separated by commas, that a cell's `ROW × COLUMN` must contain;
/// FAULTS_JOBS is the number of cells to run at a time.
#[test]
#[ignore = "the whole matrix takes hours: bench/faults/run"]
fn whole_matrix() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let only: Vec<String> = variable("FAULTS_ONLY").split(',').map(|word| word.trim().to_owned()).collect();
    let at_a_time = variable("FAULTS_JOBS").parse().unwrap_or(4);
    let surveys: Vec<Survey> = scenario::ALL
        .into_iter()
        .filter(|scenario| variable("FAULTS_SCENARIO").is_empty() || variable("FAULTS_SCENARIO") == scenario.name)
        .map(Survey::of)
        .collect();
    let mut planned: Vec<Planned<'_>> = surveys.iter().flat_map(cells).collect();
    for survey in &surveys {
        eprintln!(
            "{}: {} calls, {} stages; {:#?}",
            survey.scenario.name,
            survey.calls.len(),
            survey.stages.len(),
            survey.after
        );
        for call in &survey.calls {
            eprintln!("  {} {} {:?}", call.target, call.stage, call.purpose);
        }
    }
    planned.extend(storm::cells());
    planned.retain(|cell| {
        let name = format!("{} × {}", cell.row, cell.column);
        only.iter().all(|word| name.contains(word.as_str()))
    });
    let table = Table::run(&planned, at_a_time);
    println!("{}", table.as_markdown());
    table.assert_good();
}
