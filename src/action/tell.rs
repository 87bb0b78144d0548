//! What a run tells beyond its log: summary, comment, release notes. None of it can fail a bake.

use std::path::Path;

use ami_bake_core::mask::Masker;
use ami_bake_core::report::{self, Report};
use ami_bake_core::{Error, Result};
use ami_bake_github::api::{Api, Settings};
use ami_bake_github::{Context, comment, release, summary};
use serde_json::Value;

use super::Action;

/// When a comment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comment {
    /// On a pull request, as far as the token may.
    Auto,
    /// The same, and a refusal is told.
    Always,
    Never,
}

impl Action {
    /// Tells of a run that came to its end.
    pub(crate) async fn told(&self, report: &Report, masker: &Masker) {
        if report.images.is_empty() {
            return;
        }
        let api = match self.api() {
            Ok(api) => api,
            Err(error) => {
                self.failed_quietly(&error);
                None
            }
        };
        let previous = self.previous(report, api.as_ref()).await;
        let context = Context {
            masker,
            previous: previous.as_ref(),
            run_url: self.workflow.run_url.as_deref(),
            untrusted: self.workflow.untrusted().is_some(),
        };
        self.summary(&summary::render(report, &context));
        // A cancelled job has seconds.
        if report.exit_code == Some(130) {
            return;
        }
        let Some(api) = api else { return };
        if let Err(error) = self.release_notes(report, &api, &context).await {
            self.failed_quietly(&error);
        }
        match (self.comment(report, &api, &context).await, self.wants_comment()) {
            (Err(error), Ok(Comment::Always)) => self.failed_quietly(&error),
            // A token that may not write comments is how many workflows are set up on purpose.
            (Err(error), _) => self.log.say(&format!("No comment was written: {}\n", super::current::in_full(&error))),
            (Ok(()), _) => {}
        }
    }

    /// Leaves the report of several as the one that steps after this one expect, and its outputs.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn merged(&self, report: &Report) -> Result<()> {
        let file = report::write(report, Path::new(""))?;
        self.outputs(report);
        self.report_output(&file);
        Ok(())
    }

    /// A client with the input's token; none without a token.
    pub(super) fn api(&self) -> Result<Option<Api>> {
        let token = self.environment.input("token");
        if token.is_none() && self.environment.get("GITHUB_TOKEN").is_none() {
            return Ok(None);
        }
        Settings::of(&self.environment, token, None).and_then(Api::new).map(Some)
    }

    /// The report to compare with: a file, or the last release's.
    async fn previous(&self, report: &Report, api: Option<&Api>) -> Option<Report> {
        let found = match (self.environment.input("against"), api) {
            (Some(file), _) if file != "release" => report::read(Path::new(file)).map(Some),
            (Some(_), Some(api)) => release::last(api, &report.namespace, self.workflow.tag.as_deref()).await,
            // Not asked for, so that a private repository's token without `contents: read` is no matter.
            (None, Some(api)) if self.workflow.tag.is_some() => {
                Ok(release::last(api, &report.namespace, self.workflow.tag.as_deref()).await.ok().flatten())
            }
            _ => Ok(None),
        };
        found.unwrap_or_else(|error| {
            self.failed_quietly(&error);
            None
        })
    }

    fn wants_comment(&self) -> Result<Comment> {
        match self.environment.input("comment") {
            None | Some("auto") => Ok(Comment::Auto),
            Some("always") => Ok(Comment::Always),
            Some("never") => Ok(Comment::Never),
            Some(other) => {
                Err(Error::usage(format!("the input `comment` is {other:?}")).help("Write auto, always or never."))
            }
        }
    }

    async fn comment(&self, report: &Report, api: &Api, context: &Context<'_>) -> Result<()> {
        if self.wants_comment()? == Comment::Never || self.workflow.untrusted().is_some() {
            return Ok(());
        }
        let Some(pull) = comment::of_event(api, &self.event()).await? else { return Ok(()) };
        let default = comment::default_key(&self.environment, &report.namespace);
        let key = self.environment.input("comment-key").unwrap_or(&default);
        let context = &Context {
            run_url: pull.run_url.as_deref().or(context.run_url),
            untrusted: pull.fork || context.untrusted,
            ..*context
        };
        let posted = comment::upsert(api, pull.number, key, &comment::render(report, context, key)).await?;
        self.log.say(&format!("Comment on pull request {}: {}\n", pull.number, posted.url));
        Ok(())
    }

    /// Into the release's notes where the input names one, or says `true` and the run is a release's.
    async fn release_notes(&self, report: &Report, api: &Api, context: &Context<'_>) -> Result<()> {
        let tag = match self.environment.input("release-notes") {
            None | Some("false") => return Ok(()),
            Some("true") => self.workflow.tag.clone().ok_or_else(|| {
                Error::usage("write the release's notes: this run is about no tag")
                    .help("Name the release: `release-notes: v1.2.3`, or leave the input out where there is none.")
            })?,
            Some(tag) => tag.to_owned(),
        };
        if report.exit_code != Some(0) {
            return Ok(());
        }
        let done = release::update(api, &tag, &report.namespace, report, context).await?;
        self.log.say(&format!("Notes of release {tag}: {}\n", done.url));
        Ok(())
    }

    fn event(&self) -> Value {
        let text = self.environment.get("GITHUB_EVENT_PATH").and_then(|path| std::fs::read(path).ok());
        text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or(Value::Null)
    }
}
