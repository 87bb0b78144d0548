//! The text of a file to its blocks.

use hcl_edit::parser::{Error, parse_body};
use hcl_edit::structure::Body;

use super::fault::Wrong;
use super::function::from_json;
use super::value::Value;
use crate::json;

/// A larger file is no template.
const SIZE: usize = 8 << 20;

/// Reads a file.
pub(super) fn body(file: usize, text: &str) -> Result<Body, Wrong> {
    if text.len() > SIZE {
        let help = "Bring large files to the machine by a provisioner.".to_owned();
        return Err(Wrong { file, span: 0..0, message: "the file is larger than any template".to_owned(), help });
    }
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    parse_body(&text[start..]).map_err(|error| wrong(file, text, start, &error))
}

fn wrong(file: usize, text: &str, start: usize, error: &Error) -> Wrong {
    let at = (error.location().offset() + start).min(text.len());
    let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let width = text[at..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
    Wrong {
        file,
        span: at..at + width,
        message: format!("the HCL can't be read: {}", error.message().replace('\n', ", ")),
        help: "Is it what `packer validate` accepts?".to_owned(),
    }
}

/// Reads a file of variables in JSON.
pub(super) fn json(file: usize, text: &str) -> Result<Vec<(String, Value)>, Wrong> {
    let unread =
        |message: String| Wrong { file, span: 0..0, message, help: "It is a map of names and values.".to_owned() };
    json::parse(text).map_err(|mistake| Wrong {
        file,
        span: mistake.span,
        message: mistake.message,
        help: mistake.help.to_owned(),
    })?;
    let parsed =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| unread(error.to_string()))?;
    match from_json(&parsed) {
        Value::Map(entries) => Ok(entries),
        _ => Err(unread("this is no file of variables".to_owned())),
    }
}
