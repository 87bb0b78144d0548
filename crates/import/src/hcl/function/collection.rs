//! Functions of lists and maps.

use super::{Arguments, Outcome, Value};
use crate::hcl::evaluate::set;
use crate::hcl::operate::{same, whole};

pub(super) fn call(all: &Arguments, name: &str) -> Option<Outcome<Value>> {
    Some(match name {
        "length" => length(all),
        "concat" => lists(all).map(|lists| Value::List(lists.concat())),
        "flatten" => all.list(0).map(|items| Value::List(flat(items))),
        "merge" => merge(all),
        "lookup" => lookup(all),
        "coalesce" => coalesce(all),
        "coalescelist" => {
            lists(all).map(|lists| Value::List(lists.into_iter().find(|items| !items.is_empty()).unwrap_or_default()))
        }
        "compact" => compact(all),
        "element" => element(all),
        "index" => index(all),
        "contains" => contains(all),
        "distinct" | "toset" => all.list(0).map(|items| Value::List(distinct(items))),
        "setunion" => lists(all).map(|lists| Value::List(distinct(lists.concat()))),
        "setintersection" => sets(all, true),
        "setsubtract" => sets(all, false),
        "reverse" => all.list(0).map(|items| Value::List(items.into_iter().rev().collect())),
        "slice" => slice(all),
        "sort" => sort(all),
        "chunklist" => chunks(all),
        "keys" => all.map(0).map(|entries| {
            let mut keys: Vec<String> = entries.into_iter().map(|(key, _)| key).collect();
            keys.sort();
            Value::List(keys.into_iter().map(Value::text).collect())
        }),
        "values" => all.map(0).map(|mut entries| {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::List(entries.into_iter().map(|(_, value)| value).collect())
        }),
        "zipmap" => zipmap(all),
        "tolist" | "list" if name == "list" || matches!(all.values.first(), Some(Value::List(_))) => {
            if name == "list" {
                Ok(Value::List(all.values.clone()))
            } else {
                all.list(0).map(Value::List)
            }
        }
        "tomap" => all.map(0).map(Value::Map),
        "alltrue" => truths(all).map(|all| Value::Bool(all.into_iter().all(|truth| truth))),
        "anytrue" => truths(all).map(|all| Value::Bool(all.into_iter().any(|truth| truth))),
        "setproduct" => product(all),
        _ => return None,
    })
}

fn lists(all: &Arguments) -> Outcome<Vec<Vec<Value>>> {
    (0..all.values.len())
        .filter(|index| all.values.get(*index) != Some(&Value::Null))
        .map(|index| all.list(index))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "nothing is that long")]
fn length(all: &Arguments) -> Outcome<Value> {
    Ok(Value::Number(match all.get(0)? {
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        _ => all.string(0)?.chars().count(),
    } as f64))
}

fn flat(items: Vec<Value>) -> Vec<Value> {
    items.into_iter().flat_map(|item| if let Value::List(inner) = item { flat(inner) } else { vec![item] }).collect()
}

fn merge(all: &Arguments) -> Outcome<Value> {
    let mut out = Vec::new();
    for index in 0..all.values.len() {
        if all.values[index] != Value::Null {
            all.map(index)?.into_iter().for_each(|(key, value)| set(&mut out, key, value));
        }
    }
    Ok(Value::Map(out))
}

fn lookup(all: &Arguments) -> Outcome<Value> {
    let key = all.string(1)?;
    all.map(0)?;
    match (all.get(0)?.get(&key), all.values.get(2)) {
        (Some(value), _) | (None, Some(value)) => Ok(value.clone()),
        (None, None) => Err(all.wrong(&format!("the map has no entry `{key}`"))),
    }
}

/// The first value that is not null and, as a text, not empty.
fn coalesce(all: &Arguments) -> Outcome<Value> {
    for value in &all.values {
        let empty = match value {
            Value::Null => true,
            Value::Text(text) if text.0.is_empty() => true,
            Value::Text(text) if text.single().is_some_and(|live| !live.secret) => {
                let settled = all.scope.settle(value)?;
                settled.to_text().and_then(|text| text.literal()).is_some_and(|text| text.is_empty())
            }
            _ => false,
        };
        if !empty {
            return Ok(value.clone());
        }
    }
    Err(all.wrong("every argument is null or empty"))
}

