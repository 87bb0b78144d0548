//! Templates with a change at every position: an import succeeds or is refused, its result passes the check, and
//! unknown keys are reported. Uses the template of `silence`, and real ones if the corpus is available.
//!
//! A few changes of some templates by default; `MUTATIONS=1000` tries so many of each (minutes).

use std::path::PathBuf;

use ami_bake_import::{Imported, Source, import};
use ami_bake_manifest::diagnostic::{Style, text};
use ami_bake_manifest::{Manifest, Options};
use ami_bake_testkit::corpus::corpus;
use serde_json::{Value, json};

use crate::fixture::{request, shown};
use crate::silence::everything;

/// Default number of changes of our own template, and of every sixth real one.
const SAMPLES: (usize, usize) = (12, 1);

struct Template {
    path: PathBuf,
    value: Value,
}

fn templates() -> Vec<Template> {
    let mut all = vec![Template { path: PathBuf::from("/nowhere/web.json"), value: everything() }];
    let Some(corpus) = corpus() else { return all };
    let index = std::fs::read_to_string(corpus.join("packer-json/index.json")).unwrap();
    let index: Vec<Value> = serde_json::from_str(&index).unwrap();
    let packer = index.iter().map(|entry| corpus.join("packer-json").join(entry["file"].as_str().unwrap()));
    let required = std::fs::read_dir(corpus.join("required")).unwrap().map(|entry| entry.unwrap().path());
    let required = required.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    for path in packer.chain(required) {
        let text = std::fs::read_to_string(&path).unwrap();
        let vars = path.to_string_lossy().ends_with(".vars.json");
        if let Some(value) = serde_json::from_str(&text).ok().filter(|_| !vars) {
            all.push(Template { path, value });
        }
    }
    all
}

fn run(path: &std::path::Path, text: String) -> Option<Imported> {
    let folder = path.parent().unwrap().to_owned();
    import(&request(vec![Source { path: path.to_owned(), text }], folder.clone(), folder)).ok()
}

/// The check's findings about a manifest, apart from missing files.
fn wrong(imported: &Imported) -> Option<String> {
    let options = Options { check: true, allow_files: vec![PathBuf::from("/")], ..Options::default() };
    let loaded = Manifest::load_text("bake.yml", imported.manifest.as_ref()?, PathBuf::from("/nowhere"), &options);
    let others = ["not-supported-yet", "no-such-file", "wrong-file"];
    let wrong: Vec<_> =
        loaded.findings.into_iter().filter(|finding| finding.is_error() && !others.contains(&finding.code)).collect();
    (!wrong.is_empty()).then(|| text(&wrong, &loaded.sources, Style::Plain))
}

/// The pointers to all values, outermost first.
fn places(value: &Value, here: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let place = format!("{here}/{}", key.replace('~', "~0").replace('/', "~1"));
                into.push(place.clone());
                places(value, &place, into);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                let place = format!("{here}/{at}");
                into.push(place.clone());
                places(value, &place, into);
            }
        }
        _ => {}
    }
}

/// Values of other kinds; `None` removes the value.
fn others(value: &Value) -> Vec<Option<Value>> {
    let kinds = [
        json!("{{user `novel`}} x"),
        json!(-1.5),
        json!(true),
        Value::Null,
        json!([]),
        json!([[value.clone()], null]),
        json!({"novel": [value.clone()]}),
        json!(""),
    ];
    let same = |kind: &Value| std::mem::discriminant(kind) == std::mem::discriminant(value);
    kinds.into_iter().filter(|kind| !same(kind)).map(Some).chain([None]).collect()
}

fn changed(value: &Value, place: &str, other: Option<Value>) -> Value {
    let mut value = value.clone();
    let (above, key) = place.rsplit_once('/').unwrap();
    match (value.pointer_mut(above).unwrap(), other) {
        (Value::Object(map), None) => {
            map.remove(&key.replace("~1", "/").replace("~0", "~"));
        }
        (Value::Array(items), None) => {
            items.remove(key.parse().unwrap());
        }
        (_, Some(other)) => *value.pointer_mut(place).unwrap() = other,
        (_, None) => {}
    }
    value
}

