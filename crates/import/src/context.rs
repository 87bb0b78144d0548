//! Converts fields of the input to values of the manifest; what can't be converted is reported with its path.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::duration;
use crate::input::Reader;
use crate::paths::{FoundPath, Paths};
use crate::template::{Expr, Part, Template, TemplateScope, Words, evaluate};
use crate::yaml::{Map, Value};
use ami_bake_manifest::access::credential;

/// Maximum size in bytes of a file whose content is copied; larger files are not scripts.
const CONTENT: u64 = 1 << 20;

/// Help for a value that can't be converted.
const BY_HAND: &str = "Write the value into the manifest by hand.";

/// State for converting fields.
pub(crate) struct Context<'a> {
    pub(crate) scope: &'a dyn TemplateScope,
    pub(crate) paths: &'a Paths,
    /// Names of variables used where the manifest expects a number or a boolean.
    pub(crate) typed: &'a RefCell<BTreeSet<String>>,
}

impl Context<'_> {
    /// Sets a key of the manifest to a field, if the field exists and can be converted.
    pub(crate) fn set(
        &self,
        map: &mut Map,
        key: &str,
        field: Option<Reader>,
        convert: impl Fn(&Self, &Reader) -> Option<Value>,
    ) {
        if let Some(field) = field
            && let Some(value) = convert(self, &field)
        {
            map.set_from(key, value, &field);
        }
    }

    /// A scalar in the manifest's syntax; `None` when it has no counterpart, which is reported.
    pub(crate) fn words(&self, reader: &Reader) -> Option<Words> {
        let Some(template) = reader.template() else {
            reader.drop("this is not text", BY_HAND);
            return None;
        };
        self.words_of(&template, reader)
    }

    /// A text that is part of a field, in the manifest's syntax.
    pub(crate) fn words_of(&self, template: &Template, reader: &Reader) -> Option<Words> {
        if credential::holds(&template.written()) {
            reader.drop(
                "it contains a credential, which is never copied",
                "Use a secret: list it in `secrets` and read it in the `env` of a step.",
            );
            return None;
        }
        let mut notes = Vec::new();
        match evaluate(template, self.scope, &mut |note| notes.push(note)) {
            Ok(words) => {
                for note in notes {
                    reader.changed(note, "");
                }
                Some(words)
            }
            Err(unsupported) => {
                reader.unsupported(unsupported);
                None
            }
        }
    }

    /// A text that must not contain secrets; empty means unset, as in Packer.
    pub(crate) fn plain(&self, reader: &Reader) -> Option<Words> {
        let words = self.public(reader)?;
        if words.known().is_some_and(|known| known.trim().is_empty()) {
            if words.literal().is_none() {
                reader.drop(
                    format!("`{}` is empty, which means unset", words.manifest()),
                    "Set the variable before the import, or write the field by hand.",
                );
            }
            return None;
        }
        Some(words)
    }

    /// A text that must not contain secrets.
    fn public(&self, reader: &Reader) -> Option<Words> {
        let words = self.words(reader)?;
        if words.is_secret() {
            reader.drop(
                "secrets are not allowed here",
                "Use secrets in the `env` of a step, in `vars` of `ansible`, or in `publish.docker.login`.",
            );
            return None;
        }
        Some(words)
    }

    /// A text. If a variable may be empty, an empty value leaves the field unset, as in Packer.
    pub(crate) fn text(&self, reader: &Reader) -> Option<Value> {
        let words = self.public(reader)?;
        if let Some(expr) = words.single().filter(|expr| expr.may_be_empty()) {
            return Some(format!("${{{{ {} || null }}}}", expr.bare()).into());
        }
        self.plain(reader).map(|words| words.manifest().into())
    }

    /// A required text: an empty variable must be set.
    pub(crate) fn needed(&self, reader: &Reader) -> Option<Value> {
        let words = self.words(reader)?;
        if let Some(expr) = words.single()
            && !expr.secret
            && expr.code.starts_with("vars.")
            && expr.known.as_deref().is_some_and(|known| known.trim().is_empty())
        {
            self.typed.borrow_mut().insert(format!("!{}", expr.code));
            reader.changed(
                format!("`{}` is empty and must be set", expr.code),
                format!("Set it with `--set {}=…`.", expr.code.trim_start_matches("vars.")),
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
            reader.drop("this is not a whole number", BY_HAND);
            None
        }
    }

    /// The value that a text has during the import. A field with this value does not follow the variables in it, which is reported
    /// where the manifest has them.
    pub(crate) fn settled(words: &Words, reader: &Reader) -> Option<String> {
        let known = words.known()?;
        for part in &words.0 {
            if let Part::Expr(expr) = part {
                reader.log().evaluated(expr.bare(), reader.location());
            }
        }
        Some(known)
    }

    /// A boolean, with its value during the import.
    pub(crate) fn flag(&self, reader: &Reader) -> Option<bool> {
        let words = self.plain(reader)?;
        match Self::settled(&words, reader).as_deref().map(str::trim) {
            Some("true" | "1" | "TRUE" | "True" | "t") => Some(true),
            Some("false" | "0" | "FALSE" | "False" | "f") => Some(false),
            Some(_) => {
                reader.drop("this is neither true nor false", BY_HAND);
                None
            }
            None => {
                reader.drop("its value is only known during the bake", BY_HAND);
                None
            }
        }
    }

    /// A boolean that may refer to a variable.
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
                format!("`{known}`, the value of `{}`, is not valid here", expr.code),
                "Set the variable to a valid value before the import, or write the field by hand.",
            );
            return None;
        }
        self.typed.borrow_mut().insert(expr.code.clone());
        Some(format!("${{{{ {} }}}}", expr.code).into())
    }

    /// A list of texts as a whole field. A text with commas, which Packer also accepts, stays one text if it is a
    /// variable.
    pub(crate) fn texts_of(&self, reader: &Reader) -> Option<Value> {
        if !reader.is_list() && reader.value.is_scalar() {
            let words = self.public(reader)?;
            if let Some(expr) = words.single() {
                return Some(split(expr));
            }
        }
        Some(self.texts(reader)).filter(|all| !all.is_empty()).map(Value::from)
    }

    /// The items of a list, or of a text with commas, which Packer also accepts.
    pub(crate) fn list<'r>(&self, reader: &Reader<'r>) -> Vec<(Words, Reader<'r>)> {
        let mut all = Vec::new();
        for item in reader.items() {
            let Some(words) = self.plain(&item) else { continue };
            // Only a text that is the whole list is split.
            match words.known().filter(|known| known.contains(',') && !reader.is_list()) {
                Some(known) => {
                    if words.literal().is_none() {
                        item.changed("the list was written out and no longer follows the variable", "");
                    }
                    let parts = known.split(',').map(str::trim).filter(|part| !part.is_empty());
                    all.extend(parts.map(|part| (Words::text(part), item)));
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
            reader.drop("this is not a map", BY_HAND);
            return map;
        }
        if reader.entries().is_empty() {
            reader.mark_used();
        }
        for (key, value) in reader.entries() {
            let Some(words) = self.words(&value) else { continue };
            let Some(key) = self.words_of(&Template::text(key), &value).and_then(|key| key.known()) else {
                value.drop("its key is only known during the bake", BY_HAND);
                continue;
            };
            if words.is_secret() {
                value.drop(
                    "secrets are not allowed here",
                    "Leave it out: everyone who can see the image could read it.",
                );
                continue;
            }
            if credential::named(&key) && words.literal().is_some_and(|text| !matches!(text, "" | "true" | "false")) {
                value
                    .drop("it is a credential, which is never copied", "Everyone who can see the image could read it.");
                continue;
            }
            map.set_from(key, words.manifest(), &value);
        }
        map
    }

    /// A duration, in Go's notation.
    pub(crate) fn duration(&self, reader: &Reader) -> Option<Value> {
        let words = self.plain(reader)?;
        let Some(known) = words.known() else { return Some(words.manifest().into()) };
        match duration::normalized(&known) {
            // The field refers to the variable only if the variable's value is a valid duration of a manifest, too.
            Some(text) if text == known => Some(words.manifest().into()),
            Some(text) => {
                Self::settled(&words, reader);
                Some(text.into())
            }
            None => {
                reader.drop(format!("`{known}` is not a duration"), "Write it like `30s`, `10m` or `2h`.");
                None
            }
        }
    }

    /// The text of the named file; `None` when it does not exist, is not text, or its name is only known during the
    /// bake.
    pub(crate) fn content(&self, reader: &Reader) -> Option<String> {
        let known = self.plain(reader)?.known()?;
        let found = self.paths.find(&known);
        let text = self.paths.access.read(&found.full, CONTENT).ok()?;
        String::from_utf8(text).ok()
    }

    /// The path of a local file or folder; a missing one is reported as missing.
    pub(crate) fn path(&self, reader: &Reader) -> Option<String> {
        self.local(reader).map(|(text, _)| text)
    }

    /// The path of a local file or folder, and the kind found there if the path is known before the bake. A missing one
    /// is reported as missing.
    pub(crate) fn local(&self, reader: &Reader) -> Option<(String, Option<FoundPath>)> {
        let words = self.plain(reader)?;
        let (text, found) = self.placed(&words);
        match &found {
            Some(FoundPath { forbidden: Some((why, help)), .. }) => reader.changed(why.as_str(), help.as_str()),
            Some(found) if !found.exists => reader.log().missing(&found.text),
            Some(_) => {}
            None => reader.changed("whether the file exists is only known during the bake", ""),
        }
        Some((text, found))
    }

    /// A local path that need not exist.
    pub(crate) fn target(&self, reader: &Reader) -> Option<String> {
        self.plain(reader).map(|words| self.placed(&words).0)
    }

    fn placed(&self, words: &Words) -> (String, Option<FoundPath>) {
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

    /// A text in which the absolute path of the template's folder is replaced with its path relative to the output.
    pub(crate) fn beside(&self, text: &str) -> String {
        let folder = self.paths.input.to_string_lossy();
        if folder.len() < 2 || !text.contains(&*folder) {
            return text.to_owned();
        }
        text.replace(&*folder, &crate::paths::relative(&self.paths.output, &self.paths.input))
    }
}

/// The list that an expression expands to when it is split at commas; unset when it is empty.
pub(crate) fn split(expr: &Expr) -> Value {
    let code = expr.bare();
    let spaced = expr.known.as_deref().is_some_and(|known| known.contains(' '));
    let list = if spaced { format!("replace({code}, ' ', '')") } else { code.to_owned() };
    format!("${{{{ {code} && split({list}, ',') || null }}}}").into()
}
