//! Tests of invalid HCL2 templates.

use ami_bake_import::import;

use crate::fixture::shown;
use crate::hcl::{fixture, template, whole};

fn refused(text: &str) -> String {
    let fixture = fixture();
    match import(&fixture.request(&[("web.pkr.hcl", text)])) {
        Ok(imported) => panic!("it was imported: {:?}", imported.manifest),
        Err(refused) => shown(&refused),
    }
}

#[test]
fn errors_are_refused_with_their_line() {
    for (text, line, why) in [
        ("source \"amazon-ebs\" \"x\" {\n  region = \n}\n", ":2:", "invalid HCL"),
        ("build {\n  sources = [\"source.amazon-ebs.no\"]\n}\n", ":2:", "no source"),
        ("locals {\n  a = local.b\n  b = local.a\n}\n", ":", "refers to itself"),
        ("frob {}\n", ":1:", "unknown block `frob`"),
        ("x = 1\n", ":1:", "outside a block"),
        ("variable \"a\" {}\nvariable \"a\" {}\n", ":2:", "declared twice"),
        ("variable \"a\" {\n  type = number\n  default = \"x\"\n}\n", ":3:", "expected a number, found a string"),
    ] {
        let text = if text.starts_with("locals") { whole("tags = { a = local.a }", "", text) } else { text.to_owned() };
        let message = refused(&text);
        assert!(message.contains(why) && message.contains(&format!("web.pkr.hcl{line}")), "{text}\n{message}");
    }
    for (field, why) in [
        ("ami_name = var.no", "no variable `no`"),
        ("ami_name = local.no", "no local `no`"),
        ("ami_name = frobnicate(1)", "no function `frobnicate`"),
        ("ami_name = plain", "`plain` is not defined"),
        ("ami_name = data.amazon-ami.no.id", "no data source"),
        ("ami_name = [1, 2][5]", "the list has 2 items"),
        ("ami_name = \"a${[1]}\"", "can't be part of a string"),
        ("ami_name = 1 / 0", "division by zero"),
    ] {
        let message = refused(&whole(field, "", ""));
        assert!(message.contains(why) && message.contains("web.pkr.hcl:7:"), "{field}\n{message}");
    }
}

#[test]
fn without_anything_to_import_there_is_no_manifest() {
    let done = template("source \"virtualbox-iso\" \"x\" {}\nbuild {\n  sources = [\"virtualbox-iso.x\"]\n}\n");
    assert!(done.imported.manifest.is_none());
    done.reports("source.virtualbox-iso.x", "not supported");
}

/// Garbage, deep nesting, cycles and exponential growth end with a message.
#[test]
fn hostile_templates_end_with_a_message() {
    let fixture = fixture();
    let deep = |open: &str, close: &str, count: usize| {
        format!("locals {{ x = {}1{} }}", open.repeat(count), close.repeat(count))
    };
    let mut growing = "locals {\n  a0 = \"xxxxxxxxxxxxxxxx\"\n".to_owned();
    let mut chain = "locals {\n  c0 = 1\n".to_owned();
    for at in 1..400 {
        growing.push_str(&format!("  a{at} = \"${{local.a{0}}}${{local.a{0}}}\"\n", at - 1));
        chain.push_str(&format!("  c{at} = local.c{}\n", at - 1));
    }
    growing.push_str("}\n");
    chain.push_str("}\n");
    let heredoc = format!("locals {{\n  x = <<EOT\n{}\nEOT\n}}\n", "line ${1 + 1}\n".repeat(20_000));
    let texts = [
        deep("[", "]", 5000),
        deep("(", ")", 5000),
        deep("{a=", "}", 5000),
        deep("\"${", "}\"", 5000),
        format!("locals {{ x = {} }}", "1 + ".repeat(5000) + "1"),
        format!("locals {{ x = {}true }}", "!".repeat(5000)),
        "source \"a\" \"b\" {".repeat(3000),
        whole("tags = { a = local.a399 }", "", &growing),
        whole("tags = { a = local.c399 }", "", &chain),
        whole("tags = { a = length(local.x) }", "", &heredoc),
        whole(
            "tags = { a = length([for x in range(1000) : [for y in range(1000) : [for z in range(1000) : z]]]) }",
            "",
            "",
        ),
        whole("tags = { a = indent(999999999, \"x\\n\"), b = format(\"%999999999d\", 1), c = range(0, 1e12) }", "", ""),
        whole("tags = { a = regex(\"(a*)*$\", \"aaaaaaaaaaaaaaaaaaaaaaaaaaab\") }", "", ""),
        "\u{0}\u{1}\u{feff}".to_owned(),
        "variable \"é\" { default = \"${\" }".to_owned(),
    ];
    for text in texts {
        let name = &text[..text.char_indices().nth(60).map_or(text.len(), |(at, _)| at)];
        match import(&fixture.request(&[("web.pkr.hcl", &text)])) {
            Ok(imported) => {
                assert!(imported.manifest.is_some() || !imported.findings.is_empty() || imported.images == 0, "{name}");
            }
            Err(refused) => assert!(!refused.findings.is_empty(), "{name}"),
        }
    }
    // Every prefix of a template, and each with a byte changed.
    let text = whole(
        "tags = { a = \"${join(\"-\", [1, 2])}\" }",
        "provisioner \"shell\" {\n inline = [<<EOT\nx\nEOT\n] }",
        "",
    );
    for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
        let _ = import(&fixture.request(&[("web.pkr.hcl", &text[..at])]));
        for other in ["{", "\"", "$", "\n"] {
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            let _ = import(&fixture.request(&[("web.pkr.hcl", &changed)]));
        }
    }
}
