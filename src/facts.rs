//! What is known about the commit and the workflow run: for expressions, tags and the version.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use ami_bake_core::engine::VersionContext;
use ami_bake_core::tags;
use ami_bake_core::version;
use serde_json::Value;

/// Facts about where a run comes from; empty text where nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The commit, 40 digits.
    pub(crate) sha: Option<String>,
    /// The full ref, such as `refs/heads/main`.
    pub(crate) reference: Option<String>,
    /// The branch; of a pull request its head's.
    pub(crate) branch: Option<String>,
    /// The tag.
    pub(crate) tag: Option<String>,
    /// The id of the workflow run.
    pub(crate) run_id: Option<String>,
    /// Who started it.
    pub(crate) actor: Option<String>,
    /// `owner/name`.
    pub(crate) repository: Option<String>,
    /// The number of the pull request.
    pub(crate) pull_request: Option<u64>,
    /// The address of the workflow run.
    pub(crate) run_url: Option<String>,
    /// What the version depends on.
    pub(crate) context: VersionContext,
}

impl Facts {
    /// Reads the workflow's environment, or asks git about the repository around `folder`.
    pub(crate) fn gather(folder: &Path) -> Self {
        let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if environment("GITHUB_ACTIONS").as_deref() == Some("true") {
            let event = environment("GITHUB_EVENT_PATH")
                .and_then(|path| std::fs::read(path).ok())
                .and_then(|text| serde_json::from_slice(&text).ok())
                .unwrap_or(Value::Null);
            return Self::of_workflow(&environment, &event);
        }
        Self::of_repository(|arguments| git(folder, arguments))
    }

    /// The facts that the Actions runner gives (GitHub's documentation, "Variables reference").
    fn of_workflow(environment: &dyn Fn(&str) -> Option<String>, event: &Value) -> Self {
        let reference = environment("GITHUB_REF");
        let stripped =
            |prefix: &str| reference.as_deref().and_then(|name| name.strip_prefix(prefix)).map(str::to_owned);
        let tag = stripped("refs/tags/");
        let pull_request = event["pull_request"]["number"]
            .as_u64()
            .or_else(|| stripped("refs/pull/").and_then(|rest| rest.split('/').next()?.parse().ok()));
        // On a pull request GITHUB_SHA is a merge commit that nobody has seen; the head is what people know.
        let head = event["pull_request"]["head"]["sha"].as_str().map(str::to_owned);
        let repository = environment("GITHUB_REPOSITORY");
        let run_id = environment("GITHUB_RUN_ID");
        let run_url = match (environment("GITHUB_SERVER_URL"), &repository, &run_id) {
            (Some(server), Some(repository), Some(run)) => Some(format!("{server}/{repository}/actions/runs/{run}")),
            _ => None,
        };
        let mut facts = Self {
            sha: head.or_else(|| environment("GITHUB_SHA")),
            branch: environment("GITHUB_HEAD_REF").or_else(|| stripped("refs/heads/")),
            reference,
            tag,
            run_id,
            actor: environment("GITHUB_ACTOR"),
            repository,
            pull_request,
            run_url,
            context: VersionContext::Default,
        };
        facts.context = facts.version_context(environment, event);
        facts
    }

    fn version_context(&self, environment: &dyn Fn(&str) -> Option<String>, event: &Value) -> VersionContext {
        let name = environment("GITHUB_EVENT_NAME").unwrap_or_default();
        let released = event["release"]["tag_name"].as_str().or(self.tag.as_deref());
        if let Some(version) = released.and_then(version::from_tag) {
            return VersionContext::Tag(version);
        }
        if let (Some(number), Some(sha)) = (self.pull_request, &self.sha) {
            return VersionContext::PullRequest { number, sha: sha.clone() };
        }
        let default = event["repository"]["default_branch"].as_str();
        let run = self.run_id.as_deref().and_then(|run| run.parse().ok());
        match (name.as_str(), &self.branch, default, run) {
            ("push", Some(branch), Some(default), Some(run)) if branch != default => VersionContext::Branch { run },
            _ => VersionContext::Default,
        }
    }

