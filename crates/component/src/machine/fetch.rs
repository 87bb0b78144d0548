//! Downloads files over the machine's network: redirects are followed, and only status 200 is success.

use ami_bake_core::communicator::{Communicator, Reader};
use ami_bake_core::plan::Scheme;
use ami_bake_core::{Error, Result};
use ami_bake_steps::http::header::{CONTENT_LENGTH, LOCATION};
use ami_bake_steps::http::{HttpError, HttpRequest, HttpResponse, Method, StatusCode, send};
use url::Url;

/// Maximum number of redirects, as in browsers.
const REDIRECTS: usize = 20;

/// A request for a file.
pub(crate) struct FetchRequest<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: &'a [(&'static str, String)],
    pub(crate) tls_verify: bool,
}

/// An answer with status 200.
pub(crate) struct Fetched {
    /// Size according to the server.
    pub(crate) size: Option<u64>,
    pub(crate) body: Reader<'static>,
}

/// Why a fetch failed.
pub(crate) enum FetchError {
    /// Another attempt may succeed.
    Transient(Error),
    /// Another attempt would also fail.
    Permanent(Error),
}

impl FetchError {
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Transient(error) | Self::Permanent(error) => error,
        }
    }
}

/// Fetches a URL, following redirects.
pub(crate) async fn fetch(machine: &dyn Communicator, mut request: FetchRequest<'_>) -> Result<Fetched, FetchError> {
    for _ in 0..=REDIRECTS {
        let response = exchange(machine, &request).await?;
        if response.status == StatusCode::OK {
            let size = response.headers.get(CONTENT_LENGTH).and_then(|size| size.to_str().ok()?.parse().ok());
            return Ok(Fetched { size, body: response.body });
        }
        let to = response.headers.get(LOCATION).and_then(|to| to.to_str().ok());
        let Some(next) = to.filter(|_| response.status.is_redirection()).map(|to| request.url.join(to)) else {
            let error = Error::build(format!("{} answers with {}", shown(&request.url), response.status));
            let again = response.status.is_server_error()
                || matches!(response.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
            return Err(if again { FetchError::Transient(error) } else { FetchError::Permanent(error) });
        };
        let refused =
            |why: &str| FetchError::Permanent(Error::build(format!("{} redirects to {why}", shown(&request.url))));
        let next = next.map_err(|_| refused("an invalid address"))?;
        if request.url.scheme() == "https" && next.scheme() != "https" {
            return Err(refused(&format!("{}, which is not encrypted", shown(&next))));
        }
        request.url = next;
    }
    let message = format!("more than {REDIRECTS} redirects, the last to {}", shown(&request.url));
    Err(FetchError::Permanent(Error::build(message)))
}

async fn exchange(machine: &dyn Communicator, request: &FetchRequest<'_>) -> Result<HttpResponse, FetchError> {
    let url = &request.url;
    let invalid = |why: String| FetchError::Permanent(Error::build(why));
    let scheme = match url.scheme() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        scheme => return Err(invalid(format!("`{scheme}` is neither http nor https"))),
    };
    let host = url.host_str().ok_or_else(|| invalid(format!("{} has no host", shown(url))))?;
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let request = HttpRequest {
        method: request.method.clone(),
        scheme,
        // In a URL an IPv6 address is in brackets.
        host: host.trim_start_matches('[').trim_end_matches(']'),
        port: url.port_or_known_default().unwrap_or(scheme.default_port()),
        target: &target,
        headers: request.headers,
        tls_verify: request.tls_verify,
    };
    send(machine, &request).await.map_err(|error| failed(url, error))
}

/// The error of a request, with help.
fn failed(url: &Url, error: HttpError) -> FetchError {
    let transient = error.is_transient();
    let help = match (&error, error.help_text()) {
        (HttpError::Certificate(_), Some(help)) => {
            Some(format!("{help} `ignoreCertificateErrors: true` accepts any certificate."))
        }
        (_, help) => help.map(str::to_owned),
    };
    let failed = Error::build(format!("could not request {}", shown(url))).because(error);
    let failed = match help {
        Some(help) => failed.help(help),
        None => failed,
    };
    if transient { FetchError::Transient(failed) } else { FetchError::Permanent(failed) }
}

/// A URL without its query and password, which may be secret.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.to_string()
}
