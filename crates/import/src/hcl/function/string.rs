//! Text functions.

use ami_bake_manifest::budget::STEP;
use regex::{NoExpand, Regex, RegexBuilder};

use super::arguments::Arguments;
use crate::hcl::error::EvalResult;
use crate::hcl::number::Number;
use crate::hcl::operate::whole;
use crate::hcl::text::{self, Reach};
use crate::hcl::value::{HclValue, Text, TextPart};
use crate::template::clean;
use crate::template::parse::Argument;

pub(super) fn call(all: &Arguments, name: &str) -> Option<EvalResult<HclValue>> {
    Some(match name {
        "lower" => {
            mapped(all, 0, &|text| text.to_lowercase(), Reach::Characters(&[Argument::Name("lower".to_owned())]))
        }
        "upper" => mapped(all, 0, &|text| text.to_uppercase(), Reach::Whole),
        "title" => mapped(all, 0, &title, Reach::Whole),
        "trimspace" => mapped(all, 0, &|text| text.trim().to_owned(), Reach::Ends),
        "chomp" => mapped(all, 0, &|text| text.trim_end_matches(['\r', '\n']).to_owned(), Reach::Ends),
        "strrev" => mapped(all, 0, &|text| text.chars().rev().collect(), Reach::Whole),
        "trim" | "trimprefix" | "trimsuffix" => trim(all, name),
        "clean_resource_name" | "clean_ami_name" => {
            mapped(all, 0, &clean, Reach::Characters(&[Argument::Name("clean_resource_name".to_owned())]))
        }
        "replace" => replace(all),
        "regex_replace" => regex_replace(all),
        "regex" => regex(all),
        "regexall" => regexall(all),
        "substr" => substr(all),
        "indent" => indent(all),
        "split" => split(all),
        "join" => join(all),
        "format" => format(all),
        "formatlist" => formatlist(all),
        "startswith" => pair(all).map(|(text, part)| HclValue::Bool(text.starts_with(&part))),
        "endswith" => pair(all).map(|(text, part)| HclValue::Bool(text.ends_with(&part))),
        "strcontains" => pair(all).map(|(text, part)| HclValue::Bool(text.contains(&part))),
        _ => return None,
    })
}

fn mapped(all: &Arguments, index: usize, function: &dyn Fn(&str) -> String, reach: Reach) -> EvalResult<HclValue> {
    text::map(all.scope, &all.text(index)?, function, reach).map(HclValue::Text)
}

fn pair(all: &Arguments) -> EvalResult<(String, String)> {
    Ok((all.string(0)?, all.string(1)?))
}

fn title(text: &str) -> String {
    let mut start = true;
    let mut out = String::new();
    for c in text.chars() {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        start = c.is_whitespace();
    }
    out
}

fn trim(all: &Arguments, name: &str) -> EvalResult<HclValue> {
    let cut = all.string(1)?;
    let function: Box<dyn Fn(&str) -> String> = match name {
        "trim" => Box::new(move |text| text.trim_matches(|c| cut.contains(c)).to_owned()),
        "trimprefix" => Box::new(move |text| text.strip_prefix(cut.as_str()).unwrap_or(text).to_owned()),
        _ => Box::new(move |text| text.strip_suffix(cut.as_str()).unwrap_or(text).to_owned()),
    };
    mapped(all, 0, &function, Reach::Ends)
}

fn replace(all: &Arguments) -> EvalResult<HclValue> {
    let (from, to) = (all.string(1)?, all.string(2)?);
    let function = |text: &str| text.replace(&from, &to);
    let found: usize = all.text(0)?.0.iter().map(|part| matches(part, &from)).sum();
    all.spend(found, to.len())?;
    let command = [Argument::Name("replace_all".to_owned()), Argument::Text(from.clone()), Argument::Text(to.clone())];
    // A match of several characters could start in one part of the text and end in the next; and expressions have only
    // one line.
    let parts = all.text(0)?.0.len();
    let simple = (from.chars().count() == 1 || parts == 1) && !from.contains('\n') && !to.contains('\n');
    let reach = if simple { Reach::Characters(&command) } else { Reach::Whole };
    mapped(all, 0, &function, reach)
}

/// Number of matches of a text in a part.
fn matches(part: &TextPart, from: &str) -> usize {
    match part {
        TextPart::Plain(text) => text.matches(from).count(),
        TextPart::Unknown(unknown) => unknown.known.as_deref().unwrap_or_default().matches(from).count(),
        _ => 0,
    }
}

/// Maximum length in bytes of a pattern; no hand-written one is longer.
const PATTERN: usize = 4096;
/// Maximum size in bytes of a compiled pattern.
const COMPILED: usize = 512 << 10;
/// Budget for compiling a pattern.
const COMPILING: usize = 128 << 10;

