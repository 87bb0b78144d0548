//! TLS for addresses that a machine asks for: the certificates are judged here, by this computer's roots.

use std::sync::{Arc, OnceLock};

use ami_bake_core::communicator::Duplex;
use ami_bake_core::{Error, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::http::Trouble;

/// Encrypts a connection to a host; `lax` takes every certificate.
pub(super) async fn encrypted(host: &str, lax: bool, stream: Box<dyn Duplex>) -> Result<Box<dyn Duplex>, Trouble> {
    let connector = TlsConnector::from(config(lax).map_err(Trouble::Lasting)?);
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Trouble::Lasting(Error::build(format!("`{host}` is no host's name"))))?;
    let encrypted = connector.connect(name, stream).await.map_err(|error| encryption(host, error))?;
    Ok(Box::new(encrypted))
}

/// A certificate that is not trusted stays so; a connection that broke may not.
fn encryption(host: &str, error: std::io::Error) -> Trouble {
    let judged = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some();
    let failed = Error::build(format!("make an encrypted connection to {host}")).because(error);
    if judged {
        Trouble::Lasting(failed.help("Its certificate is judged by the roots of the computer on which ami-bake runs; SSL_CERT_FILE names others. `ignoreCertificateErrors: true` takes any."))
    } else {
        Trouble::Passing(failed)
    }
}

/// How a connection is encrypted; `lax` takes every certificate.
///
/// # Errors
/// When this computer has no certificates to judge by.
fn config(lax: bool) -> Result<Arc<ClientConfig>> {
    static STRICT: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let failed = |error| Error::internal("set TLS up").because(error);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = || {
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().map_err(failed)
    };
    if lax {
        let verifier = Arc::new(Anything(Arc::clone(&provider)));
        let config = builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        return Ok(Arc::new(config));
    }
    if let Some(config) = STRICT.get() {
        return Ok(Arc::clone(config));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Error::build("this computer has no certificates of authorities, so that none can be trusted")
            .help("Install `ca-certificates` where ami-bake runs, or name a file of them in SSL_CERT_FILE."));
    }
    let config = Arc::new(builder()?.with_root_certificates(roots).with_no_client_auth());
    Ok(Arc::clone(STRICT.get_or_init(|| config)))
}

/// `ignoreCertificateErrors`: whoever answers is believed.
#[derive(Debug)]
struct Anything(Arc<CryptoProvider>);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
