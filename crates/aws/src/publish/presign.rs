//! The presigned URL for CopySnapshot: the source region's permission for the copy, which the SDK for Rust does not
//! add.

use std::time::{Duration, SystemTime};

use ami_bake_core::{Error, Result};
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;

use crate::client::{Client, encode, endpoint};

/// Validity of the URL, as in the AWS CLI.
const EXPIRES: Duration = Duration::from_hours(1);
/// Version of EC2's API in the query.
const API: &str = "2016-11-15";

/// Parameters of a copy.
pub(super) struct PresignRequest<'a> {
    /// ID of the snapshot, in the region of the client.
    pub(super) snapshot: &'a str,
    /// Name of the target region.
    pub(super) to: &'a str,
    /// The key that encrypts the copy.
    pub(super) kms_key: Option<&'a str>,
}

/// Signs the call for the snapshot's own region (EC2 API, CopySnapshot, PresignedUrl). `home` is that region's client.
///
/// # Errors
/// When there are no credentials, or the request can't be signed.
pub(super) async fn presigned(home: &Client, request: &PresignRequest<'_>, now: SystemTime) -> Result<String> {
    let doing = || format!("sign the copy of the snapshot {} to {}", request.snapshot, request.to);
    let provider = home.config().credentials_provider().ok_or_else(|| Error::preflight(doing()))?;
    let credentials = provider.provide_credentials().await.map_err(|error| Error::preflight(doing()).because(error))?;
    let identity: Identity = credentials.into();
    signed(&endpoint(home, "ec2"), home.region(), request, &identity, now)
        .map_err(|why| Error::internal(doing()).because(std::io::Error::other(why)))
}

fn signed(
    endpoint: &str,
    region: &str,
    request: &PresignRequest<'_>,
    identity: &Identity,
    now: SystemTime,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let mut fields = vec![
        ("Action", "CopySnapshot"),
        ("Version", API),
        ("SourceRegion", region),
        ("SourceSnapshotId", request.snapshot),
        ("DestinationRegion", request.to),
    ];
    if let Some(key) = request.kms_key {
        fields.extend([("Encrypted", "true"), ("KmsKeyId", key)]);
    }
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let mut url = format!("{endpoint}/?{}", fields.join("&"));
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    let params = v4::SigningParams::builder()
        .identity(identity)
        .region(region)
        .name("ec2")
        .time(now)
        .settings(settings)
        .build()?
        .into();
    let signable = SignableRequest::new("GET", url.as_str(), std::iter::empty(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(signable, &params)?.into_parts();
    for (name, value) in instructions.params() {
        url.push_str(&format!("&{name}={}", encode(value)));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;

    use super::*;

    #[test]
    fn the_url_is_signed_for_the_source_region() {
        let identity: Identity = Credentials::new("AKID", "secret", Some("to/ken".to_owned()), None, "test").into();
        let request = PresignRequest { snapshot: "snap-1", to: "eu-west-1", kms_key: Some("alias/images") };
        let at = SystemTime::UNIX_EPOCH + Duration::from_hours(480_000);
        let url = signed("https://ec2.us-east-1.amazonaws.com", "us-east-1", &request, &identity, at).unwrap();
        for part in [
            "https://ec2.us-east-1.amazonaws.com/?Action=CopySnapshot&Version=2016-11-15&",
            "SourceRegion=us-east-1&SourceSnapshotId=snap-1&DestinationRegion=eu-west-1",
            "Encrypted=true&KmsKeyId=alias%2Fimages",
            "X-Amz-Credential=AKID%2F20241004%2Fus-east-1%2Fec2%2Faws4_request",
            "X-Amz-Expires=3600",
            "X-Amz-SignedHeaders=host",
            "X-Amz-Security-Token=to%2Fken",
            "X-Amz-Signature=",
        ] {
            assert!(url.contains(part), "{part} is not in {url}");
        }
        assert!(!url.contains("secret"));
    }
}
