//! Converts errors of GitHub's API, with help.

use ami_bake_core::{Error, ErrorKind};

/// Converts an error of the API. `what` is the whole message: "could not comment on pull request 7".
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

/// The error for a missing or unreadable answer.
pub(super) fn unreachable(what: &str, api: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Internal, format!("{what}: no valid answer from {api}"))
        .help("Check that the runner can reach it. HTTPS_PROXY and NO_PROXY are honored.")
        .because(error)
}

/// The error for an error status (GitHub REST API, "Troubleshooting" and "Rate limits").
pub(super) fn answered(what: &str, status: u16, message: &str) -> Error {
    let lower = message.to_lowercase();
    let limited = status == 429 || (status == 403 && lower.contains("rate limit"));
    let (kind, help) = match status {
        401 => (ErrorKind::Preflight, "The token is invalid or expired. A job's own token expires with the job."),
        _ if limited => (ErrorKind::Internal, "This is a rate limit. Nothing is lost: run `ami-bake report` later."),
        403 if lower.contains("not accessible by") => (
            ErrorKind::Preflight,
            "The token is read-only. Give the job `permissions: {pull-requests: write}` for comments, `{contents: write}` for \
             release notes. On pull requests from forks and Dependabot, GitHub only gives read-only tokens: run `ami-bake \
             report --comment` in a second workflow on `workflow_run`.",
        ),
        403 if lower.contains("locked") => {
            (ErrorKind::Preflight, "The conversation is locked. Unlock it to allow comments.")
        }
        403 => (ErrorKind::Preflight, "Check that the token may write to this repository."),
        404 => (ErrorKind::Preflight, "It does not exist, or the token has no access to it."),
        422 if lower.contains("too long") => (ErrorKind::Internal, "The job summary has the whole text."),
        422 if lower.contains("immutable") => (ErrorKind::Preflight, "Files can't be added to an immutable release."),
        500.. => (ErrorKind::Internal, "This is a problem on GitHub's side. Run `ami-bake report` later."),
        _ => (ErrorKind::Internal, "Run `ami-bake report` later."),
    };
    Error::new(kind, format!("{what}: GitHub answered {status}, {}", message.trim_end_matches('.'))).help(help)
}
