//! Small inputs that would need more time or memory than any computer has: each ends with a message, and with little
//! memory. Time is not measured: what would take too long is refused by its cost.

use std::fmt::Write as _;

use ami_bake_import::import;

use crate::fixture::{Fixture, shown};
use crate::hcl::whole;

/// Maximum size of a result in bytes.
const LARGEST: usize = 4 << 20;

/// All messages of importing a file.
fn said(name: &str, text: &str) -> String {
    let fixture = Fixture::new(&[]);
    let said = match import(&fixture.request(&[(name, text)])) {
        Err(refused) => shown(&refused),
        Ok(imported) => {
            assert!(imported.manifest.as_ref().is_none_or(|manifest| manifest.len() < LARGEST), "{name}");
            let lines = imported.findings.iter().map(|finding| format!("{}: {}\n", finding.path, finding.why));
            lines.collect::<String>() + &imported.manifest.unwrap_or_default()
        }
    };
    assert!(said.len() < LARGEST, "{name} says {} bytes", said.len());
    said
}

fn json(variables: &str, inline: &str) -> String {
    format!(
        r#"{{"variables": {{{variables}}},
          "builders": [{{"type": "amazon-ebs", "region": "us-east-1", "source_ami": "ami-12345678",
          "instance_type": "t3.micro", "ssh_username": "ubuntu", "ami_name": "x-1"}}], "provisioners": [{{"type": "shell", "inline": ["{inline}"]}}]}}"#
    )
}

/// Declarations of `count` variables, each of which refers to the previous one `times` times.
fn chain(count: usize, times: usize) -> String {
    let mut text = r#""v0": "aaaaaaaaaa""#.to_owned();
    for at in 1..count {
        let one = format!("{{{{user `v{}`}}}}", at - 1);
        write!(text, ",\n\"v{at}\": \"{}\"", one.repeat(times)).unwrap();
    }
    text
}

const LARGE: &str = "its values are too large";
const DEEP: &str = "too deeply";

#[test]
fn packer_json() {
    let pipe = " | replace_all \\\"a\\\" \\\"aaaaaaaaaa\\\"".repeat(30);
    let ifs = format!("{}x{}", "{{if user `v0`}}".repeat(5000), "{{end}}".repeat(5000));
    let odd: String = (0x4e00..0x5e00).filter_map(char::from_u32).collect();
    for (variables, inline, expected) in [
        (chain(8, 10), "{{user `v7`}}".to_owned(), LARGE),
        (chain(3000, 1), "{{user `v2999`}}".to_owned(), DEEP),
        (String::new(), format!("{{{{ \\\"a\\\"{pipe} }}}}"), LARGE),
        (chain(1, 1), ifs, DEEP),
        (format!("\"v\": \"{odd}\""), "{{user `v` | clean_resource_name}}".to_owned(), "too many characters"),
        (format!("\"v\": \"{}\"", "a".repeat(100_000)), "{{user `v`}}".repeat(10_000), LARGE),
        (String::new(), "{{ ( ".repeat(1000), "invalid Go template"),
    ] {
        let said = said("web.json", &json(&variables, &inline));
        assert!(said.contains(expected), "expected {expected:?}: {said:.2000}");
        assert!(expected != LARGE || said.contains("web.json:"), "no line: {said:.2000}");
    }
}

