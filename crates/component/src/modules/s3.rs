//! `S3Download` and `S3Upload`, with the credentials of the bake: the machine needs none.

use ami_bake_core::services::ObjectPath;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::Attempt;
use super::deliver::{DownloadSpec, deliver, prepare};
use super::files::glob;
use super::inputs::Inputs;

/// Maximum size of a file: the largest object for one PutObject (S3 API), which also limits the disk space used here.
const LARGEST: u64 = 5 << 30;
/// Maximum size of an archive header: no path is longer (`PATH_MAX`, limits.h), but a header may contain more than the
/// path.
const LONGEST_HEADER: u64 = 1 << 20;
/// Size of the buffer between the connection and the disk.
const BUFFER: usize = 512 << 10;

/// Downloads objects to the machine.
pub(super) async fn download(attempt: &Attempt<'_>, entries: &[Inputs<'_>]) -> Result<()> {
    for inputs in entries {
        let source = at(*inputs, "source")?;
        let destination = inputs.path("destination")?;
        let overwrite = inputs.flag("overwrite", true)?;
        let Some(prefix) = source.key.strip_suffix('*') else {
            let name = source.key.rsplit('/').next().unwrap_or_default().to_owned();
            if name.is_empty() {
                return Err(Error::build(format!("{source} is not an object: its key ends with a slash"))
                    .help("Add `*` at its end to download all objects below it."));
            }
            one(attempt, &source, &destination, &name, overwrite).await?;
            continue;
        };
        let below = ObjectPath { key: prefix.to_owned(), ..source.clone() };
        let run = attempt.machine.run;
        let keys = attempt.deadline.within(run, attempt.machine.services()?.objects(run, &below)).await?;
        let folder = prefix.rfind('/').map_or(0, |at| at + 1);
        let mut count = 0;
        for key in keys.iter().filter(|key| !key.ends_with('/')) {
            let name = key.get(folder..).unwrap_or_default().trim_start_matches('/');
            if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return Err(Error::build(format!("the key `{key}` in {} is not a valid file path", source.bucket)));
            }
            let object = ObjectPath { key: key.clone(), ..source.clone() };
            let (inner, file) = name.rsplit_once('/').unwrap_or(("", name));
            let into = format!("{}/{inner}", destination.trim_end_matches('/'));
            one(attempt, &object, &format!("{}/", into.trim_end_matches('/')), file, overwrite).await?;
            count += 1;
        }
        if count == 0 {
            return Err(Error::build(format!("no objects found at {source}")));
        }
        attempt.machine.run.progress(format!("Downloaded {count} objects from {source} to {destination}"));
    }
    Ok(())
}

async fn one(attempt: &Attempt<'_>, from: &ObjectPath, destination: &str, name: &str, overwrite: bool) -> Result<()> {
    let run = attempt.machine.run;
    let spec = DownloadSpec { destination, name, into: true, overwrite, sum: None };
    let Ok(target) = prepare(attempt, spec).await? else { return Ok(()) };
    let object = attempt.deadline.within(run, attempt.machine.services()?.object(run, from)).await?;
    deliver(attempt, &target, object.content, object.size).await.map_err(|error| {
        Error::build(format!("could not download {from} to `{}` on the machine", target.path))
            .because(Error::from(error))
    })
}

/// Uploads files of the machine to a bucket.
pub(super) async fn upload(attempt: &Attempt<'_>, entries: &[Inputs<'_>]) -> Result<()> {
    for inputs in entries {
        let destination = at(*inputs, "destination")?;
        let source = inputs.path("source")?;
        let recurse = inputs.flag("recurse", false)?;
        let files = files(attempt, &source, recurse).await?;
        for (path, name) in &files {
            // Files of a folder or a pattern go below the key.
            let many = source.contains('*') || name.starts_with('/');
            let name = name.trim_start_matches('/');
            let key = match destination.key.as_str() {
                "" => name.to_owned(),
                key if key.ends_with('/') => format!("{key}{name}"),
                key if many => format!("{key}/{name}"),
                key => key.to_owned(),
            };
            let to = ObjectPath { key, ..destination.clone() };
            send(attempt, path, &to).await.map_err(|error| {
                let help = error.help_text().map(str::to_owned);
                let wrapped = Error::build(format!("could not upload `{path}` to {to}")).because(error);
                match help {
                    Some(help) => wrapped.help(help),
                    None => wrapped,
                }
            })?;
        }
    }
    Ok(())
}

