//! Finds out why a TLS handshake with the daemon failed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncReadExt;
use tokio_rustls::TlsConnector;

/// Time limit for the daemon to refuse a certificate.
const LIMIT: Duration = Duration::from_secs(5);

/// The key, the certificate and the authority's certificate in a folder, as Docker names them.
pub(super) fn files(folder: &Path) -> [PathBuf; 3] {
    ["key.pem", "cert.pem", "ca.pem"].map(|name| folder.join(name))
}

/// Repeats the handshake only to learn the reason; `None` when there is nothing wrong with it, or no answer.
///
/// In TLS 1.3 a client has finished before the server checks its certificate. An HTTP client that meets the refusal
/// while it sends the first request reports a closed connection as often as the refusal; one that only reads gets the
/// refusal.
pub(super) async fn refusal(host: &str, folder: &Path) -> Option<String> {
    let [key, certificate, authority] = files(folder);
    let config = match config(&key, &certificate, &authority) {
        Ok(config) => config,
        Err(reason) => return Some(reason),
    };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let name = ServerName::try_from(name.to_owned()).ok()?;
    let shaken = async {
        let stream = tokio::net::TcpStream::connect(host).await?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await?.read(&mut [0]).await
    };
    match tokio::time::timeout(LIMIT, shaken).await {
        Ok(Err(error)) => Some(reason(&error)),
        Ok(Ok(_)) | Err(_) => None,
    }
}

fn config(key: &Path, certificate: &Path, authority: &Path) -> Result<ClientConfig, String> {
    let certificates = |path: &Path| {
        CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| format!("{} can't be read: {error}", path.display()))
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(certificates(authority)?);
    let own_key =
        PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{} can't be read: {error}", key.display()))?;
    ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(certificate)?, own_key)
        .map_err(|error| format!("{} and {} do not match: {error}", certificate.display(), key.display()))
}

fn reason(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => {
            format!("the daemon refused this client's certificate ({alert:?})")
        }
        Some(rustls::Error::InvalidCertificate(why)) => format!("the daemon's certificate is not trusted: {why}"),
        Some(rustls::Error::InvalidMessage(_)) => "the daemon does not use TLS".to_owned(),
        Some(other) => other.to_string(),
        None => error.to_string(),
    }
}
