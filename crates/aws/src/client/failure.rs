//! Failures of AWS calls, as data and as errors.
//!
//! EC2's API model has no error types, so failures are distinguished by their codes.

use std::fmt;

use ami_bake_core::{Error, ErrorKind};
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::denied::Denied;
use super::server_time::ServerTime;

/// How a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailureKind {
    /// AWS answered with an error.
    Refused,
    /// No answer, an incomplete answer, or a server-side failure: the request may have taken effect.
    Lost,
    /// The request was not sent: there were no credentials.
    Credentials,
    /// The request was not sent: the endpoint can't be reached.
    Unreachable,
}

/// A call that failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    action: &'static str,
    region: String,
    kind: FailureKind,
    code: Option<String>,
    text: String,
    status: Option<u16>,
    denied: Option<Denied>,
    /// The credentials source's own error, if that is what failed.
    explained: Option<Error>,
    /// Time of AWS in the answer.
    time: Option<ServerTime>,
}

impl Failure {
    /// A failure with everything that the SDK's error says.
    pub(crate) fn new<E>(action: &'static str, region: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().map(str::to_owned);
        let kind = match error {
            SdkError::ServiceError(_) => FailureKind::Refused,
            _ if no_credentials(error) => FailureKind::Credentials,
            // If no connection was made, no request was sent.
            SdkError::DispatchFailure(dispatch) if dispatch.is_io() && never_connected(error) => {
                FailureKind::Unreachable
            }
            SdkError::ConstructionFailure(_) => FailureKind::Refused,
            _ => FailureKind::Lost,
        };
        let text = match error.message() {
            Some(message) => message.to_owned(),
            None => chain(error),
        };
        let denied = code.as_deref().and_then(|code| Denied::new(action, code, &text));
        let explained = causes(error).find_map(|cause| cause.downcast_ref::<Error>().cloned());
        let time = error.raw_response().and_then(ServerTime::of);
        Self { action, region: region.to_owned(), kind, code, text, status, denied, explained, time }
    }

    /// AWS's error code.
    pub(crate) fn code(&self) -> &str {
        self.code.as_deref().unwrap_or_default()
    }

