//! Values in an `execute_command`, which are marked while the command is parsed.

use super::shell_line::{PATH, UNKNOWN, VALUE, VARS, VARS_FILE};
use crate::template::parse::{Argument, Segment};
use crate::template::{Part, Words};

/// The values in a command.
#[derive(Default)]
pub(super) struct Values {
    /// Those that stay expressions, by their numbers.
    kept: Vec<Words>,
    /// Expressions of those that are written out.
    pub(super) evaluated: Vec<String>,
}

impl Values {
    /// The first of the characters that number values (Unicode, Private Use Area).
    const FIRST: u32 = 0xE000;

    /// A value as text with marks: what a shell could take apart is written out.
    pub(super) fn mark(&mut self, words: Words) -> String {
        let safe = |c: char| c.is_ascii_alphanumeric() || "._/:@+,=-".contains(c);
        if words.literal().is_some() || words.known().is_some_and(|known| !known.chars().all(safe)) {
            return self.known(&words).unwrap_or_default();
        }
        let number = u32::try_from(self.kept.len()).ok().and_then(|number| char::from_u32(Self::FIRST + number));
        self.kept.push(words);
        number.map_or_else(|| UNKNOWN.to_string(), |number| format!("{VALUE}{number}"))
    }

    /// A value as it is during the import.
    pub(super) fn known(&mut self, words: &Words) -> Option<String> {
        let known = words.known()?;
        self.evaluated.extend(words.0.iter().filter_map(|part| match part {
            Part::Expr(expr) => Some(expr.bare().to_owned()),
            Part::Text(_) => None,
        }));
        Some(known)
    }

    /// A marked text as the manifest writes it.
    pub(super) fn text(&self, marked: &str) -> String {
        let mut words = Words::default();
        let mut chars = marked.chars();
        while let Some(c) = chars.next() {
            let number = if c == VALUE { chars.next().map(|number| u32::from(number) - Self::FIRST) } else { None };
            match number.and_then(|number| self.kept.get(number as usize)) {
                Some(value) => words.extend(value.clone()),
                None => words.extend(Words::text(c)),
            }
        }
        words.manifest()
    }
}

/// The command as text, with marks in place of template actions.
pub(super) fn marked(segments: &[Segment], value: &mut dyn FnMut(&Segment) -> Option<String>) -> String {
    let mut text = String::new();
    for segment in segments {
        match (segment, field(segment)) {
            (Segment::Text(written), _) => text.push_str(written),
            (_, Some("Path")) => text.push(PATH),
            (_, Some("Vars")) => text.push(VARS),
            (_, Some("EnvVarFile")) => text.push(VARS_FILE),
            _ => match value(segment) {
                Some(value) => text.push_str(&value),
                None => text.push(UNKNOWN),
            },
        }
    }
    text
}

/// The field that an action refers to.
fn field(segment: &Segment) -> Option<&str> {
    let Segment::Action(pipeline) = segment else { return None };
    let [command] = pipeline.as_slice() else { return None };
    match command.as_slice() {
        [Argument::Field(path)] if path.len() == 1 => path.first().map(String::as_str),
        _ => None,
    }
}
