//! The manifest as a whole: its head, its body, and what did not come over as a comment at its end.

use crate::input::{Finding, Kind};
use crate::yaml::{Map, Value, comment, write};

/// A manifest that is being made.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// The input's name without its ending: the namespace.
    pub(crate) stem: String,
    /// What the author wrote about the whole.
    pub(crate) head: Vec<String>,
    pub(crate) platform: &'static str,
    pub(crate) version: Option<Value>,
    pub(crate) vars: Map,
    pub(crate) secrets: Vec<Value>,
    /// `aws`, `defaults`, `images`.
    pub(crate) body: Map,
    /// Files that the manifest names and that are made beside it.
    pub(crate) files: Vec<(String, String)>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            stem: String::new(),
            head: Vec::new(),
            platform: "aws",
            version: None,
            vars: Map::default(),
            secrets: Vec::new(),
            body: Map::default(),
            files: Vec::new(),
        }
    }
}

impl Draft {
    /// How many images there are.
    pub(crate) fn images(&self) -> usize {
        match self.body.get("images") {
            Some(Value::Map(images)) => images.0.len(),
            _ => 0,
        }
    }

    /// The whole document.
    pub(crate) fn root(&self) -> Map {
        let mut root = Map::default();
        root.set("format", Value::Raw("1".to_owned()));
        root.set("name", name(&self.stem));
        if let Some(version) = &self.version {
            root.set("version", version.clone());
        }
        root.set("platform", self.platform);
        root.set_filled("vars", self.vars.clone());
        root.set_filled("secrets", self.secrets.clone());
        root.0.extend(self.body.0.clone());
        for entry in root.0.iter_mut().filter(|entry| entry.key == "images") {
            if let Value::Map(images) = &mut entry.value {
                images.0.iter_mut().for_each(|image| ordered(&mut image.value));
            }
        }
        root
    }

    /// The text of the manifest.
    pub(crate) fn text(
        head: &[String],
        root: &Map,
        from: &[String],
        findings: &[Finding],
        missing: &[String],
    ) -> String {
        let mut out = comment(&format!("Imported from {} by `ami-bake import`.", from.join(", ")));
        for line in head {
            out.push_str(&comment(line));
        }
        out.push('\n');
        out.push_str(&write(root));
        let many = from.len() > 1;
        for (kind, title) in [(Kind::Dropped, "Not carried over:"), (Kind::Changed, "Carried over with a difference:")]
        {
            let lines = lines(findings, kind, many);
            if lines.is_empty() {
                continue;
            }
            out.push('\n');
            out.push_str(&comment(title));
            for line in lines {
                out.push_str(&format!("#   {line}\n"));
            }
        }
        if !missing.is_empty() {
            out.push('\n');
            out.push_str(&comment("Files that are not there:"));
            for path in missing {
                out.push_str(&format!("#   {}\n", clean(path)));
            }
        }
        out
    }
}

/// Findings in lines: fields of one file with the same reason share a line.
pub fn lines(findings: &[Finding], kind: Kind, with_file: bool) -> Vec<String> {
    let mut groups: Vec<(&Finding, Vec<&str>)> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.kind == kind) {
        let path = if finding.path.is_empty() { "the whole file" } else { &finding.path };
        let same = |(first, _): &&mut (&Finding, Vec<&str>)| {
            (&first.file, &first.why, &first.help) == (&finding.file, &finding.why, &finding.help)
        };
        match groups.iter_mut().find(same) {
            Some((_, paths)) => paths.push(path),
            None => groups.push((finding, vec![path])),
        }
    }
    let line = |(finding, paths): &(&Finding, Vec<&str>)| {
        let name = finding.file.rsplit('/').next().unwrap_or_default();
        let file = if with_file { format!("{name}: ") } else { String::new() };
        let help = if finding.help.is_empty() { String::new() } else { format!(" → {}", finding.help) };
        clean(&format!("{file}{}: {}{help}", paths.join(", "), finding.why))
    };
    groups.iter().map(line).collect()
}

/// The fields of an image in the order in which they happen.
fn ordered(image: &mut Value) {
    const ORDER: [&str; 8] = ["platforms", "source", "machine", "build", "validate", "test", "publish", "deploy"];
    if let Value::Map(map) = image {
        map.0.sort_by_key(|entry| ORDER.iter().position(|key| *key == entry.key));
    }
}

fn clean(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A text as a name of the manifest.
pub(crate) fn name(text: &str) -> String {
    let mut name: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' }).collect();
    while name.contains("--") {
        name = name.replace("--", "-");
    }
    let name = name.trim_matches(['-', '.', '_']).to_owned();
    if name.is_empty() { "image".to_owned() } else { name }
}