#[test]
fn a_change_at_any_place_still_gives_a_manifest_that_passes_the_check() {
    let more: Option<usize> = std::env::var("MUTATIONS").ok().and_then(|count| count.parse().ok());
    let mut tried = 0;
    for (at, template) in templates().iter().enumerate().filter(|(at, _)| more.is_some() || at % 6 == 0) {
        let mut found = Vec::new();
        places(&template.value, "", &mut found);
        let changes: Vec<(&String, Option<Value>)> = found
            .iter()
            .flat_map(|place| {
                others(template.value.pointer(place).unwrap()).into_iter().map(move |other| (place, other))
            })
            .collect();
        // Every template starts at another change, so that all kinds and depths are covered.
        let sample = more.unwrap_or(if at == 0 { SAMPLES.0 } else { SAMPLES.1 });
        let step = (changes.len() / sample).max(1);
        for (place, other) in changes.iter().skip(at * 7 % step).step_by(step).take(sample) {
            let shown = format!("{} {place} = {other:?}", template.path.display());
            let text = changed(&template.value, place, other.clone()).to_string();
            let done = std::panic::catch_unwind(|| run(&template.path, text)).unwrap_or_else(|_| panic!("{shown}"));
            if let Some(wrong) = done.as_ref().and_then(wrong) {
                panic!("{shown}\n{wrong}\n{}", done.unwrap().manifest.unwrap());
            }
            tried += 1;
        }
    }
    assert!(tried >= SAMPLES.0, "{tried}");
}

/// Adds an unknown key to every map, and counts them.
fn add(value: &mut Value, count: &mut usize) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(|value| add(value, count));
            *count += 1;
            map.insert(format!("novel{count}q"), json!(format!("zznovel{count}q")));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| add(value, count)),
        _ => {}
    }
}

#[test]
fn an_unknown_key_in_any_map_of_a_real_template_is_reported_or_imported() {
    let more = std::env::var_os("MUTATIONS").is_some();
    for (_, template) in templates().into_iter().enumerate().filter(|(at, _)| more || at % 3 == 0) {
        let mut value = template.value.clone();
        let mut count = 0;
        add(&mut value, &mut count);
        let Some(done) = run(&template.path, value.to_string()) else {
            panic!("{} is refused with unknown keys", template.path.display());
        };
        let body = done.manifest.as_deref().unwrap_or_default();
        let body = body.split("\n# Not imported:").next().unwrap_or_default();
        let mut found = Vec::new();
        places(&value, "", &mut found);
        for place in found {
            let Some(mark) = value.pointer(&place).and_then(Value::as_str).filter(|text| text.starts_with("zznovel"))
            else {
                continue;
            };
            // As in findings, without brackets and dots.
            let words = |path: &str| {
                path.replace(['[', ']', '.', '/', '"'], " ").split_whitespace().map(str::to_owned).collect::<Vec<_>>()
            };
            let own = words(&place);
            let reported = done.findings.iter().any(|finding| own.starts_with(&words(&finding.path)));
            assert!(reported || body.contains(mark), "{}: {place} is lost", template.path.display());
        }
    }
}

