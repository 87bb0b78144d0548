//! Access of steps to the platform's cloud, with the credentials of the bake: the machine itself needs none.

use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::communicator::Reader;
use crate::error::{Error, Result};
use crate::run::Run;

/// Location of an object, or a prefix of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectPath {
    /// The bucket.
    pub bucket: String,
    /// The key, or a prefix of keys; may be empty for a whole bucket.
    pub key: String,
    /// ID of the account that must own the bucket.
    pub owner: Option<String>,
}

impl ObjectPath {
    /// Parses `s3://BUCKET/KEY`.
    ///
    /// # Errors
    /// When the text does not have this form.
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

/// An object whose content can be read.
pub struct Object {
    /// Size of the object in bytes.
    pub size: u64,
    /// Content of the object.
    pub content: Reader<'static>,
}

/// A component document stored in the cloud (EC2 Image Builder).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// ARN of the build version that was read; the request may have named a version or a pattern.
    pub arn: String,
    /// Text of the document.
    pub text: String,
}

/// Objects, parameters and component documents of a cloud.
#[async_trait]
pub trait Services: Send + Sync {
    /// Opens an object for reading.
    ///
    /// # Errors
    /// When the object does not exist or may not be read.
    async fn object(&self, run: &Run, at: &ObjectPath) -> Result<Object>;

    /// The keys with the prefix of `prefix`, sorted.
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
    /// When the parameter does not exist or may not be read.
    async fn parameter(&self, run: &Run, name: &str) -> Result<SecretString>;

    /// The component document of an ARN. A version or a pattern (`1.x.x`) selects the newest match, and the same one
    /// for the rest of the run.
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