fn compact(all: &Arguments) -> Outcome<Value> {
    let mut out = Vec::new();
    for item in all.list(0)? {
        let empty = item == Value::Null || all.scope.settle(&item)?.to_text().is_some_and(|text| text.0.is_empty());
        if !empty {
            out.push(item);
        }
    }
    Ok(Value::List(out))
}

fn element(all: &Arguments) -> Outcome<Value> {
    let items = all.list(0)?;
    let at = whole(all.number(1)?).ok_or_else(|| all.wrong("this is no place in a list"))?;
    match items.len() {
        0 => Err(all.wrong("the list is empty")),
        count => Ok(items[at % count].clone()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "nothing is that long")]
fn index(all: &Arguments) -> Outcome<Value> {
    let (list, wanted) = (all.settled(0)?, all.settled(1)?);
    let Value::List(items) = list else { return Err(all.wrong("a list is needed")) };
    let at = items.iter().position(|item| same(item, &wanted));
    at.map(|at| Value::Number(at as f64)).ok_or_else(|| all.wrong("the list does not hold the value"))
}

fn contains(all: &Arguments) -> Outcome<Value> {
    let (list, wanted) = (all.settled(0)?, all.settled(1)?);
    let Value::List(items) = list else { return Err(all.wrong("a list is needed")) };
    Ok(Value::Bool(items.iter().any(|item| same(item, &wanted))))
}

fn distinct(items: Vec<Value>) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for item in items {
        if !out.iter().any(|known| same(known, &item)) {
            out.push(item);
        }
    }
    out
}

fn sets(all: &Arguments, within: bool) -> Outcome<Value> {
    let mut rest = lists(all)?.into_iter();
    let mut first = distinct(rest.next().unwrap_or_default());
    for other in rest {
        first.retain(|item| other.iter().any(|known| same(known, item)) == within);
    }
    Ok(Value::List(first))
}

fn slice(all: &Arguments) -> Outcome<Value> {
    let items = all.list(0)?;
    let (start, end) = (whole(all.number(1)?), whole(all.number(2)?));
    let part = start.zip(end).and_then(|(start, end)| items.get(start..end));
    part.map(|part| Value::List(part.to_vec())).ok_or_else(|| all.wrong("the list has no such part"))
}

fn sort(all: &Arguments) -> Outcome<Value> {
    let items = all.list(0)?;
    let mut texts = items
        .iter()
        .map(|item| Ok((all.scope.string(item, all.span.clone())?, item.clone())))
        .collect::<Outcome<Vec<_>>>()?;
    texts.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Value::List(texts.into_iter().map(|(_, item)| item).collect()))
}

fn chunks(all: &Arguments) -> Outcome<Value> {
    let size =
        whole(all.number(1)?).filter(|size| *size > 0).ok_or_else(|| all.wrong("a chunk has one item or more"))?;
    Ok(Value::List(all.list(0)?.chunks(size).map(|chunk| Value::List(chunk.to_vec())).collect()))
}

fn zipmap(all: &Arguments) -> Outcome<Value> {
    let mut out = Vec::new();
    for (key, value) in all.list(0)?.iter().zip(all.list(1)?) {
        set(&mut out, all.scope.string(key, all.span.clone())?, value);
    }
    Ok(Value::Map(out))
}

fn truths(all: &Arguments) -> Outcome<Vec<bool>> {
    all.list(0)?.iter().map(|item| crate::hcl::operate::truth(all.scope, item, all.span.clone())).collect()
}

fn product(all: &Arguments) -> Outcome<Value> {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for list in lists(all)? {
        let mut next = Vec::new();
        for row in &rows {
            for item in &list {
                all.scope.module.spend(16 * (row.len() + 1))?;
                next.push(row.iter().cloned().chain([item.clone()]).collect());
            }
        }
        rows = next;
    }
    Ok(Value::List(rows.into_iter().map(Value::List).collect()))
}
