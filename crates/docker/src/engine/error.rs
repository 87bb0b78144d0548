//! What the engine says when it refuses.

use ami_bake_core::{Error, ErrorKind};
use bollard::errors::Error as Engine;

/// The engine's own words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Said(pub(crate) String);

/// The engine's words without the client's around them.
pub(crate) fn said(error: &Engine) -> Said {
    Said(match error {
        Engine::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Engine::DockerStreamError { error } => error.trim().to_owned(),
        Engine::RequestTimeoutError => "the engine did not answer in time".to_owned(),
        other => with_causes(other),
    })
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}

/// A failure of `kind` to do `what`.
pub(crate) fn failed(kind: ErrorKind, what: impl Into<String>, error: &Engine) -> Error {
    Error::new(kind, what).because(said(error))
}

/// True when the engine has no such thing.
pub(crate) fn is_missing(error: &Engine) -> bool {
    status(error) == Some(404)
}

/// True when something is in the way: a name that is taken, an image in use, a container that doesn't run.
pub(crate) fn is_conflict(error: &Engine) -> bool {
    status(error) == Some(409)
}

fn status(error: &Engine) -> Option<u16> {
    match error {
        Engine::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}
