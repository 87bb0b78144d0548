//! Key pairs and public keys.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ami_bake_core::{Error, Result, whole_file};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey};
use secrecy::{ExposeSecret, SecretString};

/// The type of a key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// Ed25519. Not allowed in FIPS mode before FIPS 186-5.
    Ed25519,
    /// ECDSA on the curve NIST P-256.
    Ecdsa,
    /// RSA with 3072 bits.
    Rsa,
}

/// A private key with its public half. It lives in memory alone and is wiped when the last copy is dropped.
#[derive(Clone)]
pub struct Key(Arc<PrivateKey>);

impl Key {
    /// A new key pair from the operating system's randomness; `comment` ends the public key's line.
    ///
    /// # Errors
    /// When the key can't be created, which is a bug.
    pub fn generate(kind: KeyType, comment: &str) -> Result<Self> {
        let algorithm = match kind {
            KeyType::Ed25519 => Algorithm::Ed25519,
            KeyType::Ecdsa => Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
            KeyType::Rsa => return Self::rsa(comment),
        };
        let mut key = PrivateKey::random(&mut russh::keys::key::safe_rng(), algorithm)
            .map_err(|error| Error::internal("could not create a key pair").because(error))?;
        key.set_comment(comment);
        Ok(Self(Arc::new(key)))
    }

    /// The SSH library's own way takes seconds to find the primes, and minutes in a debug build.
    fn rsa(comment: &str) -> Result<Self> {
        let failed = || Error::internal("could not create an RSA key pair");
        let pair = KeyPair::generate(KeySize::Rsa3072).map_err(|_| failed())?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| failed())?;
        let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
        let text = STANDARD.encode(der.as_ref());
        for (at, character) in text.char_indices() {
            pem.push(character);
            if at % 64 == 63 {
                pem.push('\n');
            }
        }
        pem.push_str("\n-----END PRIVATE KEY-----\n");
        let mut key = russh::keys::decode_secret_key(SecretString::from(pem).expose_secret(), None)
            .map_err(|error| failed().because(error))?;
        key.set_comment(comment);
        Ok(Self(Arc::new(key)))
    }

    /// Reads an unencrypted private key in OpenSSH or PEM form.
    ///
    /// # Errors
    /// When the text is not a private key, or the key has a passphrase. The error never repeats the text.
    pub fn parse(text: &SecretString) -> Result<Self> {
        // A text block in a manifest or a secret store often loses the final line end, which the PEM forms require.
        let text = SecretString::from(format!("{}\n", text.expose_secret().trim()));
        match russh::keys::decode_secret_key(text.expose_secret(), None) {
            Ok(key) => Ok(Self(Arc::new(key))),
            Err(russh::keys::Error::KeyIsEncrypted) => {
                Err(Error::preflight("could not read the SSH private key: it is encrypted")
                    .help("Use a key without a passphrase. Create one with `ssh-keygen -t ed25519 -N ''`."))
            }
            Err(_) => Err(Error::preflight(
                "could not read the SSH private key: it is not a valid private key in OpenSSH or PEM format",
            )
            .help("It must begin with `-----BEGIN OPENSSH PRIVATE KEY-----` and include all lines.")),
        }
    }

    /// The private key in OpenSSH format.
    ///
    /// # Errors
    /// When the key can't be encoded, which is a bug.
    pub fn private_text(&self) -> Result<SecretString> {
        let text = self
            .0
            .to_openssh(LineEnding::LF)
            .map_err(|error| Error::internal("could not encode a private key").because(error))?;
        Ok(SecretString::from(text.as_str()))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().clone())
    }

    /// Writes the private key to a new file that its owner alone can read (mode 0600).
    ///
    /// # Errors
    /// When the file exists already or can't be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = self.private_text()?;
        let written = whole_file::create(path, 0o600, |to| to.write_all(text.expose_secret().as_bytes()));
        written
            .map_err(|error| Error::build(format!("could not write the SSH key to {}", path.display())).because(error))
    }

    pub(crate) fn inner(&self) -> Arc<PrivateKey> {
        Arc::clone(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.public().fingerprint())
    }
}

/// A public key: a host's or a user's.
#[derive(Clone)]
pub struct PublicKey(pub(crate) russh::keys::PublicKey);

impl PublicKey {
    /// Parses one line of `authorized_keys` or of an `ssh_host_*_key.pub`: type, base64, comment.
    ///
    /// # Errors
    /// When the line is not a public key.
    pub fn parse(line: &str) -> Result<Self> {
        russh::keys::PublicKey::from_openssh(line.trim()).map(Self).map_err(|error| {
            Error::manifest(format!("could not read the SSH public key {:?}: it is not valid", line.trim()))
                .because(error)
                .help("A public key is one line such as `ssh-ed25519 AAAAC3Nza… comment`.")
        })
    }

    /// The key as one line for `authorized_keys`.
    pub fn line(&self) -> String {
        // Encoding what was decoded or generated can't fail; an empty line would match no key.
        self.0.to_openssh().unwrap_or_default()
    }

    /// The fingerprint as `ssh-keygen -l` prints it: `SHA256:` and base64.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The type; none for types that [`Key::generate`] does not make.
    pub fn kind(&self) -> Option<KeyType> {
        match self.0.algorithm() {
            Algorithm::Ed25519 => Some(KeyType::Ed25519),
            Algorithm::Ecdsa { .. } => Some(KeyType::Ecdsa),
            Algorithm::Rsa { .. } => Some(KeyType::Rsa),
            _ => None,
        }
    }

    /// The key type, such as `ssh-ed25519`.
    pub fn algorithm(&self) -> String {
        self.0.algorithm().to_string()
    }
}

impl PartialEq for PublicKey {
    /// Compares without the comment.
    fn eq(&self, other: &Self) -> bool {
        self.0.key_data() == other.0.key_data()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm(), self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_survives_its_text_form() {
        for (kind, start) in [
            (KeyType::Ed25519, "ssh-ed25519 AAAA"),
            (KeyType::Ecdsa, "ecdsa-sha2-nistp256 AAAA"),
            (KeyType::Rsa, "ssh-rsa AAAA"),
        ] {
            generated(kind, start);
        }
    }

    fn generated(kind: KeyType, start: &str) {
        let key = Key::generate(kind, "ami-bake test").unwrap();
        let text = key.private_text().unwrap();
        let again = Key::parse(&SecretString::from(text.expose_secret().trim_end())).unwrap();
        assert_eq!(key.public(), again.public());
        assert_eq!(key.public().kind(), Some(kind));
        assert!(key.public().line().starts_with(start));
        assert!(key.public().line().ends_with(" ami-bake test"));
        assert_eq!(PublicKey::parse(&key.public().line()).unwrap().fingerprint(), key.public().fingerprint());
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }

    #[test]
    fn two_keys_differ() {
        assert_ne!(
            Key::generate(KeyType::Ed25519, "a").unwrap().public(),
            Key::generate(KeyType::Ed25519, "a").unwrap().public()
        );
    }

    #[test]
    fn a_bad_key_is_refused_without_repeating_it() {
        let error = Key::parse(&SecretString::from("hunter2")).unwrap_err();
        assert!(!format!("{error} {:?}", error.causes()).contains("hunter2"));
        assert!(PublicKey::parse("ssh-ed25519 nonsense").is_err());
    }

    #[test]
    fn a_key_file_is_private_and_never_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = Key::generate(KeyType::Ed25519, "a").unwrap();
        key.write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let error = key.write(&path).unwrap_err();
        assert!(error.message().contains("key"), "{error}");
    }
}
