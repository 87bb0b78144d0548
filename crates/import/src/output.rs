//! Assembles the manifest: its head, its body, and a final comment with what was not imported.

use std::path::Path;

use indexmap::IndexMap;

use crate::input::{Finding, FindingKind};
use crate::yaml::{Map, Value, WrittenText, comment, written};

/// A manifest in progress.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// Name of the input without extension, from which the manifest's `name` is made.
    pub(crate) stem: String,
    /// Comments at the top.
    pub(crate) head: Vec<String>,
    pub(crate) platform: &'static str,
    pub(crate) version: Option<Value>,
    pub(crate) vars: Map,
    pub(crate) secrets: Vec<Value>,
    /// The keys `aws`, `defaults` and `images`.
    pub(crate) body: Map,
    /// Files to write beside the manifest, which refers to them.
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
    /// Number of images.
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
    ) -> WrittenText {
        let mut out = comment(&format!("Imported from {} by `ami-bake import`.", from.join(", ")));
        for line in head {
            out.push_str(&comment(line));
        }
        out.push('\n');
        let mut written = written(root);
        written.parts.iter_mut().for_each(|(part, _)| *part = part.start + out.len()..part.end + out.len());
        out.push_str(&written.text);
        let many = from.len() > 1 || findings.iter().any(|finding| finding.file != findings[0].file);
        for (kind, title) in [(FindingKind::Dropped, "Not imported:"), (FindingKind::Changed, "Imported with changes:")]
        {
            let lines = lines(findings, kind, many);
            if lines.is_empty() {
                continue;
            }
            out.push('\n');
            out.push_str(&comment(title));
            for line in lines {
                out.push_str(&wrapped(&line));
            }
        }
        if !missing.is_empty() {
            out.push('\n');
            out.push_str(&comment("Missing files:"));
            for path in missing {
                out.push_str(&format!("#   {}\n", clean(path)));
            }
        }
        WrittenText { text: out, ..written }
    }
}

/// Formats findings as lines: fields of one file with the same reason share a line.
pub fn lines(findings: &[Finding], kind: FindingKind, with_file: bool) -> Vec<String> {
    let mut groups: IndexMap<(&str, &str, &str), (&Finding, Vec<&str>)> = IndexMap::new();
    for finding in findings.iter().filter(|finding| finding.kind == kind) {
        let path = if finding.path.is_empty() { "the whole file" } else { &finding.path };
        let same = (finding.file.as_str(), finding.why.as_str(), finding.help.as_str());
        groups.entry(same).or_insert_with(|| (finding, Vec::new())).1.push(path);
    }
    let line = |(finding, paths): &(&Finding, Vec<&str>)| {
        let name = finding.file.rsplit('/').next().unwrap_or_default();
        let file = if with_file { format!("{name}: ") } else { String::new() };
        let help = if finding.help.is_empty() { String::new() } else { format!(" → {}", finding.help) };
        clean(&format!("{file}{}: {}{help}", runs(paths).join(", "), finding.why))
    };
    groups.values().map(line).collect()
}

/// Paths with neighbouring list items combined: `a[0…2]`.
fn runs(paths: &[&str]) -> Vec<String> {
    let parts = |path: &str| {
        let (before, rest) = path.rsplit_once('[')?;
        let (index, after) = rest.split_once(']')?;
        Some((before.to_owned(), index.parse::<usize>().ok()?, after.to_owned()))
    };
    let mut all: Vec<String> = Vec::new();
    let mut open: Option<(String, usize, usize, String)> = None;
    for path in paths {
        match (parts(path), &mut open) {
            (Some((before, index, after)), Some((known, _, last, end)))
                if before == *known && after == *end && index == *last + 1 =>
            {
                *last = index;
            }
            (next, _) => {
                all.extend(open.take().map(run));
                match next {
                    Some((before, index, after)) => open = Some((before, index, index, after)),
                    None => all.push((*path).to_owned()),
                }
            }
        }
    }
    all.extend(open.map(run));
    all
}

