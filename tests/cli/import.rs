//! `import`, and templates used in place of a manifest.

use insta::assert_snapshot;

use crate::fixture::Fixture;

const TEMPLATE: &str = r#"{
  "variables": {"access": "", "docker_password": "hunter2"},
  "builders": [
    {"type": "amazon-ebs", "access_key": "{{user `access`}}", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0",
     "instance_type": "t3.small", "ssh_username": "ubuntu", "ami_name": "web {{timestamp}}"},
    {"type": "openstack"}
  ],
  "provisioners": [{"type": "shell", "inline": ["id"]}, {"type": "shell", "script": "none.sh"}, {"type": "shell-local", "inline": ["x"]}]
}"#;

#[test]
fn a_template_becomes_a_manifest_and_the_rest_is_listed() {
    let fixture = Fixture::new();
    fixture.write("web.json", TEMPLATE);
    assert_snapshot!(fixture.run(&["import", "web.json", "-o", "bake.yml"]).snapshot(), @r"
    exit code 0
    --- stderr
    Not imported:
      builders[0].access_key: credentials are not part of a manifest → The bake uses the environment, a profile or a role, like every AWS tool; see `aws.role`.
      builders[1]: the builder type `openstack` is not supported → The rest of the template was imported. Keep using Packer for this builder.
      provisioners[2]: it runs on the computer that runs ami-bake; steps run on the machine → Run it in the workflow, before or after the bake.
      variables.access: nothing imported uses it
      variables.docker_password: a credential that nothing imported uses
    Imported with changes:
      builders[0].ami_name: `timestamp` is seconds since 1970 in Packer and YYYYMMDDhhmmss in a manifest
      builders[0]: IMDSv2 is required for the image and its build machine; Packer leaves it optional → If software needs IMDSv1, set `publish.imds: optional` and `machine.metadata.tokens: optional`.
    Missing files:
      none.sh

    Created bake.yml (1 image)

    Next:
      ami-bake check bake.yml
    ");
    let again = fixture.run(&["import", "web.json", "-o", "bake.yml", "--set", "access=x"]);
    again.exits(0);
    fixture.write("bake.yml", "format: 1\n");
    let refused = fixture.run(&["import", "web.json", "-o", "bake.yml"]).exits(2);
    assert!(refused.stderr.contains("already exists") && refused.stderr.contains("--force"), "{}", refused.stderr);
    fixture.run(&["import", "web.json", "-o", "bake.yml", "--force"]).exits(0);
}

#[test]
fn a_mistake_is_refused_with_its_line() {
    let fixture = Fixture::new();
    fixture.write("web.json", "{\n  \"builders\": [],\n}");
    assert_snapshot!(fixture.run(&["import", "web.json"]).snapshot(), @r#"
    exit code 3
    --- stderr
    error[syntax]: trailing comma before `}`
     --> web.json:2:17
      |
    2 |   "builders": [],
      |                 ^
      |
      = help: Remove the comma: JSON does not allow it here.
    "#);
    let checked = fixture.run(&["check", "web.json"]).exits(3);
    assert!(checked.stderr.contains("web.json:2:17"), "{}", checked.stderr);
}

#[test]
fn nothing_importable_is_exit_3() {
    let fixture = Fixture::new();
    fixture.write("web.json", r#"{"builders": [{"type": "lxd"}]}"#);
    let outcome = fixture.run(&["import", "web.json"]).exits(3);
    assert!(outcome.stdout.is_empty() && outcome.stderr.contains("builders[0]"), "{}", outcome.stderr);
    fixture.run(&["check", "web.json"]).exits(3);
}

/// A template is checked directly: what it lacks is reported, with the name of its file.
#[test]
fn a_template_is_checked_on_the_fly() {
    let fixture = Fixture::new();
    fixture.write("web.json", &TEMPLATE.replace("none.sh", "there.sh"));
    let missing = fixture.run(&["check", "web.json"]).exits(3);
    assert!(missing.stderr.contains("`there.sh` not found"), "{}", missing.stderr);
    fixture.write("there.sh", "#!/bin/sh\n");
    let valid = fixture.run(&["check", "web.json"]).exits(0);
    assert!(
        valid.stderr.contains("not imported: builders[1]") && valid.stderr.contains("web.json: valid (1 image on aws)"),
        "{}",
        valid.stderr
    );
    assert!(!valid.stderr.contains("hunter2"));
}

/// A folder, its files named one by one, and a mistake in one of them.
#[test]
fn hcl_is_imported_from_a_folder_or_its_files() {
    let fixture = Fixture::new();
    fixture.write("web/a.pkr.hcl", "source \"docker\" \"web\" {\n  image = var.image\n}\nbuild {\n  sources = [\"docker.web\"]\n  provisioner \"shell\" {\n    inline = [\"id\"]\n  }\n  provisioner \"shell-local\" {\n    inline = [\"x\"]\n  }\n}\n");
    fixture.write("web/b.pkr.hcl", "variable \"image\" {\n  default = \"debian:11\"\n}\n");
    fixture.write("web/c.auto.pkrvars.hcl", "image = \"debian:12\"\n");
    assert_snapshot!(fixture.run(&["import", "web", "-o", "bake.yml"]).snapshot(), @r"
    exit code 0
    --- stderr
    Not imported:
      a.pkr.hcl: build.provisioner[1]: it runs on the computer that runs ami-bake; steps run on the machine → Run it in the workflow, before or after the bake.

    Created bake.yml (1 image)

    Next:
      ami-bake check bake.yml
    ");
    let by_name = fixture.run(&["import", "web/a.pkr.hcl", "web/b.pkr.hcl", "--set", "image=debian:13"]).exits(0);
    assert!(by_name.stdout.contains("image: debian:13"), "{}", by_name.stdout);
    let checked = fixture.run(&["check", "web"]).exits(0);
    assert!(checked.stderr.contains("build.provisioner[1]"), "{}", checked.stderr);
    fixture.write("web/b.pkr.hcl", "variable \"image\" {\n  default = \n}\n");
    let refused = fixture.run(&["import", "web"]).exits(3);
    assert!(refused.stderr.contains("web/b.pkr.hcl:2:"), "{}", refused.stderr);
    std::fs::create_dir(fixture.path("empty")).unwrap();
    let nothing = fixture.run(&["import", "empty"]).exits(2);
    assert!(nothing.stderr.contains("contains no template"), "{}", nothing.stderr);
}

/// Standard input and output, folders, other encodings; either all files are written or none.
#[test]
fn where_files_come_from_and_go() {
    let fixture = Fixture::new();
    fixture.write("web.json", TEMPLATE);
    let mut child = fixture.command(&["import", "-", "-o", "-"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), TEMPLATE.as_bytes()).unwrap();
    let piped = fixture.finish(child).exits(0);
    assert!(
        piped.stdout.starts_with("# Imported from stdin") && piped.stdout.contains("format: 1"),
        "{}",
        piped.stdout
    );

    fixture.write("out/here.txt", "");
    let folder = fixture.run(&["import", "web.json", "-o", "out", "--force"]).exits(2);
    assert!(
        folder.stderr.contains("is a folder, not a file") && folder.stderr.contains("out/bake.yml"),
        "{}",
        folder.stderr
    );
    fixture.write("latin.json", "{}");
    std::fs::write(fixture.folder().join("latin.json"), b"{\n\"a\": \"\xe4\"}").unwrap();
    let latin = fixture.run(&["import", "latin.json"]).exits(2);
    assert!(latin.stderr.contains("is not valid UTF-8"), "{}", latin.stderr);

    // A file for the component's document exists, with other content.
    fixture.write("c.json", r#"{"name": "c", "semanticVersion": "1.0.0", "platform": "Linux", "data": "schemaVersion: 1.0\nphases: [{name: build, steps: []}]"}"#);
    fixture.write("out/components/c.yml", "mine\n");
    let there = fixture.run(&["import", "c.json", "-o", "out/bake.yml"]).exits(2);
    assert!(there.stderr.contains("out/components/c.yml already exists"), "{}", there.stderr);
    assert!(!fixture.folder().join("out/bake.yml").exists());
    fixture.run(&["import", "c.json", "-o", "out/bake.yml", "--force"]).exits(0);
    assert!(
        std::fs::read_to_string(fixture.folder().join("out/components/c.yml")).unwrap().starts_with("schemaVersion")
    );
}

/// `--strict` is for pipelines that keep a template and a manifest in step.
#[test]
fn strict_fails_on_any_difference_and_writes_nothing() {
    let fixture = Fixture::new();
    let builder = r#""type": "docker", "image": "debian:12", "commit": true"#;
    fixture.write(
        "same.json",
        &format!(r#"{{"builders": [{{{builder}}}], "provisioners": [{{"type": "shell", "inline": ["true"]}}]}}"#),
    );
    fixture.run(&["import", "--strict", "same.json", "-o", "same.yml"]).exits(0);
    fixture.write("other.json", &format!(r#"{{"builders": [{{{builder}, "privileged": true}}]}}"#));
    let outcome = fixture.run(&["import", "--strict", "other.json", "-o", "other.yml"]).exits(3);
    assert!(
        outcome.stderr.contains("privileged") && outcome.stderr.contains("1 difference from the input"),
        "{}",
        outcome.stderr
    );
    assert!(fixture.path("same.yml").exists() && !fixture.path("other.yml").exists());
    // A bake reports the differences, too.
    let outcome = fixture.run(&["check", "other.json"]).exits(0);
    assert!(outcome.stderr.contains("not imported: builders[0].privileged"), "{}", outcome.stderr);
}