/// The pattern in an argument, for a search in `text`.
fn pattern(all: &Arguments, index: usize, text: usize) -> EvalResult<Regex> {
    let pattern = all.string(index)?;
    if pattern.len() > PATTERN {
        return Err(all.invalid("the regular expression is longer than 4096 bytes"));
    }
    // The time of a search grows with both (regex: "Untrusted input").
    all.spend(text, 1 + pattern.len() / 16)?;
    let mut known = all.scope.module.patterns.borrow_mut();
    if let Some(known) = known.get(&pattern) {
        return Ok(known.clone());
    }
    all.spend(1, COMPILING)?;
    let compiled = RegexBuilder::new(&pattern).size_limit(COMPILED).dfa_size_limit(COMPILED).nest_limit(50).build();
    let compiled = compiled.map_err(|_| all.invalid("not a valid regular expression"))?;
    known.insert(pattern, compiled.clone());
    Ok(compiled)
}

fn regex_replace(all: &Arguments) -> EvalResult<HclValue> {
    let size = all.text(0)?.size();
    let (pattern, to) = (pattern(all, 1, size)?, all.string(2)?);
    // Each match becomes `to`, with what its groups matched.
    let known = all.text(0)?.settle(&mut Vec::new()).unwrap_or_default();
    let found = pattern.find_iter(&known).map(|found| found.len().max(1));
    let (found, matched) = found.fold((0usize, 0usize), |(count, sum), length| (count + 1, sum + length));
    all.spend(found, to.len())?;
    all.spend(matched, to.matches('$').count())?;
    let function = |text: &str| {
        if to.contains('$') {
            pattern.replace_all(text, to.as_str()).into_owned()
        } else {
            pattern.replace_all(text, NoExpand(&to)).into_owned()
        }
    };
    mapped(all, 0, &function, Reach::Whole)
}

/// The result for a match: a text if the pattern has no groups, else a list or a map of them.
fn found(pattern: &Regex, captures: &regex::Captures) -> HclValue {
    let value = |index: usize| captures.get(index).map_or(HclValue::Null, |group| HclValue::text(group.as_str()));
    let names: Vec<Option<&str>> = pattern.capture_names().collect();
    if names.len() == 1 {
        return value(0);
    }
    let groups = names.iter().enumerate().skip(1);
    if names.iter().skip(1).all(Option::is_some) {
        return HclValue::Map(groups.map(|(at, name)| (name.unwrap_or_default().to_owned(), value(at))).collect());
    }
    HclValue::List(groups.map(|(at, _)| value(at)).collect())
}

fn regex(all: &Arguments) -> EvalResult<HclValue> {
    let text = all.string(1)?;
    let pattern = pattern(all, 0, text.len())?;
    let captures = pattern.captures(&text).ok_or_else(|| all.invalid("the pattern does not match"))?;
    Ok(found(&pattern, &captures))
}

fn regexall(all: &Arguments) -> EvalResult<HclValue> {
    let text = all.string(1)?;
    let pattern = pattern(all, 0, text.len())?;
    all.spend(text.len() + 1, STEP)?;
    Ok(HclValue::List(pattern.captures_iter(&text).map(|captures| found(&pattern, &captures)).collect()))
}

fn substr(all: &Arguments) -> EvalResult<HclValue> {
    let (offset, length) = (all.number(1)?, all.number(2)?);
    #[expect(clippy::cast_possible_truncation, reason = "no text is that long")]
    let (offset, length) = (offset as i64, length as i64);
    let function = move |text: &str| -> String {
        let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        let start = if offset < 0 { (count + offset).max(0) } else { offset };
        let chars = text.chars().skip(usize::try_from(start).unwrap_or_default());
        match usize::try_from(length) {
            Ok(length) => chars.take(length).collect(),
            Err(_) => chars.collect(),
        }
    };
    mapped(all, 0, &function, Reach::Whole)
}

fn indent(all: &Arguments) -> EvalResult<HclValue> {
    let count = whole(all.number(0)?).filter(|count| *count <= 1000);
    let space = " ".repeat(count.ok_or_else(|| all.invalid("not a valid number of spaces"))?);
    all.spend(all.text(1)?.0.iter().map(|part| matches(part, "\n")).sum(), space.len())?;
    mapped(all, 1, &|text| text.replace('\n', &format!("\n{space}")), Reach::Whole)
}

fn split(all: &Arguments) -> EvalResult<HclValue> {
    let (separator, text) = (all.string(0)?, all.text(1)?);
    let literal = match text.literal() {
        Some(literal) => literal,
        None => all.string(1)?,
    };
    all.spend(if separator.is_empty() { literal.len() } else { literal.matches(&separator).count() }, STEP)?;
    if separator.is_empty() {
        return Ok(HclValue::List(literal.chars().map(|c| HclValue::text(c.to_string())).collect()));
    }
    Ok(HclValue::List(literal.split(&separator).map(HclValue::text).collect()))
}

