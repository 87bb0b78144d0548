//! The same template built with Packer 1.6 (Debian's package) and baked: both images have the same content. Without
//! Packer this test is skipped.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use ami_bake_testkit::cloud::Cloud;

use crate::fixture::{Fixture, binary};

const TEMPLATE: &str = r#"{
  "variables": {
    "greeting": "it's a \"quoted\" value",
    "unset": "{{env `NOT_SET_ANYWHERE`}}",
    "endpoint": "{{env `AWS_ENDPOINT_URL`}}"
  },
  "builders": [{
    "type": "amazon-ebs",
    "region": "us-east-1",
    "custom_endpoint_ec2": "{{user `endpoint`}}",
    "skip_region_validation": true,
    "skip_metadata_api_check": true,
    "skip_credential_validation": true,
    "source_ami_filter": {
      "filters": {"name": "debian-12-amd64-*", "virtualization-type": "hvm"},
      "owners": ["136693071363"],
      "most_recent": true
    },
    "instance_type": "t3.micro",
    "ssh_username": "admin",
    "ami_name": "{{user `name`}}"
  }],
  "provisioners": [
    {"type": "shell", "inline": ["sudo mkdir -p /opt/same", "mkdir -p /tmp/contents",
      "echo \"inline: $(id -un) $PWD $HOME $-\" | sudo tee -a /opt/same/log"]},
    {"type": "shell", "environment_vars": ["A={{user `greeting`}}", "B={{user `unset`}}"], "scripts": ["one.sh", "two.sh"]},
    {"type": "shell", "execute_command": "{{ .Vars }} sudo -E bash '{{ .Path }}' one two",
      "environment_vars": ["A=x y", "B="], "script": "one.sh"},
    {"type": "shell", "execute_command": "sudo -u daemon env {{ .Vars }} bash '{{ .Path }}'", "environment_vars": ["A=1"],
      "inline": ["echo \"$(id -un) A=$A\" > /tmp/daemon"]},
    {"type": "shell", "inline_shebang": "/bin/bash -eu", "valid_exit_codes": [0, 3], "override": {"amazon-ebs": {"inline":
      ["echo \"shebang: ${BASH_VERSION:+bash} $-\" | sudo tee -a /opt/same/log", "exit 3"]}}, "inline": ["false"]},
    {"type": "shell", "script": "two.sh", "skip_clean": true, "remote_folder": "/var/tmp", "remote_file": "kept.sh"},
    {"type": "file", "source": "files", "destination": "/tmp/up"},
    {"type": "file", "source": "files/", "destination": "/tmp/contents"},
    {"type": "file", "source": "one.sh", "destination": "/tmp/"},
    {"type": "shell", "execute_command": "sudo -S env {{ .Vars }} bash -euo pipefail '{{ .Path }}'",
      "inline": ["cp -a /tmp/up /tmp/contents /tmp/daemon /tmp/one.sh /var/tmp/kept.sh /opt/same/",
        "echo \"$- $(id -un) $PWD\" >> /opt/same/log"]}
  ]
}
"#;

const SCRIPT: &str = r#"#!/bin/bash
set -eu
echo "script: $(id -un) $PWD $HOME A=${A-} B=${B-unset} $PACKER_BUILD_NAME $PACKER_BUILDER_TYPE $*" | sudo tee -a /opt/same/log
"#;

#[test]
fn packer_and_a_bake_make_the_same_image() {
    let version = Command::new("packer").arg("version").env("CHECKPOINT_DISABLE", "1").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if std::env::var_os("AMI_BAKE_WITHOUT_PACKER").is_some() {
        return;
    }
    assert!(
        version.contains("v1.6."),
        "this test needs Packer 1.6: run `apt-get install packer` on Debian 12. Where there is none, \
         AMI_BAKE_WITHOUT_PACKER=1 leaves it out."
    );
    let cloud = Cloud::start_with(Path::new(binary()), &["--ssh-rsa"]);
    let fixture = Fixture::on(cloud, "");
    fixture.write("t.json", TEMPLATE);
    fixture.write("one.sh", SCRIPT);
    fixture.write("two.sh", "echo \"no shebang: $- ${A-}\" | sudo tee -a /opt/same/log\n");
    fixture.write("files/a.txt", "one");
    fixture.write("files/sub/b.txt", "deep");
    symlink("a.txt", fixture.path("files/link")).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("packer")
        .args(["build", "-var", "name=by packer", "t.json"])
        .current_dir(fixture.path(""))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", folder.path())
        .env("CHECKPOINT_DISABLE", "1")
        .envs(fixture.cloud.env())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    fixture.run(&["bake", "t.json", "--set", "name=by a bake"]).exits(0);

    let [packer, bake] = ["by packer", "by a bake"].map(|name| content(&fixture, name));
    let log = &packer[Path::new("log")].1;
    assert_eq!(log.lines().count(), 7, "{log}");
    assert!(packer.contains_key(Path::new("up/sub/b.txt")), "{packer:#?}");
    assert_eq!(bake, packer);
}

/// Files of an image below `/opt/same`: kind and permissions, owner and group, and content.
type Content = BTreeMap<PathBuf, ((u32, u32, u32), String)>;

fn content(fixture: &Fixture, name: &str) -> Content {
    let images = fixture.cloud.images();
    let image = images.iter().find(|image| image["name"] == name).unwrap_or_else(|| panic!("no {name}: {images:#?}"));
    let mut content = Content::new();
    for layer in image["snapshots"].as_object().unwrap().values().flat_map(|layers| layers.as_array().unwrap()) {
        let root = Path::new(layer.as_str().unwrap()).join("opt/same");
        walk(&root, Path::new(""), &mut content);
    }
    content
}

fn walk(root: &Path, relative: &Path, content: &mut Content) {
    for entry in std::fs::read_dir(root.join(relative)).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), relative.join(entry.file_name()));
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        let text = if metadata.is_symlink() {
            std::fs::read_link(&path).unwrap().display().to_string()
        } else {
            std::fs::read_to_string(&path).unwrap_or_default()
        };
        content.insert(name.clone(), ((metadata.mode(), metadata.uid(), metadata.gid()), text));
        if metadata.is_dir() {
            walk(root, &name, content);
        }
    }
}
