//! Freezes the live file systems while the snapshot is taken.

use std::future::Future;
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Exec};
use ami_bake_core::output::{Collect, OutputSink, Stream};
use ami_bake_core::{Error, Result, Run};
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;

use crate::machine::AwsMachine;

/// The script on the guest. It runs from memory and the page cache, since nothing can be written meanwhile. It starts a
/// timer that thaws after 30 s whatever happens, freezes the file systems (the root last), prints [`FROZEN`], waits for
/// a line or for the end of its input (a lost connection), and thaws. Thawing fails if the timer was first.
const SCRIPT: &str = include_str!("freeze.sh");
/// Printed by the script once nothing can be written any more.
const FROZEN: &str = "frozen";
/// Time limit of the script: longer than its own timer, so that it is never killed while something is frozen.
const LIMIT: Duration = Duration::from_mins(2);

/// Runs `take` while the machine's file systems are frozen.
///
/// # Errors
/// When `take` fails, the file systems can't be frozen, or they thawed before `take` was done.
pub(super) async fn around<T, F>(machine: &AwsMachine, run: &Run, take: impl FnOnce() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let doing = format!("freeze the file systems of {}", machine.in_words());
    let communicator =
        machine.communicator().ok_or_else(|| Error::internal(format!("could not {doing}: not connected to it yet")))?;
    run.progress(format!("Freezing the file systems of {}", machine.id));
    while_frozen(communicator.as_ref(), &doing, take).await
}

async fn while_frozen<T, F>(communicator: &dyn Communicator, doing: &str, take: impl FnOnce() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let (mut control, stdin) = tokio::io::duplex(SCRIPT.len() + 16);
    control.write_all(SCRIPT.as_bytes()).await.map_err(|error| Error::internal(doing).because(error))?;
    let (sender, frozen) = oneshot::channel();
    let exec = Exec { command: "sh -s", stdin: Box::new(stdin), timeout: Some(LIMIT) };
    // The sender is dropped with the command, so that the receiver does not wait forever.
    let guest = async move {
        let mut output = FrozenWatch { sender: Some(sender), collect: Collect::default() };
        let exit = communicator.exec(exec, &mut output).await;
        (exit, output.collect)
    };
    let taking = async move {
        frozen.await.ok()?;
        let taken = take().await;
        // A failure is harmless: the end of its input makes the script thaw too.
        let _ = control.write_all(b"thaw\n").await;
        Some(taken)
    };
    let ((exit, output), taken) = tokio::join!(guest, taking);
    let exit = exit?;
    match taken {
        None => Err(Error::build(format!("could not {doing}: {}", last_line(&output.stderr_text())))
            .help("Use `capture: halted` (the default), which requires nothing inside the machine.")),
        Some(Err(error)) => Err(error),
        Some(Ok(taken)) if exit.success() => Ok(taken),
        Some(Ok(_)) => Err(Error::build(format!(
            "could not {doing}: they did not stay frozen until the snapshot was created ({exit})"
        ))
        .help("EC2 or the connection was slow. Run the bake again, or use `capture: halted` (the default).")),
    }
}

fn last_line(text: &str) -> String {
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("the machine gave no reason");
    ami_bake_core::output::sanitize(line)
}

/// Collects the output and signals when the guest is frozen.
struct FrozenWatch {
    sender: Option<oneshot::Sender<()>>,
    collect: Collect,
}