fn join(all: &Arguments) -> EvalResult<HclValue> {
    let separator = all.text(0)?;
    let mut out = Text::default();
    let mut first = true;
    for index in 1..all.values.len() {
        for item in all.list(index)? {
            let text = item.to_text().ok_or_else(|| all.invalid("only strings can be joined"))?;
            all.spend(1, separator.size() + text.size())?;
            if !first {
                out.extend(separator.clone());
            }
            first = false;
            out.extend(text);
        }
    }
    Ok(HclValue::Text(out))
}

/// `format`, with verbs of Go's `fmt`; texts keep their unknown parts.
fn format(all: &Arguments) -> EvalResult<HclValue> {
    formatted(all, &all.values[1.min(all.values.len())..]).map(HclValue::Text)
}

fn formatted(all: &Arguments, values: &[HclValue]) -> EvalResult<Text> {
    let pattern = all.string(0)?;
    all.spend(1, STEP + pattern.len() + values.iter().map(HclValue::size).sum::<usize>())?;
    let mut out = Text::default();
    let mut next = 0;
    let mut rest = pattern.as_str();
    while let Some(at) = rest.find('%') {
        out.extend(Text::plain(&rest[..at]));
        let tail = &rest[at + 1..];
        let end = tail
            .find(|c: char| c.is_ascii_alphabetic() || c == '%')
            .ok_or_else(|| all.invalid("incomplete verb after `%`"))?;
        let (flags, verb) = (&tail[..end], &tail[end..=end]);
        rest = &tail[end + 1..];
        if verb == "%" {
            out.extend(Text::plain("%"));
            continue;
        }
        let value = values.get(next).ok_or_else(|| all.invalid("more verbs than values"))?;
        next += 1;
        out.extend(one(all, flags, verb, value)?);
    }
    out.extend(Text::plain(rest));
    Ok(out)
}

fn one(all: &Arguments, flags: &str, verb: &str, value: &HclValue) -> EvalResult<Text> {
    if matches!(verb, "s" | "v") && flags.is_empty() {
        return match value.to_text() {
            Some(text) => Ok(text),
            None if verb == "v" => Ok(Text::plain(super::encode::json(&all.scope.settle(value)?))),
            None => Err(all.invalid("`%s` needs a string")),
        };
    }
    let (width, precision) = flags.split_once('.').unwrap_or((flags, ""));
    let left = width.starts_with('-');
    let zero = width.trim_start_matches(['-', '+', ' ']).starts_with('0');
    let width: usize = width.trim_start_matches(['-', '+', ' ', '0']).parse().unwrap_or(0).min(1000);
    let number = || all.scope.number(value, all.span.clone());
    #[expect(clippy::cast_possible_truncation, reason = "that is what the verb means")]
    let whole = || {
        all.scope.exact(value, all.span.clone()).map(|number| match number {
            Number::Whole(whole) => whole,
            Number::Real(real) => real.trunc() as i128,
        })
    };
    // Go writes the sign before the digits of every base.
    let digits = |write: fn(u128) -> String| {
        whole().map(|whole| format!("{}{}", if whole < 0 { "-" } else { "" }, write(whole.unsigned_abs())))
    };
    let text = match verb {
        "s" | "v" => all.scope.string(value, all.span.clone())?,
        "q" => format!("{:?}", all.scope.string(value, all.span.clone())?),
        "d" => digits(|whole| whole.to_string())?,
        "x" => digits(|whole| format!("{whole:x}"))?,
        "X" => digits(|whole| format!("{whole:X}"))?,
        "o" => digits(|whole| format!("{whole:o}"))?,
        "b" => digits(|whole| format!("{whole:b}"))?,
        "f" => format!("{:.*}", precision.parse().unwrap_or(6).min(100), number()?),
        "t" => all.scope.truth(value, all.span.clone())?.to_string(),
        _ => return Err(all.invalid(&format!("the verb `%{verb}` is not supported"))),
    };
    Ok(Text::plain(match (left, zero) {
        (true, _) => format!("{text:<width$}"),
        (false, true) => match text.strip_prefix('-') {
            Some(digits) => format!("-{digits:0>width$}", width = width.saturating_sub(1)),
            None => format!("{text:0>width$}"),
        },
        (false, false) => format!("{text:>width$}"),
    }))
}

fn formatlist(all: &Arguments) -> EvalResult<HclValue> {
    let values = &all.values[1.min(all.values.len())..];
    let lists =
        values.iter().filter_map(|value| if let HclValue::List(items) = value { Some(items.len()) } else { None });
    let count = lists.max().unwrap_or(1);
    let row = |at: usize| -> EvalResult<Vec<HclValue>> {
        let pick = |value: &HclValue| match value {
            HclValue::List(items) => {
                items.get(at).cloned().ok_or_else(|| all.invalid("the lists have different lengths"))
            }
            other => Ok(other.clone()),
        };
        values.iter().map(pick).collect()
    };
    let texts = (0..count).map(|at| formatted(all, &row(at)?).map(HclValue::Text));
    texts.collect::<EvalResult<Vec<_>>>().map(HclValue::List)
}
