//! Explains a failed push and suggests what to do.

use ami_bake_core::platform::ImageRecord;
use ami_bake_core::{Error, ErrorKind};

use super::login::CredentialSource;
use crate::engine::{failed, message};
use crate::labels;
use crate::reference::Reference;

/// Messages of registries and the daemon for missing or refused credentials (distribution's error codes UNAUTHORIZED and
/// DENIED, and the daemon's own when a registry requires credentials and there are none).
const REFUSALS: [&str; 5] =
    ["unauthorized", "denied", "authentication required", "no basic auth credentials", "forbidden"];

/// The error for the first reference in `open`, which could not be pushed; those in `done` were pushed before.
pub(super) fn push_error(
    image: &ImageRecord,
    done: &[Reference],
    open: &[Reference],
    source: CredentialSource,
    error: &bollard::errors::Error,
) -> Error {
    let Some(reference) = open.first() else { return Error::internal("a push failed without a reference") };
    let advice = advice(reference.registry(), source, &message(error).0);
    let name = image.tags.get(labels::REFERENCE).unwrap_or(&image.name);
    failed(ErrorKind::Publish, format!("push {reference}"), error).help(format!(
        "{} {advice} The image passed its tests and is kept in the Docker daemon as {name}. Run `ami-bake publish \
         --report bake-report.json` to push what is missing without a new build.",
        summary(done, open)
    ))
}

fn advice(host: &str, source: CredentialSource, message: &str) -> String {
    let message = message.to_lowercase();
    if !REFUSALS.iter().any(|refusal| message.contains(refusal)) {
        return format!("Check that the daemon can reach {host}: name, network, proxy.");
    }
    match source {
        CredentialSource::Manifest => format!(
            "{host} refused the login of `publish.docker.login`: check user, password and the permission to push."
        ),
        CredentialSource::Docker => format!(
            "{host} refused the credentials of Docker's own configuration; renew them with `docker login {host}`."
        ),
        CredentialSource::Missing => {
            format!("{host} requires credentials: set `publish.docker.login`, or run `docker login {host}` first.")
        }
    }
}

/// Describes what was pushed before the failure, and what was not.
fn summary(done: &[Reference], open: &[Reference]) -> String {
    let list = |references: &[Reference]| references.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match (done, open) {
        ([], _) => format!("Nothing was pushed; missing in the registry: {}.", list(open)),
        _ => format!("Pushed: {}. Not pushed: {}.", list(done), list(open)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::references::references;
    use super::super::references::tests::publish_to;
    use super::*;

    #[test]
    fn the_summary_lists_what_was_pushed() {
        let all = references(&publish_to("web", &["1", "2", "3"])).unwrap();
        assert_eq!(summary(&all[..1], &all[1..]), "Pushed: web:1. Not pushed: web:2, web:3.");
        assert_eq!(summary(&[], &all[..1]), "Nothing was pushed; missing in the registry: web:1.");
    }

    #[test]
    fn a_refused_login_and_a_lost_connection_get_different_advice() {
        let denied = "denied: requested access to the resource is denied";
        assert!(advice("docker.io", CredentialSource::Docker, denied).contains("`docker login docker.io`"));
        assert!(
            advice("docker.io", CredentialSource::Missing, "no basic auth credentials")
                .contains("publish.docker.login")
        );
        let lost = "Get \"https://r.example.com/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused";
        assert!(
            advice("r.example.com", CredentialSource::Manifest, lost)
                .starts_with("Check that the daemon can reach r.example.com")
        );
    }
}
