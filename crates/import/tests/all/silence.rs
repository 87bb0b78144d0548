//! Nothing is lost silently: every value of a template is in the manifest, or its path is reported.

use ami_bake_import::Finding;
use serde_json::Value;

use crate::fixture::Fixture;

/// A template with one of everything. Texts to look for contain `zz` and a unique number.
pub(crate) fn everything() -> Value {
    let text = r#"{
        "_comment": "zz1 the author", "description": "zz2 text", "min_packer_version": "zz3",
        "variables": {"a": "zz4", "b": null, "c": "{{env `ZZ5`}}", "password": "zz6", "unused": "zz7"},
        "sensitive-variables": ["password"],
        "builders": [
            {
                "type": "amazon-ebs", "name": "zz8", "region": "eu-west-9", "source_ami_filter": {
                    "filters": {"name": "zz10-*", "architecture": "x86_64", "zz11": "zz12"}, "owners": ["123456789013"], "most_recent": true
                },
                "access_key": "zz14", "instance_type": "zz15", "ssh_username": "zz16", "ssh_timeout": "17m", "ssh_interface": "public_ip",
                "ami_name": "zz18 {{timestamp}}", "ami_description": "zz19", "ami_users": ["111122223320"], "ami_regions": ["us-east-21"],
                "tags": {"zz22": "zz23 {{user `a`}}"}, "run_tags": {"zz24": "zz25"}, "snapshot_tags": {"zz26": "zz27"},
                "launch_block_device_mappings": [{"device_name": "/dev/sda1", "volume_size": 28, "volume_type": "gp3", "kms_key_id": "alias/zz29"},
                    {"device_name": "/dev/sdq", "volume_size": 30}],
                "ami_block_device_mappings": [{"device_name": "/dev/sdr", "volume_size": 31}],
                "subnet_id": "zz32", "vpc_id": "zz33", "security_group_ids": ["zz34"], "iam_instance_profile": "zz35",
                "user_data": "zz36", "metadata_options": {"http_tokens": "required", "http_put_response_hop_limit": 37},
                "ssh_bastion_host": "zz38", "ssh_bastion_username": "zz39", "ssh_bastion_private_key_file": "zz40", "ssh_bastion_password": "zz41",
                "assume_role": {"role_arn": "arn:aws:iam::111122223342:role/zz", "session_name": "zz43"},
                "force_deregister": true, "encrypt_boot": true, "novel": {"deep": ["zz44", {"x": "zz45"}]}
            },
            {"type": "docker", "image": "zz46", "changes": ["LABEL zz47=zz48", "SHELL zz49"], "author": "zz50", "commit": true},
            {"type": "openstack", "flavor": "zz51"}
        ],
        "provisioners": [
            {"type": "shell", "inline": ["zz52 {{user `b`}}", "zz53 {{user `c`}}"], "environment_vars": ["X=zz54", "PASSWORD={{user `password`}}"],
             "execute_command": "sudo {{.Path}} zz55", "pause_before": "56s", "max_retries": 57, "timeout": "58m", "remote_folder": "zz59", "_note": "zz60"},
            {"type": "shell", "scripts": ["zz61.sh"], "override": {"docker": {"scripts": ["zz62.sh"]}, "openstack": {"script": "zz63"}}},
            {"type": "file", "source": "zz64", "destination": "zz65"},
            {"type": "ansible", "playbook_file": "zz66.yml", "galaxy_file": "zz67.yml", "extra_arguments": ["zz68", "-e", "k=zz69"], "user": "zz70", "groups": ["zz71"]},
            {"type": "ansible-local", "playbook_file": "zz72.yml", "role_paths": ["roles/zz73"], "staging_directory": "zz74"},
            {"type": "chef-solo", "cookbook_paths": ["zz75"], "run_list": ["zz76"], "json": {"x": {"y": ["zz77"]}}, "roles_path": "zz78"},
            {"type": "shell-local", "inline": ["zz79"]},
            {"type": "shell", "inline": ["zz80"], "only": ["openstack"]}
        ],
        "post-processors": [
            {"type": "manifest", "output": "zz81"},
            [{"type": "docker-tag", "repository": "zz82", "tag": ["zz83"], "only": ["docker"]},
             {"type": "docker-push", "login": true, "login_username": "zz84", "login_password": "zz85", "login_server": "zz86"}],
            "zz87"
        ],
        "zz88": "zz89"
    }"#;
    serde_json::from_str(text).unwrap()
}

/// Every leaf with its path, in the form of findings.
fn leaves(value: &Value, path: String, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
                let path = match (path.is_empty(), plain) {
                    (true, _) => key.clone(),
                    (_, true) => format!("{path}.{key}"),
                    (_, false) => format!("{path}[{key:?}]"),
                };
                leaves(value, path, into);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| leaves(item, format!("{path}[{at}]"), into));
        }
        Value::String(text) => into.push((path, text.clone())),
        Value::Number(number) => into.push((path, number.to_string())),
        Value::Null | Value::Bool(_) => {}
    }
}

/// The mark of a leaf: its `zz` word, or its last number.
fn mark(text: &str) -> Option<String> {
    let of = |start: usize| text[start..].chars().take_while(char::is_ascii_alphanumeric).collect::<String>();
    if let Some(at) = text.to_lowercase().find("zz") {
        return Some(of(at).to_lowercase());
    }
    let digits: String =
        text.chars().rev().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    let digits: String = digits.chars().rev().collect();
    (!digits.is_empty()).then_some(digits)
}

/// Keys of values that select a construct; findings about the construct cover them.
const KINDS: [&str; 7] =
    ["type", "only", "sensitive-variables", "ssh_interface", "architecture", "http_tokens", "device_name"];

