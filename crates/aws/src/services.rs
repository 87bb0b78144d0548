//! Objects and parameters for steps, with the credentials of the bake.

use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ami_bake_core::services::{Object, ObjectPath, Services};
use ami_bake_core::{Error, Kind, Result, Run};
use async_trait::async_trait;
use aws_sdk_s3::Client as S3;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use secrecy::SecretString;

use crate::error::Failure;
use crate::platform::Inner;

/// What the bucket's own region is called in a refusal of another one (S3 user guide, "Redirecting requests").
const REGION: &str = "x-amz-bucket-region";

/// The services of the home region; buckets are asked where they are.
pub(crate) struct Cloud {
    inner: Arc<Inner>,
    /// Regions of buckets that are not at home.
    regions: Mutex<HashMap<String, String>>,
}

impl Cloud {
    /// The services of a platform.
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, regions: Mutex::default() }
    }

    /// Asks in the bucket's region, which a refusal tells.
    async fn ask<T, E, F>(&self, run: &Run, action: &'static str, at: &ObjectPath, make: impl Fn(S3) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        loop {
            let known = self.regions.lock().unwrap_or_else(PoisonError::into_inner).get(&at.bucket).cloned();
            let there = match &known {
                Some(region) => self.inner.in_region(region),
                None => Arc::clone(&self.inner),
            };
            let elsewhere = Mutex::new(None);
            let request = async {
                let answer = make(there.client.s3.clone()).await;
                if let Err(error) = &answer {
                    let region = error.raw_response().and_then(|response| response.headers().get(REGION));
                    *elsewhere.lock().unwrap_or_else(PoisonError::into_inner) = region.map(str::to_owned);
                }
                answer
            };
            let failure = match run.until_cancelled(there.client.ask(action, request)).await? {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let region = elsewhere.into_inner().unwrap_or_else(PoisonError::into_inner);
            match region.filter(|region| known.is_none() && region != there.client.region()) {
                Some(region) => {
                    let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
                    regions.insert(at.bucket.clone(), region);
                }
                None => return Err(refused(action, at, *failure)),
            }
        }
    }
}

/// A refusal in words.
fn refused(action: &str, at: &ObjectPath, failure: Failure) -> Error {
    let doing = match action {
        "GetObject" => format!("read {at}"),
        "PutObject" => format!("store {at}"),
        _ => format!("list {at}"),
    };
    let help = match failure.code() {
        "NoSuchKey" => "There is no object of that key: mind upper and lower case.".to_owned(),
        "NoSuchBucket" => format!("There is no bucket {}.", at.bucket),
        _ => {
            let error = failure.into_error(&doing);
            // What is refused in the middle of a bake failed it.
            return if error.kind() == Kind::Preflight { error.into_kind(Kind::Build) } else { error };
        }
    };
    failure.into_error(&doing).help(help)
}

#[async_trait]
impl Services for Cloud {
    async fn object(&self, run: &Run, at: &ObjectPath) -> Result<Object> {
        let answer = self
            .ask(run, "GetObject", at, |s3| {
                let request = s3.get_object().bucket(&at.bucket).key(&at.key);
                request.set_expected_bucket_owner(at.owner.clone()).send()
            })
            .await?;
        let size = answer.content_length.and_then(|size| u64::try_from(size).ok());
        let size = size.ok_or_else(|| Error::build(format!("read {at}: S3 does not say how large it is")))?;
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
        let client = &self.inner.client;
        let request = client.ssm.get_parameter().name(name).with_decryption(true).send();
        let doing = format!("read the parameter {name}");
        let answer = run.until_cancelled(client.ask("GetParameter", request)).await?;
        match answer {
            Ok(answer) => {
                let value = answer.parameter.and_then(|parameter| parameter.value);
                value.map(SecretString::from).ok_or_else(|| Error::build(format!("{doing}: it has no value")))
            }
            Err(failure) if failure.not_found() => {
                Err(Error::build(format!("{doing} in {}: there is none", client.region()))
                    .help("Mind its path, and the region of the bake."))
            }
            Err(failure) => Err(client.explain(*failure, &doing).await.into_kind(Kind::Build)),
        }
    }
}
