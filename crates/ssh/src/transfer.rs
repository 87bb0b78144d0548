//! Moves files as one tar stream over one channel, with owners and modes, and with one round trip for any number of them.

use std::io::Write;
use std::time::Duration;

use ami_bake_core::communicator::Exit;
use ami_bake_core::duration::human;
use ami_bake_core::output::sanitize;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::session::MachineFacts;
/// Round trip from which archives are compressed. Below it the network is faster than gzip. Above it the SSH server's
/// window (2 MiB in OpenSSH) limits a channel to 200 MB/s at 10 ms and 20 MB/s at 100 ms, which gzip at level 1 fills
/// with a fraction of a core.
const FAR: Duration = Duration::from_millis(10);

/// Bytes of an archive that are compressed as a test. Smaller archives are sent before gzip would pay.
pub(crate) const SAMPLE: usize = 256 << 10;

/// True when archives for this machine should be compressed, if it can unpack them.
pub(crate) fn is_far(facts: Option<&MachineFacts>) -> bool {
    facts.is_some_and(|facts| facts.gzip && facts.round_trip >= FAR)
}

/// True when compression pays: the sample shrinks by at least a fifth, which compressed files do not.
pub(crate) fn shrinks(sample: &[u8]) -> bool {
    if sample.len() < SAMPLE {
        return false;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(SAMPLE), Compression::fast());
    let squeezed = encoder.write_all(sample).and_then(|()| encoder.finish());
    squeezed.is_ok_and(|squeezed| squeezed.len() < sample.len() / 5 * 4)
}

/// The command that unpacks standard input into `to`, with options that GNU tar, bsdtar and busybox have.
pub(crate) fn unpack(to: &str, gzip: bool) -> String {
    let to = quote(&rooted(to));
    let gzip = if gzip { "z" } else { "" };
    // New folders are accessible to everybody, whatever umask sudo sets.
    format!("umask 022 && mkdir -p {to} && exec tar -xp{gzip}f - --numeric-owner -C {to}")
}

/// The command that packs `from` to standard output under its base name. A link to a file is followed, as with `cp` and
/// `scp`. The output is never compressed: gzip on a small machine would be the bottleneck, and most downloads are
/// small.
pub(crate) fn pack(from: &str) -> String {
    let from = rooted(from);
    let trimmed = from.trim_end_matches('/');
    let (folder, base) = match trimmed.rsplit_once('/') {
        Some(("", base)) => ("/", base),
        Some((folder, base)) => (folder, base),
        // `from` is the root folder.
        None => ("/", "."),
    };
    let (path, folder, base) = (quote(&from), quote(folder), quote(base));
    format!(
        "if [ ! -e {path} ] && [ ! -h {path} ]; then echo 'no such file or folder' >&2; exit 66; fi; \
         follow=; if [ -h {path} ] && [ -f {path} ]; then follow=h; fi; \
         exec tar -c${{follow}}f - --numeric-owner -C {folder} -- {base}"
    )
}

/// The path with `./` in front when it is relative, so that a file name is never taken for an option.
fn rooted(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("./{path}") }
}

/// Turns the exit status of a tar command on the machine into a result.
pub(crate) fn check_exit(what: &str, exit: Exit, errors: &[u8]) -> Result<()> {
    let text = String::from_utf8_lossy(errors);
    let lines: Vec<_> = text.lines().map(sanitize).filter(|line| !line.trim().is_empty()).collect();
    let output = if lines.is_empty() { String::new() } else { format!(": {}", lines.join("; ")) };
    match exit {
        Exit::Status(0) => Ok(()),
        Exit::Status(66) if output.contains("no such file or folder") => {
            Err(Error::build(format!("could not {what}: no such file or folder on the machine")))
        }
        Exit::Status(127) => {
            Err(Error::build(format!("could not {what}: tar is not installed on the machine{output}"))
                .help("Install it in an earlier step, for example with `run: dnf install -y tar gzip`."))
        }
        Exit::Status(status) => Err(Error::build(format!("could not {what}: tar exited with status {status}{output}"))),
        Exit::Signal(signal) => {
            Err(Error::build(format!("could not {what}: tar was killed by signal {signal}{output}")))
        }
        Exit::TimedOut(limit) => Err(Error::build(format!("could not {what}: not finished after {}", human(limit)))),
        Exit::Lost(reason) => Err(Error::build(format!("could not {what}: {reason}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_shrinks_is_compressed() {
        let text = b"the same words again and again ".repeat(SAMPLE / 31 + 1);
        assert!(shrinks(&text[..SAMPLE]));
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(SAMPLE)
        .collect();
        assert!(!shrinks(&noise));
        assert!(!shrinks(&text[..1000]));
    }

    #[test]
    fn paths_are_never_options() {
        assert_eq!(
            unpack("-rf x", false),
            "umask 022 && mkdir -p './-rf x' && exec tar -xpf - --numeric-owner -C './-rf x'"
        );
        assert!(pack("/etc/ssh/").ends_with("-C /etc -- ssh"));
        assert!(pack("/etc").ends_with("-C / -- etc"));
        assert!(pack("/").ends_with("-C / -- ."));
        assert!(pack("-x").ends_with("-C . -- -x"));
    }
}
