//! Packer's functions, each with a result that its documentation or that of go-cty gives.

use std::fmt::Write as _;

use ami_bake_import::import;

use crate::fixture::{Fixture, shown};
use crate::hcl::whole;

/// All functions of Packer 1.15 (hcl2template/functions.go).
const ALL: &str = "abs abspath alltrue anytrue aws_secretsmanager aws_secretsmanager_raw basename base64decode base64encode base64gzip bcrypt can ceil \
    chomp chunklist cidrhost cidrnetmask cidrsubnet cidrsubnets coalesce coalescelist compact concat consul_key contains convert csvdecode dirname \
    distinct element endswith file filebase64 fileexists fileset flatten floor format formatdate formatlist indent index join jsondecode jsonencode \
    keys legacy_isotime legacy_strftime length log lookup lower max md5 merge min parseint pathexpand pow range reverse replace regex regexall \
    regex_replace rfc3339_parse rsadecrypt setintersection setproduct setunion sha1 sha256 sha512 signum slice sort split startswith strcontains strrev \
    substr sum textdecodebase64 textencodebase64 timestamp timeadd title trim trimprefix trimspace trimsuffix try unix_timestamp_parse upper urlencode \
    uuidv4 uuidv5 values vault yamldecode yamlencode zipmap templatefile env";

#[test]
fn every_function_of_packer_is_known() {
    let fixture = Fixture::new(&[]);
    for name in ALL.split_whitespace() {
        let text = whole(&format!("tags = {{ t = {name}() }}"), "", "");
        if let Err(refused) = import(&fixture.request(&[("web.pkr.hcl", &text)])) {
            assert!(!shown(&refused).contains("no function"), "{name}: {}", shown(&refused));
        }
    }
}

#[test]
fn functions_have_their_documented_results() {
    let cases = [
        (r#"cidrhost("10.12.127.0/20", 16)"#, "10.12.112.16"),
        (r#"cidrhost("10.12.127.0/20", 268)"#, "10.12.113.12"),
        (r#"cidrhost("10.0.0.0/24", -1)"#, "10.0.0.255"),
        (r#"cidrhost("fd00:fd12:3456:7890:00a2::/72", 34)"#, "fd00:fd12:3456:7890::22"),
        (r#"cidrnetmask("172.16.0.0/12")"#, "255.240.0.0"),
        (r#"cidrsubnet("172.16.0.0/12", 4, 2)"#, "172.18.0.0/16"),
        (r#"cidrsubnet("10.1.2.0/24", 4, 15)"#, "10.1.2.240/28"),
        (r#"cidrsubnet("fd00:fd12:3456:7890::/56", 16, 162)"#, "fd00:fd12:3456:7800:a200::/72"),
        (r#"join(" ", cidrsubnets("10.1.0.0/16", 4, 4, 8, 4))"#, "10.1.0.0/20 10.1.16.0/20 10.1.32.0/24 10.1.48.0/20"),
        (r#"md5("hello world")"#, "5eb63bbbe01eeed093cb22bb8f5acdc3"),
        (r#"sha1("hello world")"#, "2aae6c35c94fcfb415dbe95f408b9ce91ee846ed"),
        (r#"sha256("hello world")"#, "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"),
        (r#"uuidv5("dns", "www.terraform.io")"#, "a5008fae-b28c-5ba5-96cd-82b4c53552d6"),
        (
            r#"uuidv5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "www.terraform.io")"#,
            "a5008fae-b28c-5ba5-96cd-82b4c53552d6",
        ),
        (r#"length(bcrypt("x", 4))"#, "60"),
        (r#"substr(bcrypt("x", 5), 0, 7)"#, "$2a$05$"),
        (r#"substr(base64gzip("hi"), 0, 4)"#, "H4sI"),
        (r#"jsonencode(csvdecode("a,b\n1,\"2,\"\"x\"\"\"\n\n3,\n"))"#, r#"[{"a":"1","b":"2,\"x\""},{"a":"3","b":""}]"#),
        (r#"textencodebase64("Hello World", "UTF-16LE")"#, "SABlAGwAbABvACAAVwBvAHIAbABkAA=="),
        (r#"textdecodebase64("SABlAGwAbABvACAAVwBvAHIAbABkAA==", "UTF-16LE")"#, "Hello World"),
        (r#"rfc3339_parse("2023-07-25T23:43:16Z").unix"#, "1690328596"),
        (r#"rfc3339_parse("2023-07-25T23:43:16+02:00").hour"#, "23"),
        (r#"rfc3339_parse("2023-01-01T00:00:00Z").iso_year"#, "2022"),
        ("unix_timestamp_parse(1690328596).rfc3339", "2023-07-25T23:43:16Z"),
        ("unix_timestamp_parse(1690328596).weekday_name", "Tuesday"),
        (r#"join(",", convert(["b", "a", "b"], set(string)))"#, "a,b"),
        (r#"convert("5", number) + 1"#, "6"),
        (r#"join(",", setunion(["b"], ["a"]))"#, "a,b"),
        ("var.obj.c", "dflt"),
        ("var.obj.d.e", "deep"),
    ];
    let more = "variable \"obj\" {\n type = object({ a = string, c = optional(string, \"dflt\"), d = optional(object({ e = optional(string, \"deep\") }), {}) })\n default = { a = \"x\" }\n}\n";
    let mut tags = String::from("tags = {\n");
    for (at, (expression, _)) in cases.iter().enumerate() {
        writeln!(tags, "t{at} = \"${{{expression}}}\"").unwrap();
    }
    tags.push_str("}\n");
    let fixture = Fixture::new(&[]);
    let done = fixture.import(&fixture.request(&[("web.pkr.hcl", &whole(&tags, "", more))]));
    let plan = done.plan(&[], &[]);
    for (at, (expression, expected)) in cases.iter().enumerate() {
        assert_eq!(plan.settings.tags.get(&format!("t{at}")).map(String::as_str), Some(*expected), "{expression}");
    }
}

/// Blocks of a `dynamic` block have labels of their own, and data sources an index.
#[test]
fn what_else_is_valid_is_accepted() {
    let step = r#"
dynamic "provisioner" {
  for_each = ["shell", "file"]
  iterator = kind
  labels   = [kind.value]
  content {
    only        = ["amazon-ebs.web"]
    inline      = kind.value == "shell" ? ["echo ${kind.key}"] : null
    content     = kind.value == "file" ? "x" : null
    destination = kind.value == "file" ? "/opt/x" : null
  }
}
"#;
    let more = "variable \"os\" { default = \"base\" }\ndata \"amazon-ami\" \"base\" {\n filters = { name = \"ubuntu*\" }\n owners = [\"099720109477\"]\n most_recent = true\n}\n";
    let text = whole("tags = { base = data.amazon-ami[var.os].name }", step, more)
        .replace("source_ami    = \"ami-0123456789abcdef0\"", "source_ami = data.amazon-ami[var.os].id");
    let fixture = Fixture::new(&[]);
    fixture
        .import(&fixture.request(&[("web.pkr.hcl", &text)]))
        .says("      - run: echo 0\n")
        .says("printf %s \"$CONTENT\" >\"/opt/x\"")
        .says("            name: ubuntu*\n".trim_start())
        .says("base: ${{ source.name }}");
}
