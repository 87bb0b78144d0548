//! The parts that a digest is made of, so that it can be said which of them changed since an image was baked.
//!
//! An image has them as one tag. EC2 allows 256 characters, so each part is a hash of 18 bits, and what does not fit is
//! folded: first the files of a step into one hash, then all files, the variables, and the steps of a phase. Hashes have an
//! order and no name: a comparison aligns them with the parts of now, which have one.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::align::{Aligned, align};
use super::{FileHash, Phase};

/// The longest value of a tag (EC2 user guide, "Tag restrictions").
const TAG_LENGTH: usize = 256;
/// Raised when a part of the same content gets another hash.
const FORMAT: &str = "1";
/// Characters of a hash: 18 bits.
const HASH_LENGTH: usize = 3;
/// The most parts in a report.
const REPORTED: usize = 200;

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartKind {
    /// The identity of the source.
    Source,
    /// The machine's disks.
    Disks,
    /// The manifest's own user data.
    UserData,
    /// Whether instances require IMDSv2.
    Imds,
    /// The configuration of a container image.
    Container,
    /// What the seal keeps.
    Seal,
    /// A variable that the image uses. Its value is in the digest by what uses it.
    Variable,
    /// A step, without its files.
    Step(Phase),
    /// A file or folder of the step before it.
    File,
}

/// One part of a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestPart {
    /// What it is.
    pub kind: PartKind,
    /// The name of the variable or step, the path of the file; empty for what an image has once.
    pub name: String,
    hash: FileHash,
}

impl DigestPart {
    pub(super) fn new(kind: PartKind, name: String, hash: FileHash) -> Self {
        Self { kind, name, hash }
    }
}

/// The parts of a digest, in order. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DigestParts(Arc<Vec<DigestPart>>);

/// A part as a report has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReportedPart {
    /// What it is.
    pub kind: PartKind,
    /// Name of the variable or step, path of the file; empty for what an image has once.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The first 12 hexadecimal digits of its SHA-256.
    pub hash: String,
}

/// What became of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Its content is another one.
    Changed,
    /// It was not there before.
    Added,
    /// It is there no more.
    Removed,
}

/// A part that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedPart {
    /// What it is.
    pub kind: PartKind,
    /// Its name; none where only the number of such parts is known: removed ones, and folded ones.
    pub name: Option<String>,
    /// What became of it.
    pub change: Change,
}

/// A list of hashes in the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Group {
    letter: char,
    kind: PartKind,
    fold: Fold,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fold {
    /// A hash for each part.
    Each,
    /// One for the files of each step.
    PerStep,
    /// One for all of them.
    All,
}

const fn group(letter: char, kind: PartKind, fold: Fold) -> Group {
    Group { letter, kind, fold }
}

/// Every list that a tag can have.
const GROUPS: [Group; 17] = [
    group('s', PartKind::Source, Fold::Each),
    group('d', PartKind::Disks, Fold::Each),
    group('u', PartKind::UserData, Fold::Each),
    group('m', PartKind::Imds, Fold::Each),
    group('c', PartKind::Container, Fold::Each),
    group('k', PartKind::Seal, Fold::Each),
    group('x', PartKind::Variable, Fold::Each),
    group('b', PartKind::Step(Phase::Build), Fold::Each),
    group('v', PartKind::Step(Phase::Validate), Fold::Each),
    group('t', PartKind::Step(Phase::Test), Fold::Each),
    group('f', PartKind::File, Fold::Each),
    group('g', PartKind::File, Fold::PerStep),
    group('F', PartKind::File, Fold::All),
    group('X', PartKind::Variable, Fold::All),
    group('B', PartKind::Step(Phase::Build), Fold::All),
    group('V', PartKind::Step(Phase::Validate), Fold::All),
    group('T', PartKind::Step(Phase::Test), Fold::All),
];

/// Which lists a tag has besides those of what an image has once; each takes less room than the one before it.
const LEVELS: [&str; 5] = ["xbvtf", "xbvtg", "xbvtF", "XbvtF", "XBVTF"];
const ONCE: &str = "sdumck";

impl DigestParts {
    /// The parts of a digest.
    pub fn new(parts: Vec<DigestPart>) -> Self {
        Self(Arc::new(parts))
    }

    /// The same with a file's path as `shown` gives it.
    #[must_use]
    pub fn with_paths(self, shown: impl Fn(&str) -> String) -> Self {
        let mut parts = Arc::unwrap_or_clone(self.0);
        for part in parts.iter_mut().filter(|part| part.kind == PartKind::File) {
            part.name = shown(&part.name);
        }
        Self::new(parts)
    }