fn run((before, first, last, after): (String, usize, usize, String)) -> String {
    let range = if first == last { first.to_string() } else { format!("{first}…{last}") };
    format!("{before}[{range}]{after}")
}

/// A finding as comment lines that fit on a screen.
fn wrapped(line: &str) -> String {
    const WIDTH: usize = 120;
    let mut out = String::new();
    let mut row = String::from("#  ");
    for word in line.split(' ') {
        if row.chars().count() + word.chars().count() >= WIDTH && !row.trim_start_matches(['#', ' ']).is_empty() {
            out.push_str(&row);
            out.push('\n');
            "#    ".clone_into(&mut row);
        }
        row.push(' ');
        row.push_str(word);
    }
    out + &row + "\n"
}

/// Sorts the fields of an image in the order of the stages.
fn ordered(image: &mut Value) {
    const ORDER: [&str; 8] = ["platforms", "source", "machine", "build", "validate", "test", "publish", "deploy"];
    if let Value::Map(map) = image {
        map.0.sort_by_key(|entry| ORDER.iter().position(|key| *key == entry.key));
        for entry in &mut map.0 {
            match (entry.key.as_str(), &mut entry.value) {
                ("machine", Value::Map(machine)) => {
                    machine.0.sort_by_key(|entry| matches!(entry.key.as_str(), "disk" | "volumes"));
                }
                ("publish", Value::Map(publish)) => publish.0.sort_by_key(|entry| entry.key != "name"),
                _ => {}
            }
        }
    }
}

fn clean(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// File and folder names that are too general for a manifest's name.
const GENERIC: [&str; 14] = [
    "ami",
    "amis",
    "aws",
    "build",
    "builder",
    "component",
    "image",
    "images",
    "main",
    "packer",
    "recipe",
    "stdin",
    "template",
    "templates",
];

/// The name for the content of a file: its name without extensions, or that of the nearest folder if the file's is too
/// general.
pub(crate) fn title(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = stem.trim_end_matches(".component").trim_end_matches(".pkr").to_owned();
    let generic = |name: &str| GENERIC.contains(&name.to_lowercase().as_str());
    if !generic(&stem) {
        return stem;
    }
    let folders = path.ancestors().skip(1).filter_map(|folder| folder.file_name()).take(3);
    let folders = folders.map(|name| name.to_string_lossy().into_owned());
    folders.into_iter().find(|name| !generic(name) && !name.starts_with('.')).unwrap_or(stem)
}

/// Converts a text to a valid manifest name.
pub(crate) fn name(text: &str) -> String {
    let mut name: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' }).collect();
    while name.contains("--") {
        name = name.replace("--", "-");
    }
    let name = name.trim_matches(['-', '.', '_']).to_owned();
    if name.is_empty() { "image".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn general_file_names_are_replaced_by_the_folder_s() {
        for (path, expected) in [
            ("/w/web.json", "web"),
            ("/w/shop/packer/packer.json", "shop"),
            ("/w/httpd.component.yml", "httpd"),
            ("/packer/aws/ami.json", "ami"),
            ("/w/stdin", "w"),
        ] {
            assert_eq!(title(Path::new(path)), expected, "{path}");
        }
        assert_eq!(name("a b--c."), "a-b-c");
    }

    #[test]
    fn neighbours_of_a_list_are_combined() {
        assert_eq!(
            runs(&["a[0]", "a[1]", "a[2]", "b", "a[4].x", "a[5].x", "a[5].y"]),
            ["a[0…2]", "b", "a[4…5].x", "a[5].y"]
        );
        assert_eq!(runs(&["x[\"a b\"]"]), ["x[\"a b\"]"]);
    }

    #[test]
    fn every_row_of_a_long_line_is_a_comment() {
        let text = wrapped(&"word ".repeat(60));
        assert!(
            text.lines().count() > 2 && text.lines().all(|row| row.starts_with("#   ") && row.len() < 121),
            "{text}"
        );
        assert_eq!(wrapped("a: b"), "#   a: b\n");
    }
}
