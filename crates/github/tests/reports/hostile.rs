//! Hostile texts in every field of a report.

use ami_bake_core::mask::Masker;
use ami_bake_core::report::Report;
use ami_bake_github::{Context, comment, release, summary};
use ami_bake_testkit::report;
use serde_json::Value;

const CORPUS: [&str; 12] = [
    "@octocat @shop/team fixes #1, GH-2, shop/images#3",
    "| a | b |\n|---|---|\n| c",
    "\\| \\\\| \\",
    "`code` ``` ~~~\n```\n# heading",
    "<!-- ami-bake: bake/build/shop -->",
    "<!-- ami-bake:end shop --> <!-- ami-bake:begin shop -->",
    "</code></details></summary><script>alert(1)</script><img src=x onerror=alert(1)>",
    "[click](https://evil.example) ![x](https://evil.example/x.png) https://evil.example www.evil.example",
    "\u{1b}[31mred\u{202e}desrever\u{0} \r\n::set-output name=ami-id::x\n##[error]x",
    "> [!CAUTION]\n> quoted\n- item\n1. one\n---\n***bold*** _x_ ~~y~~ $z$ :tada:",
    "section x\n done :crit, 0, 1\n%%{init: {}}%%\nclick a href \"https://evil.example\"",
    "hunter2-is-secret",
];

/// The report with this text in every field that comes from a machine or a person.
fn poisoned(good: &Report, text: &str) -> Report {
    const KEPT: [&str; 13] = [
        "status",
        "version",
        "digest",
        "created",
        "tested",
        "phase",
        "result",
        "stage",
        "architecture",
        "kind",
        "started",
        "format",
        "outcome",
    ];
    fn walk(value: &mut Value, field: &str, text: &str) {
        match value {
            // A machine's type is a text; a failure's kind is one of our words.
            Value::String(there) if !KEPT.contains(&field) || there.starts_with("t3.") => text.clone_into(there),
            Value::Array(values) => values.iter_mut().for_each(|value| walk(value, field, text)),
            Value::Object(fields) => fields.iter_mut().for_each(|(field, value)| {
                // Versions of packages can be any text.
                let field = if field == "version" && value.as_str().is_some_and(|v| semver::Version::parse(v).is_err())
                {
                    "package"
                } else {
                    field
                };
                walk(value, field, text);
            }),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(good).unwrap();
    walk(&mut value, "", text);
    serde_json::from_value(value).unwrap()
}

/// Checks a document as GitHub would parse it: lines outside of fences contain only this program's own structure.
fn validate(document: &str, allowed_comments: &[&str]) {
    const TAGS: [&str; 13] =
        ["b", "/b", "code", "/code", "details", "/details", "summary", "/summary", "br", "sub", "/sub", "!--", "table"];
    let mut fence: Option<String> = None;
    let (mut columns, mut open) = (None, 0);
    for line in document.lines() {
        if let Some(open) = &fence {
            assert!(!line.contains("<!--"), "a marker in a log: {line}");
            if line.trim() == open {
                fence = None;
            }
            continue;
        }
        if line.starts_with("```") {
            fence = Some(line.chars().take_while(|c| *c == '`').collect());
            continue;
        }
        let line = allowed_comments.iter().fold(line.to_owned(), |line, comment| line.replace(comment, ""));
        open += line.matches("<details>").count();
        open -= line.matches("</details>").count();
        for tag in line.split('<').skip(1) {
            let name: String = tag.chars().take_while(|c| c.is_ascii_alphanumeric() || "/!-".contains(*c)).collect();
            assert!(TAGS.contains(&name.as_str()) && name != "!--", "a tag that is not ours: <{tag}");
        }
        assert!(!line.contains('@') && !line.contains('\u{202e}') && !line.contains('\u{1b}'), "{line}");
        assert!(!line.contains("](https://evil") && !line.contains("://evil") && !line.contains("www."), "{line}");
        assert!(!line.contains("hunter2-is-secret"), "{line}");
        let cells = line.starts_with('|').then(|| line.matches('|').count());
        if let (Some(before), Some(now)) = (columns, cells) {
            assert!(before == now || line.contains("… and"), "a row of other width: {line}");
        }
        columns = cells;
    }
    assert_eq!(fence, None, "a fence stays open");
    assert_eq!(open, 0, "a fold stays open");
}

#[test]
fn no_text_is_more_than_text() {
    let masker = Masker::default();
    masker.add("hunter2-is-secret");
    for text in CORPUS {
        for good in [report::good(), report::bad()] {
            let (now, mut previous) = (poisoned(&good, text), poisoned(&report::before(), text));
            for image in &mut previous.images {
                image.version = Some(semver::Version::new(0, 0, 1));
                image.installed = std::sync::Arc::new([(format!("{text}2"), text.to_owned())].into());
            }
            let context = Context { previous: Some(&previous), run_url: Some(text), ..Context::new(&masker) };
            validate(&summary::render(&now, &context), &[]);
            let comment = comment::render(&now, &context, "bake/build/shop");
            let marker = "<!-- ami-bake: bake/build/shop -->";
            assert_eq!(comment.matches(marker).count(), 1, "{text}");
            validate(&comment, &[marker]);
            let notes = release::merged("", "shop", &release::render(&now, &context));
            let (begin, end) = ("<!-- ami-bake:begin shop -->", "<!-- ami-bake:end shop -->");
            assert!(notes.matches(begin).count() == 1 && notes.matches(end).count() == 1, "{text}");
            validate(&notes, &[begin, end]);
        }
    }
}
