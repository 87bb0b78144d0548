//! What GitHub refused, in words, with what to do.

use ami_bake_core::{Error, ErrorKind};

/// A refusal or a failure of the API as our error. `what` was being done: "comment on pull request 7".
pub(super) fn refusal(what: &str, api: &str, error: octocrab::Error) -> Error {
    match error {
        octocrab::Error::GitHub { source, .. } => {
            let detail: Vec<String> = source.errors.iter().flatten().map(ToString::to_string).collect();
            let detail = if detail.is_empty() { String::new() } else { format!(" ({})", detail.join(", ")) };
            answered(what, source.status_code.as_u16(), &format!("{}{detail}", source.message))
        }
        error => unreachable(what, api, error),
    }
}

/// No answer at all, or one that can't be read.
pub(super) fn unreachable(what: &str, api: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Internal, format!("{what}: {api} gave no answer that can be read"))
        .help("Look whether the runner reaches it; HTTPS_PROXY and NO_PROXY are honoured.")
        .because(error)
}

/// An answer that is a refusal (GitHub REST API, "Troubleshooting" and "Rate limits").
pub(super) fn answered(what: &str, status: u16, message: &str) -> Error {
    let lower = message.to_lowercase();
    let limited = status == 429 || (status == 403 && lower.contains("rate limit"));
    let (kind, help) = match status {
        401 => (ErrorKind::Preflight, "The token is not valid (any more). A job's own token ends with the job."),
        _ if limited => (
            ErrorKind::Internal,
            "GitHub limits how much is written in a minute. Nothing is lost: run `ami-bake report` again later, with the \
             report's file.",
        ),
        403 if lower.contains("not accessible by") => (
            ErrorKind::Preflight,
            "The token may only read. Give the job `permissions: {pull-requests: write}` for a comment, `{contents: \
             write}` for release notes. For a pull request of a fork or of Dependabot GitHub gives no more: let a second \
             workflow on `workflow_run` call `ami-bake report --comment`.",
        ),
        403 if lower.contains("locked") => {
            (ErrorKind::Preflight, "The conversation is locked: unlock it, or do without.")
        }
        403 => (ErrorKind::Preflight, "Look whether the token may write to this repository."),
        404 => (ErrorKind::Preflight, "It is not there, or the token does not see it."),
        422 if lower.contains("too long") => (ErrorKind::Internal, "The whole text is in the job's summary."),
        422 if lower.contains("immutable") => {
            (ErrorKind::Preflight, "A release that is immutable takes no more files.")
        }
        500.. => (
            ErrorKind::Internal,
            "GitHub has a problem of its own. Run `ami-bake report` again later, with the report's file.",
        ),
        _ => (ErrorKind::Internal, "Run `ami-bake report` again later, with the report's file."),
    };
    Error::new(kind, format!("{what}: GitHub answered {status}, {}", message.trim_end_matches('.'))).help(help)
}