    /// The same with the variables that the image uses, and the hashes of their values.
    #[must_use]
    pub fn with_variables<'a>(self, variables: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let mut parts = Arc::unwrap_or_clone(self.0);
        parts.extend(variables.into_iter().map(|(name, value)| {
            let hash = Sha256::new().chain_update(name).chain_update([0]).chain_update(value).finalize();
            DigestPart::new(PartKind::Variable, name.to_owned(), hash.into())
        }));
        Self::new(parts)
    }

    /// The value of the tag; none where no parts are known.
    pub fn to_tag(&self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        LEVELS.iter().map(|level| self.encode(level)).find(|tag| tag.len() <= TAG_LENGTH)
    }

    fn encode(&self, level: &str) -> String {
        let mut tag = FORMAT.to_owned();
        for letter in ONCE.chars().chain(level.chars()) {
            let Some(group) = GROUPS.iter().find(|group| group.letter == letter) else { continue };
            let hashes = self.hashes(*group);
            if !hashes.is_empty() {
                tag.push('.');
                tag.push(letter);
                tag.extend(hashes.into_iter().map(|(_, hash)| hash));
            }
        }
        tag
    }

    /// The parts of a list, each with its name and its short hash.
    fn hashes(&self, group: Group) -> Vec<(Option<&str>, String)> {
        let own = self.0.iter().filter(|part| part.kind == group.kind);
        match group.fold {
            Fold::Each => own.map(|part| (Some(part.name.as_str()), short(&part.hash))).collect(),
            Fold::All => {
                let all: Vec<&DigestPart> = own.collect();
                if all.is_empty() { Vec::new() } else { vec![(None, together(&all))] }
            }
            Fold::PerStep => {
                let of_steps = self.0.chunk_by(|_, next| !matches!(next.kind, PartKind::Step(_)));
                of_steps
                    .filter_map(|parts| {
                        let files: Vec<&DigestPart> = parts.iter().filter(|part| part.kind == group.kind).collect();
                        let step = parts.first().filter(|part| matches!(part.kind, PartKind::Step(_)));
                        (!files.is_empty()).then(|| (step.map(|step| step.name.as_str()), together(&files)))
                    })
                    .collect()
            }
        }
    }

    /// What changed since an image got this tag; none when the tag is of another format.
    pub fn changes_since(&self, tag: &str) -> Option<Vec<ChangedPart>> {
        let before = decode(tag)?;
        let mut changes = Vec::new();
        for kind in GROUPS.iter().filter(|group| group.fold == Fold::Each).map(|group| group.kind) {
            // What was not there then is compared part by part.
            let known = |group: &&Group| group.kind == kind && before.contains_key(&group.letter);
            let own = |group: &&Group| group.kind == kind;
            let Some(group) = GROUPS.iter().find(known).or_else(|| GROUPS.iter().find(own)) else { continue };
            let now = self.hashes(*group);
            let now_hashes: Vec<&str> = now.iter().map(|(_, hash)| hash.as_str()).collect();
            let then = before.get(&group.letter).map(Vec::as_slice).unwrap_or_default();
            changes.extend(align(then, &now_hashes).into_iter().map(|aligned| {
                let name = |index: usize| now.get(index).and_then(|(name, _)| name.map(str::to_owned));
                let (name, change) = match aligned {
                    Aligned::Changed(index) => (name(index), Change::Changed),
                    Aligned::Added(index) => (name(index), Change::Added),
                    Aligned::Removed => (None, Change::Removed),
                };
                // The files of a step have no name of their own.
                let name = if group.fold == Fold::PerStep { name.map(|step| format!("of {step}")) } else { name };
                ChangedPart { kind, name, change }
            }));
        }
        Some(changes)
    }

    /// The parts for a report, of very many files those of each step as one.
    pub fn reported(&self) -> Vec<ReportedPart> {
        let one = |kind, name: &str, hash: &FileHash| {
            let digits = hash.iter().take(6).fold(0_u64, |digits, byte| (digits << 8) | u64::from(*byte));
            ReportedPart { kind, name: name.to_owned(), hash: format!("{digits:012x}") }
        };
        if self.0.len() <= REPORTED {
            return self.0.iter().map(|part| one(part.kind, &part.name, &part.hash)).collect();
        }
        let is_file = |part: &DigestPart| part.kind == PartKind::File;
        let runs = self.0.chunk_by(|one, next| is_file(one) && is_file(next));
        let folded = runs.map(|run| match run {
            [part] => one(part.kind, &part.name, &part.hash),
            parts => one(PartKind::File, "", &combined(&parts.iter().collect::<Vec<_>>())),
        });
        folded.take(REPORTED).collect()
    }
}

/// The lists of a tag, by letter. What is not in the alphabet of the hashes never compares equal.
fn decode(tag: &str) -> Option<BTreeMap<char, Vec<&str>>> {
    let mut fields = tag.split('.');
    if fields.next() != Some(FORMAT) || !tag.is_ascii() {
        return None;
    }
    let mut lists = BTreeMap::new();
    for field in fields {
        let letter = field.chars().next()?;
        let hashes = field.get(1..)?;
        if !GROUPS.iter().any(|group| group.letter == letter) || hashes.len() % HASH_LENGTH != 0 {
            return None;
        }
        let count = hashes.len() / HASH_LENGTH;
        let each = (0..count).filter_map(|index| hashes.get(index * HASH_LENGTH..(index + 1) * HASH_LENGTH));
        lists.insert(letter, each.collect());
    }
    Some(lists)
}

