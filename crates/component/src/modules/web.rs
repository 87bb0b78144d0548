//! `WebDownload`, and the metadata of an instance.

use std::time::Duration;

use ami_bake_core::communicator::Reader;
use ami_bake_core::{Error, ErrorKind, Result};
use ami_bake_steps::http::Method;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use url::Url;

use super::Doing;
use super::deliver::{Target, Wanted, deliver, prepare};
use super::entry::Entry;
use super::fetch::{FetchError, FetchRequest, fetch, shown};
use crate::run::{Deadline, Machine, Outputs};

/// Tries of one download (user guide, `WebDownload`).
const TRIES: u32 = 5;
/// The pause before the second try, doubled each time.
const PAUSE: Duration = Duration::from_secs(1);
/// Where an instance finds what it is (EC2's user guide, "Instance metadata").
const METADATA: &str = "http://169.254.169.254/latest";

/// The tool of the machine for an algorithm.
pub(crate) fn checksum_tool(algorithm: &str) -> Option<&'static str> {
    Some(match algorithm.to_ascii_uppercase().as_str() {
        "MD5" => "md5sum",
        "SHA1" => "sha1sum",
        "SHA256" => "sha256sum",
        "SHA512" => "sha512sum",
        _ => return None,
    })
}

/// Addresses to files of the machine.
pub(super) async fn download(doing: &Doing<'_>, entries: &[Entry<'_>], outputs: &mut Outputs) -> Result<()> {
    for entry in entries {
        let source = entry.need("source")?;
        let url =
            Url::parse(source).map_err(|error| Error::build(format!("`{source}` is no address")).because(error))?;
        let name = url.path_segments().and_then(|mut parts| parts.next_back()).filter(|name| !name.is_empty());
        let destination = entry.path("destination")?;
        if name.is_none() && destination.ends_with('/') {
            return Err(Error::build(format!("{} names no file, so that `{destination}` needs a name", shown(&url))));
        }
        let sum = match (entry.text("checksum"), entry.text("algorithm")) {
            (None, None) => None,
            (Some(sum), Some(algorithm)) => {
                let tool = checksum_tool(algorithm)
                    .ok_or_else(|| Error::build(format!("`{algorithm}` is no checksum algorithm")))?;
                Some((tool, sum.trim().to_ascii_lowercase()))
            }
            _ => return Err(Error::build("`checksum` and `algorithm` belong together")),
        };
        let wanted = Wanted {
            destination: &destination,
            name: name.unwrap_or_default(),
            into: false,
            overwrite: entry.flag("overwrite", true)?,
            sum,
        };
        let tls_verify = !entry.flag("ignoreCertificateErrors", false)?;
        let path = match prepare(doing, wanted).await? {
            Ok(target) => {
                download_one(doing, &url, tls_verify, &target).await?;
                target.path
            }
            Err(same) => {
                doing.machine.run.progress(format!("`{same}` is there already, with that checksum"));
                same
            }
        };
        let all = outputs.entry("destination".to_owned()).or_default();
        if !all.is_empty() {
            all.push('\n');
        }
        all.push_str(&path);
    }
    Ok(())
}

async fn download_one(doing: &Doing<'_>, url: &Url, tls_verify: bool, target: &Target) -> Result<()> {
    let run = doing.machine.run;
    let mut pause = PAUSE;
    for attempt in 1.. {
        let failure = match once(doing, url, tls_verify, target).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        let error = match failure {
            FetchError::Transient(error) if attempt < TRIES && error.kind() != ErrorKind::Cancelled => error,
            other => return Err(other.into_error()),
        };
        let why = [vec![error.to_string()], error.causes()].concat().join(": ");
        run.progress(format!("{} is tried again: {why}", shown(url)));
        match doing.deadline.within(run, run.sleep(pause)).await {
            Err(over) if over.kind() == ErrorKind::Cancelled => return Err(over),
            // What went wrong says more than that there is no more time.
            Err(_) => return Err(error),
            Ok(()) => pause *= 2,
        }
    }
    Ok(())
}

async fn once(doing: &Doing<'_>, url: &Url, tls_verify: bool, target: &Target) -> Result<(), FetchError> {
    let run = doing.machine.run;
    let wanted = FetchRequest { method: Method::GET, url: url.clone(), headers: &[], tls_verify };
    let machine = doing.machine.on.communicator.as_ref();
    let answered = doing.deadline.within(run, async { Ok(fetch(machine, wanted).await) }).await;
    let answer = answered.map_err(FetchError::Permanent)??;
    let (content, size): (Reader<'_>, u64) = match answer.size {
        Some(size) => (answer.body, size),
        // Without a size it is kept here first: the machine is told it before.
        None => doing.deadline.within(run, spool(answer.body)).await.map_err(FetchError::Transient)?,
    };
    deliver(doing, target, content, size).await.map_err(|error| {
        let lasting = error.kind() == ErrorKind::Cancelled || error.message().contains("checksum");
        let wrapped = if lasting {
            error
        } else {
            Error::build(format!("bring {} to `{}` on the machine", shown(url), target.path)).because(error)
        };
        if lasting { FetchError::Permanent(wrapped) } else { FetchError::Transient(wrapped) }
    })
}

async fn spool(mut body: Reader<'static>) -> Result<(Reader<'static>, u64)> {
    let failed = |error: std::io::Error| Error::build("keep the download here").because(error);
    let mut file = tokio::fs::File::from_std(tempfile::tempfile().map_err(failed)?);
    let size = tokio::io::copy(&mut body, &mut file).await.map_err(failed)?;
    file.rewind().await.map_err(failed)?;
    Ok((Box::new(file), size))
}

/// What an instance knows of itself at `path`, by version 2 of the service.
pub(crate) async fn metadata(machine: &Machine<'_>, path: &str) -> Result<String> {
    let get = async |method: Method, url: String, headers: &[(&'static str, String)]| -> Result<String> {
        let url = Url::parse(&url).map_err(|error| Error::build(format!("`{path}` is no path")).because(error))?;
        let answer =
            fetch(machine.on.communicator.as_ref(), FetchRequest { method, url, headers, tls_verify: true }).await;
        let mut text = String::new();
        let mut body = answer.map_err(FetchError::into_error)?.body.take(64 << 10);
        body.read_to_string(&mut text).await.map_err(|error| Error::build("read the metadata").because(error))?;
        Ok(text)
    };
    let deadline = Deadline::new(machine.run, Some(Duration::from_secs(30)));
    deadline
        .within(machine.run, async {
            let life = [("x-aws-ec2-metadata-token-ttl-seconds", "60".to_owned())];
            let token = get(Method::PUT, format!("{METADATA}/api/token"), &life).await?;
            let token = [("x-aws-ec2-metadata-token", token)];
            get(Method::GET, format!("{METADATA}/meta-data/{}", path.trim_start_matches('/')), &token).await
        })
        .await
        .map_err(|error| Error::build(format!("read the instance metadata `{path}`")).because(error))
}
