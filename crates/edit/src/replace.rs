//! Replaces a value.

use ami_bake_core::{Error, Result};

use crate::format::FileFormat;
use crate::pointer::Pointer;
use crate::{hcl, toml, yaml};

/// The text of `file` with the string at `pointer` replaced. The value keeps its quotes; nothing else changes.
///
/// # Errors
/// When the file can't be parsed, has no string at the pointer, or a change there would change other values too (a YAML
/// anchor), and when the value is not an ID: IDs consist of ASCII letters, digits and `-_.:/@+=,`.
pub fn replace(file: &str, text: &str, pointer: &str, value: &str) -> Result<String> {
    let format = FileFormat::of(file)?;
    let parsed = Pointer::parse(pointer)?;
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/@+=,".contains(&byte)) {
        return Err(Error::usage(format!("{value:?} can't be written to `{file}`: it is not an ID")));
    }
    let failed = |why: String| {
        Error::preflight(format!("could not change `{pointer}` in `{file}`: {why}"))
            .help("The file must have the key, with a string as its value. Correct the file or `publish.write`.")
    };
    // The offsets of parsers that ignore a byte order mark.
    let start = text.len() - text.strip_prefix('\u{feff}').unwrap_or(text).len();
    let rest = &text[start..];
    let found = match format {
        FileFormat::Json | FileFormat::Yaml => yaml::place(format, rest, parsed.parts()),
        FileFormat::Toml => toml::place(rest, parsed.parts()),
        FileFormat::Hcl => hcl::place(rest, parsed.parts()),
    };
    let place = found.map_err(&failed)?.ok_or_else(|| failed("there is no such key".to_owned()))?;
    let old = rest.get(place.clone()).unwrap_or_default();
    // A heredoc, a multi-line string, or a scalar over several lines.
    if old.contains('\n') || old.starts_with("<<") || old.starts_with(['|', '>', '&', '*', '!']) {
        return Err(failed("the value there is not in one line".to_owned()));
    }
    let quote = old.chars().next().filter(|first| matches!(first, '"' | '\''));
    let quotes: &[&str] = match quote {
        Some('\'') => &["'"],
        Some(_) => &["\""],
        // Plain in YAML, as long as it is text there; in TOML the quotes are outside of the place.
        None => &["", "\""],
    };
    for quote in quotes {
        let mut changed = text.to_owned();
        changed.replace_range(start + place.start..start + place.end, &format!("{quote}{value}{quote}"));
        if is_only_change(format, rest, &changed[start..], &parsed, value) {
            return Ok(changed);
        }
    }
    Err(failed("it can't be changed alone: it is an anchor, an alias or has several lines".to_owned()))
}

