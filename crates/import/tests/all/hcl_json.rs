//! Tests of HCL2's JSON notation: the same template in both notations gives the same manifest.

use ami_bake_import::import;

use crate::fixture::{Fixture, shown};

const HCL: &str = r#"
variable "owner" {
  type    = string
  default = "099720109477"
}
variable "disks" {
  type    = list(object({ name = string, size = number }))
  default = [{ name = "/dev/sdf", size = 5 }, { name = "/dev/sdg", size = 6 }]
}
variable "token" {
  type      = string
  sensitive = true
}
locals {
  suffix = replace("a b", " ", "-")
}
local "team" {
  expression = "team-${lower("OPS")}"
}
data "amazon-ami" "base" {
  filters     = { name = "ubuntu-noble-*" }
  owners      = [var.owner]
  most_recent = true
  region      = "eu-west-1"
}
source "amazon-ebs" "web" {
  region        = "eu-west-1"
  instance_type = "t3.small"
  ssh_username  = "ubuntu"
  ami_name      = "web-${local.suffix}-{{timestamp}}"
  source_ami    = data.amazon-ami.base.id
  tag {
    key   = "team"
    value = local.team
  }
  dynamic "launch_block_device_mappings" {
    for_each = var.disks
    iterator = disk
    content {
      device_name = disk.value.name
      volume_size = disk.value.size
    }
  }
}
build {
  source "amazon-ebs.web" {
    name = "blue"
  }
  provisioner "file" {
    source      = "a.sh"
    destination = "/tmp/a.sh"
  }
  provisioner "shell" {
    inline           = ["echo \"$TOKEN\"", "echo %{ if true }yes%{ endif } $${x} \\n"]
    environment_vars = ["TOKEN=${var.token}"]
    override         = { blue = { max_retries = 2 } }
  }
  post-processor "manifest" {
    output = "x.json"
  }
}
"#;

const JSON: &str = r#"{
  "variable": [
    {"owner": {"type": "string", "default": "099720109477"}},
    {"disks": {"type": "list(object({ name = string, size = number }))",
      "default": [{"name": "/dev/sdf", "size": 5}, {"name": "/dev/sdg", "size": 6}]}},
    {"token": {"type": "string", "sensitive": true}}
  ],
  "locals": {"suffix": "${replace(\"a b\", \" \", \"-\")}"},
  "local": {"team": {"expression": "team-${lower(\"OPS\")}"}},
  "data": {"amazon-ami": {"base": {
    "filters": {"name": "ubuntu-noble-*"}, "owners": ["${var.owner}"], "most_recent": true, "region": "eu-west-1"
  }}},
  "source": {"amazon-ebs": {"web": {
    "region": "eu-west-1",
    "instance_type": "t3.small",
    "ssh_username": "ubuntu",
    "ami_name": "web-${local.suffix}-{{timestamp}}",
    "source_ami": "${data.amazon-ami.base.id}",
    "tag": [{"key": "team", "value": "${local.team}"}],
    "dynamic": {"launch_block_device_mappings": {
      "for_each": "${var.disks}",
      "iterator": "disk",
      "content": {"device_name": "${disk.value.name}", "volume_size": "${disk.value.size}"}
    }}
  }}},
  "build": [{
    "source": {"amazon-ebs.web": {"name": "blue"}},
    "provisioner": [
      {"file": {"source": "a.sh", "destination": "/tmp/a.sh"}},
      {"shell": {
        "inline": ["echo \"$TOKEN\"", "echo %{ if true }yes%{ endif } $${x} \\n"],
        "environment_vars": ["TOKEN=${var.token}"],
        "override": {"blue": {"max_retries": 2}}
      }}
    ],
    "post-processor": {"manifest": {"output": "x.json"}}
  }]
}
"#;

#[test]
fn both_notations_become_the_same_manifest() {
    let fixture = Fixture::new(&["a.sh"]);
    let one = fixture.import(&fixture.request(&[("web.pkr.hcl", HCL)]));
    let other = fixture.import(&fixture.request(&[("web.pkr.json", JSON)]));
    let body = |text: &str| text.split_once('\n').unwrap().1.replace("web.pkr.hcl", "web.pkr.json");
    assert_eq!(body(other.manifest()), body(one.manifest()));
    one.says("- upload: a.sh").says("          size: 6\n").says("    retries: 2\n").says("  team: team-ops\n");
}

#[test]
fn errors_are_at_their_line_of_the_json() {
    let fixture = Fixture::new(&[]);
    let broken = JSON.replace("${local.team}\"}],", "${local.nobody}\"}],");
    let line = broken.lines().position(|line| line.contains("nobody")).unwrap() + 1;
    for (text, message, line) in [
        (broken.as_str(), "no local `nobody`", line),
        ("{\n \"locals\": {\n  \"a\": \"${1 +}\"}}", "invalid HCL", 3),
        ("{\n \"source\": {\"amazon-ebs\":\n  7}}", "expected the object of a `source` block", 3),
        ("{\n \"locals\": {\n  \"a b\": 1}}", "not a valid name", 3),
        ("{\n \"locals\": {\n", "not closed", 2),
    ] {
        let refused = import(&fixture.request(&[("web.pkr.json", text)])).unwrap_err();
        let shown = shown(&refused);
        assert!(shown.contains(message) && shown.contains(&format!("web.pkr.json:{line}:")), "{shown}");
    }
}
