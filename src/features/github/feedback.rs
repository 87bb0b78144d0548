//! Feedback for reviewers besides the step's log: one comment on the pull request, and the job summary. Neither is ever
//! stale: however a step ends, both have its result.

use ami_bake_core::plan::Recipe as _;
use ami_bake_core::{Error, Result};
use ami_bake_github::api::Api;
use ami_bake_github::comment::{self, Previous, Pull};
use ami_bake_github::markdown::Escape;
use ami_bake_github::runner::Environment;

use super::action::{Action, in_fence, in_full};
use super::workflow::block_on_thread;

/// Time limit for the comment that announces a bake; the bake itself does not wait for it.
const BEGIN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// When and how a comment is written, from the input `comment`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommentMode {
    /// On a pull request, if the token is allowed to.
    Auto,
    /// On a pull request, with a warning when the token is not allowed to.
    Always,
    /// Never.
    Never,
    /// Like `always`, but the comment of an earlier run is deleted, so that the new one is the last.
    Recreate,
    /// Like `always`, but the comment of an earlier run is kept, hidden as outdated.
    HideOld,
}

impl CommentMode {
    /// Reads the input from the environment.
    ///
    /// # Errors
    /// When the value is invalid.
    pub(super) fn of(environment: &Environment) -> Result<Self> {
        match environment.input("comment") {
            None | Some("auto") => Ok(Self::Auto),
            Some("always") => Ok(Self::Always),
            Some("never") => Ok(Self::Never),
            Some("recreate") => Ok(Self::Recreate),
            Some("hide-old") => Ok(Self::HideOld),
            Some(other) => Err(Error::usage(format!("invalid value {other:?} for input `comment`"))
                .help("Use auto, always, never, recreate or hide-old.")),
        }
    }

    fn previous(self) -> Previous {
        match self {
            Self::Recreate => Previous::Delete,
            Self::HideOld => Previous::Hide,
            Self::Auto | Self::Always | Self::Never => Previous::Update,
        }
    }
}

/// A result that is not a report, such as a plan or why nothing was baked.
pub(super) struct Page<'a> {
    /// First line, with an icon.
    pub(super) title: &'a str,
    /// Text for a code block.
    pub(super) text: &'a str,
}

impl Page<'_> {
    fn markdown(&self, action: &Action) -> String {
        // A colon before a blank is no link.
        let title = Escape::new(&action.masker).text(self.title).replace("&#58; ", ": ");
        let links = links(action).join(" · ");
        let facts = if links.is_empty() { String::new() } else { format!("{links}\n\n") };
        let text = if self.text.trim().is_empty() { String::new() } else { in_fence(&action.masker.mask(self.text)) };
        format!("## {title}\n\n{facts}{text}")
    }
}

/// Links to the commit, the run and the job, as Markdown.
fn links(action: &Action) -> Vec<String> {
    let workflow = &action.workflow;
    let escape = Escape::new(&action.masker);
    let mut links: Vec<String> =
        workflow.sha.iter().map(|sha| format!("commit {}", escape.code(sha.get(..7).unwrap_or(sha)))).collect();
    links.extend(workflow.run_url.iter().map(|url| format!("[workflow run]({url})")));
    links.extend(workflow.job_url.iter().map(|url| format!("[job]({url})")));
    links
}

/// Writes a page as summary and comment, in place of a report.
pub(super) fn show(action: &Action, page: &Page<'_>) {
    let markdown = page.markdown(action);
    action.summary(&markdown);
    comment_page(action, &markdown);
}

/// Writes the result of a step that ends without a report, so that its comment is not that of an earlier run.
pub(super) fn last_words(action: &Action, text: &str) {
    if action.is_summarised() {
        return;
    }
    action.wait_for_comment();
    let name = action.manifest().map_or("ami-bake", |manifest| manifest.namespace());
    let what = match action.command() {
        "" => "invalid inputs".to_owned(),
        command => format!("{command} failed"),
    };
    show(action, &Page { title: &format!("❌ {name}: {what}"), text });
}

/// Writes a page as the comment.
pub(super) fn comment_page(action: &Action, markdown: &str) {
    let written = block_on_thread(async {
        let Some(api) = action.api()? else { return Ok(()) };
        write(action, &api, |_, key| comment::page(markdown, key)).await
    });
    failed(action, written);
}

/// Announces a bake on the pull request, concurrently with the bake.
pub(super) fn begin(action: &std::sync::Arc<Action>, namespace: &str) {
    let Ok(mode) = CommentMode::of(&action.environment) else { return };
    if mode == CommentMode::Never || action.workflow.untrusted().is_some() || action.workflow.pull_request.is_none() {
        return;
    }
    let shared = std::sync::Arc::clone(action);
    let title = format!("⏳ {namespace}: running");
    action.commenting(std::thread::spawn(move || {
        let markdown = Page { title: &title, text: "" }.markdown(&shared);
        // A failure is reported when the result is written.
        let _ = crate::runtime::block_on(async {
            let Some(api) = shared.api()? else { return Ok(()) };
            let written = write(&shared, &api, |_, key| comment::page(&markdown, key));
            tokio::time::timeout(BEGIN_TIMEOUT, written).await.unwrap_or(Ok(()))
        });
    }));
}

/// Writes the comment of this job, unless the input says never or there is no pull request.
///
/// # Errors
/// When GitHub refuses it.
pub(super) async fn write(action: &Action, api: &Api, body: impl FnOnce(&Pull, &str) -> String) -> Result<()> {
    let mode = CommentMode::of(&action.environment)?;
    if mode == CommentMode::Never || action.workflow.untrusted().is_some() {
        return Ok(());
    }
    let Some(pull) = comment::of_event(api, &action.environment.event()).await? else { return Ok(()) };
    let key = action.comment_key();
    // Only once per run: its own comment is updated.
    if action.is_first_comment() {
        comment::retire(api, pull.number, &key, mode.previous()).await?;
    }
    let posted = comment::upsert(api, pull.number, &key, &body(&pull, &key)).await?;
    action.log.say(&format!("Updated the comment on pull request {}: {}\n", pull.number, posted.url));
    Ok(())
}

/// Reports a comment that could not be written. It never fails a step.
pub(super) fn failed(action: &Action, written: Result<()>) {
    action.save("commented", "true");
    match (written, CommentMode::of(&action.environment)) {
        (Ok(()), _) => {}
        // Many workflows deliberately give their token no permission to write comments.
        (Err(error), Ok(CommentMode::Auto) | Err(_)) => {
            action.log.say(&format!("Skipped the comment: {}\n", in_full(&error)));
        }
        (Err(error), Ok(_)) => action.warn(&error),
    }
}

/// The name in a manifest, even if the rest of it is invalid: the key of its comment.
pub(super) fn namespace(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("name:"))?;
    let value = value.split(" #").next().unwrap_or(value).trim().trim_matches(['"', '\'']);
    (!value.is_empty() && !value.contains("${{")).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_manifest_still_says_its_name() {
        assert_eq!(namespace("format: 1\nname: shop # ours\nimages: ["), Some("shop".to_owned()));
        assert_eq!(namespace("name: \"shop\""), Some("shop".to_owned()));
        assert_eq!((namespace("  name: x"), namespace("name: ${{ vars.x }}")), (None, None));
    }
}
