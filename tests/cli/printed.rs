//! For every command: foreign text is never a workflow command, and can't control a terminal.

use ami_bake_testkit::report;
use ami_bake_testkit::runner::{HOSTILE, parse, read_lines};
use serde_json::{Value, json};

use crate::fixture::{CommandOutcome, Fixture};

/// A fixture in a workflow, where the runner reads both streams.
fn workflow() -> Fixture {
    Fixture::new().variable("GITHUB_ACTIONS", "true").variable("GITHUB_RUN_ID", "42")
}

/// Every text of the hostile corpus, each on lines of its own.
fn hostile() -> String {
    HOSTILE.iter().flat_map(|case| [String::from_utf8_lossy(case), "\n".into()]).collect::<String>()
        + "\u{1b}]52;c;ZXZpbA==\u{7}\u{1b}[2J\u{9b}31m##[set-output name=version;]evil\n::set-output name=ami-id::evil"
}

/// Replaces every string in a value with a text, except those that make it a report.
fn poison(value: &mut Value, text: &str) {
    match value {
        Value::String(old) if old.contains(' ') => old.push_str(text),
        Value::Array(values) => values.iter_mut().for_each(|value| poison(value, text)),
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                match (key.as_str(), &value) {
                    ("log", _) => *value = json!(text.lines().collect::<Vec<_>>()),
                    ("name", Value::String(_)) => *value = json!(text),
                    _ => poison(value, text),
                }
            }
        }
        _ => {}
    }
}

#[track_caller]
fn is_harmless(what: &str, outcome: &CommandOutcome) {
    for stream in [&outcome.stdout, &outcome.stderr] {
        assert!(!stream.chars().any(|next| next.is_control() && next != '\n' && next != '\t'), "{what}: {stream:?}");
        for line in read_lines(stream.as_bytes()) {
            let spoken = parse(&line, &["token"]);
            // Annotations are this program's own: they have a title, which no text of the corpus has.
            let own = spoken.as_ref().is_some_and(|spoken| {
                ["error", "warning", "notice"].contains(&spoken.name.as_str())
                    && spoken.properties.contains_key("title")
            });
            assert!(spoken.is_none() || own, "{what}: {line:?}");
        }
    }
}

#[test]
fn a_strangers_report_says_nothing_to_the_runner() {
    let fixture = workflow();
    for (name, good) in [("good", report::good()), ("bad", report::bad())] {
        let mut value = serde_json::to_value(good).unwrap();
        poison(&mut value, &hostile());
        fixture.write("bake-report.json", &value.to_string());
        let printed = fixture.run(&["report"]);
        is_harmless(name, &printed);
        assert!(printed.stdout.contains("ami-id"), "{}", printed.stdout);
        for (option, file) in [("--markdown", "/dev/stdout"), ("--markdown", "/dev/stderr"), ("--merge", "/dev/stdout")]
        {
            is_harmless(option, &fixture.run(&["report", option, file]));
        }
        let printed = fixture.run(&["report", "--json"]);
        is_harmless("report --json", &printed);
        // The parsed values are those in the file.
        let read = fixture.run(&["report", "--json", "--merge", "merged.json"]).exits(0);
        let printed: Value = serde_json::from_str(&printed.stdout).unwrap();
        let merged: Value = serde_json::from_str(&fixture.read("merged.json")).unwrap();
        assert_eq!((&printed, &merged), (&serde_json::from_str::<Value>(&read.stdout).unwrap(), &printed));
        let logs = |value: &Value| value.pointer("/images/0/steps/0/log").cloned();
        assert_eq!(logs(&printed), logs(&value));
    }
    // Text that goes to a file is unchanged, since the runner does not read files.
    let shell = format!("'{}' report >out.md", env!("CARGO_BIN_EXE_ami-bake"));
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &shell]).current_dir(fixture.folder()).env("GITHUB_ACTIONS", "true");
    assert!(command.status().unwrap().success());
    assert!(!fixture.read("out.md").contains('\u{1b}'));
}

#[test]
fn errors_findings_and_help_say_nothing_to_the_runner() {
    let fixture = workflow();
    let text = hostile();
    let quoted = serde_json::to_string(&text).unwrap();
    fixture.write(
        "bake.yml",
        &format!("format: 1\nname: {quoted}\nimages: {{{quoted}: {{bad: {quoted}}}}}\n::error::x: ##[error]y\n"),
    );
    fixture.write("quoted.yml", &format!("format: 1\nname: shop\nplatform: local\nimages:\n  web:\n    source: {{local: host}}\n    description: {quoted}\n    build:\n      - run: {quoted}\n      - {quoted}: x\n"));
    fixture.write(
        "template.json",
        &json!({"builders": [{"type": "amazon-ebs", "name": &text, "ami_name": &text}],
        "variables": {(text.as_str()): &text}, "provisioners": [{"type": &text}, {"type": "shell", "inline": [&text]}]})
        .to_string(),
    );
    fixture.write("bake-report.json", &text);
    let argument = text.replace('\0', "");
    let calls: [&[&str]; 12] = [
        &["check"],
        &["check", "--json"],
        &["check", "quoted.yml"],
        &["check", "quoted.yml", "--json"],
        &["plan", "--platform", "local"],
        &["import", "template.json"],
        &["report"],
        &["report", "--report", &argument],
        &["check", &argument],
        &["bake", &format!("--{argument}")],
        &["policy", "--for", &argument],
        &["images", "--image", &argument, "--platform", "local", "--json"],
    ];
    for call in calls {
        let outcome = fixture.run(call);
        is_harmless(call[0], &outcome);
        assert!(!format!("{}{}", outcome.stdout, outcome.stderr).is_empty());
        if call.contains(&"--json") && !outcome.stdout.is_empty() {
            serde_json::from_str::<Value>(&outcome.stdout).unwrap();
        }
    }
    fixture.run(&["help", "report"]).exits(0);
}

/// On standard output in a pipe, an imported manifest may have to be changed, which is reported.
#[test]
fn changed_data_is_reported() {
    let fixture = workflow();
    let inline = "echo '##[group]x'";
    let template = json!({"builders": [{"type": "amazon-ebs", "ami_name": "web", "region": "us-east-1", "source_ami": "ami-0abc", "instance_type": "t3.small", "ssh_username": "x"}],
        "provisioners": [{"type": "shell", "inline": [inline]}]});
    fixture.write("template.json", &template.to_string());
    let outcome = fixture.run(&["import", "template.json"]);
    is_harmless("import", &outcome);
    outcome.says("inserted a space into 1 line of standard output that the runner would read as workflow commands");
}

#[test]
fn a_declared_secret_is_masked_in_findings_and_a_setting_is_not() {
    let manifest = "format: 1\nname: shop\nplatform: local\nsecrets: [TOKEN, FLAG]\nimages:\n  web:\n    source: {local: host}\n    build:\n      - run: \"echo s3cr3t\\\\\\\"-value\"\n        bad: true\n";
    let fixture = Fixture::with(manifest).variable("TOKEN", "s3cr3t\"-value").variable("FLAG", "true");
    let outcome = fixture.run(&["check"]);
    let text = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!text.contains("s3cr3t") && text.contains("bad"), "{text}");
}
