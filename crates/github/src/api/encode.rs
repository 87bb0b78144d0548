//! Percent-encoding for URLs (RFC 3986). The `url` crate has no set that encodes all but unreserved characters.

use std::fmt::Write as _;

/// Encodes everything but unreserved characters and those in `keep`.
pub(crate) fn percent(text: &str, keep: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