/// The whole import is refused where its budget ends: whatever follows would lack what only the order of the fields decides.
#[test]
fn what_is_too_large_is_shown_by_its_line() {
    let fixture = Fixture::new(&[]);
    let line = |name: &str, text: &str, more: &[(&str, &str)], shows: &str, hides: &str| {
        let mut request = fixture.request(&[(name, text)]);
        request.var_files = fixture.request(more).files;
        let refused = import(&request).err().unwrap_or_else(|| panic!("expected {shows:?}"));
        let said = shown(&refused);
        assert!(said.contains(shows) && !said.contains(hides), "expected {shows:?} without {hides:?}: {said:.2000}");
    };
    let text = |size: usize| "aaaaaaaa".repeat(size / 8);
    // A variable, a field, the name of a builder, a value of a variable file, whose content is never shown.
    line("web.json", &json(&chain(3000, 1), "{{user `v2999`}}"), &[], "web.json:2936:", "\n\n\n");
    let large = json(&format!("\"v\": \"{}\"", text(100_000)), &"{{user `v`}}".repeat(10_000));
    line("web.json", &large, &[], "web.json:3:", "\n\n\n");
    let name = format!("{{\"name\": \"{}\", \"type\": \"amazon-ebs\"", "{{user `v`}}".repeat(10_000));
    let named = json(&format!("\"v\": \"{}\"", text(100_000)), "x").replacen("{\"type\": \"amazon-ebs\"", &name, 1);
    line("web.json", &named, &[], "web.json:2:", "\n\n\n");
    let values =
        format!("{{\"v0\": \"hidden\",\n\"v7\": \"{}\"}}", "{{user `v0`}}".repeat(60_000).replace("v0", "big"));
    let big = format!("{},\n\"big\": \"{}\"", chain(8, 1), text(8000));
    line("web.json", &json(&big, "{{user `v7`}}"), &[("values.json", &values)], "values.json:2:", "user `big`");
    let stack = format!(
        "Parameters: {{P: {{Default: {}}}}}\nResources:\n  C:\n    Type: AWS::ImageBuilder::Component\n    Properties:\n      Platform: Linux\n      Name: !Sub \"{}\"\n      Data: 'phases: []'\n",
        text(50_000),
        "${P}".repeat(20_000)
    );
    line("stack.yml", &stack, &[], "stack.yml:7:", "\n\n\n");
}

