//! Bakes Packer templates and Image Builder resources directly.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::fixture::{Fixture, finish};

/// Typical content of templates: empty and secret variables, a filter, sudo by `execute_command`, files, a script with
/// variables, tags of the source, an override and a post-processor.
const TEMPLATE: &str = r#"{
  "variables": {
    "aws_access_key": "",
    "aws_secret_key": "",
    "greeting": "hello world",
    "token": "{{env `TOKEN`}}"
  },
  "sensitive-variables": ["token"],
  "builders": [{
    "type": "amazon-ebs",
    "access_key": "{{user `aws_access_key`}}",
    "secret_key": "{{user `aws_secret_key`}}",
    "region": "us-east-1",
    "source_ami_filter": {
      "filters": {"virtualization-type": "hvm", "name": "debian-12-amd64-*", "root-device-type": "ebs"},
      "owners": ["136693071363"],
      "most_recent": true
    },
    "instance_type": "t3.micro",
    "ssh_username": "admin",
    "ami_name": "site {{timestamp}}",
    "tags": {"sourceamiid": "{{ .SourceAMI }}", "sourceami": "{{ .SourceAMIName }}", "owner": "kubes&clouds"},
    "temporary_iam_instance_profile_policy_document": {
      "Version": "2012-10-17",
      "Statement": [{"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "*"}]
    }
  }],
  "provisioners": [
    {"type": "shell", "inline": ["echo 'Building an image'", "id -un > /tmp/by", "sudo cp /tmp/by /opt/by"]},
    {"type": "file", "source": "site/", "destination": "/tmp/site"},
    {
      "type": "shell",
      "execute_command": "{{ .Vars }} sudo -E bash '{{ .Path }}'",
      "environment_vars": ["GREETING={{user `greeting`}}", "TOKEN={{user `token`}}"],
      "script": "install.sh",
      "pause_before": "1s"
    }
  ],
  "post-processors": [{"type": "manifest", "output": "manifest.json"}]
}
"#;

const SCRIPT: &str = r#"#!/bin/bash
set -e
test "$(id -u)" = 0
test -n "$TOKEN"
mkdir -p /opt/site
cp -r /tmp/site/. /opt/site
echo "$GREETING, $PACKER_BUILD_NAME" > /opt/greeting
"#;

/// A manifest with tests for an imported image: the build's name, the site, and that no secret is left.
fn tests(file: &str, contains: &str, build: &str) -> String {
    format!(
        "format: 1
name: tests
platform: aws
aws: {{region: us-east-1}}
images:
  made:
    source: {{ami: {{id: ami-00000000000000000}}}}
    test:
      - expect: {{file: {{path: {file}, contains: {contains}}}}}
      - expect: {{file: {{path: /opt/site/index.html, contains: Welcome}}}}
      - expect: {{file: {{path: /opt/greeting, contains: \"hello world, {build}\"}}}}
      - run: \"! grep -rs a-secret-of-the-author /opt /etc /home /root /tmp\"
"
    )
}

/// Bakes with the author's secret in the environment, and returns the only image.
fn baked(fixture: &Fixture, arguments: &[&str]) -> Value {
    let child = fixture.command(arguments).env("TOKEN", "a-secret-of-the-author").spawn().unwrap();
    finish(child).exits(0);
    fixture.cloud.leaks()["123456789012/us-east-1"]["images"][0].clone()
}

#[test]
fn a_packer_template_is_baked_as_it_is() {
    let fixture = Fixture::new(&tests("/opt/by", "admin", "amazon-ebs"));
    fixture.write("web.json", TEMPLATE);
    fixture.write("install.sh", SCRIPT);
    std::fs::set_permissions(fixture.path("install.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    fixture.write("site/index.html", "Welcome\n");

    let image = baked(&fixture, &["bake", "web.json"]);
    let name = image["name"].as_str().unwrap();
    assert!(name.strip_prefix("site ").is_some_and(|time| time.parse::<u64>().is_ok()), "{image:#}");
    let tags = &image["tags"];
    assert_eq!(tags["owner"], "kubes&clouds", "{image:#}");
    assert_eq!(tags["sourceami"], "debian-12-amd64-20261103-2287", "{image:#}");
    assert!(tags["sourceamiid"].as_str().is_some_and(|id| id.starts_with("ami-")), "{image:#}");
    fixture.holds_only(&[name]);

    fixture.run(&["test", image["id"].as_str().unwrap()]).exits(0);
}

/// A folder of HCL2 with typical content of current templates.
const SOURCES: &str = r#"
packer {
  required_plugins {
    amazon = { source = "github.com/hashicorp/amazon", version = "~> 1" }
  }
}
data "amazon-ami" "debian" {
  region      = var.region
  filters     = { name = "debian-12-amd64-*", virtualization-type = "hvm", root-device-type = "ebs" }
  owners      = ["136693071363"]
  most_recent = true
}
locals {
  timestamp = regex_replace(timestamp(), "[- TZ:]", "")
  tags      = merge(var.tags, { Base = data.amazon-ami.debian.name, Release = "r-${lower(var.release)}" })
}
source "amazon-ebs" "web" {
  region        = var.region
  source_ami    = data.amazon-ami.debian.id
  instance_type = "t3.micro"
  ssh_username  = "admin"
  ami_name      = "hcl ${var.release} ${local.timestamp}"
  dynamic "tag" {
    for_each = local.tags
    content {
      key   = tag.key
      value = tag.value
    }
  }
}
build {
  sources = ["source.amazon-ebs.web"]
  provisioner "shell" {
    inline = ["echo ${source.name} > /tmp/name", "sudo cp /tmp/name /opt/name"]
  }
  provisioner "file" {
    source      = "${path.root}/site/"
    destination = "/tmp/site"
  }
  provisioner "shell" {
    execute_command  = "{{ .Vars }} sudo -E bash '{{ .Path }}'"
    environment_vars = ["GREETING=${var.greeting}", "TOKEN=${var.token}"]
    script           = "${path.root}/install.sh"
  }
  post-processor "manifest" {}
}
"#;

const VARIABLES: &str = r#"
variable "region" { default = "us-east-1" }
variable "release" { type = string }
variable "greeting" { default = "nobody" }
variable "tags" {
  type    = map(string)
  default = {}
}
variable "token" {
  type      = string
  sensitive = true
}
"#;

#[test]
fn a_folder_of_hcl_is_baked_as_it_is() {
    let fixture = Fixture::new(&tests("/opt/name", "web", "web"));
    fixture.write("web/sources.pkr.hcl", SOURCES);
    fixture.write("web/variables.pkr.hcl", VARIABLES);
    fixture.write("web/team.auto.pkrvars.hcl", "tags = { team = \"kubes&clouds\" }\ngreeting = \"hello world\"\n");
    fixture.write("web/install.sh", SCRIPT);
    std::fs::set_permissions(fixture.path("web/install.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    fixture.write("web/site/index.html", "Welcome\n");

    let image = baked(&fixture, &["bake", "web", "--set", "release=R1"]);
    let name = image["name"].as_str().unwrap();
    assert!(
        name.strip_prefix("hcl R1 ").is_some_and(|time| time.len() == 14 && time.parse::<u64>().is_ok()),
        "{image:#}"
    );
    let tags = &image["tags"];
    assert_eq!(tags["team"], "kubes&clouds", "{image:#}");
    assert_eq!(tags["Base"], "debian-12-amd64-20261103-2287", "{image:#}");
    assert_eq!(tags["Release"], "r-r1", "{image:#}");
    fixture.holds_only(&[name]);
    fixture.run(&["test", image["id"].as_str().unwrap()]).exits(0);
}
