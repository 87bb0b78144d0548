//! Fields of the input to values of the manifest: what can't be one is told with its path.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::credential;
use crate::input::Reader;
use crate::paths::{Found, Paths};
use crate::template::{Expr, Scope, Words, evaluate};
use crate::yaml::{Map, Value};

/// What fields are read with.
pub(crate) struct Context<'a> {
    pub(crate) scope: &'a dyn Scope,
    pub(crate) paths: &'a Paths,
    /// Expressions that stand where the manifest wants a number or a truth value.
    pub(crate) typed: &'a RefCell<BTreeSet<String>>,
}

impl Context<'_> {
    /// The words of a scalar; none when they have no value here, which is told.
    pub(crate) fn words(&self, reader: &Reader) -> Option<Words> {
        let Some(text) = reader.text() else {
            reader.drop("this is no text", "Look what is meant, and write it into the manifest by hand.");
            return None;
        };
        self.words_of(text, reader)
    }

    /// The words of a text that is part of a field.
    pub(crate) fn words_of(&self, text: &str, reader: &Reader) -> Option<Words> {
        if credential::holds(text) {
            reader.drop(
                "it holds a credential, which is never copied",
                "Give it by a secret: name it in `secrets`, and read it in the `env` of a step.",
            );
            return None;
        }
        let mut notes = Vec::new();
        match evaluate(text, self.scope, &mut |note| notes.push(note)) {
            Ok(words) => {
                for note in notes {
                    reader.changed(note, "");
                }
                Some(words)
            }
            Err(trouble) => {
                reader.drop(trouble.why, trouble.help);
                None
            }
        }
    }

    /// A text where secrets can't be; empty means unset, as it does in Packer.
    pub(crate) fn plain(&self, reader: &Reader) -> Option<Words> {
        let words = self.words(reader)?;
        if words.is_secret() {
            reader.drop(
                "a secret can't be used here",
                "Secrets go into the `env` of a step, `vars` of `ansible`, or `publish.docker.login`.",
            );
            return None;
        }
        if words.known().is_some_and(|known| known.trim().is_empty()) {
            if words.literal().is_none() {
                reader.drop(
                    format!("`{}` is empty, which means unset", words.manifest()),
                    "Give the variable a value before the import, or write the field by hand.",
                );
            }
            return None;
        }
        Some(words)
    }

    /// A text.
    pub(crate) fn text(&self, reader: &Reader) -> Option<Value> {
        self.plain(reader).map(|words| words.manifest().into())
    }

    /// A text that can't be left out: a variable that is empty must be given.
    pub(crate) fn needed(&self, reader: &Reader) -> Option<Value> {
        let words = self.words(reader)?;
        if let Some(expr) = words.single()
            && !expr.secret
            && expr.code.starts_with("vars.")
            && expr.known.as_deref().is_some_and(|known| known.trim().is_empty())
        {
            self.typed.borrow_mut().insert(format!("!{}", expr.code));
            reader.changed(
                format!("`{}` is empty, so it must be given", expr.code),
                format!("Give it with `--set {}=…`.", expr.code.trim_start_matches("vars.")),
            );
            return Some(words.manifest().into());
        }
        self.text(reader)
    }

    /// A whole number.
    pub(crate) fn number(&self, reader: &Reader) -> Option<Value> {
        let words = self.plain(reader)?;
        if let Some(expr) = words.single() {
            return self.typed(expr, reader, |known| known.parse::<u64>().is_ok());
        }
        if let Some(number) = words.known().and_then(|known| known.trim().parse::<u64>().ok()) {
            Some(Value::Raw(number.to_string()))
        } else {
            reader.drop("this is no whole number", "Look what is meant, and write it by hand.");
            None
        }
    }

    /// A truth value as the template stands.
    pub(crate) fn flag(&self, reader: &Reader) -> Option<bool> {
        let words = self.plain(reader)?;
        match words.known().as_deref().map(str::trim) {
            Some("true" | "1" | "TRUE" | "True" | "t") => Some(true),
            Some("false" | "0" | "FALSE" | "False" | "f") => Some(false),
            Some(_) => {
                reader.drop("this is neither true nor false", "Look what is meant, and write it by hand.");
                None
            }
            None => {
                reader.drop("whether it is true is not known before the bake", "Write it by hand.");
                None
            }
        }
    }

    /// A truth value that may follow a variable.
    pub(crate) fn switch(&self, reader: &Reader) -> Option<Value> {
        let words = self.plain(reader)?;
        match words.single() {
            Some(expr) => self.typed(expr, reader, |known| matches!(known, "true" | "false")),
            None => self.flag(reader).map(Value::from),
        }
    }

    fn typed(&self, expr: &Expr, reader: &Reader, fits: impl Fn(&str) -> bool) -> Option<Value> {
        if let Some(known) = expr.known.as_deref().filter(|known| !fits(known)) {
            reader.drop(
                format!("`{known}` does not fit, the value of `{}`", expr.code),
                "Give the variable a value that fits before the import, or write the field by hand.",
            );
            return None;
        }
        self.typed.borrow_mut().insert(expr.code.clone());
        Some(format!("${{{{ {} }}}}", expr.code).into())
    }

    /// A list: of JSON, or a text with commas, which Packer takes too.
    pub(crate) fn list<'r>(&self, reader: &Reader<'r>) -> Vec<(Words, Reader<'r>)> {
        let mut all = Vec::new();
        for item in reader.items() {
            let Some(words) = self.plain(&item) else { continue };
            match words.known().filter(|known| known.contains(',')) {
                Some(known) => {
                    if words.literal().is_none() {
                        item.changed("the list was written out: it no longer follows the variable", "");
                    }
                    let parts = known.split(',').map(str::trim).filter(|part| !part.is_empty());
                    all.extend(parts.map(|part| (Words::text(part), item.clone())));
                }
                None => all.push((words, item)),
            }
        }
        all
    }

    /// A list of texts.
    pub(crate) fn texts(&self, reader: &Reader) -> Vec<Value> {
        self.list(reader).into_iter().map(|(words, _)| words.manifest().into()).collect()
    }

    /// A map of texts, such as tags.
    pub(crate) fn map(&self, reader: &Reader) -> Map {
        let mut map = Map::default();
        if !reader.is_map() {
            reader.drop("this is no map", "Look what is meant, and write it by hand.");
            return map;
        }
        if reader.entries().is_empty() {
            reader.tick();
        }
        for (key, value) in reader.entries() {
            let Some(words) = self.words(&value) else { continue };
            let Some(key) = self.words_of(key, &value).and_then(|key| key.known()) else {
                value.drop("its key is not known before the bake", "Write it by hand.");
                continue;
            };
            if words.is_secret() {
                value.drop("a secret can't be used here", "Leave it out: whoever may see the image would see it.");
                continue;
            }
            if credential::named(&key) && words.literal().is_some_and(|text| !matches!(text, "" | "true" | "false")) {
                value.drop("it is a credential, which is never copied", "Whoever may see the image would see it.");
                continue;
            }
            map.set_from(key, words.manifest(), &value);
        }
        map
    }

    /// A time, in Go's spelling.
    pub(crate) fn duration(&self, reader: &Reader) -> Option<Value> {
        let words = self.plain(reader)?;
        let Some(known) = words.known() else { return Some(words.manifest().into()) };
        match duration(&known) {
            // A variable keeps its name where its value is spelled alike here.
            Some(text) if text == known => Some(words.manifest().into()),
            Some(text) => Some(text.into()),
            None => {
                reader.drop(format!("`{known}` is no time"), "Write it like `30s`, `10m` or `2h`.");
                None
            }
        }
    }

    /// What the file that is named holds; none where it is not there, is no text, or is named by an expression.
    pub(crate) fn content(&self, reader: &Reader) -> Option<String> {
        let known = self.plain(reader)?.known()?;
        std::fs::read_to_string(self.paths.find(&known).full).ok()
    }

    /// A path of a local file or folder; one that is not there is listed.
    pub(crate) fn path(&self, reader: &Reader) -> Option<String> {
        self.local(reader).map(|(text, _)| text)
    }

    /// The same, with what was found where that is known before the bake.
    pub(crate) fn local(&self, reader: &Reader) -> Option<(String, Option<Found>)> {
        let words = self.plain(reader)?;
        let (text, found) = self.placed(&words);
        match &found {
            Some(found) if !found.exists => reader.log().missing(&found.text),
            Some(_) => {}
            None => reader.changed("whether the file is there is not known before the bake", ""),
        }
        Some((text, found))
    }

    /// A local path that need not be there.
    pub(crate) fn place(&self, reader: &Reader) -> Option<String> {
        self.plain(reader).map(|words| self.placed(&words).0)
    }

    fn placed(&self, words: &Words) -> (String, Option<Found>) {
        let found = words.known().map(|known| self.paths.find(&known));
        let manifest = words.manifest();
        let text = match (words.literal(), words.known(), &found) {
            (Some(_), _, Some(found)) => found.text.clone(),
            (None, Some(known), _) if known.starts_with('/') => self.beside(&manifest),
            (None, Some(known), Some(found)) => {
                let known = known.trim_start_matches("./");
                let base = found.text.strip_suffix(known).map_or_else(|| self.paths.prefix(), str::to_owned);
                base + manifest.trim_start_matches("./")
            }
            _ => manifest,
        };
        (text, found)
    }

    /// A text of the template's folder, in which its path leads from the output instead of from the root.
    pub(crate) fn beside(&self, text: &str) -> String {
        let folder = self.paths.input.to_string_lossy();
        if folder.len() < 2 || !text.contains(&*folder) {
            return text.to_owned();
        }
        text.replace(&*folder, &crate::paths::relative(&self.paths.output, &self.paths.input))
    }
}

/// A time of Go in the manifest's spelling; a number alone is in seconds.
pub(crate) fn duration(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("{text}s"));
    }
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|digits| *digits > 0)?;
        let tail = &rest[digits..];
        let unit = ["ms", "h", "m", "s"].into_iter().find(|unit| tail.starts_with(unit))?;
        rest = &tail[unit.len()..];
    }
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn times_are_go_s() {
        assert_eq!(duration("1h30m").as_deref(), Some("1h30m"));
        assert_eq!(duration("10000s").as_deref(), Some("10000s"));
        assert_eq!(duration("5").as_deref(), Some("5s"));
        assert_eq!(duration("5 minutes"), None);
        assert_eq!(duration("m"), None);
    }
}
