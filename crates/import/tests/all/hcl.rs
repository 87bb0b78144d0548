//! Packer's templates in HCL2.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ami_bake_import::{Imported, Request, Source, import};
use jiff::Timestamp;

use crate::bed::{Bed, Done, shown};

/// A bed with the files that the cases name.
fn bed() -> Bed {
    let bed = Bed::new(&["a.sh", "b.sh", "site/index.html", "play.yml"]);
    bed.write("motd.tpl", "host ${name}\n%{ for port in ports ~}\nport ${port}\n%{ endfor ~}\n");
    bed.write("policy.json", "{\"a\": 1}");
    bed
}

fn template(text: &str) -> Done {
    let bed = bed();
    bed.import(&bed.request(&[("web.pkr.hcl", text)]))
}

/// A template with one amazon-ebs source that is complete, and more.
fn ebs(fields: &str, steps: &str, more: &str) -> Done {
    template(&whole(fields, steps, more))
}

fn whole(fields: &str, steps: &str, more: &str) -> String {
    format!(
        r#"{more}
source "amazon-ebs" "web" {{
  region        = "eu-west-1"
  source_ami    = "ami-0123456789abcdef0"
  instance_type = "t3.small"
  ssh_username  = "ubuntu"
  {fields}
}}
build {{
  sources = ["source.amazon-ebs.web"]
  {steps}
}}
"#
    )
}

fn refused(text: &str) -> String {
    let bed = bed();
    match import(&bed.request(&[("web.pkr.hcl", text)])) {
        Ok(imported) => panic!("it was imported: {:?}", imported.manifest),
        Err(refused) => shown(&refused),
    }
}

#[test]
fn a_template_becomes_a_manifest() {
    let done = template(
        r#"
packer {
  required_plugins {
    amazon = { version = ">= 1.2.8", source = "github.com/hashicorp/amazon" }
  }
}
variable "region" {
  type        = string
  default     = "eu-west-1"
  description = "Where it is baked."
}
variable "size" {
  type    = number
  default = 20
}
variable "token" {
  type      = string
  sensitive = true
  default   = "hunter2"
}
variable "tags" {
  type    = map(string)
  default = { team = "web" }
}
variable "unused" { default = "x" }
locals {
  timestamp = regex_replace(timestamp(), "[- TZ:]", "")
  tags      = merge(var.tags, { Name = "web ${local.timestamp}", Base = "{{ .SourceAMIName }}" })
  nobody    = 1
}
// The web servers
source "amazon-ebs" "web" {
  region        = var.region
  instance_type = "t3.micro"
  ssh_username  = "ubuntu"
  ami_name      = "web-${local.timestamp}"
  encrypt_boot  = true
  source_ami_filter {
    filters = {
      name                = "ubuntu/images/*22.04-amd64-server-*"
      virtualization-type = "hvm"
    }
    owners      = ["099720109477"]
    most_recent = true
  }
  launch_block_device_mappings {
    device_name = "/dev/sda1"
    volume_size = var.size
  }
  tags            = local.tags
  run_tag {
    key   = "for"
    value = "bake"
  }
  aws_polling { delay_seconds = 5 }
  fancy_new_field = "x"
}
build {
  name    = "all"
  sources = ["source.amazon-ebs.web"]
  # Installs it.
  provisioner "shell" {
    environment_vars = ["TOKEN=${var.token}", "REGION=${var.region}"]
    inline           = ["echo ${source.name}", "id"]
    pause_before     = "10s"
    max_retries      = 2
  }
  provisioner "file" {
    source      = "site/"
    destination = "/tmp/site"
  }
  provisioner "shell-local" { inline = ["x"] }
  error-cleanup-provisioner "shell" { inline = ["x"] }
  hcp_packer_registry { bucket_name = "b" }
  post-processor "manifest" {}
}
"#,
    );
    done.says("vars:\n  # Where it is baked.\n  region: eu-west-1\n  size: 20\n")
        .says("secrets: [TOKEN]")
        .says("region: ${{ vars.region }}")
        .says("# The web servers")
        .says("name: web-${{ timestamp }}")
        .says("size: ${{ vars.size }}")
        .says("Base: ${{ source.name }}")
        .says("Name: web ${{ timestamp }}")
        .says("for: bake")
        .says("echo web")
        .says("# Installs it.")
        .says("TOKEN: ${{ secrets.TOKEN }}")
        .says("retries: 2")
        .lacks("hunter2");
    done.tells("packer", "takes the place")
        .tells("variable.token", "never copied")
        .tells("variable.tags", "written out")
        .tells("variable.unused", "nothing")
        .tells("local.nobody", "nothing")
        .tells("source.amazon-ebs.web.aws_polling", "AWS is asked")
        .tells("source.amazon-ebs.web.fancy_new_field", "does not know")
        .tells("build.name", "after their sources")
        .tells("build.provisioner[2]", "computer that bakes")
        .tells("build.error-cleanup-provisioner", "cleaning up")
        .tells("build.hcp_packer_registry", "HCP")
        .tells("build.post-processor[0]", "bake-report.json");
}
