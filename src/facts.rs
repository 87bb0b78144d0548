//! Facts about the commit and the workflow run, for expressions, tags and versions.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use ami_bake_core::engine::VersionContext;
use ami_bake_core::tags;
use ami_bake_core::version::Bump;

/// Facts about the origin of a run: event, branch, tag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The commit, 40 digits.
    pub(crate) sha: Option<String>,
    /// The full ref, such as `refs/heads/main`.
    pub(crate) reference: Option<String>,
    /// The branch; for a pull request its head branch.
    pub(crate) branch: Option<String>,
    /// The tag that the run is for.
    pub(crate) tag: Option<String>,
    /// ID of the workflow run.
    pub(crate) run_id: Option<String>,
    /// The user who started the run.
    pub(crate) actor: Option<String>,
    /// The repository, `owner/name`.
    pub(crate) repository: Option<String>,
    /// The IDs of the repository's owner and of the repository.
    pub(crate) ids: Option<(String, String)>,
    /// The number of the pull request.
    pub(crate) pull_request: Option<u64>,
    /// URL of the workflow run.
    pub(crate) run_url: Option<String>,
    /// The version part in the labels of the pull request.
    pub(crate) bump: Option<Bump>,
}

/// The host's decision about the versions of a manifest's images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Baking {
    /// The images are baked.
    Images {
        /// The context for their versions.
        context: VersionContext,
        /// How a tag was read, if that is not obvious.
        notices: Vec<String>,
    },
    /// Nothing is baked, for this reason (a sentence).
    #[allow(dead_code, reason = "a build without the feature `github` does not use it")]
    Nothing(String),
}

impl Default for Baking {
    fn default() -> Self {
        Self::Images { context: VersionContext::Default, notices: Vec::new() }
    }
}

/// Names by which a tag can refer to images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ImageNames {
    /// Name of the manifest.
    pub(crate) manifest: String,
    /// Names of its images and their variants.
    pub(crate) images: Vec<String>,
}

impl Facts {
    /// The facts from the Git repository around `folder`.
    pub(crate) fn of_git(folder: &Path) -> Self {
        Self::of_repository(|arguments| git(folder, arguments))
    }

    /// The facts that git knows. In contrast to a workflow, the branch does not influence the version.
    fn of_repository(git: impl Fn(&[&str]) -> Option<String> + Sync) -> Self {
        let git = &git;
        let (head, tag, remote) = std::thread::scope(|scope| {
            let head = scope.spawn(|| git(&["rev-parse", "HEAD", "--symbolic-full-name", "HEAD"]));
            let tag = scope.spawn(|| git(&["describe", "--tags", "--exact-match"]));
            let remote = scope.spawn(|| git(&["config", "--get", "remote.origin.url"]));
            let wait = |handle: std::thread::ScopedJoinHandle<'_, Option<String>>| handle.join().ok().flatten();
            (wait(head), wait(tag), wait(remote))
        });
        let mut head = head.as_deref().unwrap_or_default().lines();
        let sha = head.next().map(str::to_owned);
        let reference = head.next().filter(|name| name.starts_with("refs/")).map(str::to_owned);
        let branch = reference.as_deref().and_then(|name| name.strip_prefix("refs/heads/")).map(str::to_owned);
        Self { sha, reference, branch, tag, repository: remote.as_deref().and_then(repository), ..Self::default() }
    }

    /// Tags that describe the origin of an image or a machine.
    pub(crate) fn origin(&self) -> BTreeMap<String, String> {
        [(tags::REPOSITORY, &self.repository), (tags::COMMIT, &self.sha), (tags::RUN_URL, &self.run_url)]
            .into_iter()
            .filter_map(|(tag, value)| Some((tag.to_owned(), value.clone()?)))
            .collect()
    }
}

/// The `owner/name` in a remote's URL, in the forms `https://host/owner/name.git` and `git@host:owner/name.git`.
fn repository(remote: &str) -> Option<String> {
    let path = remote.trim().trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let mut parts = path.rsplit(['/', ':']);
    let (name, owner) = (parts.next()?, parts.next()?);
    (!name.is_empty() && !owner.is_empty()).then(|| format!("{owner}/{name}"))
}

/// The output of git in `folder`; `None` when git fails or is not installed.
///
/// The folder may come from a stranger, and look like a bare repository whose configuration contains commands. So git
/// may read only explicitly named bare repositories (git-config, `safe.bareRepository`), and, for older
/// versions, to fetch nothing (git, `GIT_ALLOW_PROTOCOL`).
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let answer = Command::new("git")
        .args(["-c", "safe.bareRepository=explicit", "-C"])
        .arg(folder)
        .args(arguments)
        .env("GIT_ALLOW_PROTOCOL", "none")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|answer| answer.status.success())?;
    let text = String::from_utf8(answer.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_laptop_asks_git() {
        let facts = Facts::of_repository(|arguments| match arguments[0] {
            "rev-parse" => Some("1a2b3c\nrefs/heads/topic".to_owned()),
            "config" => Some("git@github.com:shop/images.git".to_owned()),
            _ => None,
        });
        assert_eq!((facts.branch.as_deref(), facts.repository.as_deref()), (Some("topic"), Some("shop/images")));
        assert_eq!(facts.origin().get(tags::COMMIT).map(String::as_str), Some("1a2b3c"));
    }

    /// A folder that looks like a bare repository, with a remote that runs a command when an object is missing.
    #[test]
    fn a_repository_inside_of_the_repository_runs_no_command() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["image/objects", "image/refs/tags"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        let commit = "0123456789012345678901234567890123456789\n";
        let config = format!(
            "[core]\n repositoryformatversion = 1\n bare = true\n[extensions]\n partialClone = origin\n[remote \"origin\"]\n \
             url = ext::touch {}\n promisor = true\n[protocol \"ext\"]\n allow = always\n",
            at("touched").display()
        );
        for (name, text) in [("HEAD", commit), ("refs/tags/v1", commit), ("config", &config)] {
            std::fs::write(at("image").join(name), text).unwrap();
        }
        let facts = Facts::of_git(&at("image"));
        assert!(!at("touched").exists() && facts.sha.is_none(), "{facts:?}");
    }

    #[test]
    fn remotes_of_every_form_name_the_repository() {
        for remote in
            ["https://github.com/a/b.git", "https://github.com/a/b/", "ssh://git@host:22/a/b.git", "git@host:a/b"]
        {
            assert_eq!(repository(remote).as_deref(), Some("a/b"), "{remote}");
        }
        assert_eq!(repository("b"), None);
    }
}