fn covered(path: &str, findings: &[Finding]) -> bool {
    findings.iter().any(|finding| {
        finding.path == path
            || path.strip_prefix(finding.path.as_str()).is_some_and(|rest| rest.starts_with(['.', '[']))
    })
}

/// The manifest without the list at its end.
fn body(manifest: &str) -> String {
    manifest.split("\n# Not imported:").next().unwrap_or_default().to_lowercase()
}

fn lost(template: &Value) -> Vec<String> {
    let fixture = Fixture::new(&[]);
    let text = serde_json::to_string_pretty(template).unwrap();
    let done = fixture.import(&fixture.request(&[("web.json", &text)]));
    let body = body(done.manifest());
    let mut all = Vec::new();
    leaves(template, String::new(), &mut all);
    assert!(all.len() > 90, "the template is meant to have one of everything: {}", all.len());
    all.into_iter()
        .filter(|(path, text)| {
            let kind = KINDS.iter().any(|kind| path.split(['.', '[']).any(|part| part == *kind));
            let there = mark(text).is_none_or(|mark| body.contains(&mark));
            !kind && !there && !covered(path, &done.imported.findings)
        })
        .map(|(path, text)| format!("{path} = {text}"))
        .collect()
}

#[test]
fn every_value_is_in_the_manifest_or_reported() {
    assert_eq!(lost(&everything()), Vec::<String>::new());
}

/// An unknown field is reported wherever it is.
#[test]
fn unknown_fields_are_reported_wherever_they_are() {
    fn add(value: &mut Value, count: &mut usize) {
        match value {
            Value::Object(map) => {
                map.values_mut().for_each(|value| add(value, count));
                *count += 1;
                map.insert(format!("novel{count}"), Value::from(format!("zzn{count}q")));
            }
            Value::Array(items) => items.iter_mut().for_each(|value| add(value, count)),
            _ => {}
        }
    }
    let mut template = everything();
    let mut count = 0;
    add(&mut template, &mut count);
    assert!(count > 25, "{count}");
    assert_eq!(lost(&template), Vec::<String>::new());
}

/// No credential of the template is anywhere in the manifest, including the list at its end.
#[test]
fn no_credential_is_in_the_whole_text() {
    let fixture = Fixture::new(&[]);
    let text = everything().to_string();
    let done = fixture.import(&fixture.request(&[("web.json", &text)]));
    for secret in ["zz6\"", "zz14", "zz41", "zz85"] {
        assert!(!done.manifest().contains(secret), "{secret} in\n{}", done.manifest());
    }
    assert!(!done.manifest().lines().any(|line| line.trim_end().ends_with("zz6")));
}

/// The last of several equal keys is used, and the others are reported.
#[test]
fn duplicate_keys_are_reported() {
    let fixture = Fixture::new(&[]);
    let text = r#"{"builders": [{"type": "docker", "image": "one", "image": "two"}]}"#;
    fixture
        .import(&fixture.request(&[("web.json", text)]))
        .says("docker: two\n")
        .reports("builders[0].image", "duplicate key");
}

/// Credentials are not copied to comments, tags or arguments.
#[test]
fn credentials_are_found_where_they_hide() {
    let done = crate::fixture::template(
        r#"{"_comment": "use db_password=zzcred", "builders": [{"type": "amazon-ebs", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0", "ssh_username": "ubuntu",
            "ami_name": "x {{timestamp}}", "tags": {"api_token": "zzcred"}}],
            "provisioners": [{"type": "shell", "script": "a.sh", "execute_command": "sudo {{.Path}} --token=zzcred", "environment_vars": "A=1,B_PASSWORD=zzcred"},
                {"type": "ansible", "playbook_file": "play.yml", "extra_arguments": ["--extra-vars", "a=1 my_secret=zzcred", "--extra-vars={\"password\": \"zzcred\"}"]},
                {"type": "shell", "script": "a.sh", "execute_command": "echo zzcred | sudo -S {{.Path}}", "environment_vars": "A=1,B_PASSWORD=zzcred"},
                {"type": "shell", "script": "a.sh", "execute_command": "mysql -pzzcred < {{.Path}}"}]}"#,
    );
    assert!(!done.manifest().contains("zzcred"), "{}", done.manifest());
    done.says("          A: \"1\"\n          B_PASSWORD: ${{ secrets.B_PASSWORD }}\n")
        .reports("_comment", "credential")
        .reports("builders[0].tags.api_token", "credential")
        .reports("provisioners[0].execute_command", "(`--token=…`)")
        .reports("provisioners[1].extra_arguments[1]", "argument")
        .reports("provisioners[1].extra_arguments[2]", "argument");
}

/// Empty values mean unset in Packer: nothing is lost with them.
#[test]
fn empty_values_are_not_reported() {
    let done = crate::fixture::ebs(
        r#""unknown": "", "ami_regions": [], "region_kms_key_ids": {}, "vault_aws_engine": {}, "aws_polling": null,
        "other": {"a": "", "b": [{}]}"#,
        r#"{"type": "file", "source": "a.sh", "destination": "/tmp/a", "unknown": []}"#,
    );
    let reported: Vec<&str> = done.unknown();
    assert_eq!(reported, Vec::<&str>::new());
    let content = crate::fixture::ebs(
        "",
        r#"{"type": "file", "content": "", "destination": "/tmp/a"},
        {"type": "file", "content": "false", "destination": "/tmp/b"}"#,
    );
    content.reports("provisioners[0].content", "no file is written").says("CONTENT: \"false\"");
}