#[test]
fn documents() {
    let builders = r#"{"type": "amazon-ebs"}, "#.repeat(20_000);
    let key = "k".repeat(400_000);
    let same = "\"builders\": [], ".repeat(20_000);
    let aliases = format!("phases: &a [{}]\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(10_000));
    let parameter = format!(
        "{{\"Parameters\": {{\"P\": {{\"Default\": \"{}\"}}}}, \"Resources\": {{\"C\": {{\"Type\": \"AWS::ImageBuilder::Component\", \
         \"Properties\": {{\"Name\": {{\"Fn::Sub\": \"{}\"}}, \"Platform\": \"Linux\", \"Data\": \"phases: []\"}}}}}}}}",
        "p".repeat(50_000),
        "${P}".repeat(20_000),
    );
    for (name, text, expected) in [
        ("web.json", format!("{{\"builders\": [{builders}{{}}]}}"), "20001 builders"),
        ("web.json", format!("{{\"builders\": [], \"{key}\": [{}1]}}", "1,".repeat(100_000)), "not supported"),
        ("web.json", format!("{{{same}\"builders\": []}}"), "duplicate key"),
        ("web.json", "[".repeat(200_000), "nested too deeply"),
        ("web.json", format!("{{\"builders\": [\"{}\"]}}", "x".repeat(2 << 20)), "the limit is 1 MiB"),
        ("stack.yml", aliases, "expand to too many values"),
        ("stack.yml", format!("phases: {}", "[".repeat(10_000)), "phases"),
        ("stack.json", parameter, LARGE),
    ] {
        let said = said(name, &text);
        assert!(said.contains(expected), "{name}: expected {expected:?}: {said:.2000}");
    }
}

/// A template with this HCL expression as the value of a field.
fn field(expression: &str, locals: &str) -> String {
    whole(&format!("ami_name = {expression}"), "", locals)
}

#[test]
fn hcl_expressions() {
    let mut doubling = "locals {\n  a0 = [\"x\"]\n".to_owned();
    let mut copies = "locals {\n  s0 = \"xxxxxxxx\"\n".to_owned();
    for at in 1..40 {
        writeln!(doubling, "  a{at} = concat(local.a{0}, local.a{0})", at - 1).unwrap();
        writeln!(copies, "  s{at} = \"${{local.s{0}}}${{local.s{0}}}\"", at - 1).unwrap();
    }
    doubling.push_str("}\n");
    copies.push_str("}\n");
    let text = format!("locals {{\n  t = \"{}\"\n  l = split(\"\", local.t)\n}}\n", "a".repeat(40_000));
    let nested = (0..6).fold("1".to_owned(), |inner, at| format!("[for x{at} in range(1000) : {inner}]"));
    for (expression, locals, expected) in [
        ("length(local.a39)", doubling.as_str(), LARGE),
        ("local.s39", &copies, LARGE),
        ("replace(local.t, \"a\", local.t)", &text, LARGE),
        ("regex_replace(local.t, \"a\", local.t)", &text, LARGE),
        ("regex_replace(local.t, \".*\", \"$0$0$0$0$0\" )", &text, ""),
        ("join(local.t, local.l)", &text, LARGE),
        ("indent(1000, replace(local.t, \"a\", \"\\n\"))", &text, LARGE),
        ("jsonencode([for x in local.l : local.t])", &text, LARGE),
        ("length(distinct(local.l))", &text, ""),
        ("length(setproduct(local.l, local.l))", &text, LARGE),
        (&format!("length({nested})"), "", LARGE),
        ("[for x in local.l : contains(local.l, x)]", &text, LARGE),
        ("[[for x in range(500) : local.t], bcrypt(\"x\", 13)]", &text, LARGE),
        ("bcrypt(\"x\", 14)", "", "4 to 13"),
        ("\"%{for x in local.l}${local.t}%{endfor}\"", &text, LARGE),
        ("regex(\"(\\\\w{100}){100}\", local.t)", &text, "regular expression"),
        (&format!("regex(\"{}\", \"a\")", "(".repeat(3000)), "", "regular expression"),
        ("format(\"%099999999d\", 1)", "", ""),
        (&vec!["true"; 16_000].join(" || "), "", "invalid HCL"),
        (&format!("{}1{}", "(".repeat(5000), ")".repeat(5000)), "", "invalid HCL"),
        (&format!("{}1", "-".repeat(5000)), "", "invalid HCL"),
        (&format!("{}1", "true ? 1 : ".repeat(5000)), "", "invalid HCL"),
    ] {
        let said = said("web.pkr.hcl", &field(expression, locals));
        assert!(said.contains(expected), "{expression:.200}: expected {expected:?}: {said:.2000}");
        assert!(expected != LARGE || said.contains("web.pkr.hcl:"), "{expression:.200} has no line: {said:.2000}");
    }
}

#[test]
fn hcl_files() {
    let attributes = (0..40_000).fold(String::new(), |all, at| all + &format!("a{at} = 1\n"));
    let sources = (0..5000).fold(String::new(), |all, at| all + &format!("source \"amazon-ebs\" \"s{at}\" {{}}\n"));
    let names = (0..5000).fold(String::new(), |all, at| all + &format!("\"source.amazon-ebs.s{at}\", "));
    for (text, expected) in [
        (whole(&attributes, "", ""), LARGE),
        (format!("{sources}build {{\n  sources = [{names}]\n}}\n"), "the build has 5000 sources"),
        (whole("", "", &format!("# {}\n", "x".repeat(2 << 20))), "larger than 1 MiB"),
    ] {
        let said = said("web.pkr.hcl", &text);
        assert!(said.contains(expected) && said.contains("web.pkr.hcl:"), "expected {expected:?}: {said:.2000}");
    }
}

/// Files with many of everything are imported, at a cost that grows linearly.
#[test]
fn many_variables_are_imported() {
    let variables =
        (0..20_000).fold(String::new(), |all, at| all + &format!("variable \"v{at}\" {{ default = \"{at}\" }}\n"));
    let used = said("web.pkr.hcl", &whole("tags = { a = var.v19999 }", "", &variables));
    assert!(used.contains("v19999: 19999") || used.contains("v19999: \"19999\""), "{used:.2000}");
    let variables = (0..20_000).fold(String::new(), |all, at| all + &format!("\"v{at}\": \"{at}\", "));
    let used = said("web.json", &json(&format!("{variables}\"last\": \"1\""), "echo {{user `v19999`}}"));
    assert!(used.contains("v19999: "), "{used:.2000}");
}
