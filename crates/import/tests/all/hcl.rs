//! Tests of Packer templates in HCL2.

use std::path::PathBuf;

use ami_bake_import::{Source, gather, import};

use crate::fixture::{Fixture, TestImport, shown};

/// A fixture with the files that the cases use.
pub(crate) fn fixture() -> Fixture {
    let fixture = Fixture::new(&["a.sh", "b.sh", "site/index.html", "play.yml"]);
    fixture.write("motd.tpl", "host ${name}\n%{ for port in ports ~}\nport ${port}\n%{ endfor ~}\n");
    fixture.write("policy.json", "{\"a\": 1}");
    fixture
}

pub(crate) fn template(text: &str) -> TestImport {
    let fixture = fixture();
    fixture.import(&fixture.request(&[("web.pkr.hcl", text)]))
}

/// A template with one complete amazon-ebs source, and `more`.
fn ebs(fields: &str, steps: &str, more: &str) -> TestImport {
    template(&whole(fields, steps, more))
}

pub(crate) fn whole(fields: &str, steps: &str, more: &str) -> String {
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
    done.reports("packer", "replaces Packer")
        .reports("variable.token", "never copied")
        .reports("variable.tags", "written out")
        .reports("variable.unused", "nothing")
        .reports("local.nobody", "nothing")
        .reports("source.amazon-ebs.web.aws_polling", "settings of the AWS client")
        .reports("source.amazon-ebs.web.fancy_new_field", "not supported by ami-bake")
        .reports("build.name", "after their sources")
        .reports("build.provisioner[2]", "computer that runs ami-bake")
        .reports("build.error-cleanup-provisioner", "no cleanup steps")
        .reports("build.hcp_packer_registry", "HCP")
        .reports("build.post-processor[0]", "bake-report.json");
}

