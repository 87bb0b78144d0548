//! Reads the claims of a token without verifying its signature: they are shown to people, and nothing is decided by
//! them.

use ami_bake_core::token::Claims;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::Value;

/// The claims in a JSON Web Token (RFC 7519); empty when it is invalid.
pub(super) fn read(token: &str) -> Claims {
    let payload = token.split('.').nth(1).unwrap_or_default();
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).unwrap_or_default();
    let claims: Value = serde_json::from_slice(&payload).unwrap_or_default();
    let text = |name: &str| claims[name].as_str().map(str::to_owned);
    Claims {
        subject: text("sub").unwrap_or_default(),
        // An audience may also be a list.
        audience: text("aud").or_else(|| claims["aud"][0].as_str().map(str::to_owned)).unwrap_or_default(),
        issuer: text("iss").unwrap_or_default(),
        repository: text("repository"),
        owner_id: text("repository_owner_id"),
        repository_id: text("repository_id"),
        expires: claims["exp"].as_i64().and_then(|second| Timestamp::from_second(second).ok()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_token_says_nothing() {
        for text in ["", "a.b.c", "x", "..", "a.e30.c"] {
            assert_eq!(read(text), Claims::default(), "{text}");
        }
    }

    #[test]
    fn the_claims_of_a_workflow() {
        let payload = json!({
            "sub": "repo:shop/images:ref:refs/heads/main", "aud": ["sts.amazonaws.com"], "exp": 1_800_000_000,
            "iss": "https://token.actions.githubusercontent.com", "repository_id": "74", "repository_owner_id": "65",
        });
        let claims = read(&format!("x.{}.y", URL_SAFE_NO_PAD.encode(payload.to_string())));
        assert_eq!(claims.subject, "repo:shop/images:ref:refs/heads/main");
        assert_eq!((claims.audience.as_str(), claims.repository_id.as_deref()), ("sts.amazonaws.com", Some("74")));
        assert_eq!(claims.expires.map(Timestamp::as_second), Some(1_800_000_000));
    }
}
