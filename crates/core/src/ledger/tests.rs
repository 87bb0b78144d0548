//! Ledgers that are interrupted, taken over or damaged.

use super::*;

#[test]
fn what_a_killed_process_left_is_found_again() {
    let folder = std::env::temp_dir().join(format!("ami-bake-ledger-{}", uuid::Uuid::new_v4()));
    let ledger = Ledger::create(&folder, "r1").unwrap();
    let instance = ledger.intend("aws", "instance", Some("us-east-1"), "token-1").unwrap();
    let key = ledger.intend("aws", "key-pair", Some("us-east-1"), "bake-r1").unwrap();
    ledger.confirm(key, "key-1");
    ledger.confirm(instance, "i-1");
    ledger.close(key, Closed::Deleted);
    let path = ledger.path().unwrap().to_owned();
    assert!(Ledger::resume(&path).unwrap().is_none(), "its process is still running");
    drop(ledger);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(br#"{"intended":{"at":"2026-"#).unwrap();

    let again = Ledger::resume(&path).unwrap().unwrap();
    let open = again.open_entries();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].kind.as_str(), open[0].id.as_deref()), ("instance", Some("i-1")));
    assert_eq!(again.broken(), 0, "a line that was cut off says nothing");
    again.close_id("instance", "i-1", Closed::Deleted);
    again.finish();
    assert!(!path.exists());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_file_without_a_ledger_is_set_aside() {
    let folder = std::env::temp_dir().join(format!("ami-bake-ledger-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    for (content, said) in
        [("", "is empty"), ("hello\n", "is not an ami-bake ledger"), ("\0\0\0\0", "is not an ami-bake ledger")]
    {
        let path = folder.join("r1.ledger.jsonl");
        std::fs::write(&path, content).unwrap();
        let error = Ledger::resume(&path).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("r1.ledger.jsonl.broken"), "{error}");
        assert_eq!(Ledger::left_in(&folder).unwrap(), Vec::<PathBuf>::new());
    }
    assert!(Ledger::left_in(&folder.join("none")).unwrap().is_empty());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn broken_lines_are_counted_and_the_others_are_read() {
    let folder = std::env::temp_dir().join(format!("ami-bake-ledger-{}", uuid::Uuid::new_v4()));
    let ledger = Ledger::create(&folder, "r1").unwrap();
    ledger.intend("aws", "instance", None, "token-1").unwrap();
    let path = ledger.path().unwrap().to_owned();
    drop(ledger);
    // Simulates a disk that lost the first line and a line in the middle.
    let lines = std::fs::read_to_string(&path).unwrap();
    let (_, rest) = lines.split_once('\n').unwrap();
    std::fs::write(&path, format!("\0\0\0\n{{\"intended\": 7}}\n{rest}")).unwrap();
    let again = Ledger::resume(&path).unwrap().unwrap();
    assert_eq!((again.broken(), again.open_entries().len()), (2, 1));
    again.close_entry(&again.open_entries()[0], Closed::Deleted);
    again.finish();
    assert!(!path.exists() && folder.join("r1.ledger.jsonl.broken").exists());
    std::fs::remove_dir_all(folder).unwrap();
}

/// Writes to `/dev/full` fail as on a full disk.
#[test]
fn on_a_full_disk_nothing_is_intended_and_nothing_is_forgotten() {
    let ledger = Ledger::in_memory("r1");
    let instance = ledger.intend("aws", "instance", None, "token-1").unwrap();
    ledger.lock().file = Some(OpenOptions::new().append(true).open("/dev/full").unwrap());
    ledger.confirm(instance, "i-1");
    assert_eq!(ledger.open_entries()[0].id.as_deref(), Some("i-1"));
    assert!(ledger.unwritten().unwrap().contains("space"), "{:?}", ledger.unwritten());
    let refused = ledger.intend("aws", "snapshot", None, "vol-1").unwrap_err();
    assert_eq!((refused.kind().exit_code(), ledger.open_entries().len()), (5, 1));
    ledger.close(instance, Closed::Deleted);
    assert_eq!((ledger.open_entries(), ledger.unwritten()), (Vec::new(), None));
}
