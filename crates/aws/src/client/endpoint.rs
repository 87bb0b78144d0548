//! Endpoints and percent-encoding for requests that this crate signs itself, without an SDK client of the service.

use std::borrow::Cow;

use aws_types::service_config::ServiceConfigKey;

use super::regional::Client;

/// The endpoint of a service in the client's region: an override of the environment or the profile, else AWS's own.
pub(crate) fn endpoint(client: &Client, service: &str) -> String {
    let own = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let own = own.ok().and_then(|key| client.config().service_config()?.load_config(key));
    if let Some(url) = own.or_else(|| client.config().endpoint_url().map(str::to_owned)) {
        return url.trim_end_matches('/').to_owned();
    }
    let region = client.region();
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{service}.{region}.{suffix}")
}

/// Percent-encodes everything except RFC 3986's unreserved characters, as Signature Version 4 requires.
pub(crate) fn encode(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.bytes().fold(String::new(), |mut out, byte| {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    }))
}
