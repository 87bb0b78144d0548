//! The environment of the program: a terminal or a workflow. Chosen once, in main, and passed down.

mod terminal;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ami_bake_core::engine::VersionContext;
use ami_bake_core::mask::Masker;
use ami_bake_core::report::Report;
use ami_bake_core::token::TokenSource;
use ami_bake_core::{Result, Run};
use ami_bake_manifest::Manifest;
use ami_bake_manifest::diagnostic::{Diagnostic, Sources};
use async_trait::async_trait;
use serde_json::Value;

use crate::args::PlatformArgs;
use crate::error;
use crate::facts::{Baking, Facts, ImageNames};
use crate::report::{Reporter, Show};
use crate::ui::Ui;

pub(crate) use terminal::TerminalHost;

/// The environment of the program. The default methods are those of a terminal.
#[async_trait]
pub(crate) trait Host: Send + Sync {
    /// Colors, and whether lines may be redrawn.
    fn ui(&self) -> Ui;

    /// The secrets of this process, which are never shown.
    fn masker(&self) -> &Arc<Masker>;

    /// Writes data that is text, such as a table.
    fn data(&self, text: &str);

    /// Writes data as JSON: on several lines, or on one.
    fn json(&self, value: &Value, one_line: bool);

    /// Writes text for people.
    fn say(&self, text: &str);

    /// The reporter that shows a run.
    fn reporter(&self, show: Show) -> Box<dyn Reporter>;

    /// Facts about the commit around `folder` and about the workflow run.
    fn facts(&self, folder: &Path) -> Facts {
        Facts::of_git(folder)
    }

    /// Refuses a manifest that must not be used with the rights of this run, because it may come from a stranger.
    ///
    /// # Errors
    /// When the manifest is refused.
    fn admit(&self, _: &Path) -> Result<()> {
        Ok(())
    }

    /// Decides about the versions of a manifest's images, from what started the run.
    ///
    /// # Errors
    /// When that can't be determined.
    fn baking(&self, _: &Path, _: &ImageNames) -> Result<Baking> {
        Ok(Baking::default())
    }

    /// Shows a notice, if the host has a place for it besides the log.
    fn notice(&self, text: &str) {
        self.say(&format!("{text}\n"));
    }

    /// Why the files that are read may come from a stranger, as the beginning of a sentence; `None` when they are
    /// trusted.
    fn strangers(&self) -> Option<String> {
        None
    }

    /// The host's identity for a cloud platform.
    ///
    /// # Errors
    /// When the host's settings for it are invalid.
    #[allow(dead_code, reason = "a build without a cloud platform never asks")]
    fn identity(&self, _: &Run) -> Result<HostIdentity> {
        Ok(HostIdentity::default())
    }

    /// The folder for ledgers, if the host has one that outlives the process. Default: the user's state folder.
    fn ledger_folder(&self) -> Option<PathBuf> {
        None
    }

    /// Called when a manifest was read.
    fn manifest_loaded(&self, _: &Arc<Manifest>) {}

    /// Shows findings, if the host has a place for them besides the log.
    fn annotate(&self, _: &[Diagnostic], _: &Sources) {}

    /// Called when a run begins to listen for signals. True when it was cancelled before.
    fn run_begins(&self) -> bool {
        false
    }

    /// Called when a run has created its ledger file.
    fn ledger_created(&self, _: &Path) {}

    /// Called when a run has created a file or a folder for its user.
    fn file_created(&self, _: &Path) {}

    /// Called when a run is about to use a platform.
    fn platform_chosen(&self, _: &Run, _: &str, _: &PlatformArgs) {}

    /// Sets an output for later steps of a workflow.
    fn output(&self, _: &str, _: &str) {}

    /// Shows the result of a command that bakes nothing to reviewers: a heading, and text for a code block.
    fn page(&self, _: &str, _: &str) {}

    /// Called when the command has ended: shows its error.
    fn ended(&self, result: &Result<u8>) {
        if let Err(error) = result {
            self.say(&error::render(error, self.ui().paint));
        }
    }

    /// Checks, before a run begins, what is done after it: writing IDs into the repository, which only a workflow can do.
    ///
    /// # Errors
    /// When it can't be done.
    async fn preflight(&self, manifest: &Manifest, _: &VersionContext) -> Result<()> {
        if manifest.distributions().iter().any(|distribution| distribution.wanted && !distribution.writes.is_empty()) {
            self.notice("`publish.write` is skipped: only a GitHub workflow writes IDs into the repository");
        }
        Ok(())
    }

    /// The exit code of a failure after the run, for a run that succeeded.
    fn late_failure(&self) -> Option<u8> {
        None
    }

    /// Called when a run has ended. True when the host itself presents the report, such as in a comment.
    async fn run_ended(&self, _: &Report, _: &Masker) -> bool {
        false
    }
}

/// The host's identity for a cloud platform.
#[derive(Default)]
#[allow(dead_code, reason = "a build without a cloud platform never asks")]
pub(crate) struct HostIdentity {
    /// A session name that identifies the host's run.
    pub(crate) session_name: Option<String>,
    /// Help when there are no tokens.
    pub(crate) help: Option<String>,
    /// Source of identity tokens.
    pub(crate) tokens: Option<Arc<dyn TokenSource>>,
}
