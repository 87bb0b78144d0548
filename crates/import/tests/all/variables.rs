//! Tests of variables, variable files, secrets and functions.

use std::path::PathBuf;

use ami_bake_import::Source;

use crate::fixture::{Fixture, template};

const BUILDER: &str = r#"{"type": "amazon-ebs", "region": "{{user `region`}}", "source_ami": "ami-0123456789abcdef0", "instance_type": "t3.small", "ssh_username": "ubuntu", "ami_name": "{{user `name`}}-{{isotime \"2006-01-02\"}}", "launch_block_device_mappings": [{"device_name": "/dev/sda1", "volume_size": "{{user `size`}}"}]}"#;

fn with(variables: &str, provisioners: &str) -> crate::fixture::TestImport {
    template(&format!(
        r#"{{"variables": {{"region": "eu-west-1", "name": "web", "size": "20"{variables}}}, "builders": [{BUILDER}], "provisioners": [{provisioners}]}}"#
    ))
}

#[test]
fn variables_are_expressions_and_keep_their_type() {
    with("", "")
        .says("vars:\n  region: eu-west-1\n  name: web\n  size: 20\naws:\n  region: ${{ vars.region }}\n")
        .says("        size: ${{ vars.size }}\n")
        .says("      name: ${{ vars.name }}-${{ date }}\n");
}

#[test]
fn required_and_unused_and_composed_variables() {
    with(
        r#", "given": null, "unused": "x", "home": "{{env `HOME`}}", "both": "{{user `name`}}-{{user `home`}}""#,
        r#"{"type": "shell", "inline": ["echo {{user `given`}} {{user `both`}}"]}"#,
    )
    .says("  given: null\n  both: web-${{ env.HOME || '' }}\n")
    .says("      - run: echo ${given} ${both}\n")
    .says("        env:\n          given: ${{ vars.given }}\n          both: ${{ vars.both }}\n")
    .lacks("unused: x")
    .reports("variables.unused", "nothing imported uses it");
}

/// A value with a meaning to the shell is never inserted into a script.
#[test]
fn safe_values_are_inserted_and_others_are_passed_by_the_environment() {
    with(
        r#", "safe": "1.2-3", "odd": "a; rm -rf /""#,
        r#"{"type": "shell", "inline": ["x {{user `safe`}} '{{user `odd`}}'"]}"#,
    )
    .says("      - run: x ${{ vars.safe }} ''\"${odd}\"''\n")
    .says("          odd: ${{ vars.odd }}\n");
}

#[test]
fn secrets_keep_their_names_and_lose_their_values() {
    with(
        r#", "db_password": "hunter2", "token": "{{env `APP_TOKEN`}}""#,
        r#"{"type": "shell", "inline": ["x {{user `db_password`}} {{user `token`}}"]}"#,
    )
    .says("secrets: [DB_PASSWORD, APP_TOKEN]\n")
    .says("      - run: x ${DB_PASSWORD} ${APP_TOKEN}\n")
    .says("          DB_PASSWORD: ${{ secrets.DB_PASSWORD }}\n")
    .lacks("hunter2")
    .reports("variables.db_password", "never copied");
}

