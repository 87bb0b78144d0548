//! Small manifests that would need more time or memory than any computer has: each ends with a finding that has a line,
//! and with little memory. Time is not measured: what would take too long is refused by its cost.

use std::path::PathBuf;

use ami_bake_manifest::diagnostic::{Diagnostic, MOST_FINDINGS, Style, text};
use ami_bake_manifest::{Manifest, Options};

const HEAD: &str = "format: 1\nname: shop\nplatform: local\n";

fn said(manifest: &str) -> String {
    let options = Options { check: true, ..Options::default() };
    let loaded = Manifest::load_text("bake.yml", manifest, PathBuf::new(), &options);
    assert!(loaded.findings.len() <= MOST_FINDINGS + 1, "{} findings", loaded.findings.len());
    let length: usize = loaded.findings.iter().map(|finding| finding.message.len()).sum();
    assert!(length < 4 << 20, "{length} bytes of messages");
    // A line of the file may be long, so only the first findings are rendered.
    let shown: Vec<Diagnostic> = loaded.findings.into_iter().take(3).collect();
    let plain = text(&shown, &loaded.sources, Style::Plain);
    plain + if loaded.manifest.is_some() { "valid" } else { "refused" }
}

fn image(field: &str) -> String {
    format!("{HEAD}images:\n  web:\n    source: {{local: host}}\n    {field}\n")
}

fn many(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

#[test]
fn expressions() {
    let nested = |inner: &str, wrap: &dyn Fn(&str) -> String, times: usize| {
        (0..times).fold(inner.to_owned(), |inner, _| wrap(&inner))
    };
    let doubled =
        nested("'xxxxxxxxxx'", &|inner| format!("format('{{0}}{{0}}{{0}}{{0}}{{0}}{{0}}{{0}}{{0}}', {inner})"), 12);
    let replaced = nested("'a'", &|inner| format!("replace({inner}, 'a', 'aaaaaaaaaaaaaaaa')"), 12);
    let joined = nested("'a,a'", &|inner| format!("join(split({inner}, 'a'), 'aaaaaaaaaaaaaaaa')"), 12);
    let long = "a".repeat(20_000);
    for (expression, expected) in [
        (vec!["true"; 16_000].join(" || "), "valid"),
        (vec!["false"; 16_000].join(" || "), "valid"),
        (vec!["true"; 16_000].join(" && "), "valid"),
        (vec!["1"; 16_000].join(" == "), "nested too deeply"),
        (vec!["1"; 16_000].join(" < "), "nested too deeply"),
        ("!".repeat(16_000) + "1", "nested too deeply"),
        ("(".repeat(16_000), "nested too deeply"),
        ("vars[".repeat(16_000), "nested too deeply"),
        (format!("vars{}", ".x".repeat(16_000)), "unknown variable"),
        (doubled, "takes too long"),
        (replaced, "takes too long"),
        (joined, "takes too long"),
        (format!("replace('{long}', 'a', '{long}')"), "takes too long"),
        (format!("contains('{long}', 'b')"), "valid"),
    ] {
        for field in
            [format!("if: ${{{{ {expression} }}}}"), format!("publish: {{tags: {{x: \"${{{{ {expression} }}}}\"}}}}")]
        {
            let said = said(&image(&field));
            assert!(said.contains(expected), "expected {expected:?} of {expression:.100}: {said:.1000}");
            assert!(expected == "valid" || said.contains("bake.yml:7:"), "{said:.1000}");
        }
    }
}

#[test]
fn files() {
    let text = "x".repeat(100_000);
    let host = "{source: {local: host}}";
    for (manifest, expected) in [
        (
            format!("{HEAD}vars: {{a: &a {text}}}\nimages: {{web: {host}}}\nx: [{}]\n", "*a, ".repeat(10_000)),
            "expand to too many",
        ),
        (format!("{HEAD}x: {}", "[".repeat(100_000)), "Nest at most"),
        (format!("{HEAD}{}", "- ".repeat(100_000)), "error"),
        (format!("{HEAD}images: {{web: {host}}}\n{}", many(50_000, |at| format!("k{at}: 1\n"))), "unknown key `k0`"),
        (format!("{HEAD}images: {{web: {host}}}\n{}", "name: x\n".repeat(50_000)), "name"),
        (format!("{HEAD}images:\n{}", many(20_000, |at| format!("  i{at}: {host}\n"))), "too many values together"),
        (
            format!("{HEAD}environments:\n{}images: {{web: {host}}}\n", many(20_000, |at| format!("  e{at}: {{}}\n"))),
            "too many values together",
        ),
        (
            format!(
                "{HEAD}vars:\n{}images:\n  web:\n    source: {{local: host}}\n    build:\n{}",
                many(10_000, |at| format!("  name{at}: 1\n")),
                many(10_000, |at| format!("      - run: echo ${{{{ vars.nome{at}x }}}}\n")),
            ),
            "unknown variable",
        ),
        (
            image(&format!(
                "matrix: {{a: [{0}], b: [{0}]}}\n    build:\n{1}",
                many(16, |at| format!("{at},")),
                many(4000, |_| "      - run: x\n".to_owned())
            )),
            "too many values together",
        ),
        (
            image(&format!("matrix: {{a: [{0}], b: [{0}]}}", many(2000, |at| format!("{at},")))),
            "more than 256 combinations",
        ),
        (
            image(&format!("build: [{{upload: Cargo.toml, to: /x, exclude: [\"{}\"]}}]", "{a,".repeat(20_000))),
            "longer than 1000",
        ),
        (
            image(&format!("build: [{{upload: Cargo.toml, to: /x, exclude: [\"{}\"]}}]", "{".repeat(900))),
            "not a valid glob",
        ),
        (
            image(&format!("build: [{{upload: Cargo.toml, to: /x, exclude: [{}]}}]", "\"*\",".repeat(20_000))),
            "at most 1000",
        ),
        (image(&format!("build: [{{run: x, timeout: {}h}}]", "9".repeat(10_000))), "not a valid"),
        (format!("{}version: {}\n", image(""), "1.".repeat(10_000)), "is not a valid"),
        (
            format!(
                "{HEAD}images:\n  web: {{source: {{image: base, from: x, version: \"{}\"}}}}\n",
                ">=1, ".repeat(10_000)
            ),
            "error",
        ),
    ] {
        let said = said(&manifest);
        assert!(said.contains(expected), "expected {expected:?} of {manifest:.200}: {said:.1000}");
        assert!(said.contains("bake.yml:"), "{said:.1000}");
    }
}
