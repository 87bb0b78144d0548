//! Files there and back by the engine's archive calls: no tool of the image is needed.

use ami_bake_core::communicator::{Reader, Writer};
use ami_bake_core::{Error, ErrorKind, Result};
use bollard::query_parameters::{ContainerArchiveInfoOptions, DownloadFromContainerOptions, UploadToContainerOptions};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::container::Shared;
use crate::engine::{failed, is_missing};

/// So much of an archive is read at once.
const CHUNK: usize = 64 << 10;
/// So many such pieces wait for the engine.
const WAITING: usize = 4;

/// Unpacks an archive below `to`, which is made when it is missing.
pub(super) async fn put(shared: &Shared, mut archive: Reader<'_>, to: &str) -> Result<()> {
    make_folder(shared, to).await?;
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(WAITING);
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
    let (sent, ()) = tokio::join!(unpack(shared, to, chunks), feed);
    sent
}

async fn unpack(
    shared: &Shared,
    to: &str,
    chunks: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static,
) -> Result<()> {
    let options = UploadToContainerOptions {
        path: to.to_owned(),
        no_overwrite_dir_non_dir: Some("true".to_owned()),
        ..UploadToContainerOptions::default()
    };
    let sent = shared.docker.upload_to_container(&shared.name, Some(options), bollard::body_try_stream(chunks)).await;
    sent.map_err(|error| failed(ErrorKind::Build, format!("send files to {to} in container {}", shared.name), &error))
}

/// Makes what is missing of a folder's path; what is there stays as it is.
async fn make_folder(shared: &Shared, path: &str) -> Result<()> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let mut there = parts.len();
    while there > 0 && !exists(shared, &format!("/{}", parts[..there].join("/"))).await? {
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
            .map_err(|error| Error::build(format!("make the folder {path}")).because(error))?;
    }
    let bytes = archive.into_inner().map_err(|error| Error::build(format!("make the folder {path}")).because(error))?;
    unpack(shared, &format!("/{}", parts[..there].join("/")), futures::stream::iter([Ok(bytes.into())])).await
}

async fn exists(shared: &Shared, path: &str) -> Result<bool> {
    let options = ContainerArchiveInfoOptions { path: path.to_owned() };
    match shared.docker.get_container_archive_info(&shared.name, Some(options)).await {
        Ok(_) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(failed(ErrorKind::Build, format!("look at {path} in container {}", shared.name), &error)),
    }
}

/// Writes an archive of `from`.
pub(super) async fn get(shared: &Shared, from: &str, mut archive: Writer<'_>) -> Result<()> {
    let options = DownloadFromContainerOptions { path: from.to_owned() };
    let mut chunks = Box::pin(shared.docker.download_from_container(&shared.name, Some(options)));
    let mut written = async |bytes: Option<Bytes>| match bytes {
        Some(bytes) => archive.write_all(&bytes).await,
        None => archive.shutdown().await,
    };
    loop {
        let chunk = match chunks.next().await {
            Some(Ok(bytes)) => Some(bytes),
            None => None,
            Some(Err(error)) if is_missing(&error) => {
                return Err(Error::build(format!("fetch {from}: container {} has no such file", shared.name)));
            }
            Some(Err(error)) => {
                return Err(failed(ErrorKind::Build, format!("fetch {from} from container {}", shared.name), &error));
            }
        };
        let end = chunk.is_none();
        written(chunk).await.map_err(|error| Error::build(format!("fetch {from}")).because(error))?;
        if end {
            return Ok(());
        }
    }
}