    /// The facts that git knows on a laptop. A branch there makes no other version.
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

    /// The tags that every image and machine of the run carries.
    pub(crate) fn origin(&self) -> BTreeMap<String, String> {
        [(tags::REPOSITORY, &self.repository), (tags::COMMIT, &self.sha), (tags::RUN_URL, &self.run_url)]
            .into_iter()
            .filter_map(|(tag, value)| Some((tag.to_owned(), value.clone()?)))
            .collect()
    }
}

/// `owner/name` in a remote's address, in its forms `https://host/owner/name.git` and `git@host:owner/name.git`.
fn repository(remote: &str) -> Option<String> {
    let path = remote.trim().trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let mut parts = path.rsplit(['/', ':']);
    let (name, owner) = (parts.next()?, parts.next()?);
    (!name.is_empty() && !owner.is_empty()).then(|| format!("{owner}/{name}"))
}

/// What git answers in `folder`; none where it fails, is not installed, or there is no repository.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let answer = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
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
    use serde_json::json;

    use super::*;

    fn workflow(variables: &[(&str, &str)], event: &Value) -> Facts {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        Facts::of_workflow(&|name| variables.get(name).map(|value| (*value).to_owned()), event)
    }

    #[test]
    fn a_pull_request_is_its_head_not_the_merge_commit() {
        let facts = workflow(
            &[
                ("GITHUB_REF", "refs/pull/7/merge"),
                ("GITHUB_SHA", "0000000000"),
                ("GITHUB_HEAD_REF", "fix"),
                ("GITHUB_EVENT_NAME", "pull_request"),
            ],
            &json!({"pull_request": {"number": 7, "head": {"sha": "1a2b3c4d"}}}),
        );
        assert_eq!(facts.context, VersionContext::PullRequest { number: 7, sha: "1a2b3c4d".into() });
        assert_eq!((facts.branch.as_deref(), facts.pull_request), (Some("fix"), Some(7)));
    }

    #[test]
    fn releases_and_tags_carry_the_version() {
        let tag = [("GITHUB_REF", "refs/tags/web-v1.2.3"), ("GITHUB_EVENT_NAME", "push")];
        assert_eq!(workflow(&tag, &Value::Null).context, VersionContext::Tag(semver::Version::new(1, 2, 3)));
        let release = json!({"release": {"tag_name": "v2.0.0"}});
        let context = workflow(&[("GITHUB_EVENT_NAME", "release")], &release).context;
        assert_eq!(context, VersionContext::Tag(semver::Version::new(2, 0, 0)));
    }

    #[test]
    fn only_a_push_to_another_branch_is_a_branch() {
        let event = json!({"repository": {"default_branch": "main"}});
        let context = |event_name: &str, branch: &str| {
            let reference = format!("refs/heads/{branch}");
            let variables =
                [("GITHUB_REF", reference.as_str()), ("GITHUB_RUN_ID", "42"), ("GITHUB_EVENT_NAME", event_name)];
            workflow(&variables, &event).context
        };
        assert_eq!(context("push", "topic"), VersionContext::Branch { run: 42 });
        assert_eq!(context("push", "main"), VersionContext::Default);
        assert_eq!(context("schedule", "topic"), VersionContext::Default);
        assert_eq!(context("workflow_dispatch", "topic"), VersionContext::Default);
    }

    #[test]
    fn a_laptop_asks_git() {
        let facts = Facts::of_repository(|arguments| match arguments[0] {
            "rev-parse" => Some("1a2b3c\nrefs/heads/topic".to_owned()),
            "config" => Some("git@github.com:shop/images.git".to_owned()),
            _ => None,
        });
        assert_eq!((facts.branch.as_deref(), facts.repository.as_deref()), (Some("topic"), Some("shop/images")));
        assert_eq!(facts.context, VersionContext::Default);
        assert_eq!(facts.origin().get(tags::COMMIT).map(String::as_str), Some("1a2b3c"));
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
