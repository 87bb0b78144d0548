//! Functions of lists and maps.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::arguments::Arguments;
use crate::hcl::error::EvalResult;
use crate::hcl::operate::{same, whole};
use crate::hcl::value::{HclValue, distinct, key, set_of};

pub(super) fn call(all: &Arguments, name: &str) -> Option<EvalResult<HclValue>> {
    Some(match name {
        "length" => length(all),
        "concat" => lists(all).map(|lists| HclValue::List(lists.concat())),
        "flatten" => all.list(0).map(|items| HclValue::List(flat(items))),
        "merge" => merge(all),
        "lookup" => lookup(all),
        "coalesce" => coalesce(all),
        "coalescelist" => lists(all)
            .map(|lists| HclValue::List(lists.into_iter().find(|items| !items.is_empty()).unwrap_or_default())),
        "compact" => compact(all),
        "element" => element(all),
        "index" => index(all),
        "contains" => contains(all),
        "distinct" => all.list(0).map(|items| HclValue::List(distinct(items))),
        "toset" => all.list(0).map(|items| HclValue::List(set_of(items))),
        "setunion" => lists(all).map(|lists| HclValue::List(set_of(lists.concat()))),
        "setintersection" => sets(all, true),
        "setsubtract" => sets(all, false),
        "reverse" => all.list(0).map(|items| HclValue::List(items.into_iter().rev().collect())),
        "slice" => slice(all),
        "sort" => sort(all),
        "chunklist" => chunks(all),
        "keys" => all.map(0).map(|entries| {
            let mut keys: Vec<String> = entries.into_keys().collect();
            keys.sort();
            HclValue::List(keys.into_iter().map(HclValue::text).collect())
        }),
        "values" => all.map(0).map(|mut entries| {
            entries.sort_keys();
            HclValue::List(entries.into_values().collect())
        }),
        "zipmap" => zipmap(all),
        "tolist" | "list" if name == "list" || matches!(all.values.first(), Some(HclValue::List(_))) => {
            if name == "list" { Ok(HclValue::List(all.values.clone())) } else { all.list(0).map(HclValue::List) }
        }
        "tomap" => all.map(0).map(HclValue::Map),
        "alltrue" => truths(all).map(|all| HclValue::Bool(all.into_iter().all(|truth| truth))),
        "anytrue" => truths(all).map(|all| HclValue::Bool(all.into_iter().any(|truth| truth))),
        "setproduct" => product(all),
        _ => return None,
    })
}

fn lists(all: &Arguments) -> EvalResult<Vec<Vec<HclValue>>> {
    (0..all.values.len())
        .filter(|index| all.values.get(*index) != Some(&HclValue::Null))
        .map(|index| all.list(index))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "nothing is that long")]
fn length(all: &Arguments) -> EvalResult<HclValue> {
    Ok(HclValue::number(match all.get(0)? {
        HclValue::List(items) => items.len(),
        HclValue::Map(entries) => entries.len(),
        _ => all.string(0)?.chars().count(),
    } as f64))
}

fn flat(items: Vec<HclValue>) -> Vec<HclValue> {
    items.into_iter().flat_map(|item| if let HclValue::List(inner) = item { flat(inner) } else { vec![item] }).collect()
}

fn merge(all: &Arguments) -> EvalResult<HclValue> {
    let mut out = IndexMap::new();
    for index in 0..all.values.len() {
        if all.values[index] != HclValue::Null {
            out.extend(all.map(index)?);
        }
    }
    Ok(HclValue::Map(out))
}

fn lookup(all: &Arguments) -> EvalResult<HclValue> {
    let key = all.string(1)?;
    all.map(0)?;
    match (all.get(0)?.get(&key), all.values.get(2)) {
        (Some(value), _) | (None, Some(value)) => Ok(value.clone()),
        (None, None) => Err(all.invalid(&format!("the map has no key `{key}`"))),
    }
}

