//! Text functions for texts with parts that are only known during the bake.

use jiff::civil::{DateTime, date};

use super::error::EvalResult;
use super::scope::Scope;
use super::value::{Text, TextPart};
use crate::template::parse::Argument;
use crate::template::{Unsupported, layout};

/// Two times that differ in every part, for comparing layouts.
fn samples() -> [DateTime; 2] {
    [date(2017, 11, 23).at(14, 35, 47, 0), date(2028, 6, 8).at(9, 12, 58, 0)]
}

/// Which part of a text a function depends on, which decides how much of it must be known.
#[derive(Clone, Copy)]
pub(super) enum Reach<'f> {
    /// The whole text.
    Whole,
    /// Each character by itself; a template has this command for it.
    Characters(&'f [Argument]),
    /// Only the start and the end of the text.
    Ends,
}

/// Applies a text function. References to variables stay where a template has the function, or where it changes nothing;
/// everything else is evaluated. A time stays one where the function has the same effect on its layout.
pub(super) fn map(scope: &Scope, text: &Text, function: &dyn Fn(&str) -> String, reach: Reach) -> EvalResult<Text> {
    if let Some(literal) = text.literal() {
        return Ok(Text::plain(function(&literal)));
    }
    let mut notes = Vec::new();
    if text.0.iter().any(|part| matches!(part, TextPart::Time(_) | TextPart::Unknown(_)))
        && let Some(mapped) = piecewise(text, function, reach, &mut notes)
    {
        scope.note(notes);
        return Ok(mapped);
    }
    // Evaluates variables first, and then tries with the time only.
    notes.clear();
    let mut settled = Text::default();
    for part in &text.0 {
        match part {
            TextPart::Time(_) => settled.extend(Text(vec![part.clone()])),
            other => settled.extend(Text::plain(Text(vec![other.clone()]).settle(&mut notes)?)),
        }
    }
    scope.note(notes);
    if let Some(literal) = settled.literal() {
        return Ok(Text::plain(function(&literal)));
    }
    piecewise(&settled, function, Reach::Whole, &mut Vec::new()).ok_or_else(|| {
        Unsupported::new("it is computed from the time of the bake, which is only known during the bake")
            .help("Use `${{ timestamp }}`, `${{ date }}` or `${{ version }}`.")
            .into()
    })
}

/// Applies the function to each part, if the result for two sample times is the same as for the whole text.
fn piecewise(text: &Text, function: &dyn Fn(&str) -> String, reach: Reach, notes: &mut Vec<String>) -> Option<Text> {
    if let (Reach::Ends, [TextPart::Plain(first), middle @ .., TextPart::Plain(last)]) = (reach, text.0.as_slice()) {
        // A letter in place of the middle shows the effect at each end.
        let (first, last) = (function(&format!("{first}x")), function(&format!("x{last}")));
        let mut out = Text::plain(first.strip_suffix('x')?);
        out.extend(Text(middle.to_vec()));
        out.extend(Text::plain(last.strip_prefix('x')?));
        return Some(out);
    }
    let mut out = Text::default();
    for part in &text.0 {
        let mapped = match part {
            TextPart::Plain(text) => TextPart::Plain(function(text)),
            TextPart::Time(layout) => TextPart::Time(function(layout)),
            TextPart::Unknown(known) if !known.secret => {
                let mut mapped = known.clone();
                mapped.known = known.known.as_deref().map(function);
                match reach {
                    Reach::Characters(command) => mapped.action.push(command.to_vec()),
                    // A reference stays if the function does not change its value. It may change another one.
                    _ if known.known.is_some() && mapped.known == known.known => {
                        let name = &known.name;
                        notes.push(format!(
                            "`{name}` is used without the function, which does not change its current value"
                        ));
                    }
                    _ => return None,
                }
                TextPart::Unknown(mapped)
            }
            TextPart::Unknown(_) | TextPart::SourceImage { .. } | TextPart::Hidden(_) => return None,
        };
        out.extend(Text(vec![mapped]));
    }
    let same = samples().into_iter().all(|time| match (sample(text, time), sample(&out, time)) {
        (Some(before), Some(after)) => function(&before) == after,
        _ => matches!(reach, Reach::Characters(_)),
    });
    same.then_some(out)
}

/// The text at this time.
fn sample(text: &Text, time: DateTime) -> Option<String> {
    let one = |part: &TextPart| match part {
        TextPart::Plain(text) => Some(text.clone()),
        TextPart::Time(layout) => Some(layout::format(&layout::go(Some(layout)), time)),
        TextPart::Unknown(unknown) => unknown.known.clone(),
        TextPart::SourceImage { .. } | TextPart::Hidden(_) => None,
    };
    text.0.iter().map(one).collect()
}