#[test]
fn a_secret_where_none_is_allowed_is_reported() {
    with(r#", "api_token": "x""#, r#"{"type": "file", "source": "{{user `api_token`}}", "destination": "/x"}"#)
        .lacks("- upload:")
        .reports("provisioners[0].source", "secrets are not allowed here");
}

#[test]
fn variable_files_and_the_command_line_override() {
    let fixture = Fixture::new(&[]);
    let text =
        format!(r#"{{"variables": {{"region": "eu-west-1", "name": "a", "size": "20"}}, "builders": [{BUILDER}]}}"#);
    let mut request = fixture.request(&[("web.json", &text)]);
    let file = |name: &str, text: &str| Source { path: PathBuf::from(name), text: text.to_owned() };
    request.var_files = vec![
        file("one.json", r#"{"name": "one", "size": 30, "other": "x", "unknown": "y"}"#),
        file("two.json", r#"{"name": "two", "login_password": "hunter2"}"#),
    ];
    request.sets = vec![("region".to_owned(), "us-east-1".to_owned())];
    fixture
        .import(&request)
        .says("  region: us-east-1\n  name: two\n  size: 30\n")
        .lacks("hunter2")
        .reports("name", "a later variable file")
        .reports("other", "not declared by the template")
        .reports("login_password", "a credential");
}

#[test]
fn undeclared_variables_must_be_set() {
    with("", r#"{"type": "shell", "inline": ["{{user `novel`}}"]}"#)
        .says("  # Used by the template but not declared:\n  novel: null\n");
}

/// A value that the manifest refuses becomes a variable that must be set.
#[test]
fn placeholders_become_variables() {
    template(
        r#"{"builders": [{"type": "amazon-ebs", "region": "eu-west-1", "ami_name": "x {{timestamp}}",
            "source_ami_filter": {"filters": {"name": "base-*"}, "owners": ["<owner_id>"]}}]}"#,
    )
    .says("vars:\n  owner: null\n")
    .says("        owner: ${{ vars.owner }}\n")
    .reports("builders[0].source_ami_filter.owners", "must be set");
    template(
        r#"{"variables": {"ami": ""}, "builders": [{"type": "amazon-ebs", "region": "eu-west-1", "ami_name": "x {{timestamp}}", "source_ami": "{{user `ami`}}"}]}"#,
    )
    .says("vars:\n  ami: null\n")
    .says("        id: ${{ vars.ami }}\n");
}

/// Values that the manifest's check refuses are not written, and are reported with their paths in the input.
#[test]
fn what_the_check_refuses_is_reported() {
    with(r#", "key": "not a key""#, "");
    crate::fixture::ebs(r#""kms_key_id": "not a key", "ami_users": ["12"], "ssh_timeout": "soon""#, "")
        .lacks("kms-key:")
        .lacks("accounts:")
        .reports("builders[0].kms_key_id", "not a valid KMS key")
        .reports("builders[0].ami_users", "account ID")
        .reports("builders[0].ssh_timeout", "not a duration");
}

#[test]
fn times_become_expressions_in_a_file_and_values_on_the_fly() {
    let fixture = Fixture::new(&[]);
    let text = r#"{"builders": [{"type": "amazon-ebs", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0",
        "ami_name": "a-{{isotime \"20060102\"}}-{{isotime \"1504\"}}-{{timestamp}}", "tags": {"at": "{{isotime | clean_resource_name}}"}}]}"#;
    let mut request = fixture.request(&[("web.json", text)]);
    fixture
        .import(&request)
        .says("      name: a-${{ replace(date, '-', '') }}-${{ timestamp }}\n")
        .reports("builders[0].ami_name", "replaced with `timestamp`");
    request.now = Some("2026-03-07T15:04:09Z".parse().unwrap());
    fixture
        .import(&request)
        .says("      name: a-20260307-1504-1772895849\n")
        .says("        at: \"2026-03-07T15-04-09Z\"\n");
}

#[test]
fn comments_and_descriptions_stay() {
    template(
        r#"{"_comment": "the web image", "description": "baked nightly", "min_packer_version": "1.5", "push": {"name": "x"},
            "builders": [{"type": "amazon-ebs", "_comment": ["two", "lines"], "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0", "ami_name": "x {{timestamp}}"}]}"#,
    )
    .says("# the web image\n# baked nightly\n")
    .says("  # two\n  # lines\n  web:\n")
    .reports("min_packer_version", "replaces Packer")
    .reports("push", "Atlas");
}

/// A variable that only a variable file sets is used where the template refers to it.
#[test]
fn variables_that_are_not_declared_are_used() {
    let fixture = Fixture::new(&[]);
    let text = format!(r#"{{"builders": [{BUILDER}]}}"#);
    let mut request = fixture.request(&[("web.json", &text)]);
    request.var_files = vec![Source {
        path: PathBuf::from("v.json"),
        text: r#"{"region": "eu-west-1", "name": "web", "size": 30}"#.to_owned(),
    }];
    fixture
        .import(&request)
        .says("vars:\n  region: eu-west-1\n  name: web\n  size: 30\n")
        .reports("name", "without declaring");
    request.var_files.clear();
    request.sets = [("region", "eu-west-1"), ("name", "web"), ("size", "9"), ("nmae", "x")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    fixture.import(&request).says("  name: web\n  region: eu-west-1\n").reports("--set nmae", "no such variable");
}
