//! Targets for files of earlier runs: reports and ledgers.

use ami_bake_core::ledger::Ledger;
use ami_bake_core::report;

/// Reads a report and writes it again.
pub(super) fn report(input: &[u8]) {
    let Ok(read) = report::parse(input, "bake-report.json") else { return };
    let folder = tempfile::tempdir().unwrap();
    report::write(&read, folder.path()).unwrap();
}

/// Reads a ledger and continues it.
pub(super) fn ledger(input: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.ledger.jsonl");
    std::fs::write(&path, input).unwrap();
    let Ok(ledger) = Ledger::take_over(&path) else { return };
    for entry in ledger.open_entries() {
        ledger.close_entry(&entry, ami_bake_core::ledger::Closed::Deleted);
    }
    if let Ok(ticket) = ledger.intend("aws", "instance", Some("us-east-1"), "token") {
        ledger.confirm(ticket, "i-0123456789abcdef0");
    }
    ledger.finish();
}
