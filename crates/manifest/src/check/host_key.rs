//! Host keys as a manifest writes them, read as far as a key can be wrong without the machine that has it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// What to write instead.
pub(super) const HELP: &str = "Use a line of `ssh-keyscan` without the host name (`ssh-ed25519 AAAA…`), a `SHA256:…` fingerprint, or `accept-new`.";
/// Bytes of a SHA-256 digest.
const DIGEST: usize = 32;

/// Why this is not a host key; none where it may be one.
pub(super) fn refusal(text: &str) -> Option<String> {
    let text = text.trim();
    if text == "accept-new" {
        return None;
    }
    if let Some(digest) = text.strip_prefix("SHA256:") {
        let bytes = STANDARD_NO_PAD.decode(digest.trim_end_matches('=')).ok();
        return (bytes.map(|bytes| bytes.len()) != Some(DIGEST)).then(|| "the fingerprint is not complete".to_owned());
    }
    let mut words = text.split_whitespace();
    let (kind, blob) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if blob.is_empty() {
        return Some("it has no key after the key type".to_owned());
    }
    let Ok(blob) = STANDARD.decode(blob) else { return Some(format!("what follows `{kind}` is not base64")) };
    // RFC 4253, section 6.6: the key begins with the length and the name of its type.
    let named = blob.split_first_chunk::<4>().and_then(|(length, rest)| {
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        rest.split_at_checked(length)
    });
    match named {
        Some((name, key)) if name == kind.as_bytes() && !key.is_empty() => None,
        _ => Some(format!("what follows `{kind}` is not a key of this type")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_its_type_says() {
        const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIGkuCDktsxF/7Aj0qCmxCpyTBEm5w1T0CuKzXwxqHQ9Q";
        for good in [
            "accept-new".to_owned(),
            format!("ssh-ed25519 {KEY}"),
            format!(" ssh-ed25519 {KEY} host@example\n"),
            "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU".to_owned(),
        ] {
            assert_eq!(refusal(&good), None, "{good}");
        }
        for bad in [
            "ssh-ed25519 zzz".to_owned(),
            format!("ssh-rsa {KEY}"),
            "ssh-ed25519".to_owned(),
            format!("bastion.example ssh-ed25519 {KEY}"),
            format!("ssh-ed25519 {}", &KEY[..16]),
            "SHA256:abc".to_owned(),
            String::new(),
        ] {
            assert!(refusal(&bad).is_some(), "{bad}");
        }
    }
}
