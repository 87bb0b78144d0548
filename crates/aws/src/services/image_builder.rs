//! GetComponent of EC2 Image Builder (API reference, 2019-12-02), without its SDK, since it is the only call that is
//! used.

use std::fmt;
use std::time::SystemTime;

use ami_bake_core::services::StoredDocument;
use ami_bake_core::{Error, ErrorKind, Result, Run};
use aws_config::BehaviorVersion;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use serde::Deserialize;

use crate::client::{Client, encode, endpoint, retries};

const SERVICE: &str = "imagebuilder";
const ACTION: &str = "GetComponent";
/// Status codes that are retried: throttling (CallRateLimitExceededException is a 429), and failures of the service.
const AGAIN: &[u16] = &[429, 500, 502, 503, 504];

/// The component with this ARN, in the client's region. For a version or a pattern Image Builder itself returns the
/// newest match.
///
/// # Errors
/// When it does not exist, may not be read, or is for another operating system.
pub(super) async fn component(client: &Client, run: &Run, partition: &str, arn: &str) -> Result<StoredDocument> {
    let doing = format!("read the component {arn}");
    let failure = match run.until_cancelled(client.ask(ACTION, get(client, arn))).await? {
        Ok(component) => return document(component, run, arn, &doing),
        Err(failure) => failure,
    };
    if failure.is(&["ResourceNotFoundException"]) {
        return Err(Error::build(format!("could not {doing}: no component has this ARN")).help(
            "Check the name (in lower case), the version and the region. `aws imagebuilder list-components` lists the \
             components of the account, with `--owner Amazon` those of AWS.",
        ));
    }
    let resource = arn.splitn(3, ':').nth(2).unwrap_or(arn);
    let error = client.explain(failure.on(partition, resource), &doing).await;
    // A refusal in the middle of a bake is a build failure, not a preflight one.
    Err(if error.kind() == ErrorKind::Preflight { error.into_kind(ErrorKind::Build) } else { error })
}

fn document(component: Component, run: &Run, arn: &str, doing: &str) -> Result<StoredDocument> {
    if component.platform.as_deref() == Some("Windows") {
        return Err(
            Error::build(format!("could not {doing}: it is a Windows component")).help("Use a component for Linux.")
        );
    }
    let state = component.state.and_then(|state| Some((state.status?, state.reason)));
    if let Some((status, reason)) = state.filter(|(status, _)| status == "DEPRECATED" || status == "DISABLED") {
        let why = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        run.warn(format!("the component {arn} is {}{why}", status.to_lowercase()), None);
    }
    let Some(text) = component.data.filter(|text| !text.is_empty()) else {
        return Err(Error::build(format!("could not {doing}: Image Builder does not return its document")).help(
            "It belongs to a Marketplace product, or its owner hides it (`obfuscate`). Ask the owner for the document, and \
             use it from a file on the machine or in S3.",
        ));
    };
    let arn = component.arn.unwrap_or_else(|| arn.to_owned());
    Ok(StoredDocument { arn, text })
}

#[derive(Debug, Deserialize)]
struct GetComponentAnswer {
    component: Component,
}

#[derive(Debug, Deserialize)]
struct Component {
    arn: Option<String>,
    data: Option<String>,
    platform: Option<String>,
    state: Option<ComponentState>,
}

#[derive(Debug, Deserialize)]
struct ComponentState {
    status: Option<String>,
    reason: Option<String>,
}

/// A refusal, in the form that the SDK's own clients use.
#[derive(Debug)]
pub(crate) struct ComponentError(ErrorMetadata);

impl fmt::Display for ComponentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::error::Error for ComponentError {}

