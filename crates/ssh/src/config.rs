//! The protocol settings of a client connection.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Preferred, SshId, cipher, client, compression, kex};

use crate::key::PublicKey;
use crate::target::HostKey;

/// Bytes that the server may send ahead on one channel: 8 MiB keep a 1 Gbit/s line of 60 ms full.
const WINDOW: u32 = 8 << 20;

/// AES-GCM first: it runs in hardware on every server processor, ChaCha20 in software (some 3 × slower).
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// Curves before finite fields, which cost ten times as much; the NIST curves and the groups are what CIS, STIG and FIPS leave.
/// SHA-1 is never offered.
const KEXES: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G16_SHA512,
    kex::DH_G18_SHA512,
    kex::DH_G17_SHA512,
    kex::DH_G15_SHA512,
    kex::DH_G14_SHA256,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

/// The settings for a server that must answer with `host_key`.
pub(crate) fn client(host_key: &HostKey) -> Arc<client::Config> {
    // The library asks for 8,192 bits, which take seconds; 3,072 are what NIST SP 800-57 wants beyond 2030.
    let gex = client::GexParams::new(2048, 3072, 8192).unwrap_or_default();
    Arc::new(client::Config {
        gex,
        client_id: SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-ami-bake_", env!("CARGO_PKG_VERSION")))),
        window_size: WINDOW,
        // A machine that vanished is noticed after a minute.
        keepalive_interval: Some(Duration::from_secs(15)),
        keepalive_max: 4,
        nodelay: true,
        preferred: Preferred {
            kex: Cow::Borrowed(KEXES),
            key: Cow::Owned(host_key_algorithms(host_key)),
            cipher: Cow::Borrowed(CIPHERS),
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::DEFAULT
        },
        ..client::Config::default()
    })
}

/// A server picks its host key by what the client offers: with a pinned key only that key's type may be offered, or a
/// server with several keys answers with another one. SHA-1 signatures (`ssh-rsa`) are never offered.
fn host_key_algorithms(host_key: &HostKey) -> Vec<Algorithm> {
    let rsa = [Some(HashAlg::Sha512), Some(HashAlg::Sha256)].map(|hash| Algorithm::Rsa { hash });
    let of = |key: &PublicKey| match key.0.algorithm() {
        Algorithm::Rsa { .. } => rsa.to_vec(),
        algorithm => vec![algorithm],
    };
    match host_key {
        HostKey::Pinned(key) => of(key),
        HostKey::OneOf(keys) => keys.iter().flat_map(of).collect(),
        HostKey::Fingerprint(_) | HostKey::AcceptNew => {
            [EcdsaCurve::NistP256, EcdsaCurve::NistP384, EcdsaCurve::NistP521]
                .into_iter()
                .map(|curve| Algorithm::Ecdsa { curve })
                .fold(vec![Algorithm::Ed25519], |mut all, next| {
                    all.push(next);
                    all
                })
                .into_iter()
                .chain(rsa)
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Key, KeyType};

    #[test]
    fn a_pinned_ed25519_key_is_offered_alone() {
        let key = Key::generate(KeyType::Ed25519, "host").unwrap().public();
        let config = client(&HostKey::Pinned(key));
        assert_eq!(config.preferred.key.as_ref(), [Algorithm::Ed25519]);
        assert_eq!(config.preferred.cipher[0], cipher::AES_256_GCM);
    }

    #[test]
    fn sha1_is_never_offered() {
        let all = host_key_algorithms(&HostKey::AcceptNew);
        assert_eq!(all[0], Algorithm::Ed25519);
        assert_eq!(all.len(), 6);
        assert!(!all.contains(&Algorithm::Rsa { hash: None }));
    }
}
