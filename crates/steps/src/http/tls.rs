//! TLS over the machine's connection: certificates are verified here, with the root certificates of this computer.

use std::io;
use std::sync::{Arc, OnceLock};

use ami_bake_core::communicator::Duplex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::error::{HttpError, is_closed};

/// Encrypts a connection to a host.
pub(super) async fn encrypt(host: &str, verify: bool, stream: Box<dyn Duplex>) -> Result<Box<dyn Duplex>, HttpError> {
    let config = if verify { verifying()? } else { trusting()? };
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| HttpError::Tls(format!("`{host}` is not a valid host name")))?;
    match TlsConnector::from(config).connect(name, stream).await {
        Ok(encrypted) => Ok(Box::new(encrypted)),
        Err(error) => Err(failed(&error)),
    }
}

fn failed(error: &io::Error) -> HttpError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => HttpError::Certificate(distrust(why)),
        Some(rustls::Error::InvalidMessage(_)) => HttpError::NotTls,
        Some(other) => HttpError::Tls(other.to_string()),
        None if is_closed(error.kind()) => HttpError::Incomplete,
        None => HttpError::Connection(error.to_string()),
    }
}

/// Why a certificate is not trusted. The two most common cases are reworded, since rustls uses its own terms.
fn distrust(why: &CertificateError) -> String {
    let text = why.to_string();
    if *why == CertificateError::UnknownIssuer || text.contains("CaUsedAsEndEntity") {
        return "it is self-signed, or from an unknown authority".to_owned();
    }
    text
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, HttpError> {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpError::Tls(error.to_string()))
}

/// The TLS configuration that trusts this computer's root certificates, which are read once.
fn verifying() -> Result<Arc<ClientConfig>, HttpError> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(HttpError::NoRoots);
    }
    let config = Arc::new(builder()?.with_root_certificates(roots).with_no_client_auth());
    Ok(Arc::clone(CONFIG.get_or_init(|| config)))
}

/// The TLS configuration that accepts any certificate.
fn trusting() -> Result<Arc<ClientConfig>, HttpError> {
    let verifier = Arc::new(AnyCertificate(Arc::new(aws_lc_rs::default_provider())));
    Ok(Arc::new(builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

/// Accepts any certificate, but verifies that the server has its private key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
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