    /// The region that was called.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// AWS's error message.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// True if AWS's code is one of these.
    pub(crate) fn is(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code())
    }

    /// True when the object does not exist (`InvalidInstanceID.NotFound`, `InvalidAMIID.Unavailable`, `NoSuchEntity`
    /// …).
    pub(crate) fn not_found(&self) -> bool {
        let code = self.code();
        code.ends_with(".NotFound")
            || code.ends_with("NotFoundException")
            || matches!(code, "NoSuchEntity" | "ParameterNotFound" | "InvalidAMIID.Unavailable")
    }

    /// True when the request may have taken effect although no good answer came: a lost connection, a time-out, a 5xx.
    /// Such a call is repeated with the same token, or its object is looked up. A code that names a reason, such as
    /// missing capacity (which EC2 sends as 500), is a definite refusal.
    pub(crate) fn unknown(&self) -> bool {
        match self.kind {
            FailureKind::Lost => true,
            FailureKind::Refused => {
                self.status.is_some_and(|status| status >= 500)
                    && (self.code.is_none()
                        || self.is(&["InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable"]))
            }
            FailureKind::Credentials | FailureKind::Unreachable => false,
        }
    }

    /// True when the request was not sent, because no connection could be made.
    pub(crate) fn never_sent(&self) -> bool {
        self.kind == FailureKind::Unreachable
    }

    /// True when the request was not sent for lack of credentials: none were found, or a role could not be assumed.
    pub(crate) fn without_credentials(&self) -> bool {
        self.kind == FailureKind::Credentials
    }

    /// True when AWS throttled the request.
    pub(crate) fn throttled(&self) -> bool {
        self.is(&[
            "RequestLimitExceeded",
            "Throttling",
            "ThrottlingException",
            "RequestThrottled",
            "EC2ThrottledException",
        ])
    }

    /// True when a permission is missing.
    pub(crate) fn is_denied(&self) -> bool {
        self.denied.is_some()
    }

    /// The action that the role may not use, such as `kms:Decrypt`; often that of the call itself.
    pub(crate) fn missing(&self) -> Option<&str> {
        self.denied.as_ref().map(Denied::action)
    }

    /// Sets the resource of a denied call (its ARN without `arn:` and partition) if AWS did not name one.
    #[must_use]
    pub(crate) fn on(mut self, partition: &str, resource: &str) -> Self {
        let action = self.action;
        if let Some(denied) = &mut self.denied {
            denied.on(action, partition, resource);
        }
        self
    }

    /// The credentials source's own error, if there is one.
    pub(crate) fn explained(&self) -> Option<&Error> {
        self.explained.as_ref()
    }

    /// The encoded authorization message, if EC2 sent one that was not decoded yet.
    pub(crate) fn encoded(&self) -> Option<String> {
        self.denied.as_ref().and_then(Denied::encoded)
    }

    /// Adds the decoded authorization message (STS' JSON).
    pub(crate) fn decoded(&mut self, message: &str) {
        if let Some(denied) = &mut self.denied {
            denied.read(message);
        }
    }

    /// The error if this machine's clock is the cause: AWS refuses the signature, in some services with an unrelated
    /// code.
    pub(crate) fn clock_error(&self, doing: &str) -> Option<Error> {
        let says = self.is(&["RequestTimeTooSkewed", "RequestInTheFuture"]);
        let may_mean =
            self.is(&["AuthFailure", "InvalidSignatureException", "RequestExpired", "SignatureDoesNotMatch"]);
        let off = self.time.filter(|time| time.is_off());
        if !(says || may_mean && off.is_some()) {
            return None;
        }
        let what =
            off.map_or_else(|| "the clock of this machine differs from that of AWS".to_owned(), ServerTime::in_words);
        let error = Error::preflight(format!("could not {doing} in {}: {what}", self.region)).help(
            "Set the clock, for example with `timedatectl set-ntp true`. AWS accepts a difference of five minutes.",
        );
        Some(error.because(self.answer()).denied())
    }

    fn answer(&self) -> AwsMessage {
        AwsMessage(match &self.code {
            Some(code) => format!("{} answered {code}: {}", self.action, self.text),
            None => format!("{}: {}", self.action, self.text),
        })
    }

    /// The failure as an error. `doing` completes "could not …" and names the object.
    pub(crate) fn into_error(self, doing: &str) -> Error {
        if let Some(error) = self.explained {
            // The credentials source has retried as long as that could help.
            return error.denied();
        }
        if let Some(error) = self.clock_error(doing) {
            return error;
        }
        let (region, answer) = (&self.region, self.answer());
        if let Some(denied) = &self.denied {
            let error =
                Error::preflight(format!("could not {doing} in {region}: {}", denied.in_words())).help(denied.help());
            return error.because(AwsMessage(Denied::short(&answer.0))).denied();
        }
        match self.kind {
            FailureKind::Credentials => Error::preflight(format!("could not {doing} in {region}: no usable AWS credentials"))
                .help(
                    "Grant the workflow `permissions: {id-token: write}` and add a role to the manifest (`aws: {role: …}`), or set \
                     AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. `aws sts get-caller-identity` shows \
                     whether credentials work.",
                )
                .because(answer)
                .denied(),
            FailureKind::Unreachable => Error::preflight(format!("could not {doing}: the AWS endpoint in {region} can't be reached"))
                .help(format!(
                    "Check that {region} is a valid region and that this machine can reach the internet (HTTPS_PROXY is \
                     supported). AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_EC2 override the endpoint if they are set."
                ))
                .because(answer),
            FailureKind::Lost => Error::build(format!("could not {doing} in {region}: no answer was received"))
                .help("Run the bake again. Whatever this run may have created is tagged with its run ID and cleaned up.")
                .because(answer),
            FailureKind::Refused => self.refused(doing, answer),
        }
    }

    fn refused(&self, doing: &str, answer: AwsMessage) -> Error {
        let region = &self.region;
        let code = self.code();
        let (kind, what, help) = match code {
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => (
                ErrorKind::Preflight,
                "the AWS credentials have expired",
                Some("Credentials from environment variables can't be renewed. Use a role (`aws: {role: …}`) or a profile instead.".to_owned()),
            ),
            "AuthFailure"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException" => (
                ErrorKind::Preflight,
                "AWS does not accept the credentials",
                Some(format!(
                    "`aws sts get-caller-identity` shows whose they are. If {region} is an opt-in region, it must be enabled for the account."
                )),
            ),
            "OptInRequired" => (
                ErrorKind::Preflight,
                "the account must opt in first",
                Some(format!(
                    "Enable the region {region} for the account, or accept the Marketplace product's terms with this account, then bake again."
                )),
            ),
            // EC2 user guide, "Service-linked role for Spot Instance requests".
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted" => (
                ErrorKind::Preflight,
                "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
                Some(
                    "The account has no role for spot machines yet. Let an administrator create it once: `aws iam \
                     create-service-linked-role --aws-service-name spot.amazonaws.com`, or allow \
                     iam:CreateServiceLinkedRole as `ami-bake policy` prints it."
                        .to_owned(),
                ),
            ),
            _ if self.throttled() => (
                ErrorKind::Build,
                "AWS keeps throttling the requests",
                Some("Other tools share the account's rate limits. Bake fewer images at once, or try again later.".to_owned()),
            ),
            "VcpuLimitExceeded" | "MaxSpotInstanceCountExceeded" | "InstanceLimitExceeded" => (
                ErrorKind::Preflight,
                "the account's instance limit is reached",
                Some(format!(
                    "Request an increase under Service Quotas (EC2, {region}), terminate unused instances, or set smaller types under `machine: {{type: …}}`."
                )),
            ),
            _ => (ErrorKind::Build, code, None),
        };
        let definite = kind == ErrorKind::Preflight;
        let what = if what.is_empty() { "AWS refused" } else { what };
        let error = Error::new(kind, format!("could not {doing} in {region}: {what}")).because(answer);
        let error = if definite { error.denied() } else { error };
        match help {
            Some(help) => error.help(help),
            None => error,
        }
    }
}

/// AWS's message, as the cause of an error.
#[derive(Debug)]
struct AwsMessage(String);

impl fmt::Display for AwsMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AwsMessage {}

/// True when the credentials could not be found or loaded.
fn no_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    causes(error).any(|cause| cause.downcast_ref::<CredentialsError>().is_some())
}

/// True when the connection was refused or the host name did not resolve.
fn never_connected(error: &(dyn std::error::Error + 'static)) -> bool {
    causes(error).any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused)
            || cause.to_string().contains("dns error")
    })
}

/// The error and its causes in one line each, as far as they say something new; Display alone says "dispatch failure".
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}