/// Unknown keys in Image Builder's resources, most of which are flat maps.
#[test]
fn an_unknown_key_in_a_resource_is_reported_or_imported() {
    let resources: [Value; 6] = [
        json!({"name": "r", "semanticVersion": "1.0.0", "parentImage": "ami-0123456789abcdef0", "components": [{"componentArn": "x", "parameters": [{"name": "a", "value": ["b"]}]}],
            "blockDeviceMappings": [{"deviceName": "/dev/sda1", "ebs": {"volumeSize": 9}}], "additionalInstanceConfiguration": {"userDataOverride": "eA=="}}),
        json!({"name": "i", "instanceProfileName": "p", "instanceTypes": ["t3.small"], "instanceMetadataOptions": {"httpTokens": "required"}, "logging": {"s3Logs": {"s3BucketName": "b"}}}),
        json!({"name": "d", "distributions": [{"region": "eu-west-1", "amiDistributionConfiguration": {"name": "x {{ imagebuilder:buildDate }}", "launchPermission": {"userIds": ["111122223333"]}},
            "launchTemplateConfigurations": [{"launchTemplateId": "lt-0123456789abcdef0"}], "ssmParameterConfigurations": [{"parameterName": "/a"}]}]}),
        json!({"name": "p", "imageRecipeArn": "r", "imageTestsConfiguration": {"imageTestsEnabled": true}, "schedule": {"scheduleExpression": "cron(0 0 * * ? *)"}}),
        json!({"name": "c", "semanticVersion": "1.0.0", "platform": "Linux", "data": "schemaVersion: 1.0\nphases: []\n"}),
        json!({"name": "l", "policyDetails": [{"action": {"type": "DELETE"}, "filter": {"type": "COUNT", "value": 3}}]}),
    ];
    let mut count = 0;
    let files: Vec<Source> = resources
        .into_iter()
        .enumerate()
        .map(|(at, mut resource)| {
            add(&mut resource, &mut count);
            Source { path: PathBuf::from(format!("{at}.json")), text: resource.to_string() }
        })
        .collect();
    let done = import(&request(files, PathBuf::from("/nowhere"), PathBuf::new())).unwrap();
    let manifest = done.manifest.as_deref().unwrap();
    assert!(count > 20);
    for at in 1..=count {
        let reported = done.findings.iter().any(|finding| finding.path.contains(&format!("novel{at}q")));
        let whole = done
            .findings
            .iter()
            .any(|finding| ["logging", "schedule", "components[0]"].contains(&finding.path.as_str()));
        assert!(reported || (whole && manifest.contains("Not imported")), "novel{at}q is lost");
    }
}

/// A file in valid JSON is read; everything else is refused with its location.
#[test]
fn a_file_is_read_or_refused_with_its_line() {
    let good = "{\"builders\": [{\"type\": \"docker\", \"image\": \"a\"}]}";
    for text in [good.to_owned(), format!("\u{feff}{good}"), good.replace(", ", ",\r\n"), format!("\r\n\t{good}\n\n")] {
        assert!(run(&PathBuf::from("/nowhere/web.json"), text).is_some_and(|done| done.images == 1));
    }
    let deep = format!("{{\"builders\": {}{}}}", "[".repeat(5000), "]".repeat(5000));
    let wide = format!("{{\"builders\": [{{\"type\": \"docker\", \"image\": \"{}\"}}]}}", "{{".repeat(20_000));
    let _ = run(&PathBuf::from("/nowhere/web.json"), wide);
    for (text, line) in [
        ("{\n\"a\": 1,\n\"builders\": [],\n}", 3),
        ("{\n\"builders\": [{},\n{},\n]}", 3),
        ("{\n// why\n\"builders\": []}", 2),
        ("{\n\"builders\": [] # why\n}", 2),
        ("{\n\"builders\": [\n{\"a\": \"b\n\"}]}", 3),
        ("{\n\"builders\": [\"\\x\"]}", 2),
        ("{\n\"builders\": []}\n}", 3),
        ("{\n\"builders\": nul}", 2),
        (deep.as_str(), 1),
    ] {
        let files = vec![Source { path: PathBuf::from("web.json"), text: text.to_owned() }];
        let request = request(files, PathBuf::from("/nowhere"), PathBuf::new());
        let refused = shown(&import(&request).unwrap_err());
        assert!(refused.contains(&format!("web.json:{line}:")), "{text:.60}: {refused:.300}");
    }
}
