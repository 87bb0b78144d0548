//! Sends files to the machine: streamed to a temporary file beside the target, verified there, and renamed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ami_bake_core::communicator::Reader;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};

use super::Attempt;

/// Where a file goes on the machine.
pub(super) struct Target {
    /// Full path.
    pub(super) path: String,
    folder: String,
    name: String,
    /// The tool and the expected checksum.
    sum: Option<(&'static str, String)>,
}

/// Where a file goes on the machine, as the document says.
pub(super) struct DownloadSpec<'a> {
    /// A path; a folder ends with a slash.
    pub(super) destination: &'a str,
    /// Name of the file in a folder.
    pub(super) name: &'a str,
    /// Whether an existing folder counts as one without the slash, too.
    pub(super) into: bool,
    pub(super) overwrite: bool,
    /// The tool and the expected checksum.
    pub(super) sum: Option<(&'static str, String)>,
}

const PREPARE: &str = r#"case $to in */) target=$to$name ;; *) if [ -n "$into" ] && [ -d "$to" ]; then target=$to/$name; else target=$to; fi ;; esac
folder=${target%"${target##*/}"}; folder=${folder:-./}
if [ -d "$target" ]; then echo "\`$target\` is a folder" >&2; exit 1; fi
if [ -e "$target" ]; then
  if [ -z "$overwrite" ]; then echo "\`$target\` already exists, and overwrite is false" >&2; exit 1; fi
  if [ -n "$tool" ]; then s=$($tool <"$target") && [ "${s%% *}" = "$sum" ] && { printf 'same\n%s' "$target"; exit 0; }; fi
fi
mkdir -p "$folder" && folder=$(cd "$folder" && pwd) || exit 1
printf 'send\n%s\n%s' "$folder" "$target""#;

/// Prepares the target of a file. The inner `Err` is its path if it already exists with this checksum.
///
/// # Errors
/// When the target exists and must not be replaced.
pub(super) async fn prepare(attempt: &Attempt<'_>, spec: DownloadSpec<'_>) -> Result<Result<Target, String>> {
    let flag = |set: bool| if set { "1" } else { "" };
    let (tool, sum) = spec.sum.as_ref().map_or(("", ""), |(tool, sum)| (*tool, sum.as_str()));
    let script = format!(
        "to={} name={} into={} overwrite={} tool={tool} sum={}\n{PREPARE}\n",
        quote(spec.destination),
        quote(spec.name),
        flag(spec.into),
        flag(spec.overwrite),
        quote(sum),
    );
    let said = attempt.machine.sh(&script, attempt.deadline).await?.passed()?;
    let said = String::from_utf8_lossy(&said).into_owned();
    let lines: Vec<&str> = said.split('\n').collect();
    match lines.as_slice() {
        ["same", target] => Ok(Err((*target).to_owned())),
        ["send", folder, target] => Ok(Ok(Target {
            name: target.rsplit('/').next().unwrap_or_default().to_owned(),
            path: (*target).to_owned(),
            folder: (*folder).to_owned(),
            sum: spec.sum,
        })),
        _ => Err(Error::build(format!("`{}` is not a valid file path", spec.destination))),
    }
}

/// Why a file was not delivered; no part of it is left on the machine.
pub(super) enum DeliveryError {
    /// The checksum differs from the document's.
    Checksum(Error),
    /// The stream ended early, or the machine can't store the file.
    Other(Error),
}

impl From<Error> for DeliveryError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<DeliveryError> for Error {
    fn from(error: DeliveryError) -> Self {
        match error {
            DeliveryError::Checksum(error) | DeliveryError::Other(error) => error,
        }
    }
}

/// Exit status of the script below for a wrong checksum.
const OTHER_CHECKSUM: i32 = 3;

/// Streams a file of exactly `size` bytes to its target.
///
/// # Errors
/// When the stream ends early, the machine can't store the file, or the checksum is wrong; no part of the file is left
/// then.
pub(super) async fn deliver(
    attempt: &Attempt<'_>,
    target: &Target,
    content: Reader<'_>,
    size: u64,
) -> Result<(), DeliveryError> {
    let temporary = format!(".ami-bake-{}", uuid::Uuid::new_v4().simple());
    let mut header = tar::Header::new_gnu();
    let headed = header.set_path(&temporary);
    headed.map_err(|error| Error::internal("name a file in an archive").because(error))?;
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(u64::try_from(attempt.machine.run.clock().now().as_second()).unwrap_or_default());
    header.set_cksum();
    // The file is padded to whole blocks, and two empty ones end the archive.
    let padding = usize::try_from((512 - size % 512) % 512).unwrap_or_default() + 1024;
    let archive = io::Cursor::new(header.as_bytes().to_vec())
        .chain(Exact { content, left: size })
        .chain(io::Cursor::new(vec![0; padding]));
    let send = attempt.machine.on.communicator.put(Box::new(archive), &target.folder);
    let sent = attempt.deadline.within(attempt.machine.run, send).await;
    let file = quote(&format!("{}/{temporary}", target.folder.trim_end_matches('/')));
    if let Err(error) = sent {
        let gone = Attempt { deadline: attempt.outer, ..*attempt };
        let _ = attempt.machine.sh(&format!("rm -f {file}"), gone.deadline).await;
        return Err(error.into());
    }
    let check = match &target.sum {
        Some((tool, sum)) => format!(
            "s=$({tool} <\"$f\"); s=${{s%% *}}\nif [ \"$s\" != {} ]; then rm -f \"$f\"; echo \"its checksum is $s, not \"{} >&2; exit {OTHER_CHECKSUM}; fi\n",
            quote(sum),
            quote(sum)
        ),
        None => String::new(),
    };
    let to = quote(&format!("{}/{}", target.folder.trim_end_matches('/'), target.name));
    let script = format!("f={file}\n{check}mv -f \"$f\" {to} || {{ rm -f \"$f\"; exit 1; }}\n");
    let ended = attempt.machine.sh(&script, attempt.deadline).await?;
    let differs = ended.status == OTHER_CHECKSUM;
    ended.passed().map(drop).map_err(|error| if differs { DeliveryError::Checksum(error) } else { error.into() })
}

/// A stream of exactly this number of bytes: a shorter one is an error instead of being padded with zeros.
struct Exact<'a> {
    content: Reader<'a>,
    left: u64,
}

impl AsyncRead for Exact<'_> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Ok(()));
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.content).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        if read == 0 && room > 0 {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the download ended early")));
        }
        buf.advance(read);
        self.left -= read as u64;
        Poll::Ready(Ok(()))
    }
}
