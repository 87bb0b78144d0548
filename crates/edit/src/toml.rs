//! The places of values in TOML.

use std::ops::Range;

use toml_span::value::ValueInner;

/// The place of the string at a pointer, without its quotes.
pub(crate) fn place(text: &str, parts: &[String]) -> Result<Option<Range<usize>>, String> {
    let mut value = toml_span::parse(text).map_err(|error| error.to_string())?;
    for (index, part) in parts.iter().enumerate() {
        let next = match value.take() {
            ValueInner::Table(mut table) => table.remove(part.as_str()),
            ValueInner::Array(items) => part.parse::<usize>().ok().and_then(|index| items.into_iter().nth(index)),
            other => {
                return Err(format!("`{}` is not a table", parts[..index].join("/")).replace("``", other.type_str()));
            }
        };
        let Some(next) = next else { return Ok(None) };
        value = next;
    }
    match value.as_str() {
        Some(_) => Ok(Some(value.span.start..value.span.end)),
        None => Err(format!("the value there is not text but {}", value.take().type_str())),
    }
}
