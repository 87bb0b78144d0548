//! Functions of text over texts that are not known in full.

use jiff::civil::{DateTime, date};

use super::evaluate::Scope;
use super::fault::Outcome;
use super::value::{Piece, Text};
use crate::template::{Trouble, layout};

/// Two times that differ in every part, to hold a layout against.
fn samples() -> [DateTime; 2] {
    [date(2017, 11, 23).at(14, 35, 47, 0), date(2028, 6, 8).at(9, 12, 58, 0)]
}

/// What a function does to a text, which says how much of it has to be known.
#[derive(Clone, Copy)]
pub(super) enum Reach<'f> {
    /// It needs all of it.
    Whole,
    /// It changes each character by itself; an action of a template with it, where one can say it.
    Characters(&'f dyn Fn(&str) -> String),
    /// It takes something off the ends.
    Ends,
}

/// Applies a function of text. Variables keep their name where a template can say the function, or where it changes
/// nothing; everything else is evaluated once. A time stays one where the function means the same to its layout.
pub(super) fn map(scope: &Scope, text: &Text, function: &dyn Fn(&str) -> String, reach: Reach) -> Outcome<Text> {
    if let Some(literal) = text.literal() {
        return Ok(Text::plain(function(&literal)));
    }
    let mut notes = Vec::new();
    if text.0.iter().any(|piece| matches!(piece, Piece::Time(_) | Piece::Live(_)))
        && let Some(mapped) = piecewise(text, function, reach)
    {
        return Ok(mapped);
    }
    // What follows a variable is evaluated, what follows the time is tried once more.
    let mut settled = Text::default();
    for piece in &text.0 {
        match piece {
            Piece::Time(_) => settled.extend(Text(vec![piece.clone()])),
            other => settled.extend(Text::plain(Text(vec![other.clone()]).settle(&mut notes)?)),
        }
    }
    scope.note(notes);
    if let Some(literal) = settled.literal() {
        return Ok(Text::plain(function(&literal)));
    }
    piecewise(&settled, function, Reach::Whole).ok_or_else(|| {
        Trouble::new("it is computed from the time of the bake, which is not known before it")
            .help("Name what is meant by `${{ timestamp }}`, `${{ date }}` or `${{ version }}`.")
            .into()
    })
}

/// The function over each piece, when that is the same as over the whole for two times.
fn piecewise(text: &Text, function: &dyn Fn(&str) -> String, reach: Reach) -> Option<Text> {
    if let (Reach::Ends, [Piece::Plain(first), middle @ .., Piece::Plain(last)]) = (reach, text.0.as_slice()) {
        // A letter in the place of what stands between them keeps each end apart.
        let (first, last) = (function(&format!("{first}x")), function(&format!("x{last}")));
        let mut out = Text::plain(first.strip_suffix('x')?);
        out.extend(Text(middle.to_vec()));
        out.extend(Text::plain(last.strip_prefix('x')?));
        return Some(out);
    }
    let mut out = Text::default();
    for piece in &text.0 {
        let mapped = match piece {
            Piece::Plain(text) => Piece::Plain(function(text)),
            Piece::Time(layout) => Piece::Time(function(layout)),
            Piece::Live(known) if !known.secret => {
                let mut mapped = known.clone();
                mapped.known = known.known.as_deref().map(function);
                match reach {
                    Reach::Characters(action) => mapped.template = action(&known.template),
                    // A value that the function leaves as it is keeps its name.
                    _ if known.known.is_some() && mapped.known == known.known => {}
                    _ => return None,
                }
                Piece::Live(mapped)
            }
            Piece::Live(_) | Piece::Data { .. } => return None,
        };
        out.extend(Text(vec![mapped]));
    }
    let same = samples().into_iter().all(|time| match (sample(text, time), sample(&out, time)) {
        (Some(before), Some(after)) => function(&before) == after,
        _ => matches!(reach, Reach::Characters(_)),
    });
    same.then_some(out)
}

/// The text at a time.
fn sample(text: &Text, time: DateTime) -> Option<String> {
    let one = |piece: &Piece| match piece {
        Piece::Plain(text) => Some(text.clone()),
        Piece::Time(layout) => Some(layout::format(&layout::go(Some(layout)), time)),
        Piece::Live(live) => live.known.clone(),
        Piece::Data { .. } => None,
    };
    text.0.iter().map(one).collect()
}
