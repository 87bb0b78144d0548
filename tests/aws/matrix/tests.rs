//! The sample of the checks, and the whole table on request.

use super::cell::{killed_at_stage, with_fault};
use super::fault::Fault;
use super::scenario;
use super::survey::Survey;
use super::table::{Planned, Table};

/// All cells of a survey: its calls with every fault, and its stages with a kill.
fn cells(survey: &Survey) -> Vec<Planned<'_>> {
    let name = survey.scenario.name;
    let calls = survey.calls.iter().flat_map(|call| {
        Fault::ALL.into_iter().map(move |fault| Planned {
            row: format!("{name} {} ({})", call.target, call.stage),
            column: fault.name().to_owned(),
            run: Box::new(move || with_fault(survey, call, fault)),
        })
    });
    let stages = survey.stages.iter().map(|stage| Planned {
        row: format!("{name} stage {stage}"),
        column: "killed".to_owned(),
        run: Box::new(move || killed_at_stage(survey, stage)),
    });
    calls.chain(stages).collect()
}

/// `bench/faults/run`: FAULTS_ONLY has words that a cell's `ROW × COLUMN` must contain, separated by commas; FAULTS_JOBS is
/// how many run at a time.
#[test]
#[ignore = "the whole matrix takes half an hour: bench/faults/run"]
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
    planned.retain(|cell| {
        let name = format!("{} × {}", cell.row, cell.column);
        only.iter().all(|word| name.contains(word.as_str()))
    });
    let table = Table::run(&planned, at_a_time);
    println!("{}", table.as_markdown());
    table.assert_good();
}
