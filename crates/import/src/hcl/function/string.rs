//! Functions of text.

use regex::{NoExpand, Regex};

use super::{Arguments, Outcome, Text, Value};
use crate::hcl::text::{self, Reach};
use crate::template::clean;

pub(super) fn call(all: &Arguments, name: &str) -> Option<Outcome<Value>> {
    Some(match name {
        "lower" => mapped(all, 0, &|text| text.to_lowercase(), Reach::Characters(&|template| piped(template, "lower"))),
        "upper" => mapped(all, 0, &|text| text.to_uppercase(), Reach::Whole),
        "title" => mapped(all, 0, &title, Reach::Whole),
        "trimspace" => mapped(all, 0, &|text| text.trim().to_owned(), Reach::Ends),
        "chomp" => mapped(all, 0, &|text| text.trim_end_matches(['\r', '\n']).to_owned(), Reach::Ends),
        "strrev" => mapped(all, 0, &|text| text.chars().rev().collect(), Reach::Whole),
        "trim" | "trimprefix" | "trimsuffix" => trim(all, name),
        "clean_resource_name" | "clean_ami_name" => {
            mapped(all, 0, &clean, Reach::Characters(&|template| piped(template, "clean_resource_name")))
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
        "startswith" => pair(all).map(|(text, part)| Value::Bool(text.starts_with(&part))),
        "endswith" => pair(all).map(|(text, part)| Value::Bool(text.ends_with(&part))),
        "strcontains" => pair(all).map(|(text, part)| Value::Bool(text.contains(&part))),
        _ => return None,
    })
}

/// A template's action with a further function behind it.
fn piped(template: &str, function: &str) -> String {
    match template.strip_suffix("}}") {
        Some(action) => format!("{action} | {function}}}}}"),
        None => template.to_owned(),
    }
}

fn mapped(all: &Arguments, index: usize, function: &dyn Fn(&str) -> String, reach: Reach) -> Outcome<Value> {
    text::map(all.scope, &all.text(index)?, function, reach).map(Value::Text)
}

fn pair(all: &Arguments) -> Outcome<(String, String)> {
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

fn trim(all: &Arguments, name: &str) -> Outcome<Value> {
    let cut = all.string(1)?;
    let function: Box<dyn Fn(&str) -> String> = match name {
        "trim" => Box::new(move |text| text.trim_matches(|c| cut.contains(c)).to_owned()),
        "trimprefix" => Box::new(move |text| text.strip_prefix(cut.as_str()).unwrap_or(text).to_owned()),
        _ => Box::new(move |text| text.strip_suffix(cut.as_str()).unwrap_or(text).to_owned()),
    };
    mapped(all, 0, &function, Reach::Ends)
}

fn replace(all: &Arguments) -> Outcome<Value> {
    let (from, to) = (all.string(1)?, all.string(2)?);
    let simple = |text: &str| !text.contains(['"', '\\', '`', '\n']);
    let function = |text: &str| text.replace(&from, &to);
    let live = |template: &str| piped(template, &format!("replace_all \"{from}\" \"{to}\""));
    let sayable = simple(&from) && simple(&to) && !from.is_empty();
    // More than a character may begin in one piece and end in the next.
    let reach = if sayable && from.chars().count() == 1 { Reach::Characters(&live) } else { Reach::Whole };
    mapped(all, 0, &function, reach)
}

fn pattern(all: &Arguments, index: usize) -> Outcome<Regex> {
    Regex::new(&all.string(index)?).map_err(|_| all.wrong("the pattern is no regular expression"))
}

fn regex_replace(all: &Arguments) -> Outcome<Value> {
    let (pattern, to) = (pattern(all, 1)?, all.string(2)?);
    let function = |text: &str| {
        if to.contains('$') {
            pattern.replace_all(text, to.as_str()).into_owned()
        } else {
            pattern.replace_all(text, NoExpand(&to)).into_owned()
        }
    };
    mapped(all, 0, &function, Reach::Whole)
}

/// What a pattern found: a text without groups, a list or a map with them.
fn found(pattern: &Regex, captures: &regex::Captures) -> Value {
    let value = |index: usize| captures.get(index).map_or(Value::Null, |group| Value::text(group.as_str()));
    let names: Vec<Option<&str>> = pattern.capture_names().collect();
    if names.len() == 1 {
        return value(0);
    }
    let groups = names.iter().enumerate().skip(1);
    if names.iter().skip(1).all(Option::is_some) {
        return Value::Map(groups.map(|(at, name)| (name.unwrap_or_default().to_owned(), value(at))).collect());
    }
    Value::List(groups.map(|(at, _)| value(at)).collect())
}

fn regex(all: &Arguments) -> Outcome<Value> {
    let (pattern, text) = (pattern(all, 0)?, all.string(1)?);
    let captures = pattern.captures(&text).ok_or_else(|| all.wrong("the pattern finds nothing"))?;
    Ok(found(&pattern, &captures))
}

fn regexall(all: &Arguments) -> Outcome<Value> {
    let (pattern, text) = (pattern(all, 0)?, all.string(1)?);
    Ok(Value::List(pattern.captures_iter(&text).map(|captures| found(&pattern, &captures)).collect()))
}

fn substr(all: &Arguments) -> Outcome<Value> {
    let (offset, length) = (all.number(1)?, all.number(2)?);
    #[expect(clippy::cast_possible_truncation, reason = "a text is never that long")]
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

fn indent(all: &Arguments) -> Outcome<Value> {
    let count = crate::hcl::operate::whole(all.number(0)?).filter(|count| *count <= 1000);
    let space = " ".repeat(count.ok_or_else(|| all.wrong("this is no number of spaces"))?);
    mapped(all, 1, &|text| text.replace('\n', &format!("\n{space}")), Reach::Whole)
}

fn split(all: &Arguments) -> Outcome<Value> {
    let (separator, text) = (all.string(0)?, all.text(1)?);
    // What is fixed at both sides of a variable can be parted without knowing it.
    let text = match text.single() {
        Some(_) => Text::plain(all.string(1)?),
        None if text.literal().is_none() => Text::plain(all.string(1)?),
        None => text,
    };
    let literal = text.literal().unwrap_or_default();
    if separator.is_empty() {
        return Ok(Value::List(literal.chars().map(|c| Value::text(c.to_string())).collect()));
    }
    Ok(Value::List(literal.split(&separator).map(Value::text).collect()))
}

fn join(all: &Arguments) -> Outcome<Value> {
    let separator = all.text(0)?;
    let mut out = Text::default();
    let mut first = true;
    for index in 1..all.values.len() {
        for item in all.list(index)? {
            let text = item.to_text().ok_or_else(|| all.wrong("only texts can be joined"))?;
            if !first {
                out.extend(separator.clone());
            }
            first = false;
            out.extend(text);
        }
    }
    Ok(Value::Text(out))
}

/// `format`, with verbs of Go's `fmt`; texts keep what is not known yet.
fn format(all: &Arguments) -> Outcome<Value> {
    formatted(all, &all.values[1.min(all.values.len())..]).map(Value::Text)
}

fn formatted(all: &Arguments, values: &[Value]) -> Outcome<Text> {
    let pattern = all.string(0)?;
    let mut out = Text::default();
    let mut next = 0;
    let mut rest = pattern.as_str();
    while let Some(at) = rest.find('%') {
        out.extend(Text::plain(&rest[..at]));
        let tail = &rest[at + 1..];
        let end =
            tail.find(|c: char| c.is_ascii_alphabetic() || c == '%').ok_or_else(|| all.wrong("a `%` ends early"))?;
        let (flags, verb) = (&tail[..end], &tail[end..=end]);
        rest = &tail[end + 1..];
        if verb == "%" {
            out.extend(Text::plain("%"));
            continue;
        }
        let value = values.get(next).ok_or_else(|| all.wrong("there are more verbs than values"))?;
        next += 1;
        out.extend(one(all, flags, verb, value)?);
    }
    out.extend(Text::plain(rest));
    Ok(out)
}

fn one(all: &Arguments, flags: &str, verb: &str, value: &Value) -> Outcome<Text> {
    if matches!(verb, "s" | "v") && flags.is_empty() {
        return match value.to_text() {
            Some(text) => Ok(text),
            None if verb == "v" => Ok(Text::plain(super::encode::json(&all.scope.settle(value)?))),
            None => Err(all.wrong("`%s` takes a text")),
        };
    }
    let (width, precision) = flags.split_once('.').unwrap_or((flags, ""));
    let left = width.starts_with('-');
    let zero = width.trim_start_matches(['-', '+', ' ']).starts_with('0');
    let width: usize = width.trim_start_matches(['-', '+', ' ', '0']).parse().unwrap_or(0).min(1000);
    let number = || crate::hcl::operate::number(all.scope, value, all.span.clone());
    #[expect(clippy::cast_possible_truncation, reason = "the verb asks for it")]
    let text = match verb {
        "s" | "v" => all.scope.string(value, all.span.clone())?,
        "q" => format!("{:?}", all.scope.string(value, all.span.clone())?),
        "d" => format!("{}", number()?.trunc() as i64),
        "x" => format!("{:x}", number()?.trunc() as i64),
        "X" => format!("{:X}", number()?.trunc() as i64),
        "o" => format!("{:o}", number()?.trunc() as i64),
        "b" => format!("{:b}", number()?.trunc() as i64),
        "f" => format!("{:.*}", precision.parse().unwrap_or(6).min(100), number()?),
        "t" => crate::hcl::operate::truth(all.scope, value, all.span.clone())?.to_string(),
        _ => return Err(all.wrong(&format!("there is no verb `%{verb}`"))),
    };
    Ok(Text::plain(match (left, zero) {
        (true, _) => format!("{text:<width$}"),
        (false, true) => format!("{text:0>width$}"),
        (false, false) => format!("{text:>width$}"),
    }))
}

fn formatlist(all: &Arguments) -> Outcome<Value> {
    let values = &all.values[1.min(all.values.len())..];
    let lists = values.iter().filter_map(|value| if let Value::List(items) = value { Some(items.len()) } else { None });
    let count = lists.max().unwrap_or(1);
    let row = |at: usize| -> Outcome<Vec<Value>> {
        let pick = |value: &Value| match value {
            Value::List(items) => items.get(at).cloned().ok_or_else(|| all.wrong("the lists have different lengths")),
            other => Ok(other.clone()),
        };
        values.iter().map(pick).collect()
    };
    let texts = (0..count).map(|at| formatted(all, &row(at)?).map(Value::Text));
    texts.collect::<Outcome<Vec<_>>>().map(Value::List)
}
