//! `WebDownload`.

use std::time::Duration;

use ami_bake_core::communicator::Reader;
use ami_bake_core::{Error, ErrorKind, Result};
use ami_bake_steps::http::Method;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use url::Url;

use super::Attempt;
use super::deliver::{DeliveryError, DownloadSpec, Target, deliver, prepare};
use super::inputs::Inputs;
use crate::checksum::checksum_tool;
use crate::machine::{FetchError, FetchRequest, fetch, shown};
use crate::scope::Outputs;

/// Attempts for one download (user guide, `WebDownload`).
const TRIES: u32 = 5;
/// Pause before the second attempt, doubled each time.
const PAUSE: Duration = Duration::from_secs(1);
/// Maximum size in bytes of a download whose size is unknown: less than the disk of a hosted runner (14 GB).
const LARGEST: u64 = 10 << 30;

/// Downloads URLs to files of the machine.
pub(super) async fn download(attempt: &Attempt<'_>, entries: &[Inputs<'_>], outputs: &mut Outputs) -> Result<()> {
    for inputs in entries {
        let source = inputs.need("source")?;
        let url = Url::parse(source)
            .map_err(|error| Error::build(format!("`{source}` is not a valid address")).because(error))?;
        let name = url.path_segments().and_then(|mut parts| parts.next_back()).filter(|name| !name.is_empty());
        let destination = inputs.path("destination")?;
        if name.is_none() && destination.ends_with('/') {
            return Err(Error::build(format!("{} has no file name: add one to `{destination}`", shown(&url))));
        }
        let sum = match (inputs.text("checksum"), inputs.text("algorithm")) {
            (None, None) => None,
            (Some(sum), Some(algorithm)) => {
                let tool = checksum_tool(algorithm)
                    .ok_or_else(|| Error::build(format!("`{algorithm}` is not a supported checksum algorithm")))?;
                Some((tool, sum.trim().to_ascii_lowercase()))
            }
            _ => return Err(Error::build("`checksum` and `algorithm` have to be set together")),
        };
        let spec = DownloadSpec {
            destination: &destination,
            name: name.unwrap_or_default(),
            into: false,
            overwrite: inputs.flag("overwrite", true)?,
            sum,
        };
        let tls_verify = !inputs.flag("ignoreCertificateErrors", false)?;
        let path = match prepare(attempt, spec).await? {
            Ok(target) => {
                download_one(attempt, &url, tls_verify, &target).await?;
                target.path
            }
            Err(same) => {
                attempt.machine.run.progress(format!("Skipped the download of `{same}`: it already has this checksum"));
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

async fn download_one(attempt: &Attempt<'_>, url: &Url, tls_verify: bool, target: &Target) -> Result<()> {
    let run = attempt.machine.run;
    let mut pause = PAUSE;
    for number in 1.. {
        let failure = match once(attempt, url, tls_verify, target).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        let error = match failure {
            FetchError::Transient(error) if number < TRIES && error.kind() != ErrorKind::Cancelled => error,
            other => return Err(other.into_error()),
        };
        let why = [vec![error.to_string()], error.causes()].concat().join(": ");
        run.progress(format!("Retrying {}: {why}", shown(url)));
        match attempt.deadline.within(run, run.sleep(pause)).await {
            Err(over) if over.kind() == ErrorKind::Cancelled => return Err(over),
            // The error says more than the expired deadline.
            Err(_) => return Err(error),
            Ok(()) => pause *= 2,
        }
    }
    Ok(())
}

async fn once(attempt: &Attempt<'_>, url: &Url, tls_verify: bool, target: &Target) -> Result<(), FetchError> {
    let run = attempt.machine.run;
    let request = FetchRequest { method: Method::GET, url: url.clone(), headers: &[], tls_verify };
    let machine = attempt.machine.on.communicator.as_ref();
    let answered = attempt.deadline.within(run, async { Ok(fetch(machine, request).await) }).await;
    let answer = answered.map_err(FetchError::Permanent)??;
    let (content, size): (Reader<'_>, u64) = if let Some(size) = answer.size {
        (answer.body, size)
    } else {
        // Saved here first: the archive for the machine begins with the size.
        let spooled = attempt.deadline.within(run, spool(answer.body, LARGEST)).await.map_err(FetchError::Transient)?;
        spooled.ok_or_else(|| FetchError::Permanent(too_large(url)))?
    };
    deliver(attempt, target, content, size).await.map_err(|failure| match failure {
        DeliveryError::Checksum(error) => FetchError::Permanent(error),
        DeliveryError::Other(error) if error.kind() == ErrorKind::Cancelled => FetchError::Permanent(error),
        DeliveryError::Other(error) => FetchError::Transient(
            Error::build(format!("could not download {} to `{}` on the machine", shown(url), target.path))
                .because(error),
        ),
    })
}

/// Saves a body here. `None` when it is larger than `largest`: a server may send without end.
async fn spool(body: Reader<'static>, largest: u64) -> Result<Option<(Reader<'static>, u64)>> {
    let failed = |error: std::io::Error| Error::build("could not save the download").because(error);
    let mut file = tokio::fs::File::from_std(tempfile::tempfile().map_err(failed)?);
    let size = tokio::io::copy(&mut body.take(largest.saturating_add(1)), &mut file).await.map_err(failed)?;
    if size > largest {
        return Ok(None);
    }
    file.rewind().await.map_err(failed)?;
    Ok(Some((Box::new(file), size)))
}

fn too_large(url: &Url) -> Error {
    Error::build(format!("{} sent more than {} GiB and did not declare its size", shown(url), LARGEST >> 30)).help(
        "A download without a Content-Length is first saved on this computer. Serve the file with a Content-Length: its size \
         is not limited then.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_download_without_an_end_takes_a_bounded_part_of_the_disk() {
        assert!(spool(Box::new(tokio::io::repeat(b'x')), 1 << 20).await.unwrap().is_none());
        let (_, size) = spool(Box::new(tokio::io::repeat(b'x').take(1 << 20)), 1 << 20).await.unwrap().unwrap();
        assert_eq!(size, 1 << 20);
    }
}
