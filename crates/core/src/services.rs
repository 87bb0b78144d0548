//! What a step may ask of the platform's cloud, with the credentials of the bake: the machine itself needs none.

use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::communicator::Reader;
use crate::error::{Error, Result};
use crate::run::Run;

/// Where an object is, or what the keys of several begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectPath {
    /// The bucket.
    pub bucket: String,
    /// The key, or its beginning; may be empty for a whole bucket.
    pub key: String,
    /// The account that must own the bucket.
    pub owner: Option<String>,
}

impl ObjectPath {
    /// Reads `s3://BUCKET/KEY`.
    ///
    /// # Errors
    /// When it is not `s3://BUCKET/KEY`.
    pub fn parse(text: &str) -> Result<Self> {
        let (bucket, key) = text.strip_prefix("s3://").and_then(|rest| rest.split_once('/')).unwrap_or_default();
        if bucket.is_empty() || bucket.contains(char::is_whitespace) {
            return Err(
                Error::build(format!("`{text}` is not a valid S3 location")).help("Write it as `s3://BUCKET/KEY`.")
            );
        }
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned(), owner: None })
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// An object that is being read.
pub struct Object {
    /// Size of the object in bytes.
    pub size: u64,
    /// Content of the object.
    pub content: Reader<'static>,
}

/// A component document that the cloud keeps (EC2 Image Builder).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// The ARN of the build version that was read; that of a version or a pattern was asked for perhaps.
    pub arn: String,
    /// Text of the document.
    pub text: String,
}

/// Objects, parameters and component documents of a cloud.
#[async_trait]
pub trait Services: Send + Sync {
    /// Begins to read an object.
    ///
    /// # Errors
    /// When the object does not exist or may not be read.
    async fn object(&self, run: &Run, at: &ObjectPath) -> Result<Object>;

    /// The keys that begin with that of `prefix`, in order.
    ///
    /// # Errors
    /// When the bucket may not be listed.
    async fn objects(&self, run: &Run, prefix: &ObjectPath) -> Result<Vec<String>>;

    /// Stores a file of this machine as an object.
    ///
    /// # Errors
    /// When the bucket may not be written to.
    async fn store(&self, run: &Run, at: &ObjectPath, file: &Path) -> Result<()>;

    /// The value of a parameter (SSM Parameter Store), decrypted.
    ///
    /// # Errors
    /// When there is none of that name, or it may not be read.
    async fn parameter(&self, run: &Run, name: &str) -> Result<SecretString>;

    /// The component document of an ARN; one of a version or a pattern (`1.x.x`) means the newest that fits, and the
    /// same one for the rest of the run.
    ///
    /// # Errors
    /// When the document does not exist or may not be read.
    async fn component(&self, run: &Run, arn: &str) -> Result<StoredDocument>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_and_a_key() {
        let at = ObjectPath::parse("s3://b/a/b c.txt").unwrap();
        assert_eq!(
            (at.bucket.as_str(), at.key.as_str(), at.to_string().as_str()),
            ("b", "a/b c.txt", "s3://b/a/b c.txt")
        );
        for bad in ["", "b/k", "s3://", "s3://b", "s3:///k", "https://b/k"] {
            assert!(ObjectPath::parse(bad).is_err(), "{bad}");
        }
    }
}
