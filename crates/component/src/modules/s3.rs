//! `S3Download` and `S3Upload`, with the credentials of the bake: the machine needs none.

use ami_bake_core::services::ObjectPath;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::Doing;
use super::deliver::{Wanted, deliver, prepare};
use super::entry::Entry;
use super::files::glob;

/// Between the connection and the disk.
const BUFFER: usize = 512 << 10;

/// Objects to the machine.
pub(super) async fn download(doing: &Doing<'_>, entries: &[Entry<'_>]) -> Result<()> {
    for entry in entries {
        let source = at(*entry, "source")?;
        let destination = entry.path("destination")?;
        let overwrite = entry.flag("overwrite", true)?;
        let Some(prefix) = source.key.strip_suffix('*') else {
            let name = source.key.rsplit('/').next().unwrap_or_default().to_owned();
            if name.is_empty() {
                return Err(Error::build(format!("{source} is no object: its key ends in a slash"))
                    .help("Write `/*` at its end for all objects below it."));
            }
            one(doing, &source, &destination, &name, overwrite).await?;
            continue;
        };
        let below = ObjectPath { key: prefix.to_owned(), ..source.clone() };
        let run = doing.machine.run;
        let keys = doing.deadline.within(run, doing.machine.services()?.objects(run, &below)).await?;
        let folder = prefix.rfind('/').map_or(0, |at| at + 1);
        let mut count = 0;
        for key in keys.iter().filter(|key| !key.ends_with('/')) {
            let name = key.get(folder..).unwrap_or_default().trim_start_matches('/');
            if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return Err(Error::build(format!("the key `{key}` in {} can't be a file's path", source.bucket)));
            }
            let object = ObjectPath { key: key.clone(), ..source.clone() };
            let (inner, file) = name.rsplit_once('/').unwrap_or(("", name));
            let into = format!("{}/{inner}", destination.trim_end_matches('/'));
            one(doing, &object, &format!("{}/", into.trim_end_matches('/')), file, overwrite).await?;
            count += 1;
        }
        if count == 0 {
            return Err(Error::build(format!("there are no objects at {source}")));
        }
        doing.machine.run.progress(format!("{count} objects of {source} are in {destination}"));
    }
    Ok(())
}

async fn one(doing: &Doing<'_>, from: &ObjectPath, destination: &str, name: &str, overwrite: bool) -> Result<()> {
    let run = doing.machine.run;
    let wanted = Wanted { destination, name, into: true, overwrite, sum: None };
    let Ok(target) = prepare(doing, wanted).await? else { return Ok(()) };
    let object = doing.deadline.within(run, doing.machine.services()?.object(run, from)).await?;
    deliver(doing, &target, object.content, object.size)
        .await
        .map_err(|error| Error::build(format!("bring {from} to `{}` on the machine", target.path)).because(error))
}

/// Files of the machine to a bucket.
pub(super) async fn upload(doing: &Doing<'_>, entries: &[Entry<'_>]) -> Result<()> {
    for entry in entries {
        let destination = at(*entry, "destination")?;
        let source = entry.path("source")?;
        let recurse = entry.flag("recurse", false)?;
        let files = files(doing, &source, recurse).await?;
        for (path, name) in &files {
            // What lies in a folder goes below the key, and so does what a pattern met.
            let many = source.contains('*') || name.starts_with('/');
            let name = name.trim_start_matches('/');
            let key = match destination.key.as_str() {
                "" => name.to_owned(),
                key if key.ends_with('/') => format!("{key}{name}"),
                key if many => format!("{key}/{name}"),
                key => key.to_owned(),
            };
            let to = ObjectPath { key, ..destination.clone() };
            send(doing, path, &to).await.map_err(|error| {
                let help = error.help_text().map(str::to_owned);
                let wrapped = Error::build(format!("store `{path}` as {to}")).because(error);
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
    echo "there is no file \`$f\`" >&2; exit 1
  fi
done"#;

/// The files that a source means, with their paths below it; those with a slash before it lie in a folder.
async fn files(doing: &Doing<'_>, source: &str, recurse: bool) -> Result<Vec<(String, String)>> {
    let flag = |set: bool| if set { "1" } else { "" };
    let script =
        format!("recurse={} star={}\nset -- {}\n{LIST}\n", flag(recurse), flag(source.contains('*')), glob(source));
    let said = doing.machine.sh(&script, doing.deadline).await?.passed()?;
    let words: Vec<String> =
        said.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let files: Vec<(String, String)> = words.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    if files.is_empty() {
        return Err(Error::build(format!("there are no files at `{source}`")));
    }
    Ok(files)
}

/// One file, by way of a file of this machine: a store takes its size first, and tries again from its beginning.
async fn send(doing: &Doing<'_>, path: &str, to: &ObjectPath) -> Result<()> {
    let run = doing.machine.run;
    let said = doing
        .machine
        .sh(
            &format!("cd -P \"$(dirname {0})\" && printf '%s/%s' \"$(pwd)\" \"$(basename {0})\"", quote(path)),
            doing.deadline,
        )
        .await?
        .passed()?;
    let absolute = String::from_utf8_lossy(&said).into_owned();
    let spooled = |error: std::io::Error| Error::build("keep a file of the machine here").because(error);
    let spool = tempfile::NamedTempFile::new().map_err(spooled)?;
    let file = tokio::fs::File::from_std(spool.reopen().map_err(spooled)?);
    let (mut writer, reader) = tokio::io::duplex(BUFFER);
    let fetch = async {
        let got = doing.machine.on.communicator.get(&absolute, Box::new(&mut writer)).await;
        drop(writer);
        got
    };
    let both = async {
        let (got, kept) = tokio::join!(fetch, keep(reader, file));
        got?;
        kept.map_err(spooled)
    };
    doing.deadline.within(run, both).await?;
    // A call that creates something is not cut off in its middle.
    doing.deadline.left(run)?;
    doing.machine.services()?.store(run, to, spool.path()).await
}

/// Writes the one file of an archive, and takes the rest of it too.
async fn keep(mut archive: DuplexStream, mut file: tokio::fs::File) -> std::io::Result<()> {
    let mut block = [0; 512];
    loop {
        archive.read_exact(&mut block).await?;
        let header = tar::Header::from_byte_slice(&block);
        let size = header.entry_size()?;
        let padded = size.div_ceil(512) * 512;
        if header.entry_type().is_file() {
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
        // What stands before a file with a long name.
        tokio::io::copy(&mut (&mut archive).take(padded), &mut tokio::io::sink()).await?;
    }
}

fn at(entry: Entry<'_>, name: &str) -> Result<ObjectPath> {
    let at = ObjectPath::parse(entry.need(name)?)?;
    Ok(ObjectPath { owner: entry.text("expectedBucketOwner").map(str::to_owned), ..at })
}
