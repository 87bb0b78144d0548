//! Downloads a disk image.

use std::path::Path;
use std::time::{Duration, Instant};

use ami_bake_core::{Error, Result, Run};
use ami_bake_local::store_error;
use sha2::Digest as _;
use tokio::io::AsyncWriteExt as _;

use super::find::{hex, wrong_checksum};

/// Time limit for a connection, and for the next bytes of a download.
const PATIENCE: Duration = Duration::from_mins(1);
/// Time between two lines about the progress.
const REPORT: Duration = Duration::from_secs(15);

/// Downloads a file and checks its checksum.
///
/// # Errors
/// When it can't be downloaded or written, or has another checksum.
pub(super) async fn download(run: &Run, url: &str, expected: &str, to: &Path) -> Result<()> {
    run.progress(format!("Downloading {url}"));
    let failed = |error: reqwest::Error| {
        Error::preflight(format!("could not download {url}"))
            .help("Check the URL, the network and the proxy variables, or download the file and set its path.")
            .because(error.without_url())
    };
    let client = reqwest::Client::builder()
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE)
        .https_only(true)
        .user_agent(concat!("ami-bake/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(failed)?;
    let mut response = client.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(failed)?;
    let total = response.content_length();
    let mut file = tokio::fs::File::create_new(to).await.map_err(|error| store_error("create", to, error))?;
    let mut hash = sha2::Sha256::new();
    let (mut done, mut reported) = (0_u64, Instant::now());
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(|error| store_error("write", to, error))?;
        done += chunk.len() as u64;
        if reported.elapsed() >= REPORT {
            reported = Instant::now();
            let of = total.map(|total| format!(" of {:.0}", total as f64 / 1e6)).unwrap_or_default();
            run.progress(format!("Downloaded {:.0}{of} MB", done as f64 / 1e6));
        }
    }
    file.flush().await.map_err(|error| store_error("write", to, error))?;
    let found = hex(&hash.finalize());
    if found == expected { Ok(()) } else { Err(wrong_checksum(url, expected, &found)) }
}
