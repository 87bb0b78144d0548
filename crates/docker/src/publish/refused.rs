//! What a push that failed means, and what to do.

use ami_bake_core::platform::ImageRecord;
use ami_bake_core::{Error, ErrorKind};

use super::login::Origin;
use crate::engine::{failed, said};
use crate::labels;
use crate::reference::Reference;

/// Words with which registries and the engine refuse somebody (distribution's error codes UNAUTHORIZED and DENIED, and
/// the engine's own for a registry that asks for credentials and gets none).
const REFUSALS: [&str; 5] =
    ["unauthorized", "denied", "authentication required", "no basic auth credentials", "forbidden"];

/// The failure to push the first of `open`, after `done`.
pub(super) fn refused(
    image: &ImageRecord,
    done: &[Reference],
    open: &[Reference],
    origin: Origin,
    error: &bollard::errors::Error,
) -> Error {
    let Some(reference) = open.first() else { return Error::internal("a push failed that nobody asked for") };
    let advice = advice(reference.registry(), origin, &said(error).0);
    let name = image.tags.get(labels::REFERENCE).unwrap_or(&image.name);
    failed(ErrorKind::Publish, format!("push {reference}"), error).help(format!(
        "{} {advice} The image itself is tested and stays in this engine as {name}: `ami-bake publish --report \
         bake-report.json` pushes what is missing, and nothing is built anew.",
        happened(done, open)
    ))
}

fn advice(host: &str, origin: Origin, words: &str) -> String {
    let words = words.to_lowercase();
    if !REFUSALS.iter().any(|refusal| words.contains(refusal)) {
        return format!("Look whether {host} is up and the engine gets there: name, network, proxy.");
    }
    match origin {
        Origin::Manifest => format!(
            "{host} does not take the user or the password of `publish.docker.login`, or that user may not write there."
        ),
        Origin::Docker => format!(
            "{host} does not take the credentials that Docker's own configuration has for it: `docker login {host}` writes them anew."
        ),
        Origin::Nobody => format!(
            "{host} wants to know who pushes: write `publish.docker.login`, or run `docker login {host}` before."
        ),
    }
}

/// What was pushed before the failure, and what was not.
fn happened(done: &[Reference], open: &[Reference]) -> String {
    let list = |references: &[Reference]| references.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match (done, open) {
        ([], [one]) => format!("Nothing was pushed: {one} is missing in the registry."),
        ([], _) => format!("Nothing was pushed: {} are missing in the registry.", list(open)),
        _ => format!("Pushed: {}. Not pushed: {}.", list(done), list(open)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::references::references;
    use super::super::references::tests::wanted;
    use super::*;

    #[test]
    fn a_failure_says_what_did_happen() {
        let all = references(&wanted("web", &["1", "2", "3"])).unwrap();
        assert_eq!(happened(&all[..1], &all[1..]), "Pushed: web:1. Not pushed: web:2, web:3.");
        assert_eq!(happened(&[], &all[..1]), "Nothing was pushed: web:1 is missing in the registry.");
    }

    #[test]
    fn who_is_refused_hears_something_else_than_who_gets_nowhere() {
        let denied = "denied: requested access to the resource is denied";
        assert!(advice("docker.io", Origin::Docker, denied).contains("`docker login docker.io`"));
        assert!(advice("docker.io", Origin::Nobody, "no basic auth credentials").contains("publish.docker.login"));
        let lost = "Get \"https://r.example.com/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused";
        assert!(advice("r.example.com", Origin::Manifest, lost).starts_with("Look whether r.example.com is up"));
    }
}