fn short(hash: &FileHash) -> String {
    let mut text = URL_SAFE_NO_PAD.encode(hash);
    text.truncate(HASH_LENGTH);
    text
}

fn together(parts: &[&DigestPart]) -> String {
    short(&combined(parts))
}

fn combined(parts: &[&DigestPart]) -> FileHash {
    parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part.hash)).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(kind: PartKind, name: &str, content: &str) -> DigestPart {
        DigestPart::new(kind, name.to_owned(), Sha256::digest(content).into())
    }

    fn image(steps: usize, files: usize) -> DigestParts {
        let mut parts = vec![part(PartKind::Source, "", "ami-1"), part(PartKind::Disks, "", "[]")];
        for step in 0..steps {
            let name = format!("step {step}");
            parts.push(part(PartKind::Step(Phase::Build), &name, &name));
            parts.extend((0..files).map(|file| {
                let path = format!("site/{step}/{file}");
                part(PartKind::File, &path, &path)
            }));
        }
        DigestParts::new(parts).with_variables([("port", "80".to_owned()), ("zone", "eu".to_owned())])
    }

    fn changed(before: &DigestParts, now: &DigestParts) -> Vec<(PartKind, Option<String>, Change)> {
        let tag = before.to_tag().unwrap();
        assert!(tag.len() <= TAG_LENGTH, "{tag}");
        let changes = now.changes_since(&tag).unwrap();
        changes.into_iter().map(|part| (part.kind, part.name, part.change)).collect()
    }

    fn edit(parts: &DigestParts, at: usize, content: &str) -> DigestParts {
        let mut parts = parts.0.as_ref().clone();
        parts[at].hash = Sha256::digest(content).into();
        DigestParts::new(parts)
    }

    #[test]
    fn each_part_is_named_when_it_changes() {
        let before = image(3, 2);
        assert_eq!(changed(&before, &before), []);
        for (at, one) in before.0.iter().enumerate() {
            let expected = (one.kind, Some(one.name.clone()), Change::Changed);
            assert_eq!(changed(&before, &edit(&before, at, "other")), [expected]);
        }
    }

    #[test]
    fn what_comes_and_goes_does_not_shift_the_rest() {
        let before = image(3, 2);
        let mut more = before.0.as_ref().clone();
        more.insert(2, part(PartKind::Step(Phase::Build), "first", "first"));
        let more = DigestParts::new(more);
        let build = PartKind::Step(Phase::Build);
        assert_eq!(changed(&before, &more), [(build, Some("first".to_owned()), Change::Added)]);
        assert_eq!(changed(&more, &before), [(build, None, Change::Removed)]);
        let tested = DigestParts::new([before.0.as_slice(), &[part(PartKind::Step(Phase::Test), "t", "t")]].concat());
        assert_eq!(changed(&before, &tested), [(PartKind::Step(Phase::Test), Some("t".to_owned()), Change::Added)]);
        assert_eq!(changed(&tested, &before), [(PartKind::Step(Phase::Test), None, Change::Removed)]);
    }

    /// However much there is: it fits, and says what it can.
    #[test]
    fn what_does_not_fit_is_folded() {
        let per_step = image(10, 100);
        let file = |parts: &DigestParts| parts.0.iter().rposition(|part| part.kind == PartKind::File).unwrap();
        let now = edit(&per_step, file(&per_step), "other");
        assert_eq!(changed(&per_step, &now), [(PartKind::File, Some("of step 9".to_owned()), Change::Changed)]);

        let all = image(60, 1);
        assert_eq!(changed(&all, &edit(&all, file(&all), "other")), [(PartKind::File, None, Change::Changed)]);
        let step = (PartKind::Step(Phase::Build), Some("step 0".to_owned()), Change::Changed);
        assert_eq!(changed(&all, &edit(&all, 2, "other")), [step]);

        let most = image(400, 3);
        let step = (PartKind::Step(Phase::Build), None, Change::Changed);
        assert_eq!(changed(&most, &edit(&most, 2, "other")), [step]);
    }

    #[test]
    fn a_tag_of_somebody_else_says_nothing() {
        for tag in ["", "2.sAAA", "1.sAA", "1.qAAA", "1.s\u{e4}A", "1..", "text"] {
            assert_eq!(image(1, 1).changes_since(tag), None, "{tag}");
        }
        assert_eq!(DigestParts::default().to_tag(), None);
    }

    #[test]
    fn a_report_has_every_part_unless_there_are_very_many() {
        let few = image(3, 2).reported();
        assert_eq!(few.len(), 13);
        assert_eq!((few[3].kind, few[3].name.as_str(), few[3].hash.len()), (PartKind::File, "site/0/0", 12));
        let many = image(10, 100).reported();
        assert_eq!(many.len(), 2 + 10 + 10 + 2);
    }
}
