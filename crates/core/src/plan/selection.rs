//! Which files of a local folder a step takes.

use std::io;
use std::path::{Component, Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::git::{is_git_folder, is_git_name};
use crate::own_files::{IGNORE_FILE, is_own};

/// Patterns of paths to skip, in the syntax of `.gitignore`: `*.map` in any folder, `/top` only at the top, `cache/`
/// only a folder, `!keep.map` an exception to the patterns before it.
#[derive(Debug, Clone)]
pub struct Exclude(Gitignore);

impl Exclude {
    /// Parses the patterns.
    ///
    /// # Errors
    /// When a pattern is invalid; the error names it.
    pub fn new(patterns: &[String]) -> io::Result<Self> {
        let mut builder = builder();
        for pattern in patterns {
            builder.add_line(None, pattern).map_err(|error| {
                io::Error::new(io::ErrorKind::InvalidInput, format!("could not read the pattern `{pattern}`: {error}"))
            })?;
        }
        builder.build().map(Self).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("could not read the patterns: {error}"))
        })
    }

    /// What is wrong with a pattern; `None` when it is valid.
    pub fn problem(pattern: &str) -> Option<String> {
        let error = builder().add_line(None, pattern).map(|builder| builder.build());
        match error {
            Err(error) | Ok(Err(error)) => Some(reason(&error)),
            Ok(Ok(_)) => None,
        }
    }

    /// Whether a path, relative to the folder that is sent or fetched, is skipped.
    pub fn matches(&self, relative: &Path, folder: bool) -> bool {
        // The library panics on an absolute path; such a path is outside the folder, so no pattern applies.
        !relative.has_root() && self.0.matched_path_or_any_parents(relative, folder).is_ignore()
    }

    /// What the patterns say about a path whose folders are not skipped: `None` when no pattern matches it.
    fn verdict(&self, relative: &Path, folder: bool) -> Option<Verdict> {
        match self.0.matched(relative, folder) {
            Match::None => None,
            Match::Ignore(_) => Some(Verdict::Skip),
            Match::Whitelist(glob) => {
                let last = Path::new(glob.original()).components().next_back();
                let name = last.filter(|last| !matches!(last, Component::RootDir)).map(Component::as_os_str);
                let name = name.and_then(|name| name.to_str()).map(|name| name.trim_start_matches('!'));
                Some(Verdict::Keep { by_name: name.map(AsRef::as_ref) == relative.file_name() })
            }
        }
    }
}

/// What patterns say about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Skip,
    /// An exception; `by_name` if it spells out the name, as `!.git` does and `!*` does not.
    Keep {
        by_name: bool,
    },
}

fn builder() -> GitignoreBuilder {
    let mut builder = GitignoreBuilder::new("");
    builder.allow_unclosed_class(false);
    builder
}

/// The library's reason without the pattern, which the message around it shows.
fn reason(error: &ignore::Error) -> String {
    match error {
        ignore::Error::Glob { err, .. } => err.clone(),
        ignore::Error::WithPath { err, .. } | ignore::Error::WithLineNumber { err, .. } => reason(err),
        other => other.to_string(),
    }
}

/// A larger file was not written by hand, in bytes.
const LARGEST: u64 = 1 << 20;

/// Which files of a local folder a step takes.
#[derive(Debug, Clone)]
pub struct Selection {
    /// What the step excludes.
    exclude: Exclude,
    /// True for a folder that is sent: without repositories and the program's own files, and as the ignore files say.
    sent: bool,
}

impl Selection {
    /// What an upload sends: everything except the patterns, which are those of [`Exclude`]. Left out as well are what the
    /// [`IGNORE_FILE`]s say, Git's own folders and files unless a pattern takes them back by name (`!.git`), and what
    /// ami-bake writes itself.
    ///
    /// # Errors
    /// When a pattern is invalid; the error names it.
    pub fn sent(patterns: &[String]) -> io::Result<Self> {
        Ok(Self { exclude: Exclude::new(patterns)?, sent: true })
    }

    /// What is used on this computer: everything except the patterns.
    ///
    /// # Errors
    /// When a pattern is invalid; the error names it.
    pub fn used(patterns: &[String]) -> io::Result<Self> {
        Ok(Self { exclude: Exclude::new(patterns)?, sent: false })
    }

    /// The ignore file of a folder.
    pub(super) fn ignored(&self, folder: &Path) -> io::Result<Option<Exclude>> {
        let path = folder.join(IGNORE_FILE);
        // Not a link: its lines may end up in messages.
        let is_file = std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() <= LARGEST);
        if !self.sent || !is_file {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|error| io::Error::new(error.kind(), format!("could not read `{}`: {error}", path.display())))?;
        let mut builder = builder();
        for (at, line) in text.lines().enumerate() {
            builder.add_line(None, line).map_err(|error| {
                let text = format!("{}:{}: the pattern is not valid: {}", path.display(), at + 1, reason(&error));
                io::Error::new(io::ErrorKind::InvalidInput, text)
            })?;
        }
        builder.build().map(|patterns| Some(Exclude(patterns))).map_err(io::Error::other)
    }

    /// Whether a folder is left out whole: its ignore file has the pattern `*` and no other.
    pub(super) fn hides(&self, folder: &Path) -> bool {
        let path = folder.join(IGNORE_FILE);
        let small = std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() <= 16);
        self.sent && small && std::fs::read_to_string(&path).is_ok_and(|text| text.trim() == "*")
    }

    /// Whether a path is Git's own, which is only sent when it is asked for by name. A link is known by its name alone.
    pub(super) fn is_git(&self, path: &Path, folder: bool) -> bool {
        self.sent && (path.file_name().is_some_and(is_git_name) || folder && !path.is_symlink() && is_git_folder(path))
    }

    /// What becomes of a path below the folder; `git` says whether it is Git's own. `above` are the ignore files of the
    /// folders around it, the innermost last, with their folders.
    pub(super) fn choose(&self, relative: &Path, folder: bool, git: bool, above: &[(PathBuf, Exclude)]) -> Choice {
        let name = relative.file_name().unwrap_or_default();
        if self.sent && name.to_str().is_some_and(is_own) {
            return Choice::Skip;
        }
        let by_file = |(around, patterns): &(PathBuf, Exclude)| {
            relative.strip_prefix(around).ok().and_then(|inner| patterns.verdict(inner, folder))
        };
        let verdict = self.exclude.verdict(relative, folder).or_else(|| above.iter().rev().find_map(by_file));
        match verdict {
            Some(Verdict::Skip) => Choice::Skip,
            Some(Verdict::Keep { by_name: true }) if git => Choice::Restore,
            _ if git => Choice::Repository,
            _ => Choice::Take,
        }
    }
}

/// What becomes of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Take,
    Skip,
    /// It is Git's own, and no pattern mentions it.
    Repository,
    /// It is Git's own and taken, since a pattern says so by name.
    Restore,
}
