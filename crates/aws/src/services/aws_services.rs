//! The AWS services that steps may use.

use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ami_bake_core::services::{Object, ObjectPath, Services, StoredDocument};
use ami_bake_core::{Error, ErrorKind, Result, Run};
use async_trait::async_trait;
use aws_sdk_s3::Client as S3;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use secrecy::SecretString;

use super::image_builder;
use crate::client::identity::Partition;
use crate::client::{Clients, Failure};

/// Header with the bucket's own region in a refusal by another region (S3 user guide, "Redirecting requests").
const REGION: &str = "x-amz-bucket-region";

/// The services of the home region; buckets are accessed in their own regions.
pub(crate) struct AwsServices {
    clients: Arc<Clients>,
    /// Regions of buckets outside the home region.
    regions: Mutex<HashMap<String, String>>,
    /// Component documents that were read, so that a pattern means the same document for all machines of a run.
    components: Mutex<HashMap<String, StoredDocument>>,
}

impl AwsServices {
    /// The services of these clients.
    pub(crate) fn new(clients: Arc<Clients>) -> Self {
        Self { clients, regions: Mutex::default(), components: Mutex::default() }
    }

    /// Sends a request to the bucket's region; refusals become errors.
    async fn ask<T, E, F>(&self, run: &Run, action: &'static str, at: &ObjectPath, make: impl Fn(S3) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        self.ask_for(run, action, at, make).await?.map_err(|failure| refused(action, at, *failure))
    }

    /// Sends a request to the bucket's region, which S3 returns with a refusal.
    pub(crate) async fn ask_for<T, E, F>(
        &self,
        run: &Run,
        action: &'static str,
        at: &ObjectPath,
        make: impl Fn(S3) -> F,
    ) -> Result<std::result::Result<T, Box<Failure>>>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        loop {
            let known = self.regions.lock().unwrap_or_else(PoisonError::into_inner).get(&at.bucket).cloned();
            let client = match &known {
                Some(region) => self.clients.in_region(region),
                None => Arc::clone(self.clients.home()),
            };
            let elsewhere = Mutex::new(None);
            let request = async {
                let answer = make(client.s3.clone()).await;
                if let Err(error) = &answer {
                    let region = error.raw_response().and_then(|response| response.headers().get(REGION));
                    *elsewhere.lock().unwrap_or_else(PoisonError::into_inner) = region.map(str::to_owned);
                }
                answer
            };
            let failure = match run.until_cancelled(client.ask(action, request)).await? {
                Ok(answer) => return Ok(Ok(answer)),
                Err(failure) => failure,
            };
            let region = elsewhere.into_inner().unwrap_or_else(PoisonError::into_inner);
            match region.filter(|region| known.is_none() && region != client.region()) {
                Some(region) => {
                    let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
                    regions.insert(at.bucket.clone(), region);
                }
                None => return Ok(Err(failure)),
            }
        }
    }
}

/// A refusal as an error.
fn refused(action: &str, at: &ObjectPath, failure: Failure) -> Error {
    let doing = match action {
        "GetObject" => format!("read {at}"),
        "PutObject" => format!("store {at}"),
        _ => format!("list {at}"),
    };
    let partition = Partition::of_region(failure.region()).as_str();
    let object = if action == "ListBucket" { at.bucket.clone() } else { format!("{}/{}", at.bucket, at.key) };
    let failure = failure.on(partition, &format!("s3:::{object}"));
    let help = help(action, at, partition, &failure);
    let error = failure.into_error(&doing);
    // A refusal in the middle of a bake is a build failure, not a preflight one.
    let error = if error.kind() == ErrorKind::Preflight { error.into_kind(ErrorKind::Build) } else { error };
    let said = error.help_text().unwrap_or_default().to_owned();
    match help {
        Some(help) if said.is_empty() => error.help(help),
        Some(help) => error.help(format!("{said} {help}")),
        None => error,
    }
}

