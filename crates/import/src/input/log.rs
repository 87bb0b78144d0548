//! What was looked at, and what is said of it.

use std::cell::RefCell;
use std::collections::HashSet;

use super::{Finding, Kind};
use crate::json::{self, Node};

/// What was looked at in all files, and what is said of it.
#[derive(Debug, Default)]
pub(crate) struct Log(RefCell<Inner>);

#[derive(Debug, Default)]
struct Inner {
    ticked: HashSet<(String, String)>,
    findings: Vec<Finding>,
    missing: Vec<String>,
}

impl Log {
    /// Ticks one leaf off.
    pub(super) fn tick(&self, file: &str, path: &str) {
        self.0.borrow_mut().ticked.insert((file.to_owned(), path.to_owned()));
    }

    /// Whether a leaf was ticked off.
    pub(super) fn is_ticked(&self, file: &str, path: &str) -> bool {
        self.0.borrow().ticked.contains(&(file.to_owned(), path.to_owned()))
    }

    /// Says something of a field, once.
    pub(crate) fn say(&self, finding: Finding) {
        let findings = &mut self.0.borrow_mut().findings;
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }

    /// A file that the input names and that is not there.
    pub(crate) fn missing(&self, path: &str) {
        let missing = &mut self.0.borrow_mut().missing;
        if !missing.iter().any(|known| known == path) {
            missing.push(path.to_owned());
        }
    }

    /// Tells of every leaf of a file that nobody looked at: a subtree that nobody touched is told as one.
    pub(crate) fn rest(&self, file: &str, root: &Node) {
        let ticked = self.0.borrow().ticked.clone();
        let seen = |path: &str| ticked.contains(&(file.to_owned(), path.to_owned()));
        let mut left = Vec::new();
        untouched(root, String::new(), &seen, &mut left);
        for path in left {
            self.say(Finding {
                kind: Kind::Dropped,
                file: file.to_owned(),
                path,
                why: "ami-bake does not know this field here".to_owned(),
                help: "Look whether the images need it; if so, write it into the manifest by hand.".to_owned(),
            });
        }
        duplicates(root, "", &mut |path| {
            self.say(Finding {
                kind: Kind::Dropped,
                file: file.to_owned(),
                path,
                why: "the key stands there more than once; the last one counts".to_owned(),
                help: "Take the others out.".to_owned(),
            });
        });
    }

    /// What was said, and the files that are not there.
    pub(crate) fn finish(self) -> (Vec<Finding>, Vec<String>) {
        let inner = self.0.into_inner();
        (inner.findings, inner.missing)
    }
}

/// The paths of a value's leaves: scalars, and containers that hold nothing.
pub(super) fn leaves(node: &Node, path: &str, each: &mut dyn FnMut(&str)) {
    match &node.kind {
        json::Kind::Map(members) if !members.is_empty() => {
            for member in members {
                leaves(&member.value, &key(path, &member.key), each);
            }
        }
        json::Kind::List(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(at, item)| leaves(item, &format!("{path}[{at}]"), each));
        }
        _ => each(path),
    }
}

/// The highest values of which no leaf was ticked off. Answers whether all of this one is left.
fn untouched(node: &Node, path: String, seen: &dyn Fn(&str) -> bool, left: &mut Vec<String>) -> bool {
    let children: Vec<(String, &Node)> = match &node.kind {
        json::Kind::Map(members) => members.iter().map(|member| (key(&path, &member.key), &member.value)).collect(),
        json::Kind::List(items) => items.iter().enumerate().map(|(at, item)| (format!("{path}[{at}]"), item)).collect(),
        _ => Vec::new(),
    };
    if children.is_empty() {
        let whole = !seen(&path);
        if whole {
            left.push(path);
        }
        return whole;
    }
    let before = left.len();
    let mut whole = true;
    for (path, child) in children {
        whole &= untouched(child, path, seen, left);
    }
    if whole && !path.is_empty() {
        left.truncate(before);
        left.push(path);
    }
    whole
}

fn duplicates(node: &Node, path: &str, each: &mut dyn FnMut(String)) {
    match &node.kind {
        json::Kind::Map(members) => {
            for (at, member) in members.iter().enumerate() {
                let path = key(path, &member.key);
                if members[..at].iter().any(|earlier| earlier.key == member.key) {
                    each(path.clone());
                }
                duplicates(&member.value, &path, each);
            }
        }
        json::Kind::List(items) => {
            items.iter().enumerate().for_each(|(at, item)| duplicates(item, &format!("{path}[{at}]"), each));
        }
        _ => {}
    }
}

/// A path, one key deeper.
pub(crate) fn key(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    match (path.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key:?}]"),
    }
}