const LIST: &str = r#"n=0
for f in "$@"; do
  case $f in */. | */..) continue ;; esac
  f=${f%/}
  if [ -d "$f" ]; then
    if [ -z "$recurse" ]; then
      [ -n "$star" ] && continue
      echo "\`$f\` is a folder, and recurse is false" >&2; exit 1
    fi
    base=$f; [ -n "$star" ] && base=${f%/*}
    find "$f" -type f | while IFS= read -r p; do printf '%s\0/%s\0' "$p" "${p#"$base"/}"; done
  elif [ -f "$f" ]; then
    printf '%s\0%s\0' "$f" "${f##*/}"
  elif [ -z "$star" ]; then
    echo "no such file: \`$f\`" >&2; exit 1
  fi
done"#;

/// The files of a source, with their paths below it; a leading slash marks files in a folder.
async fn files(attempt: &Attempt<'_>, source: &str, recurse: bool) -> Result<Vec<(String, String)>> {
    let flag = |set: bool| if set { "1" } else { "" };
    let script =
        format!("recurse={} star={}\nset -- {}\n{LIST}\n", flag(recurse), flag(source.contains('*')), glob(source));
    let said = attempt.machine.sh(&script, attempt.deadline).await?.passed()?;
    let words: Vec<String> =
        said.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let files: Vec<(String, String)> = words.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    if files.is_empty() {
        return Err(Error::build(format!("no files found at `{source}`")));
    }
    Ok(files)
}

/// Uploads one file, through a temporary file here: S3 needs its size first, and a retry starts at its beginning.
async fn send(attempt: &Attempt<'_>, path: &str, to: &ObjectPath) -> Result<()> {
    let run = attempt.machine.run;
    let said = attempt
        .machine
        .sh(
            &format!("cd -P \"$(dirname {0})\" && printf '%s/%s' \"$(pwd)\" \"$(basename {0})\"", quote(path)),
            attempt.deadline,
        )
        .await?
        .passed()?;
    let absolute = String::from_utf8_lossy(&said).into_owned();
    let spooled = |error: std::io::Error| Error::build("could not save a file from the machine").because(error);
    let spool = tempfile::NamedTempFile::new().map_err(spooled)?;
    let file = tokio::fs::File::from_std(spool.reopen().map_err(spooled)?);
    let (mut writer, reader) = tokio::io::duplex(BUFFER);
    let fetch = async {
        let got = attempt.machine.on.communicator.get(&absolute, Box::new(&mut writer)).await;
        drop(writer);
        got
    };
    let both = async {
        let (got, kept) = tokio::join!(fetch, keep(reader, file));
        got?;
        kept.map_err(spooled)
    };
    attempt.deadline.within(run, both).await?;
    // A call that creates something is not interrupted.
    attempt.deadline.left(run)?;
    attempt.machine.services()?.store(run, to, spool.path()).await
}

/// Writes the only file of an archive, and reads the archive to its end. The machine may announce and send anything.
async fn keep(mut archive: DuplexStream, mut file: tokio::fs::File) -> std::io::Result<()> {
    let mut block = [0; 512];
    loop {
        archive.read_exact(&mut block).await?;
        let header = tar::Header::from_byte_slice(&block);
        let size = header.entry_size()?;
        if header.entry_type().is_file() {
            if size > LARGEST {
                return Err(std::io::Error::other("it is larger than 5 GiB, the most that S3 takes in one PutObject"));
            }
            let copied = tokio::io::copy(&mut (&mut archive).take(size), &mut file).await?;
            if copied < size {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            file.flush().await?;
            tokio::io::copy(&mut archive, &mut tokio::io::sink()).await?;
            return Ok(());
        }
        if block.iter().all(|byte| *byte == 0) {
            return Err(std::io::Error::other("the machine sent no file"));
        }
        // The header of a long name, before the file's own.
        if size > LONGEST_HEADER {
            return Err(std::io::Error::other("the machine sent an archive that is not valid"));
        }
        let padded = size.next_multiple_of(512);
        tokio::io::copy(&mut (&mut archive).take(padded), &mut tokio::io::sink()).await?;
    }
}

fn at(inputs: Inputs<'_>, name: &str) -> Result<ObjectPath> {
    let at = ObjectPath::parse(inputs.need(name)?)?;
    Ok(ObjectPath { owner: inputs.text("expectedBucketOwner").map(str::to_owned), ..at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_claim_of_endless_length_is_an_error() {
        use tar::EntryType;
        for (kind, size, said) in [
            (EntryType::GNULongName, u64::MAX, "not valid"),
            (EntryType::GNULongName, LONGEST_HEADER + 1, "not valid"),
            (EntryType::Regular, LARGEST + 1, "larger than 5 GiB"),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(size);
            let (mut writer, reader) = tokio::io::duplex(1024);
            writer.write_all(header.as_bytes()).await.unwrap();
            let file = tokio::fs::File::from_std(tempfile::tempfile().unwrap());
            let error = keep(reader, file).await.unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