/// Help for a denied request, in addition to the missing statement.
fn help(action: &str, at: &ObjectPath, partition: &str, failure: &Failure) -> Option<String> {
    let bucket = &at.bucket;
    if let Some(missing) = failure.missing() {
        // S3 distinguishes a bucket of another owner from a missing permission only by the text (S3 user guide,
        // "Verifying bucket ownership"): the former has none.
        let unexplained = !failure.text().contains("not authorized to perform");
        return match (&at.owner, missing) {
            (Some(owner), _) if unexplained => Some(format!(
                "If the role already has this permission, the bucket {bucket} does not belong to the account {owner} that \
                 `expectedBucketOwner` names."
            )),
            // Without s3:ListBucket, S3 does not report that an object is missing (S3 API, GetObject, "Permissions").
            (_, "s3:GetObject") => Some(format!(
                "Without s3:ListBucket on arn:{partition}:s3:::{bucket}, S3 also answers AccessDenied when the object does not exist."
            )),
            (_, "s3:ListBucket") if action == "GetObject" => {
                Some(format!("S3 also answers AccessDenied when the object does not exist: check that {at} exists."))
            }
            _ => None,
        };
    }
    Some(match failure.code() {
        "NoSuchKey" => format!("There is no object with the key `{}`. Keys are case-sensitive.", at.key),
        "NoSuchBucket" => format!("There is no bucket {bucket}: check the name in the document, or create the bucket."),
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => format!(
            "The bucket {bucket} is in another region that S3 did not name. `aws s3api head-bucket --bucket {bucket}` \
             shows the region."
        ),
        "InvalidObjectState" => {
            "The object is archived: restore it (`aws s3api restore-object`) before the bake.".to_owned()
        }
        code if code.starts_with("KMS.") => {
            "The KMS key of the object can't be used: enable the key, or upload the object again.".to_owned()
        }
        _ => return None,
    })
}

#[async_trait]
impl Services for AwsServices {
    async fn object(&self, run: &Run, at: &ObjectPath) -> Result<Object> {
        let answer = self
            .ask(run, "GetObject", at, |s3| {
                let request = s3.get_object().bucket(&at.bucket).key(&at.key);
                request.set_expected_bucket_owner(at.owner.clone()).send()
            })
            .await?;
        let size = answer.content_length.and_then(|size| u64::try_from(size).ok());
        let size = size.ok_or_else(|| Error::build(format!("could not read {at}: S3 did not send its size")))?;
        Ok(Object { size, content: Box::new(answer.body.into_async_read()) })
    }

    async fn objects(&self, run: &Run, prefix: &ObjectPath) -> Result<Vec<String>> {
        let mut keys = Vec::new();
        let mut next = None;
        loop {
            let answer = self
                .ask(run, "ListBucket", prefix, |s3| {
                    let request = s3.list_objects_v2().bucket(&prefix.bucket).prefix(&prefix.key);
                    let request = request.set_expected_bucket_owner(prefix.owner.clone());
                    request.set_continuation_token(next.clone()).send()
                })
                .await?;
            keys.extend(answer.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
            next = answer.next_continuation_token;
            if next.is_none() {
                return Ok(keys);
            }
        }
    }

    async fn store(&self, run: &Run, at: &ObjectPath, file: &Path) -> Result<()> {
        self.ask(run, "PutObject", at, |s3| async move {
            let body = ByteStream::from_path(file).await.map_err(SdkError::construction_failure)?;
            let request = s3.put_object().bucket(&at.bucket).key(&at.key).body(body);
            request.set_expected_bucket_owner(at.owner.clone()).send().await
        })
        .await
        .map(|_| ())
    }

    async fn parameter(&self, run: &Run, name: &str) -> Result<SecretString> {
        let client = self.clients.home();
        let request = client.ssm.get_parameter().name(name).with_decryption(true).send();
        let doing = format!("read the parameter {name}");
        let answer = run.until_cancelled(client.ask("GetParameter", request)).await?;
        match answer {
            Ok(answer) => {
                let value = answer.parameter.and_then(|parameter| parameter.value);
                value.map(SecretString::from).ok_or_else(|| Error::build(format!("could not {doing}: it has no value")))
            }
            Err(failure) if failure.not_found() => {
                Err(Error::build(format!("could not {doing} in {}: the parameter does not exist", client.region()))
                    .help("Check the path of the parameter and the region of the bake."))
            }
            Err(failure) => {
                let partition = Partition::of_region(client.region()).as_str();
                let resource = format!("ssm:{}:*:parameter/{}", client.region(), name.trim_start_matches('/'));
                Err(client.explain(failure.on(partition, &resource), &doing).await.into_kind(ErrorKind::Build))
            }
        }
    }

    async fn component(&self, run: &Run, arn: &str) -> Result<StoredDocument> {
        let known = || self.components.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(document) = known().get(arn) {
            return Ok(document.clone());
        }
        let region = arn.split(':').nth(3).filter(|region| !region.is_empty());
        let region = region.ok_or_else(|| Error::build(format!("`{arn}` is not the ARN of a component")))?;
        let client = self.clients.in_region(region);
        let partition = Partition::of_region(region).as_str();
        let document = image_builder::component(&client, run, partition, arn).await?;
        known().insert(arn.to_owned(), document.clone());
        Ok(document)
    }
}