/// Each expression is the value of a tag; without a counterpart it is evaluated.
#[test]
fn expressions_are_evaluated_or_kept() {
    let more = r#"
variable "env" { default = "prod" }
variable "count" { default = 3 }
variable "given" { type = string }
variable "zones" { default = ["a", "b"] }
variable "users" {
  type    = list(object({ name = string, admin = bool }))
  default = [{ name = "ann", admin = true }, { name = "bob", admin = false }]
}
locals {
  file = <<-EOT
    one
      two ${var.env}
  EOT
}
"#;
    let cases = [
        (r#""${var.env}-x""#, "${{ vars.env }}-x"),
        ("var.given", "${{ vars.given }}"),
        (r#"lower("${var.env}-A")"#, "${{ lower(vars.env) }}-a"),
        ("upper(var.env)", "PROD"),
        (r#"replace("a.${var.given}", ".", "-")"#, "a-${{ replace(vars.given, '.', '-') }}"),
        (r#"var.env == "prod" ? "yes" : "no""#, "yes"),
        ("var.count * 2 + 1", "7"),
        (r#"join(",", [for zone in var.zones : "${var.env}${zone}"])"#, "${{ vars.env }}a,${{ vars.env }}b"),
        (r#"join(",", [for user in var.users : user.name if user.admin])"#, "ann"),
        (r#"join(",", var.users[*].name)"#, "ann,bob"),
        ("var.users.1.name", "bob"),
        (r#"{ for k, v in { a = "1" } : k => upper(v) }["a"]"#, "1"),
        (r#"format("%s-%03d", var.env, var.count)"#, "${{ vars.env }}-003"),
        (r#"lookup({ eu = "x" }, "us", "none")"#, "none"),
        (r#"coalesce("", var.env)"#, "${{ vars.env }}"),
        (r#"element(["a", "b"], 3)"#, "b"),
        (r#"try(local.none, "fallback")"#, "fallback"),
        (r#"can(local.none) ? "y" : "n""#, "n"),
        (r#"sha256("x")"#, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
        (r#"base64encode("hello")"#, "aGVsbG8="),
        ("jsonencode({ b = [1, true], a = var.given })", r#"{"a":"${{ vars.given }}","b":[1,true]}"#),
        (r#"jsondecode("{\"a\": [1, 2]}").a[1]"#, "2"),
        (r#"regex("[0-9]+", "v12")"#, "12"),
        (r#"substr("abcdef", 1, 3)"#, "bcd"),
        (r#"split("-", "a-b")[1]"#, "b"),
        (r#"basename("/x/y.sh")"#, "y.sh"),
        (r#"formatdate("YYYY-MM-DD", timestamp())"#, "${{ date }}"),
        (r#"formatdate("YYYYMMDDhhmmss", timestamp())"#, "${{ timestamp }}"),
        (r#"replace(substr(timestamp(), 0, 10), "-", "")"#, "${{ replace(date, '-', '') }}"),
        (r#""${legacy_isotime("20060102150405")}""#, "${{ timestamp }}"),
        (
            r#"trimspace(templatefile("motd.tpl", { name = var.given, ports = [80] }))"#,
            "host ${{ vars.given }}\nport 80",
        ),
        ("length(var.zones)", "2"),
        (r#"contains(var.zones, "a") && !false ? 1 : 2"#, "1"),
        (r#"yamlencode({ a = ["x"] })"#, "\"a\":\n- \"x\"\n"),
        ("local.file", "one\n  two ${{ vars.env }}\n"),
        (r#""%{ if var.env == "prod" }p%{ else }q%{ endif }""#, "p"),
        ("merge({ a = 1 }, { a = 2 }).a", "2"),
        (r#"join("", fileset(path.root, "*.sh"))"#, "a.shb.sh"),
        (r#"max(1, 5, 3) > 4 ? "big" : "small""#, "big"),
    ];
    // EC2 accepts no more tags at once.
    for cases in cases.chunks(20) {
        let tags: Vec<String> =
            cases.iter().enumerate().map(|(at, (case, _))| format!("    t{at} = {case}\n")).collect();
        let tags = tags.concat();
        let done = ebs(&format!("tags = {{\n{tags}  }}"), "", more);
        let manifest: serde_json::Value = serde_yaml::from_str(done.manifest()).unwrap();
        let made = &manifest["images"]["web"]["publish"]["tags"];
        for (at, (case, expected)) in cases.iter().enumerate() {
            assert_eq!(made[format!("t{at}")], *expected, "{case}\n{}", done.manifest());
        }
        if cases[0].0.contains("-x") {
            done.reports("source.amazon-ebs.web.tags.t5", "evaluated with the current value of `var.env`");
            assert!(
                !done.imported.findings.iter().any(|finding| finding.path.ends_with("tags.t0")),
                "{:#?}",
                done.imported.findings
            );
        }
    }
}

#[test]
fn what_is_only_known_during_the_bake_is_listed_and_the_rest_is_imported() {
    let done = ebs(
        r#"
  ami_name     = "web"
  deprecate_at = timeadd(timestamp(), "720h")
  tags = {
    fine    = "x"
    chosen  = var.given == "a" ? 1 : 2
    digest  = sha256(var.secret)
    http    = data.http.x.body
    missing = file("none.txt")
    deep    = "${vault("/secret/app", "key")}"
  }"#,
        r#"provisioner "shell" {
    inline           = ["echo ${var.given == "a" ? 1 : 2}"]
  }
  provisioner "shell" {
    environment_vars = ["K=${vault("/secret/app", "key")}"]
    inline           = ["id"]
  }"#,
        r#"
variable "given" { type = string }
variable "secret" {
  sensitive = true
  default   = "hunter2"
}
data "http" "x" { url = "https://example.com" }
"#,
    );
    let of = "source.amazon-ebs.web";
    done.says("fine: x").lacks("hunter2").says("K: ${{ secrets.");
    done.reports(&format!("{of}.deprecate_at"), "time of the bake")
        .reports(&format!("{of}.tags.chosen"), "no value")
        .reports(&format!("{of}.tags.digest"), "secret `var.secret`")
        .reports(&format!("{of}.tags.http"), "another service")
        .reports(&format!("{of}.tags.missing"), "not found")
        .reports(&format!("{of}.tags.deep"), "secret")
        .reports("data.http.x", "other services")
        .reports("build.provisioner[0].inline", "no value");
}

#[test]
fn variables_are_set_from_every_source_in_order() {
    let fixture = fixture();
    let more = r#"
variable "a" { default = "default" }
variable "b" { default = "default" }
variable "c" { default = "default" }
variable "d" { default = "default" }
variable "list" { type = list(string) }
variable "none" { default = null }
variable "home" { default = env("WHERE") }
variable "db_password" { default = "hunter2" }
variable "short" {
  default = ""
  validation {
    condition     = length(var.short) > 2
    error_message = "Too short."
  }
}
"#;
    let text = whole(
        r"ami_regions = var.list
  subnet_id = var.none
  tags = { a = var.a, b = var.b, c = var.c, d = var.d, home = var.home, short = var.short }",
        r#"provisioner "shell" {
    environment_vars = ["PASS=${var.db_password}"]
    inline           = ["id"]
  }"#,
        more,
    );
    let mut request = fixture.request(&[("web.pkr.hcl", &text)]);
    let source = |name: &str, text: &str| Source { path: PathBuf::from(name), text: text.to_owned() };
    request.var_files = vec![
        source("x.auto.pkrvars.hcl", "b = \"auto\"\nc = \"auto\"\nd = \"auto\"\nother = 1\n"),
        source("y.pkrvars.json", "{\"c\": \"file\", \"d\": \"file\"}"),
    ];
    let environment = [("PKR_VAR_a", "env"), ("PKR_VAR_b", "env"), ("WHERE", "here")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    request.environment = std::collections::BTreeMap::from(environment).into();
    request.sets = vec![("d".to_owned(), "set".to_owned()), ("list".to_owned(), "[\"eu-west-2\"]".to_owned())];
    let done = fixture.import(&request);
    done.says("a: env\n  b: auto\n  c: file\n  d: set\n")
        .says("home: ${{ env.WHERE || '' }}")
        .says("short: null")
        .says("regions: [eu-west-2]")
        .says("PASS: ${{ secrets.DB_PASSWORD }}")
        .lacks("hunter2")
        .lacks("subnet");
    done.reports("other", "not declared")
        .reports("variable.short", "Too short.")
        .reports("variable.none", "written out")
        .reports("variable.db_password", "never copied");
    // An invalid value on the command line is refused.
    request.sets.push(("short".to_owned(), "x".to_owned()));
    let text = shown(&import(&request).unwrap_err());
    assert!(text.contains("web.pkr.hcl:") && text.contains("Too short."), "{text}");
    request.sets = vec![("list".to_owned(), "not a list".to_owned())];
    let text = shown(&import(&request).unwrap_err());
    assert!(text.contains("--set list"), "{text}");
}

#[test]
fn a_data_source_is_the_source_image() {
    let done = template(
        r#"
data "amazon-ami" "base" {
  region      = "eu-west-1"
  owners      = ["136693071363"]
  most_recent = true
  filters     = { name = "debian-12-amd64-*", virtualization-type = "hvm" }
  assume_role { role_arn = "arn:aws:iam::1:role/x" }
}
data "amazon-ami" "other" { owners = ["self"] }
data "amazon-secretsmanager" "db" { name = "prod/db" }
data "amazon-parameterstore" "ami" { name = "/aws/service/debian/release/12/latest/amd64" }
data "null" "x" { input = "plain" }
locals { base = data.amazon-ami.base.id }
source "amazon-ebs" "web" {
  region       = "eu-west-1"
  source_ami   = local.base
  ssh_username = "admin"
  tags = {
    base    = data.amazon-ami.base.name
    from    = local.base
    release = data.amazon-ami.base.tags["Release"]
    nil     = data.null.x.output
    other   = data.amazon-ami.other.id
  }
}
source "amazon-ebs" "ssm" {
  region       = "eu-west-1"
  source_ami   = data.amazon-parameterstore.ami.value
  ssh_username = "admin"
}
build {
  sources = [source.amazon-ebs.web, source.amazon-ebs.ssm]
  provisioner "shell" {
    env    = { DB = data.amazon-secretsmanager.db.value }
    inline = ["id"]
  }
}
"#,
    );
    done.says("owner: \"136693071363\"")
        .says("name: debian-12-amd64-*")
        .says("base: ${{ source.name }}")
        .says("from: ${{ source.id }}")
        .says("release: ${{ source.tags.Release }}")
        .says("nil: plain")
        .says("parameter: /aws/service/debian/release/12/latest/amd64")
        .says("DB: ${{ secrets.");
    done.reports("data.amazon-ami.base.assume_role", "own credentials")
        .reports("source.amazon-ebs.web.tags.other", "not the source image")
        .reports("data.amazon-secretsmanager.db", "secret");
}

/// Several builds and sources, and steps for some of them.
#[test]
fn each_use_of_a_source_is_an_image() {
    let done = template(
        r#"
locals { disks = { "/dev/xvdb" = 10, "/dev/xvdc" = 20 } }
source "amazon-ebs" "web" {
  region       = "eu-west-1"
  source_ami   = "ami-0123456789abcdef0"
  ssh_username = "ubuntu"
  dynamic "launch_block_device_mappings" {
    for_each = local.disks
    iterator = disk
    content {
      device_name = disk.key
      volume_size = disk.value
    }
  }
  dynamic "tag" {
    for_each = { a = 1 }
    content {
      key   = tag.key
      value = tag.value
    }
  }
}
source "docker" "web" { image = "debian:12" }
source "null" "nothing" { communicator = "none" }
source "docker" "lonely" { image = "x" }
build {
  sources = ["source.amazon-ebs.web", "docker.web", "source.null.nothing"]
  provisioner "shell" {
    only   = ["amazon-ebs.web"]
    inline = ["echo aws"]
  }
  provisioner "shell" {
    except = ["amazon-ebs.web"]
    inline = ["echo ${source.type}"]
    override = {
      web  = { inline = ["echo over"] }
      gone = { inline = ["echo gone"] }
    }
  }
  provisioner "shell" {
    only   = ["web"]
    inline = ["never"]
  }
  post-processors {
    post-processor "docker-tag" {
      repository = "example.com/web"
      tags       = ["1"]
    }
    post-processor "docker-push" {}
  }
}
build {
  source "amazon-ebs.web" {
    name          = "big"
    instance_type = "m6i.large"
    ssh_username  = "admin"
  }
  provisioner "shell" { inline = ["echo big"] }
}
"#,
    );
    let manifest: serde_json::Value = serde_yaml::from_str(done.manifest()).unwrap();
    let images = manifest["images"].as_object().unwrap();
    assert_eq!(images.keys().collect::<Vec<_>>(), ["web", "web-2", "big"], "{manifest:#}");
    assert_eq!(images["web"]["build"].as_array().unwrap().len(), 1, "{manifest:#}");
    assert_eq!(images["web"]["machine"]["volumes"][1]["size"], 20, "{manifest:#}");
    assert_eq!(images["web"]["publish"]["tags"]["a"], "1", "{manifest:#}");
    assert_eq!(images["web-2"]["build"][0]["run"], "echo over", "{manifest:#}");
    assert_eq!(images["web-2"]["publish"]["docker"]["repository"], "example.com/web", "{manifest:#}");
    assert_eq!(images["big"]["machine"]["type"], "m6i.large", "{manifest:#}");
    assert_eq!(images["big"]["machine"]["user"], "admin", "{manifest:#}");
    assert_eq!(images["big"]["build"][0]["run"], "echo big", "{manifest:#}");
    done.reports("source.null.nothing", "not supported")
        .reports("source.docker.lonely", "no build uses it")
        .reports("source.amazon-ebs.web.ssh_username", "overridden")
        .reports("build[0].provisioner[1].override.gone", "no source of this name")
        .reports("build[0].provisioner[2]", "none of the build's sources")
        .lacks("never");
}

#[test]
fn a_folder_is_read_as_packer_reads_it() {
    let fixture = Fixture::new(&[]);
    for name in ["b.pkr.hcl", "a.pkr.hcl", "x.auto.pkrvars.hcl", "prod.pkrvars.hcl", "README.md", "sub/c.pkr.hcl"] {
        fixture.write(name, "");
    }
    let found = gather(&fixture.request(&[]).working).unwrap();
    let names = |paths: &[PathBuf]| -> Vec<String> {
        paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(names(&found.templates), ["a.pkr.hcl", "b.pkr.hcl"]);
    assert_eq!(names(&found.variables), ["x.auto.pkrvars.hcl"]);
}
