//! `expect: {http: …}`: asked for through the machine's connection, never by a tool on the machine.

use std::time::Duration;

use ami_bake_core::plan::Probe;
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Result, Run};

use super::request::{Response, get};
use crate::poll::Seen;
use crate::text::excerpt;

/// A server that takes longer for one answer is not there yet. Shorter than a look, so that the reason is told.
const ANSWER: Duration = Duration::from_secs(8);

/// Whether the server answers as it should.
pub(super) async fn look(run: &Run, on: &ConnectedMachine<'_>, probe: &Probe) -> Result<Seen> {
    let Probe::Http { host, port, path, .. } = probe else { return Ok(Seen::Holds) };
    let host = host.as_deref().unwrap_or("127.0.0.1");
    let path = if path.starts_with('/') { path.clone() } else { format!("/{path}") };
    let url = format!("http://{host}:{port}{path}");
    let Ok(mut stream) = on.communicator.dial(host, *port).await else {
        return Ok(Seen::Not(format!("expected {url} to answer, but nothing took the connection")));
    };
    let name = if *port == 80 { host.to_owned() } else { format!("{host}:{port}") };
    tokio::select! {
        answer = get(stream.as_mut(), &name, &path) => Ok(match answer {
            Ok(response) => judge(probe, &url, &response),
            Err(broken) => Seen::Not(format!("expected {url} to answer, but {broken}")),
        }),
        () = run.clock().sleep(ANSWER) => {
            Ok(Seen::Not(format!("expected {url} to answer, but it took the connection and had not answered after 8 s")))
        }
    }
}

fn judge(probe: &Probe, url: &str, response: &Response) -> Seen {
    let Probe::Http { status, body, headers, .. } = probe else { return Seen::Holds };
    let text = String::from_utf8_lossy(&response.body);
    let began = match excerpt(&text, 200) {
        text if text.is_empty() => "the body was empty".to_owned(),
        text => format!("the body began with \"{text}\""),
    };
    let good = status.map_or((200..400).contains(&response.status), |status| status == response.status);
    if !good {
        let expected =
            status.map_or_else(|| "a status from 200 to 399".to_owned(), |status| format!("status {status}"));
        return Seen::Saw(format!("expected {expected} from {url}, got {}", response.status), began);
    }
    for (name, expected) in headers {
        let mut values =
            response.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let all: Vec<&String> = values.by_ref().collect();
        if !all.iter().any(|value| value.contains(expected.as_str())) {
            let seen = match all.first() {
                Some(value) => format!("got \"{}\"", excerpt(value, 200)),
                None => "there is none".to_owned(),
            };
            return Seen::Not(format!("expected the header `{name}` of {url} to hold \"{expected}\", {seen}"));
        }
    }
    match body {
        Some(expected) if !text.contains(expected.as_str()) => {
            Seen::Saw(format!("expected the body of {url} to hold \"{expected}\", which it did not"), began)
        }
        _ => Seen::Holds,
    }
}
