//! `expect: {http: …}`: requested through the machine's connection, never by a tool on the machine.

use std::time::Duration;

use ami_bake_core::plan::{HttpProbe, Probe, Scheme, Step, StepAction};
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Error, Result, Run};
use tokio::io::AsyncReadExt as _;

use super::port::untried;
use crate::http::{HttpError, HttpRequest, HttpResponse, Method, TLS, send};
use crate::poll::Observation;
use crate::text::excerpt;

/// Time limit for one response: shorter than that of an attempt, so that the message can say what was missing.
const ANSWER: Duration = Duration::from_secs(8);
/// Maximum bytes of a body to read.
const BODY: u64 = 1 << 20;

/// A response with its body.
struct HttpAnswer {
    head: HttpResponse,
    body: String,
}

/// Checks whether this program supports the step's request.
///
/// # Errors
/// When it was built without TLS.
pub(super) fn preflight(step: &Step) -> Result<()> {
    let https = |probe: &Probe| matches!(probe, Probe::Http(http) if http.scheme == Scheme::Https);
    match &step.action {
        StepAction::Expect(expectation) if https(&expectation.probe) && !TLS => {
            Err(Error::preflight(format!("step `{}`: https is not supported by this build of ami-bake", step.name))
                .help(HttpError::NoTls.help_text().unwrap_or_default())
                .at(step.route.key("expect").key("http").key("scheme")))
        }
        _ => Ok(()),
    }
}

/// Checks the server's response.
///
/// # Errors
/// When no response is possible from this computer.
pub(super) async fn look(run: &Run, on: &ConnectedMachine<'_>, probe: &HttpProbe) -> Result<Observation> {
    let host = probe.host.as_deref().unwrap_or("127.0.0.1");
    let target = if probe.path.starts_with('/') { probe.path.clone() } else { format!("/{}", probe.path) };
    let url = format!("{}://{host}:{}{target}", probe.scheme.as_str(), probe.port);
    let request = HttpRequest {
        method: Method::GET,
        scheme: probe.scheme,
        host,
        port: probe.port,
        target: &target,
        headers: &[],
        tls_verify: probe.tls_verify,
    };
    let answer = async {
        let mut head = send(on.communicator.as_ref(), &request).await?;
        let mut body = Vec::new();
        (&mut head.body).take(BODY).read_to_end(&mut body).await.map_err(|error| HttpError::of_body(&error))?;
        Ok(HttpAnswer { head, body: String::from_utf8_lossy(&body).into_owned() })
    };
    let answer = tokio::select! {
        answer = answer => answer,
        () = run.clock().sleep(ANSWER) => {
            return Ok(Observation::unmet(format!("expected {url} to answer, but it accepted the connection and sent no answer within 8 s")));
        }
    };
    match answer {
        Ok(answer) => Ok(compare(probe, &url, &answer)),
        Err(HttpError::Untried(error)) => Err(untried(&format!("check {url}"), error)),
        Err(error @ (HttpError::NoTls | HttpError::NoRoots | HttpError::Target(_))) => {
            let help = error.help_text();
            let failed = Error::build(format!("could not request {url}: {error}"));
            Err(match help {
                Some(help) => failed.help(help),
                None => failed,
            })
        }
        Err(error) => {
            let fact = format!("expected {url} to answer, but {error}");
            Ok(match error {
                HttpError::Certificate(_) => Observation::unmet(fact).help(CERTIFICATE),
                HttpError::NotTls => Observation::unmet(fact).help(NOT_TLS),
                _ => Observation::unmet(fact),
            })
        }
    }
}

/// Help for an untrusted certificate.
const CERTIFICATE: &str = "`tls-verify: false` accepts any certificate. Otherwise it must be valid for `host` (default `127.0.0.1`) and trusted by the root certificates of the computer that runs ami-bake; to use others, set SSL_CERT_FILE to a file that contains them.";
/// Help for a server that does not speak TLS.
const NOT_TLS: &str = "Remove `scheme: https` for a plain HTTP server, or correct `port`.";

/// Compares a response with the expected one.
fn compare(probe: &HttpProbe, url: &str, answer: &HttpAnswer) -> Observation {
    let began = match excerpt(&answer.body, 200) {
        text if text.is_empty() => "the body was empty".to_owned(),
        text => format!("the body begins with \"{text}\""),
    };
    let status = answer.head.status.as_u16();
    if !probe.status.map_or((200..400).contains(&status), |expected| expected == status) {
        let expected =
            probe.status.map_or_else(|| "a status from 200 to 399".to_owned(), |status| format!("status {status}"));
        return Observation::unmet(format!("expected {expected} from {url}, got {status}")).detail(began);
    }
    for (name, expected) in &probe.headers {
        let values = answer.head.headers.get_all(name.as_str());
        let values: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        if !values.iter().any(|value| value.contains(expected.as_str())) {
            let seen = match values.first() {
                Some(value) => format!("got \"{}\"", excerpt(value, 200)),
                None => "there is no such header".to_owned(),
            };
            return Observation::unmet(format!(
                "expected the header `{name}` of {url} to contain \"{expected}\", {seen}"
            ));
        }
    }
    match &probe.body {
        Some(expected) if !answer.body.contains(expected.as_str()) => {
            Observation::unmet(format!("expected the body of {url} to contain \"{expected}\", which it did not"))
                .detail(began)
        }
        _ => Observation::Met,
    }
}
