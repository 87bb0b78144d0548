//! Replaces absolute paths of the importing computer: a manifest must be valid wherever it is baked.

use crate::input::{FindingKind, Location, Log};
use crate::output::Draft;
use crate::paths::{Paths, relative};
use crate::yaml::{Map, Value};

/// Replaces the folders of the template and of the import with paths relative to the manifest.
pub(crate) fn relocate(draft: &mut Draft, paths: &Paths, log: &Log) {
    let mut folders = vec![&paths.input, &paths.working];
    folders.sort_by_key(|folder| std::cmp::Reverse(folder.as_os_str().len()));
    let folders: Vec<(String, String)> = folders
        .into_iter()
        // The root of the file system is part of every absolute path, and is skipped.
        .filter(|folder| folder.parent().is_some_and(|above| above.parent().is_some()) || **folder == paths.input)
        .map(|folder| (folder.to_string_lossy().into_owned(), relative(&paths.output, folder)))
        .filter(|(folder, _)| folder.len() > 1)
        .collect();
    let mut change = |value: &mut Value, origin: Option<&Location>| {
        let Value::Text(text) = value else { return };
        let mut changed = text.clone();
        for (folder, near) in &folders {
            changed = replaced(&changed, folder, near);
        }
        if changed != *text {
            // A text that is a path means the same file; a path within a text may be meant for the machine.
            if let Some(origin) = origin.filter(|_| !is_path(text)) {
                let why = "an absolute path of this computer was made relative to the manifest";
                log.report(FindingKind::Changed, origin, why, "Use a path that is valid wherever the bake runs.");
            }
            *text = changed;
        }
    };
    walk(&mut draft.vars, None, &mut change);
    walk(&mut draft.body, None, &mut change);
}

/// Whether a text is nothing but an absolute path, apart from expressions in it.
fn is_path(text: &str) -> bool {
    let mut rest = text;
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once("${{") {
        plain.push_str(before);
        rest = after.split_once("}}").map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain.starts_with('/') && !plain.contains(char::is_whitespace)
}

fn walk(map: &mut Map, origin: Option<&Location>, change: &mut dyn FnMut(&mut Value, Option<&Location>)) {
    for entry in &mut map.0 {
        let own = entry.origin.clone();
        value(&mut entry.value, own.as_ref().or(origin), change);
    }
}

fn value(one: &mut Value, origin: Option<&Location>, change: &mut dyn FnMut(&mut Value, Option<&Location>)) {
    match one {
        Value::Map(map) => walk(map, origin, change),
        Value::List(items) => items.iter_mut().for_each(|item| value(item, origin, change)),
        Value::Text(_) => change(one, origin),
        Value::Raw(_) => {}
    }
}

/// The text with each path in `folder` replaced by one in `near`.
fn replaced(text: &str, folder: &str, near: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(folder) {
        let (before, after) = (&rest[..at], &rest[at + folder.len()..]);
        let starts =
            before.chars().next_back().is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '/' | '.' | '_' | '-'));
        let ends = after.chars().next().is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '.' | '_' | '-'));
        out.push_str(before);
        match after.strip_prefix('/').filter(|_| starts && near == ".") {
            // `./` is omitted if the text is nothing but the path.
            Some(inner) if before.is_empty() && out.is_empty() && !inner.is_empty() => {
                out.push_str(inner);
                return out;
            }
            _ => out.push_str(if starts && ends { near } else { folder }),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn only_whole_folders_are_replaced() {
        for (text, near, expected) in [
            ("/w/t/files/${{ vars.x }}", ".", "files/${{ vars.x }}"),
            ("/w/t/files", "../t", "../t/files"),
            ("/w/t", ".", "."),
            ("@/w/t/a,/w/t/b", "../t", "@../t/a,../t/b"),
            ("-v=/w/t/a", ".", "-v=./a"),
            ("/w/tea /x/w/t/a", ".", "/w/tea /x/w/t/a"),
        ] {
            assert_eq!(replaced(text, "/w/t", near), expected, "{text}");
        }
    }
}
