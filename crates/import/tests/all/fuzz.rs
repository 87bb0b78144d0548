//! Templates with random changes: an import succeeds or is refused, but never panics. Deterministic, so that failures
//! can be reproduced.

use ami_bake_import::import;
use serde_json::Value;

use crate::fixture::Fixture;

/// A small random generator (xorshift, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(below.max(1)).unwrap()).unwrap()
    }
}

const SEED: &str = r#"{
  "variables": {"a": "x", "b": null, "c": "{{env `C`}}", "d": "{{user `a`}}-{{isotime \"2006\"}}", "loop": "{{user `loop`}}"},
  "builders": [{"type": "amazon-ebs", "name": "n", "region": "{{user `a`}}", "source_ami": "ami-0123456789abcdef0", "ami_name": "{{ clean_resource_name `x:y` }}",
    "tags": {"k": "{{ .SourceAMI }}"}, "launch_block_device_mappings": [{"device_name": "/dev/sda1", "volume_size": 8}], "ssh_timeout": "5m", "ssh_username": "u"},
    {"type": "docker", "image": "i", "changes": ["ENV A=\"b c\" d='e'", "CMD [\"x\"]"]}],
  "provisioners": [{"type": "shell", "inline": ["a '{{user `b`}}' \"{{user `c`}}\""], "execute_command": "sudo bash {{.Path}} x", "only": ["n"], "override": {"n": {"inline": []}}},
    {"type": "ansible", "playbook_file": "p", "extra_arguments": ["-e", "k=v"]}, {"type": "chef-solo", "json": {"a": [1, {"b": "c"}]}}, {"type": "file", "source": "{{template_dir}}/x", "destination": "/y"}],
  "post-processors": [[{"type": "docker-tag", "repository": "r", "tag": "t"}]]
}"#;

const ODD: [&str; 14] = [
    "{{",
    "}}",
    "{{ split (user `a`) \"\" 99 }}",
    "{{ if }}{{ end }}",
    "${{ vars.x }}",
    "ä\u{2028}",
    "\u{0}",
    "",
    "-1",
    "99999999999999999999",
    "{{ isotime \"Jan\" }}",
    "'",
    "{{ user `no\u{e9}` | lower }}",
    "../../../../../../../../../..",
];

/// Changes one value somewhere.
fn change(value: &mut Value, random: &mut Random) {
    match value {
        Value::Object(map) if !map.is_empty() && random.next(8) > 0 => {
            let at = random.next(map.len());
            if let Some(value) = map.values_mut().nth(at) {
                change(value, random);
            }
        }
        Value::Array(items) if !items.is_empty() && random.next(8) > 0 => {
            let at = random.next(items.len());
            change(&mut items[at], random);
        }
        _ => {
            *value = match random.next(7) {
                0 => Value::Null,
                1 => Value::Bool(true),
                2 => Value::from(random.next(100_000)),
                3 => Value::Array(vec![value.clone(), Value::Null]),
                4 => Value::Object([("x".to_owned(), value.clone())].into_iter().collect()),
                _ => Value::from(ODD[random.next(ODD.len())]),
            };
        }
    }
}

#[test]
fn changed_values_never_panic() {
    let fixture = Fixture::new(&[]);
    let mut random = Random(0x5eed_1234_5678_9abc);
    for _ in 0..25 {
        let mut template: Value = serde_json::from_str(SEED).unwrap();
        for _ in 0..=random.next(6) {
            change(&mut template, &mut random);
        }
        let text = template.to_string();
        let _ = import(&fixture.request(&[("fuzz.json", &text)]));
    }
}

#[test]
fn broken_bytes_never_panic() {
    let fixture = Fixture::new(&[]);
    let mut random = Random(0xdead_beef_cafe_f00d);
    for _ in 0..1500 {
        let mut bytes = SEED.as_bytes().to_vec();
        for _ in 0..=random.next(3) {
            let at = random.next(bytes.len());
            match random.next(4) {
                0 => {
                    bytes.remove(at);
                }
                1 => bytes.insert(at, b"{}[]\",:\\`'0 "[random.next(12)]),
                2 => bytes.truncate(at.max(1)),
                _ => bytes[at] = u8::try_from(random.next(128)).unwrap(),
            }
        }
        let Ok(text) = String::from_utf8(bytes) else { continue };
        // Valid JSON is tested elsewhere.
        if serde_json::from_str::<Value>(&text).is_ok() {
            continue;
        }
        let _ = import(&fixture.request(&[("fuzz.json", &text)]));
        let _ = import(&fixture.request(&[("fuzz.yml", &text)]));
    }
}
