//! Collects findings, comments and missing files during an import.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use ami_bake_manifest::diagnostic::PrivateValues;

use super::{Finding, FindingKind, InputValue, Location, SpanMap};
use crate::template::Unsupported;

/// Findings, comments and missing files of an import.
#[derive(Debug, Default)]
pub(crate) struct Log {
    findings: RefCell<Vec<Finding>>,
    known: RefCell<HashSet<Finding>>,
    missing: RefCell<Vec<String>>,
    /// Values from files and the environment.
    pub(crate) private: Arc<PrivateValues>,
    comments: RefCell<Vec<SourceComment>>,
    refused: RefCell<Option<(Location, Unsupported)>>,
    evaluated: RefCell<Vec<(String, Location)>>,
    maps: RefCell<Vec<(Rc<str>, SpanMap)>>,
}

/// A comment of the author beside a field.
#[derive(Debug, Clone)]
pub(crate) struct SourceComment {
    pub(crate) file: Rc<str>,
    /// Byte range of the field.
    pub(crate) span: Range<u32>,
    pub(crate) lines: Vec<String>,
    /// Whether it may be written above something that the field is only a part of.
    pub(crate) may_move: bool,
}

impl Log {
    /// Reports something about a field, once.
    pub(crate) fn report(
        &self,
        kind: FindingKind,
        location: &Location,
        why: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Finding {
            kind,
            file: location.file.to_string(),
            path: location.path.clone(),
            why: why.into(),
            help: help.into(),
        });
    }

    /// Adds a finding, once.
    pub(crate) fn add(&self, finding: Finding) {
        if self.known.borrow_mut().insert(finding.clone()) {
            self.findings.borrow_mut().push(finding);
        }
    }

    /// Reports why a field has no value. Once the budget is used up everything fails: the field where it ended is why the import
    /// is refused.
    pub(crate) fn unsupported(&self, location: &Location, unsupported: Unsupported) {
        if unsupported.exceeded {
            self.refused.borrow_mut().get_or_insert_with(|| (location.clone(), unsupported));
        } else {
            self.report(FindingKind::Dropped, location, unsupported.why, unsupported.help);
        }
    }

    /// Takes the reason why the import is refused, with the field.
    pub(crate) fn refused(&self) -> Option<(Location, Unsupported)> {
        self.refused.take()
    }

    /// Records a comment of the author.
    pub(crate) fn comment(&self, comment: SourceComment) {
        self.comments.borrow_mut().push(comment);
    }

    /// Records that a file was converted to another text, with the locations of its parts.
    pub(crate) fn generated(&self, file: Rc<str>, map: SpanMap) {
        self.maps.borrow_mut().push((file, map));
    }

    /// Translates a location to the original file.
    pub(crate) fn place(&self, file: &str, span: Range<u32>) -> Range<u32> {
        let maps = self.maps.borrow();
        let Some((_, map)) = maps.iter().find(|(known, _)| **known == *file) else { return span };
        let origin = map.origin(&(span.start as usize..span.end as usize));
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        offset(origin.start)..offset(origin.end)
    }

    /// Records that a field has the value that an expression has during the import, and does not follow it.
    pub(crate) fn evaluated(&self, code: &str, location: &Location) {
        self.evaluated.borrow_mut().push((code.to_owned(), location.clone()));
    }

    /// The fields that have the value that an expression has during the import.
    pub(crate) fn evaluations(&self, code: &str) -> Vec<Location> {
        let evaluated = self.evaluated.borrow();
        evaluated.iter().filter(|(known, _)| known == code).map(|(_, location)| location.clone()).collect()
    }

    /// Whether something inside a value was reported as not imported.
    pub(crate) fn lost(&self, location: &Location) -> bool {
        let inside = |path: &str| {
            path.strip_prefix(location.path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let findings = self.findings.borrow();
        findings.iter().any(|finding| {
            finding.kind == FindingKind::Dropped && *finding.file == *location.file && inside(&finding.path)
        })
    }

    /// Takes the comments that were recorded.
    pub(crate) fn comments(&self) -> Vec<SourceComment> {
        self.comments.take()
    }

    /// Records a file that the input names and that does not exist.
    pub(crate) fn missing(&self, path: &str) {
        let mut missing = self.missing.borrow_mut();
        if !missing.iter().any(|known| known == path) {
            missing.push(path.to_owned());
        }
    }

    /// Reports every value that was not used; a wholly unused subtree is reported once. Empty values mean unset in Packer
    /// and in the API of Image Builder.
    pub(crate) fn report_unused(&self, root: &InputValue) {
        let mut unused = Vec::new();
        collect_unused(root, &mut unused);
        for value in unused {
            self.report(
                FindingKind::Dropped,
                &value.location,
                "not supported by ami-bake here",
                "If the images need it, write it into the manifest by hand.",
            );
        }
    }

    /// Reports keys that a map has more than once.
    pub(crate) fn report_duplicates(&self, root: &InputValue) {
        let mut earlier = HashSet::new();
        for member in root.members() {
            if !earlier.insert(member.key.as_str()) {
                let help = "Remove the others.";
                self.report(FindingKind::Dropped, &member.value.location, "duplicate key; the last one is used", help);
            }
            self.report_duplicates(&member.value);
        }
        root.items().iter().for_each(|item| self.report_duplicates(item));
    }

    /// Takes what was reported, and the files that are missing.
    pub(crate) fn report_all(&self) -> (Vec<Finding>, Vec<String>) {
        let mut findings = self.findings.take();
        self.private.hide_in(findings.iter_mut().flat_map(|finding| [&mut finding.why, &mut finding.help]));
        (findings, self.missing.take())
    }
}

/// Collects the topmost values that were not used. Returns true if nothing in `value` was used.
fn collect_unused<'v>(value: &'v InputValue, unused: &mut Vec<&'v InputValue>) -> bool {
    let children = || value.entries().map(|member| &member.value).chain(value.items());
    if children().next().is_none() {
        let whole = !value.is_used();
        if whole && (value.is_scalar() && value.literal() != Some("")) {
            unused.push(value);
        }
        return whole;
    }
    let before = unused.len();
    let mut whole = true;
    for child in children() {
        whole &= collect_unused(child, unused);
    }
    if whole && unused.len() > before && !value.location.path.is_empty() {
        unused.truncate(before);
        unused.push(value);
    }
    whole
}