/// Whether the new text has this value there, and all others as before.
fn is_only_change(format: FileFormat, before: &str, after: &str, pointer: &Pointer, value: &str) -> bool {
    match format {
        FileFormat::Json | FileFormat::Yaml => {
            let (Ok(before), Ok(after)) = (yaml::read(format, before), yaml::read(format, after)) else { return false };
            let mut wanted = before.to_json();
            let parts: Vec<String> =
                pointer.parts().iter().map(|part| part.replace('~', "~0").replace('/', "~1")).collect();
            let path = format!("/{}", parts.join("/"));
            if let Some(there) = wanted.pointer_mut(&path) {
                *there = value.into();
            }
            after.to_json() == wanted
        }
        // Neither has references between literals.
        FileFormat::Toml => {
            matches!(toml::place(after, pointer.parts()), Ok(Some(place)) if after.get(place.clone()) == Some(value))
        }
        FileFormat::Hcl => matches!(hcl::place(after, pointer.parts()), Ok(Some(place))
            if after.get(place.clone()).map(|text| text.trim_matches('"')) == Some(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "ami-0123456789abcdef0";

    /// Each pointer changes its own value, and nothing else in the file.
    #[test]
    fn one_value_changes_and_every_other_byte_stays() {
        let files = [
            (
                "vars.json",
                "{\n  \"a\": {\"ami-old\": \"ami-old\"},\n\t\"list\": [1, \"x\",\"ami-old\"] }",
                "/a/ami-old",
                1,
            ),
            ("vars.json", "{\"list\": [1, \"x\",\"ami-old\"], \"a\": \"ami-old\"}", "/list/2", 0),
            ("x/prod.auto.tfvars.json", "\u{feff}{\"ami_id\":\"ami-old\"}\r\n", "/ami_id", 0),
            ("v.yml", "# ami-old\na: &x\n  b: ami-old # why\nc: 'ami-old'\n", "/a/b", 1),
            ("v.yml", "a:\n  - ami-old\n  - \"ami-old\"\n", "/a/1", 1),
            ("v.yaml", "Ami: !Sub 'ami-old'\r\nb: {c: ami-old}\r\n", "/b/c", 1),
            ("v.yaml", "a/b: {\"~\": 'ami-old'}\n", "/a~1b/~0", 0),
            ("p.toml", "# ami-old\n[a.b]\nc = \"ami-old\" # why\nd = 'ami-old'\n", "/a/b/c", 1),
            ("p.toml", "[[a]]\nx = 1\n[[a]]\nx = 'ami-old'\n", "/a/1/x", 0),
            ("prod.tfvars", "# ami-old\nami_id   = \"ami-old\" // why\nother = \"ami-old\"\n", "/ami_id", 1),
            ("prod.tfvars", "amis = {\n  web = \"x\"\n  \"a b\" : \"ami-old\",\n}\n", "/amis/a b", 0),
            (
                "main.tf",
                "variable \"x\" {\n  default = \"a\"\n}\nvariable \"ami\" {\n  default = \"ami-old\"\n}\n",
                "/variable/ami/default",
                0,
            ),
            ("main.tf", "locals {\n  a = 1\n}\nlocals {\n  amis = [\"x\", \"ami-old\"]\n}\n", "/locals/amis/1", 0),
        ];
        for (file, text, pointer, nth) in files {
            let changed = replace(file, text, pointer, NEW).unwrap_or_else(|error| panic!("{file} {pointer}: {error}"));
            let at = text.match_indices("ami-old").nth(nth).unwrap().0;
            let mut wanted = text.to_owned();
            wanted.replace_range(at..at + 7, NEW);
            assert_eq!(changed, wanted, "{file} {pointer}");
            assert_eq!(replace(file, &changed, pointer, NEW).unwrap(), changed, "{file}: again");
        }
    }

    #[test]
    fn plain_text_that_would_be_a_number_gets_quotes() {
        assert_eq!(replace("a.yml", "id: abc\n", "/id", "1e10").unwrap(), "id: \"1e10\"\n");
    }

    #[test]
    fn what_has_no_string_of_its_own_there_is_refused() {
        let refused =
            |file: &str, text: &str, pointer: &str| replace(file, text, pointer, NEW).unwrap_err().message().to_owned();
        for (file, text, pointer, why) in [
            ("a.yml", "a: &x ami-old\nb: *x\n", "/a", "be changed alone"),
            ("a.yml", "a: &x ami-old\nb: *x\n", "/b", "be changed alone"),
            ("a.yml", "a: |\n  ami-old\n", "/a", "be changed alone"),
            ("a.yml", "a: {b: 1}\n", "/a", "a map, not text"),
            ("a.yml", "a: {b: 1}\n", "/a/b", "a number, not text"),
            ("a.yml", "a: [x]\n", "/a/1", "no such key"),
            ("a.yml", "a: [\n", "/a", "could not change"),
            ("a.json", "{\"a\": {}}", "/a/b", "no such key"),
            ("a.json", "{", "/a", "could not change"),
            ("a.toml", "a = 1\n", "/a", "not text but integer"),
            ("a.toml", "a = \"\"\"\nx\ny\"\"\"\n", "/a", "not in one line"),
            ("a.toml", "a = \n", "/a", "could not change"),
            ("a.tf", "a = \"ami-${x}\"\n", "/a", "a template"),
            ("a.tf", "a = var.x\n", "/a", "not a string"),
            ("a.tf", "a = <<E\nx\nE\n", "/a", "not "),
            ("a.tf", "a {\n", "/a", "could not change"),
            ("a.tf", "b \"c\" {\n  d = \"x\"\n}\n", "/b/d", "no such key"),
            ("a.ini", "a = b\n", "/a", "is not supported"),
            ("a.json", "{}", "a", "not a valid pointer"),
        ] {
            let message = refused(file, text, pointer);
            assert!(message.contains(why), "{file} {text:?}: {message}");
        }
        assert!(replace("a.json", "{\"a\": \"b\"}", "/a", "\"}").is_err());
    }
}
