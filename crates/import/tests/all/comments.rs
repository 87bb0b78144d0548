//! Comments of the author beside fields, and locations of findings about a manifest.

use ami_bake_manifest::diagnostic::{Style, text};
use ami_bake_manifest::{Manifest, Options};

use crate::fixture::Fixture;

const COMMENTED: &str = r#"
# The account of the base images.
variable "owner" {
  description = "An account."
  default     = "099720109477" # Canonical
}

source "amazon-ebs" "web" {
  region        = "eu-west-1"
  # Smaller types have no room for the compiler.
  instance_type = "t3.large" # not t3.small
  ssh_username  = "ubuntu"
  ami_name      = "web-{{timestamp}}"
  # password = hunter2
  ami_description = "web"
  source_ami_filter {
    owners = [var.owner]
    // LTS only
    filters = { name = "ubuntu-noble-*" }
  }
  tags = {
    # who pays
    team = "web" // since 2024
  }
}

build {
  sources = ["source.amazon-ebs.web"]
  # Installs the server.
  provisioner "shell" {
    # Retries, since the mirror is slow.
    max_retries = 3
    inline = [
      # from the distribution
      "apt-get update",
      "apt-get install -y nginx", # the server
    ]
  }
}
"#;

#[test]
fn comments_stay_with_their_fields() {
    let fixture = Fixture::new(&[]);
    fixture
        .import(&fixture.request(&[("web.pkr.hcl", COMMENTED)]))
        .says("  # The account of the base images.\n  # An account.\n  # Canonical\n  owner: \"099720109477\"\n")
        .says("      # Smaller types have no room for the compiler.\n      # not t3.small\n      type: t3.large\n")
        .says("        # LTS only\n        name: ubuntu-noble-*\n")
        .says("        # who pays\n        # since 2024\n        team: web\n")
        .says("      # Installs the server.\n      # from the distribution\n      # the server\n      - run: |-\n")
        .says("        # Retries, since the mirror is slow.\n        retries: 3\n")
        .lacks("hunter2");
}

/// A local is not part of a manifest: what its author wrote is kept where it is used first.
#[test]
fn comments_of_locals_stay_with_their_first_use() {
    let template = r#"
# Names of everything.
locals {
  # One name for a day.
  stamp = formatdate("YYYYMMDD", timestamp()) # UTC
  tags = {
    # who pays
    team = "web"
  }
  unused = "x" # nobody reads it
}
# Ubuntu's publisher.
local "owner" {
  # Canonical
  expression = "099720109477"
}
source "amazon-ebs" "web" {
  region        = "eu-west-1"
  instance_type = "t3.large"
  ssh_username  = "ubuntu"
  ami_name      = "web-${local.stamp}"
  ami_description = "of ${local.stamp}"
  source_ami_filter {
    owners  = [local.owner]
    filters = { name = "ubuntu-noble-*" }
  }
  tags = local.tags
}
build { sources = ["source.amazon-ebs.web"] }
"#;
    let fixture = Fixture::new(&[]);
    let imported = fixture.import(&fixture.request(&[("web.pkr.hcl", template)]));
    imported
        .says("      # Names of everything.\n      # One name for a day.\n      # UTC\n      name: web-")
        .says("        # Ubuntu's publisher.\n        # Canonical\n        owner: \"099720109477\"\n")
        .says("        # who pays\n        team: web\n")
        .reports("local.unused", "nothing imported uses it");
    assert_eq!(imported.manifest().matches("One name for a day").count(), 1);
}

/// CloudFormation, with comments at the places where people write them.
const STACK: &str = r#"# The golden images.
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  # Which type builds it.
  Type:
    Type: String
    Default: t3.large # not t3.small
Resources:
  Recipe:
    # Rebuilt every week.
    Type: AWS::ImageBuilder::ImageRecipe
    Properties:
      Name: web
      Version: 1.0.0
      # From the marketplace.
      ParentImage: ami-0123456789abcdef0 # reviewed
      AmiTags:
        # who pays

        # since 2024
        team: "web # not a comment" # a comment
        note: |
          # not a comment either
        password: x # password = hunter2
  Infrastructure:
    Type: AWS::ImageBuilder::InfrastructureConfiguration
    Properties:
      Name: x
      InstanceProfileName: builder # created by the stack
      InstanceTypes: [!Ref Type] # as small as it gets
"#;

#[test]
fn comments_of_yaml_stay_with_their_fields() {
    let fixture = Fixture::new(&[]);
    fixture
        .import(&fixture.request(&[("stack.yml", STACK)]))
        .says("  # Which type builds it.\n  # not t3.small\n  Type: t3.large\n")
        .says("        # From the marketplace.\n        # reviewed\n        id: ami-0123456789abcdef0\n")
        .says("        # since 2024\n        # a comment\n        team: \"web # not a comment\"\n")
        .says("      # created by the stack\n      profile: builder\n")
        .says("# as small as it gets\n")
        .says("# Rebuilt every week.\n")
        .lacks("hunter2")
        .lacks("# who pays")
        .lacks("# not a comment either\n        ");
    let resource = "name: web # the web\nparentImage: ami-0123456789abcdef0\n# lean\ndescription: x\n";
    let pipeline = "components: []\n";
    let text = format!("{resource}{pipeline}");
    fixture.import(&fixture.request(&[("recipe.yml", &text)])).says("      # lean\n      description: x\n");
}

/// The lines of the template that findings about its manifest underline.
fn lines(file: &str, template: &str) -> Vec<String> {
    let fixture = Fixture::new(&[]);
    let imported = fixture.import(&fixture.request(&[(file, template)])).imported;
    let options = Options { check: true, ..Options::default() };
    let manifest = imported.manifest.unwrap();
    let loaded =
        Manifest::load_generated("x (imported)", &manifest, imported.written, fixture.path().to_owned(), &options);
    let errors: Vec<_> = loaded.findings.iter().filter(|finding| finding.is_error()).cloned().collect();
    let shown = text(&errors, &loaded.sources, Style::Plain);
    assert!(!shown.contains("(imported)"), "{shown}");
    let place = |line: &str| line.split_once("--> ").map(|(_, place)| place.rsplit_once(':').unwrap().0.to_owned());
    shown.lines().filter_map(place).collect()
}

#[test]
fn findings_point_at_the_line_of_the_template() {
    let json = r#"{
  "builders": [{"type": "amazon-ebs", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0",
    "ssh_username": "ubuntu", "ami_name": "x {{timestamp}}"}],
  "provisioners": [
    {"type": "shell", "scripts": [
      "none.sh",
      "other.sh"
    ]},
    {"type": "file", "destination": "/tmp/x",
     "source": "missing.txt"}
  ]
}"#;
    assert_eq!(lines("web.json", json), ["web.json:6", "web.json:7", "web.json:10"]);
    let hcl = r#"source "amazon-ebs" "web" {
  region       = "eu-west-1"
  source_ami   = "ami-0123456789abcdef0"
  ssh_username = "ubuntu"
  ami_name     = "x-{{timestamp}}"
}
build {
  sources = ["source.amazon-ebs.web"]
  provisioner "shell" {
    scripts = [
      "none.sh",
      "other.sh",
    ]
  }
  provisioner "file" {
    destination = "/tmp/x"
    source      = "missing.txt"
  }
}
"#;
    assert_eq!(lines("web.pkr.hcl", hcl), ["web.pkr.hcl:11", "web.pkr.hcl:12", "web.pkr.hcl:17"]);
}
