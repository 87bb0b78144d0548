//! Running times of machines by type, and their cost if prices are known: no prices are built in.

use std::collections::BTreeMap;
use std::time::Duration;

use ami_bake_core::report::{MachineReport, Report};

use crate::context::Context;
use crate::markdown::{Block, heading, table};

pub(super) fn machines(report: &Report, context: &Context<'_>) -> Vec<Block> {
    let escape = context.escape();
    let mut kinds: BTreeMap<(&str, &str), Vec<&MachineReport>> = BTreeMap::new();
    for machine in &report.machines {
        kinds.entry((machine.kind.as_str(), machine.phase.as_str())).or_default().push(machine);
    }
    let rows: Vec<Vec<String>> = kinds
        .into_iter()
        .map(|((kind, phase), machines)| {
            let ran: Duration = machines.iter().filter_map(|machine| machine.ran).sum();
            let open = machines.iter().filter(|machine| machine.ran.is_none()).count();
            let open = if open > 0 { format!(" and {open} still running") } else { String::new() };
            let ran = ran.as_secs_f64();
            let ran = if ran < 10.0 { format!("{ran:.1}{open}") } else { format!("{:.0}{open}", ran.round()) };
            vec![escape.code(kind), phase.to_owned(), machines.len().to_string(), ran, cost(&machines)]
        })
        .collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let head = ["type", "phase", "machines", "seconds", "cost"];
    vec![heading("machines", "Machines"), table("machines", &head, &rows)]
}

/// The total cost. Empty unless all prices are known: a partial sum would be misleading.
fn cost(machines: &[&MachineReport]) -> String {
    let costs = machines.iter().map(|machine| Some(machine.hourly?.cost(machine.ran?)));
    let sum = costs.collect::<Option<Vec<f64>>>().map(|costs| costs.iter().sum::<f64>());
    sum.map(|dollars| format!("${dollars:.4}")).unwrap_or_default()
}