impl OutputSink for FrozenWatch {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        self.collect.write(stream, bytes);
        if self.collect.stdout_text().lines().any(|line| line == FROZEN)
            && let Some(sender) = self.sender.take()
        {
            let _ = sender.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use ami_bake_core::communicator::{DialError, Duplex, Exit, Reader, Writer};
    use async_trait::async_trait;
    use tokio::io::AsyncReadExt;
    use tokio::process::Command;

    use super::*;

    /// Runs the script in a shell of this machine, with the test's own `fsfreeze`.
    struct Shell {
        folder: std::path::PathBuf,
    }

    impl Shell {
        fn new(fsfreeze: &str) -> Self {
            use std::os::unix::fs::PermissionsExt as _;
            let folder = std::env::temp_dir().join(format!("ami-bake-freeze-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir(&folder).unwrap();
            let tool = folder.join("fsfreeze");
            std::fs::write(&tool, format!("#!/bin/sh\n{fsfreeze}\n")).unwrap();
            std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
            std::fs::write(
                folder.join("mounts"),
                "/dev/xvda1 / ext4 rw,relatime 0 0\nproc /proc proc rw 0 0\n/dev/xvda15 /boot/efi vfat rw 0 0\n\
                 /dev/sdf /srv xfs rw 0 0\n/dev/sdg /ro ext4 ro 0 0\n/dev/sdf /srv/again xfs rw 0 0\n",
            )
            .unwrap();
            Self { folder }
        }

        fn log(&self) -> String {
            std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
        }
    }

    impl Drop for Shell {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }

    #[async_trait]
    impl Communicator for Shell {
        async fn exec(&self, mut exec: Exec<'_>, output: &mut dyn OutputSink) -> Result<Exit> {
            let path = format!("{}:{}", self.folder.display(), std::env::var("PATH").unwrap());
            let mut child = Command::new("sh")
                .args(["-c", exec.command])
                .env("PATH", path)
                .env("MOUNTS", self.folder.join("mounts"))
                .env("LOG", self.folder.join("log"))
                .env("SECONDS_TO_THAW", "1")
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            let (mut stdin, mut stdout, mut stderr) =
                (child.stdin.take().unwrap(), child.stdout.take().unwrap(), child.stderr.take().unwrap());
            let read = async move {
                let mut buffer = [0; 256];
                loop {
                    match stdout.read(&mut buffer).await.unwrap() {
                        0 => break,
                        read => output.write(Stream::Stdout, &buffer[..read]),
                    }
                }
                let mut rest = Vec::new();
                stderr.read_to_end(&mut rest).await.unwrap();
                output.write(Stream::Stderr, &rest);
            };
            // Nobody closes the input of a command that ended by itself.
            let feed = async move {
                let _ = tokio::io::copy(&mut exec.stdin, &mut stdin).await;
                drop(stdin);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = read => {}
                () = feed => {}
            }
            Ok(Exit::Status(child.wait().await.unwrap().code().unwrap()))
        }

        async fn put(&self, _: Reader<'_>, _: &str) -> Result<()> {
            unimplemented!()
        }

        async fn get(&self, _: &str, _: Writer<'_>) -> Result<()> {
            unimplemented!()
        }

        async fn dial(&self, _: &str, _: u16) -> Result<Box<dyn Duplex>, DialError> {
            unimplemented!()
        }
    }

    /// An `fsfreeze` that remembers what is frozen, as the kernel does.
    const TOOL: &str = "[ \"$1\" = --version ] && exit 0\necho \"$1 $2\" >> \"$LOG\"\n\
                        mark=\"$LOG.$(printf %s \"$2\" | tr / _)\"\n\
                        if [ \"$1\" = -f ]; then [ ! -e \"$mark\" ] && : > \"$mark\"; else rm \"$mark\"; fi";

    #[tokio::test]
    async fn the_root_is_frozen_last_and_everything_thawed() {
        let shell = Shell::new(TOOL);
        let seen = while_frozen(&shell, "freeze", || async { Ok(shell.log()) }).await.unwrap();
        assert_eq!(seen, "-f /srv\n-f /\n");
        assert_eq!(shell.log(), "-f /srv\n-f /\n-u /srv\n-u /\n");
    }

    #[tokio::test]
    async fn a_snapshot_that_comes_after_the_timer_is_refused() {
        let shell = Shell::new(TOOL);
        let late = while_frozen(&shell, "freeze", || async {
            tokio::time::sleep(Duration::from_millis(2500)).await;
            Ok(shell.log())
        })
        .await;
        assert!(late.unwrap_err().to_string().contains("did not stay frozen until"));
        assert!(shell.log().contains("-u /\n"), "the timer thawed by itself");
    }

    #[tokio::test]
    async fn what_cannot_be_frozen_leaves_nothing_frozen() {
        let shell =
            Shell::new(&format!("[ \"$1 $2\" = '-f /' ] && {{ echo 'fsfreeze: /: busy' >&2; exit 1; }}\n{TOOL}"));
        let error = while_frozen(&shell, "freeze", || async { Ok(()) }).await.unwrap_err();
        assert!(error.to_string().contains("/ can't be frozen"), "{error}");
        assert_eq!(shell.log(), "-f /srv\n-u /srv\n");
    }

    #[tokio::test]
    async fn a_failed_snapshot_thaws() {
        let shell = Shell::new(TOOL);
        let error = while_frozen(&shell, "freeze", || async { Err::<(), _>(Error::build("no")) }).await.unwrap_err();
        assert_eq!(error.to_string(), "no");
        assert!(shell.log().ends_with("-u /srv\n-u /\n"));
    }
}
