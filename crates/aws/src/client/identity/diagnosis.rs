//! Explains refusals of STS. The same short message has many causes, so the explanation includes what was requested.

use std::fmt::Write as _;

use ami_bake_core::Error;
use ami_bake_core::token::Claims;

use super::arn::{RoleArn, account_of};
use super::trust;
use crate::client::failure::Failure;

/// What to do about a refused AssumeRole call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Retry soon: a role that was just created is not known everywhere.
    Soon,
    /// Retry for longer: trouble between AWS and the provider, throttling, no answer.
    Patiently,
    /// Request a shorter session.
    ShorterSession,
    /// Do not retry.
    Never,
}

/// Decides what to do about a refusal of AssumeRoleWithWebIdentity or AssumeRole (STS API, "Errors").
pub(super) fn decide(failure: &Failure) -> Retry {
    let text = failure.text();
    match failure.code() {
        // A token that expired on the way is replaced at the next attempt.
        "AccessDenied" | "AccessDeniedException" | "ExpiredTokenException" | "ExpiredToken" => Retry::Soon,
        "IDPCommunicationError" | "IDPCommunicationErrorException" => Retry::Patiently,
        "InvalidIdentityToken" | "InvalidIdentityTokenException" if text.contains("verification key") => {
            Retry::Patiently
        }
        "ValidationError" if text.contains("DurationSeconds") || text.contains("MaxSessionDuration") => {
            Retry::ShorterSession
        }
        _ if failure.throttled() || failure.unknown() => Retry::Patiently,
        _ => Retry::Never,
    }
}

/// The error for a refused token, with its claims, the role, and the trust policy that would accept it.
pub(super) fn of_token(failure: &Failure, role: &RoleArn, claims: &Claims, region: &str) -> Error {
    let doing = format!("assume the role {role} with the workflow's token");
    if let Some(error) = failure.clock_error(&doing) {
        return error;
    }
    let error = Error::preflight(format!("could not {doing}: {}", why(failure, role, claims, region)));
    let error = match help(failure, role, claims, region) {
        Some(help) => error.help(help),
        None => error,
    };
    error.because(std::io::Error::other(format!("STS answered {}: {}", failure.code(), failure.text())))
}

fn why(failure: &Failure, role: &RoleArn, claims: &Claims, region: &str) -> String {
    match failure.code() {
        "AccessDenied" | "AccessDeniedException" => {
            "its trust policy does not accept the token, or the role does not exist".to_owned()
        }
        "RegionDisabledException" => format!("STS is disabled in {region} for the account {}", role.account()),
        _ if no_provider(failure) => {
            format!("the account {} has no identity provider {}", role.account(), claims.issuer)
        }
        _ if failure.text().contains("audience") => {
            format!("the provider does not accept the audience {}", claims.audience)
        }
        "InvalidIdentityToken" | "InvalidIdentityTokenException" | "IDPCommunicationError" => {
            format!("AWS could not verify the token with {}", claims.issuer)
        }
        _ if failure.unknown() => format!("STS in {region} is not responding"),
        "" => "it was refused".to_owned(),
        code => code.to_owned(),
    }
}

fn no_provider(failure: &Failure) -> bool {
    failure.text().contains("No OpenIDConnect provider")
}

fn help(failure: &Failure, role: &RoleArn, claims: &Claims, region: &str) -> Option<String> {
    let provider = claims.issuer.trim_start_matches("https://");
    match failure.code() {
        "AccessDenied" | "AccessDeniedException" => {
            let mut text = format!(
                "The token's claims are\n  sub  {}\n  aud  {}\n  iss  {}\n",
                claims.subject, claims.audience, claims.issuer
            );
            let policy = trust::that_accepts(role, claims);
            let _ = write!(
                text,
                "and the role is\n  {role}\nThis trust policy accepts it, in both forms of the subject that GitHub uses \
                 (by name, and with IDs since July 2026; for a job with `environment:` the subject names it instead of the branch):\n{policy:#}\n\
                 The identity provider arn:{}:iam::{}:oidc-provider/{provider} must exist, too.",
                role.partition(),
                role.account()
            );
            Some(text)
        }
        "RegionDisabledException" => Some(format!(
            "Enable STS for {region} under IAM, Account settings, or bake from a region where it is enabled (`aws: {{region: …}}`)."
        )),
        _ if no_provider(failure) => Some(format!(
            "aws iam create-open-id-connect-provider --url {} --client-id-list {}",
            claims.issuer, claims.audience
        )),
        _ if failure.text().contains("audience") => Some(format!(
            "Add {} to the provider's client IDs (aws iam add-client-id-to-open-id-connect-provider), or ask for another \
             audience with the input `audience`.",
            claims.audience
        )),
        "PackedPolicyTooLarge" | "ValidationError" => None,
        _ => Some("AWS or GitHub may have a temporary problem. Run the job again.".to_owned()),
    }
}

/// The error for a role that could not be assumed from another role.
pub(super) fn of_role(failure: &Failure, role: &str, region: &str) -> Error {
    if let Some(error) = failure.clock_error(&format!("assume the role {role}")) {
        return error;
    }
    let account = account_of(role).unwrap_or_default();
    let error = match failure.code() {
        "AccessDenied" | "AccessDeniedException" => {
            Error::preflight(format!("could not assume the role {role}: access denied, or the role does not exist")).help(format!(
                "Both sides must allow it. The trust policy of the role must name the caller (`aws sts get-caller-identity` shows \
                 it) with the action sts:AssumeRole. A caller outside the account {account} also needs a policy that allows \
                 sts:AssumeRole on {role}."
            ))
        }
        "RegionDisabledException" => {
            Error::preflight(format!("could not assume the role {role}: STS is disabled in {region} for the account {account}"))
                .help(format!("Enable STS for {region} under IAM, Account settings."))
        }
        _ => Error::preflight(format!("could not assume the role {role} in {region}")),
    };
    let answer = if failure.code().is_empty() {
        failure.text().to_owned()
    } else {
        format!("STS answered {}: {}", failure.code(), failure.text())
    };
    error.because(std::io::Error::other(answer))
}
