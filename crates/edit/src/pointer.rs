//! JSON pointers (RFC 6901).

use ami_bake_core::{Error, Result};

/// A place in a document, such as `/images/web/0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// Parses a pointer.
    ///
    /// # Errors
    /// When it is empty or does not begin with a slash.
    pub fn parse(text: &str) -> Result<Self> {
        match text.strip_prefix('/') {
            Some(rest) if !rest.is_empty() => {
                Ok(Self(rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect()))
            }
            _ => Err(Error::usage(format!("`{text}` is not a valid pointer"))
                .help("Use a JSON pointer, such as `/ami_id` or `/images/web`.")),
        }
    }

    /// The keys and indices.
    pub(crate) fn parts(&self) -> &[String] {
        &self.0
    }
}
