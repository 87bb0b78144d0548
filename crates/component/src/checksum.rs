//! Checksum algorithms (user guide, `WebDownload`).

/// The tool on the machine that computes this checksum.
pub(crate) fn checksum_tool(algorithm: &str) -> Option<&'static str> {
    Some(match algorithm.to_ascii_uppercase().as_str() {
        "MD5" => "md5sum",
        "SHA1" => "sha1sum",
        "SHA256" => "sha256sum",
        "SHA512" => "sha512sum",
        _ => return None,
    })
}
