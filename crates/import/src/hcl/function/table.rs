//! Tables: `csvdecode` (RFC 4180).

use ami_bake_manifest::budget::STEP;
use indexmap::IndexMap;

use super::arguments::Arguments;
use crate::hcl::error::EvalResult;
use crate::hcl::value::HclValue;

pub(super) fn call(all: &Arguments, name: &str) -> Option<EvalResult<HclValue>> {
    (name == "csvdecode").then(|| csvdecode(all))
}

/// A map for each row, with the first row's fields as keys.
fn csvdecode(all: &Arguments) -> EvalResult<HclValue> {
    let text = all.string(0)?;
    let rows = rows(&text).ok_or_else(|| all.invalid("not valid CSV: a quoted field is not closed"))?;
    let mut rows = rows.into_iter();
    let names = rows.next().ok_or_else(|| all.invalid("the first line must name the columns"))?;
    let mut maps = Vec::new();
    let heading: usize = names.iter().map(String::len).sum();
    for row in rows {
        // Each row has all keys, however short it is.
        all.spend(1, heading + STEP * (row.len() + 1))?;
        if row.len() != names.len() {
            return Err(all.invalid("a row has another number of fields than the first line"));
        }
        let mut map = IndexMap::new();
        for (name, field) in names.iter().zip(row) {
            map.insert(name.clone(), HclValue::text(field));
        }
        maps.push(HclValue::Map(map));
    }
    Ok(HclValue::List(maps))
}

/// The fields of each non-empty line; `None` when a quote is not closed.
fn rows(text: &str) -> Option<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    let mut row: Vec<String> = Vec::new();
    let mut field = String::new();
    let mut filled = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if field.is_empty() => {
                filled = true;
                loop {
                    match chars.next()? {
                        '"' if chars.next_if_eq(&'"').is_some() => field.push('"'),
                        '"' => break,
                        inner => field.push(inner),
                    }
                }
            }
            ',' => {
                row.push(std::mem::take(&mut field));
                filled = true;
            }
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => {
                if filled || !field.is_empty() {
                    row.push(std::mem::take(&mut field));
                    rows.push(std::mem::take(&mut row));
                }
                filled = false;
            }
            other => field.push(other),
        }
    }
    if filled || !field.is_empty() {
        row.push(field);
        rows.push(row);
    }
    Some(rows)
}