/// The first value that is neither null nor an empty string.
fn coalesce(all: &Arguments) -> EvalResult<HclValue> {
    for value in &all.values {
        let empty = match value {
            HclValue::Null => true,
            HclValue::Text(text) if text.0.is_empty() => true,
            HclValue::Text(text) if text.single().is_some_and(|unknown| !unknown.secret) => {
                let settled = all.scope.settle(value)?;
                settled.to_text().and_then(|text| text.literal()).is_some_and(|text| text.is_empty())
            }
            _ => false,
        };
        if !empty {
            return Ok(value.clone());
        }
    }
    Err(all.invalid("every argument is null or empty"))
}

fn compact(all: &Arguments) -> EvalResult<HclValue> {
    let mut out = Vec::new();
    for item in all.list(0)? {
        let empty = item == HclValue::Null || all.scope.settle(&item)?.to_text().is_some_and(|text| text.0.is_empty());
        if !empty {
            out.push(item);
        }
    }
    Ok(HclValue::List(out))
}

fn element(all: &Arguments) -> EvalResult<HclValue> {
    let items = all.list(0)?;
    let at = whole(all.number(1)?).ok_or_else(|| all.invalid("not a valid index"))?;
    match items.len() {
        0 => Err(all.invalid("the list is empty")),
        count => Ok(items[at % count].clone()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "nothing is that long")]
fn index(all: &Arguments) -> EvalResult<HclValue> {
    let (list, wanted) = (all.settled(0)?, all.settled(1)?);
    let HclValue::List(items) = list else { return Err(all.invalid("expected a list")) };
    let at = items.iter().position(|item| same(item, &wanted));
    at.map(|at| HclValue::number(at as f64)).ok_or_else(|| all.invalid("the list does not contain the value"))
}

fn contains(all: &Arguments) -> EvalResult<HclValue> {
    let (list, wanted) = (all.settled(0)?, all.settled(1)?);
    let HclValue::List(items) = list else { return Err(all.invalid("expected a list")) };
    Ok(HclValue::Bool(items.iter().any(|item| same(item, &wanted))))
}

fn sets(all: &Arguments, within: bool) -> EvalResult<HclValue> {
    let mut rest = lists(all)?.into_iter();
    let mut first = distinct(rest.next().unwrap_or_default());
    for other in rest {
        let other: HashSet<String> = other.iter().map(key).collect();
        first.retain(|item| other.contains(&key(item)) == within);
    }
    Ok(HclValue::List(set_of(first)))
}

fn slice(all: &Arguments) -> EvalResult<HclValue> {
    let items = all.list(0)?;
    let (start, end) = (whole(all.number(1)?), whole(all.number(2)?));
    let part = start.zip(end).and_then(|(start, end)| items.get(start..end));
    part.map(|part| HclValue::List(part.to_vec())).ok_or_else(|| all.invalid("the indices are out of range"))
}

fn sort(all: &Arguments) -> EvalResult<HclValue> {
    let items = all.list(0)?;
    let mut texts = items
        .iter()
        .map(|item| Ok((all.scope.string(item, all.span.clone())?, item.clone())))
        .collect::<EvalResult<Vec<_>>>()?;
    texts.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(HclValue::List(texts.into_iter().map(|(_, item)| item).collect()))
}

fn chunks(all: &Arguments) -> EvalResult<HclValue> {
    let size =
        whole(all.number(1)?).filter(|size| *size > 0).ok_or_else(|| all.invalid("the size must be at least 1"))?;
    Ok(HclValue::List(all.list(0)?.chunks(size).map(|chunk| HclValue::List(chunk.to_vec())).collect()))
}

fn zipmap(all: &Arguments) -> EvalResult<HclValue> {
    let mut out = IndexMap::new();
    for (key, value) in all.list(0)?.iter().zip(all.list(1)?) {
        out.insert(all.scope.string(key, all.span.clone())?, value);
    }
    Ok(HclValue::Map(out))
}

fn truths(all: &Arguments) -> EvalResult<Vec<bool>> {
    all.list(0)?.iter().map(|item| all.scope.truth(item, all.span.clone())).collect()
}

fn product(all: &Arguments) -> EvalResult<HclValue> {
    let mut rows: Vec<Vec<HclValue>> = vec![Vec::new()];
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
    Ok(HclValue::List(rows.into_iter().map(HclValue::List).collect()))
}
