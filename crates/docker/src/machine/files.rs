//! Moves files with the daemon's archive calls; the image needs no tools.

use ami_bake_core::communicator::{Reader, Writer};
use ami_bake_core::{Error, ErrorKind, Result};
use bollard::query_parameters::{ContainerArchiveInfoOptions, DownloadFromContainerOptions, UploadToContainerOptions};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::state::ContainerState;
use crate::engine::{failed, is_missing};

/// Bytes of an archive per read.
const CHUNK: usize = 64 << 10;
/// Chunks that may be queued for the daemon.
const QUEUE: usize = 4;

/// Unpacks an archive into the folder `to`, which is created when it is missing.
pub(super) async fn put(container: &ContainerState, mut archive: Reader<'_>, to: &str) -> Result<()> {
    create_folder(container, to).await?;
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(QUEUE);
    let feed = async move {
        loop {
            let mut chunk = bytes::BytesMut::with_capacity(CHUNK);
            let read = archive.read_buf(&mut chunk).await;
            let end = matches!(read, Ok(0) | Err(_));
            if !matches!(read, Ok(0)) && sender.send(read.map(|_| chunk.freeze())).await.is_err() || end {
                return;
            }
        }
    };
    let chunks = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
    let (sent, ()) = tokio::join!(unpack(container, to, chunks), feed);
    sent
}

async fn unpack(
    container: &ContainerState,
    to: &str,
    chunks: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static,
) -> Result<()> {
    let options = UploadToContainerOptions {
        path: to.to_owned(),
        no_overwrite_dir_non_dir: Some("true".to_owned()),
        ..UploadToContainerOptions::default()
    };
    let sent =
        container.docker.upload_to_container(&container.name, Some(options), bollard::body_try_stream(chunks)).await;
    sent.map_err(|error| {
        failed(ErrorKind::Build, format!("upload files to {to} in container {}", container.name), &error)
    })
}

/// Creates the missing folders of a path; existing ones stay as they are.
async fn create_folder(container: &ContainerState, path: &str) -> Result<()> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let mut there = parts.len();
    while there > 0 && !exists(container, &format!("/{}", parts[..there].join("/"))).await? {
        there -= 1;
    }
    if there == parts.len() {
        return Ok(());
    }
    let mut archive = tar::Builder::new(Vec::new());
    for end in there + 1..=parts.len() {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        header.set_mtime(u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default());
        let name = format!("{}/", parts[there..end].join("/"));
        archive
            .append_data(&mut header, name, std::io::empty())
            .map_err(|error| Error::build(format!("could not create the folder {path}")).because(error))?;
    }
    let bytes = archive
        .into_inner()
        .map_err(|error| Error::build(format!("could not create the folder {path}")).because(error))?;
    unpack(container, &format!("/{}", parts[..there].join("/")), futures::stream::iter([Ok(bytes.into())])).await
}

async fn exists(container: &ContainerState, path: &str) -> Result<bool> {
    let options = ContainerArchiveInfoOptions { path: path.to_owned() };
    match container.docker.get_container_archive_info(&container.name, Some(options)).await {
        Ok(_) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(failed(ErrorKind::Build, format!("inspect {path} in container {}", container.name), &error)),
    }
}

/// Writes an archive of `from`.
pub(super) async fn get(container: &ContainerState, from: &str, mut archive: Writer<'_>) -> Result<()> {
    let options = DownloadFromContainerOptions { path: from.to_owned() };
    let mut chunks = Box::pin(container.docker.download_from_container(&container.name, Some(options)));
    let mut written = async |bytes: Option<Bytes>| match bytes {
        Some(bytes) => archive.write_all(&bytes).await,
        None => archive.shutdown().await,
    };
    loop {
        let chunk = match chunks.next().await {
            Some(Ok(bytes)) => Some(bytes),
            None => None,
            Some(Err(error)) if is_missing(&error) => {
                return Err(Error::build(format!(
                    "could not download {from}: no such file in container {}",
                    container.name
                )));
            }
            Some(Err(error)) => {
                return Err(failed(
                    ErrorKind::Build,
                    format!("download {from} from container {}", container.name),
                    &error,
                ));
            }
        };
        let end = chunk.is_none();
        written(chunk).await.map_err(|error| Error::build(format!("could not download {from}")).because(error))?;
        if end {
            return Ok(());
        }
    }
}