impl ProvideErrorMetadata for ComponentError {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

/// Requests a component, to check the permission.
pub(crate) async fn probe(client: &Client, arn: &str) -> Result<(), SdkError<ComponentError, HttpResponse>> {
    get(client, arn).await.map(|_| ())
}

async fn get(client: &Client, arn: &str) -> Result<Component, SdkError<ComponentError, HttpResponse>> {
    let config = client.config();
    let provider = config.credentials_provider().ok_or_else(|| SdkError::construction_failure("no credentials"))?;
    let credentials = provider.provide_credentials().await.map_err(SdkError::construction_failure)?;
    let origin = endpoint(client, SERVICE);
    let path = format!("/{ACTION}?componentBuildVersionArn={}", encode(arn));
    let headers = signed(&format!("{origin}{path}"), client.region(), &credentials.into(), SystemTime::now())
        .map_err(SdkError::construction_failure)?;
    let mut operation = Operation::builder()
        .service_name(SERVICE)
        .operation_name(ACTION)
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(&origin)
        // Signed here: the signature is valid for a quarter of an hour, longer than all attempts.
        .no_auth()
        .standard_retry(&retries())
        .retry_classifier(HttpStatusCodeClassifier::new_from_codes(AGAIN))
        .retry_classifier(TransientErrorClassifier::<ComponentError>::new())
        .interceptor(client.meter());
    if let Some(timeouts) = config.timeout_config() {
        operation = operation.timeout_config(timeouts.clone());
    }
    if let Some(http) = config.http_client() {
        operation = operation.http_client(http);
    }
    if let Some(sleep) = config.sleep_impl() {
        operation = operation.sleep_impl(sleep);
    }
    let operation = operation
        .serializer(move |(): ()| {
            let mut request = HttpRequest::new(SdkBody::empty());
            request.set_uri(path.as_str())?;
            for (name, value) in &headers {
                request.headers_mut().try_insert(name.clone(), value.clone())?;
            }
            Ok(request)
        })
        .deserializer(|response: &HttpResponse| {
            let body = response.body().bytes().unwrap_or_default();
            if response.status().as_u16() != 200 {
                return Err(OrchestratorError::operation(ComponentError(refusal(response.headers().get(KIND), body))));
            }
            let answer: GetComponentAnswer = serde_json::from_slice(body).map_err(OrchestratorError::other)?;
            Ok(answer.component)
        })
        .build();
    operation.invoke(()).await
}

/// Header with an error's code (Smithy, "AWS restJson1 protocol", operation error serialization).
const KIND: &str = "x-amzn-errortype";

/// Code (without namespace and URL) and message of a refusal.
fn refusal(kind: Option<&str>, body: &[u8]) -> ErrorMetadata {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |names: &[&str]| names.iter().find_map(|name| body.get(name)?.as_str()).map(str::to_owned);
    let code = kind.map(str::to_owned).or_else(|| text(&["__type", "code"]));
    let code = code.as_deref().and_then(|code| code.split(':').next()).and_then(|code| code.split('#').next_back());
    let mut metadata = ErrorMetadata::builder();
    if let Some(code) = code {
        metadata = metadata.code(code);
    }
    if let Some(message) = text(&["message", "Message"]) {
        metadata = metadata.message(message);
    }
    metadata.build()
}

/// The headers of a signed request.
fn signed(
    url: &str,
    region: &str,
    identity: &Identity,
    now: SystemTime,
) -> std::result::Result<Vec<(String, String)>, BoxError> {
    let params = v4::SigningParams::builder()
        .identity(identity)
        .region(region)
        .name(SERVICE)
        .time(now)
        .settings(SigningSettings::default())
        .build()?
        .into();
    let request = SignableRequest::new("GET", url, std::iter::empty(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(request, &params)?.into_parts();
    Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_credential_types::Credentials;

    use super::*;

    #[test]
    fn the_request_is_signed_for_its_service_and_region() {
        let identity: Identity = Credentials::new("AKID", "secret", Some("token".to_owned()), None, "test").into();
        let at = SystemTime::UNIX_EPOCH + Duration::from_hours(480_000);
        let url = "https://imagebuilder.eu-west-1.amazonaws.com/GetComponent?componentBuildVersionArn=arn%3Aaws";
        let headers = signed(url, "eu-west-1", &identity, at).unwrap();
        let of = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap();
        assert_eq!((of("x-amz-date"), of("x-amz-security-token")), ("20241004T000000Z", "token"));
        let expected = "Credential=AKID/20241004/eu-west-1/imagebuilder/aws4_request, SignedHeaders=host;x-amz-date";
        assert!(of("authorization").contains(expected), "{}", of("authorization"));
    }

    #[test]
    fn a_refusal_has_its_bare_code() {
        let of = |kind, body: &str| {
            let metadata = refusal(kind, body.as_bytes());
            (metadata.code().unwrap_or_default().to_owned(), metadata.message().unwrap_or_default().to_owned())
        };
        let there = |code: &str| (code.to_owned(), "no".to_owned());
        let kind = "ResourceNotFoundException:http://internal.amazon.com/coral/";
        assert_eq!(of(Some(kind), r#"{"message": "no"}"#), there("ResourceNotFoundException"));
        assert_eq!(
            of(None, r#"{"__type": "com.amazon#AccessDeniedException", "Message": "no"}"#),
            there("AccessDeniedException")
        );
        assert_eq!(of(None, "<html>"), (String::new(), String::new()));
    }
}
