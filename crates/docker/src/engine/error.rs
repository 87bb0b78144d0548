//! Errors of the Docker daemon.

use ami_bake_core::{Error, ErrorKind};
use bollard::errors::Error as Engine;

/// An error in the daemon's own words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct EngineMessage(pub(crate) String);

/// The daemon's own message, without what the client library adds.
pub(crate) fn message(error: &Engine) -> EngineMessage {
    EngineMessage(match error {
        Engine::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Engine::DockerStreamError { error } => error.trim().to_owned(),
        Engine::RequestTimeoutError => "the daemon did not answer in time".to_owned(),
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

/// An error of `kind`; `what` completes the sentence "could not …".
pub(crate) fn failed(kind: ErrorKind, what: impl Into<String>, error: &Engine) -> Error {
    Error::new(kind, format!("could not {}", what.into())).because(message(error))
}

/// True when the daemon has no such object.
pub(crate) fn is_missing(error: &Engine) -> bool {
    status(error) == Some(404)
}

/// True for a conflict: a name that is in use, an image in use, a container that isn't running.
pub(crate) fn is_conflict(error: &Engine) -> bool {
    status(error) == Some(409)
}

fn status(error: &Engine) -> Option<u16> {
    match error {
        Engine::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}
