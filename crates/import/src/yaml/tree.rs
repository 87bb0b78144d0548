//! The manifest as a tree with comments, whose entries record which field of the input they come from.

use ami_bake_core::Segment;

use crate::input::{Location, Reader};

/// A YAML value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Text, quoted where YAML would read it as something else.
    Text(String),
    /// A number, `true`, `false` or `null`.
    Raw(String),
    List(Vec<Value>),
    Map(Map),
}

/// A map that keeps its order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Map(pub(crate) Vec<Entry>);

/// An entry of a map.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) value: Value,
    /// Lines of the comment above the entry.
    pub(crate) comment: Vec<String>,
    /// The field of the input that it comes from.
    pub(crate) origin: Option<Location>,
}

/// Entries compare equal wherever they come from.
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.value == other.value && self.comment == other.comment
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Raw(value.to_string())
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<Vec<Value>> for Value {
    fn from(list: Vec<Value>) -> Self {
        Self::List(list)
    }
}

impl Map {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// Sets a key, replacing an existing one.
    pub(crate) fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.put(key.into(), value.into(), None);
    }

    /// Sets a key whose value comes from a field of the input.
    pub(crate) fn set_from(&mut self, key: impl Into<String>, value: impl Into<Value>, from: &Reader) {
        self.put(key.into(), value.into(), Some(from.location().clone()));
    }

    fn put(&mut self, key: String, value: Value, origin: Option<Location>) {
        let entry = Entry { key, value, comment: Vec::new(), origin };
        match self.0.iter_mut().find(|known| known.key == entry.key) {
            Some(known) => *known = entry,
            None => self.0.push(entry),
        }
    }

    /// Sets a key to a map or list, unless that is empty.
    pub(crate) fn set_filled(&mut self, key: &str, value: impl Into<Value>) {
        let value = value.into();
        let empty = match &value {
            Value::Map(map) => map.is_empty(),
            Value::List(list) => list.is_empty(),
            _ => false,
        };
        if !empty {
            self.set(key, value);
        }
    }

    /// Edits the map of a key, which is created if it is missing and does not stay empty.
    pub(crate) fn within<T>(&mut self, key: &str, work: impl FnOnce(&mut Map) -> T) -> T {
        let entry = self.0.iter_mut().find(|entry| entry.key == key);
        let known = entry.map(|entry| std::mem::replace(&mut entry.value, Value::Raw("null".to_owned())));
        let mut map = match known {
            Some(Value::Map(map)) => map,
            _ => Map::default(),
        };
        let result = work(&mut map);
        match self.0.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => entry.value = Value::Map(map),
            None => self.set_filled(key, map),
        }
        result
    }

    /// Adds lines to the comment above the last entry.
    pub(crate) fn comment(&mut self, lines: Vec<String>) {
        if let Some(entry) = self.0.last_mut() {
            entry.comment.extend(lines);
        }
    }
}

/// The value at a route, or the deepest one above it that exists.
pub(crate) fn at<'a>(root: &'a mut Map, route: &[Segment]) -> Option<&'a mut Value> {
    let (Segment::Key(key), rest) = route.split_first()? else { return None };
    let value = root.0.iter_mut().find(|entry| entry.key == *key).map(|entry| &mut entry.value)?;
    below(value, rest)
}

fn below<'a>(value: &'a mut Value, route: &[Segment]) -> Option<&'a mut Value> {
    let Some((segment, rest)) = route.split_first() else { return Some(value) };
    match (value, segment) {
        (Value::Map(map), Segment::Key(key)) => {
            let value = map.0.iter_mut().find(|entry| entry.key == *key).map(|entry| &mut entry.value)?;
            below(value, rest)
        }
        (Value::List(items), Segment::Index(index)) => below(items.get_mut(*index)?, rest),
        _ => None,
    }
}

/// Removes the value at a route. Returns the origins of everything in it, or that of the nearest entry above.
pub(crate) fn take(root: &mut Map, route: &[Segment]) -> Option<Vec<Location>> {
    let mut origins = Vec::new();
    if let Some(value) = at(root, route) {
        inside(value, &mut origins);
    }
    if origins.is_empty() {
        origins.extend(origin(root, route));
    }
    let (last, above) = route.split_last()?;
    let taken = if above.is_empty() {
        remove_key(root, last)
    } else {
        match (at(root, above)?, last) {
            (Value::Map(map), last) => remove_key(map, last),
            (Value::List(items), Segment::Index(index)) if *index < items.len() => {
                items.remove(*index);
                true
            }
            _ => false,
        }
    };
    taken.then_some(origins)
}

/// Collects the origins of everything in a value.
fn inside(value: &Value, into: &mut Vec<Location>) {
    match value {
        Value::Map(map) => {
            for entry in &map.0 {
                into.extend(entry.origin.clone());
                inside(&entry.value, into);
            }
        }
        Value::List(items) => items.iter().for_each(|item| inside(item, into)),
        Value::Text(_) | Value::Raw(_) => {}
    }
}

fn remove_key(map: &mut Map, segment: &Segment) -> bool {
    let Segment::Key(key) = segment else { return false };
    let before = map.0.len();
    map.0.retain(|entry| entry.key != *key);
    map.0.len() < before
}

/// The origin of the entry at a route, or of the nearest entry above.
pub(crate) fn origin(root: &Map, route: &[Segment]) -> Option<Location> {
    let (Segment::Key(key), rest) = route.split_first()? else { return None };
    let entry = root.0.iter().find(|entry| entry.key == *key)?;
    inner(&entry.value, rest).or_else(|| entry.origin.clone())
}

/// The origin of the entry nearest to the route's end.
fn inner(value: &Value, route: &[Segment]) -> Option<Location> {
    match (value, route.split_first()?) {
        (Value::Map(map), _) => origin(map, route),
        (Value::List(items), (Segment::Index(index), rest)) => inner(items.get(*index)?, rest),
        _ => None,
    }
}
