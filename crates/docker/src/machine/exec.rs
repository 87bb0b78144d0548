//! Runs commands in a container.

use std::pin::Pin;
use std::time::Duration;

use ami_bake_core::communicator::{Exec, Exit};
use ami_bake_core::kill::{LIMIT, MARK, script};
use ami_bake_core::output::{OutputSink, Stream};
use ami_bake_core::{ErrorKind, Result};
use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error as Engine;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bollard::query_parameters::InspectContainerOptions;
use futures::{Stream as Streaming, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::state::ContainerState;
use crate::engine::{failed, is_conflict, is_missing, message};

/// Size of the daemon's copy buffer.
const CHUNK: usize = 32 << 10;
/// Pauses between two checks whether a command has ended, short at first for commands that end at once.
const PAUSES: [Duration; 3] = [Duration::from_millis(5), Duration::from_millis(50), Duration::from_millis(250)];
/// Time for the last output of a command that has ended to arrive. A background process that it left behind may keep the
/// stream open, and is not waited for.
const DRAIN: Duration = Duration::from_millis(100);
/// Maximum output that is still read after a command has ended: it may be in a pipe, in the daemon or on the
/// connection. A background process that prints without end is not read any further.
const UNREAD: usize = 8 << 20;
/// Statuses from here on mean that a signal ended the command, which is also how the end of the whole container looks.
const BY_SIGNAL: i32 = 128;

/// The streams of a running command.
pub(super) struct Attached {
    pub(super) id: String,
    pub(super) output: Pin<Box<dyn Streaming<Item = Result<LogOutput, Engine>> + Send>>,
    pub(super) input: Pin<Box<dyn AsyncWrite + Send>>,
}

/// Starts a command as root.
pub(super) async fn start(
    docker: &Docker,
    container: &str,
    command: Vec<String>,
    mark: Option<&str>,
) -> Result<Attached, Engine> {
    let config = ExecConfig {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(command),
        env: mark.map(|mark| vec![format!("{MARK}={mark}")]),
        user: Some("0:0".to_owned()),
        working_dir: Some("/".to_owned()),
        ..ExecConfig::default()
    };
    let created = docker.create_exec(container, config).await?;
    let options = StartExecOptions { output_capacity: Some(CHUNK), ..StartExecOptions::default() };
    match docker.start_exec(&created.id, Some(options)).await? {
        StartExecResults::Attached { output, input } => Ok(Attached { id: created.id, output, input }),
        StartExecResults::Detached => {
            Err(Engine::DockerStreamError { error: "the daemon did not attach to the command".to_owned() })
        }
    }
}

/// Runs a script without showing its output, and returns its exit status, if known. The first of `words` is the script,
/// the others are its arguments from `$0` on.
pub(super) async fn run_script(docker: &Docker, container: &str, words: &[&str]) -> Option<i64> {
    let command = ["/bin/sh", "-c"].iter().chain(words).map(|word| (*word).to_owned()).collect();
    let mut attached = start(docker, container, command, None).await.ok()?;
    // The script reads no input.
    let _ = attached.input.shutdown().await;
    while let Some(Ok(_)) = attached.output.next().await {}
    status(docker, &attached.id).await.ok()
}

/// Waits until a command has ended, and returns its status.
async fn status(docker: &Docker, id: &str) -> Result<i64, Engine> {
    let mut pauses = PAUSES.iter().copied();
    let mut pause = PAUSES[0];
    loop {
        let seen = docker.inspect_exec(id).await?;
        if seen.running != Some(true)
            && let Some(code) = seen.exit_code
        {
            return Ok(code);
        }
        pause = pauses.next().unwrap_or(pause);
        tokio::time::sleep(pause).await;
    }
}

/// Runs a step's command.
pub(super) async fn exec(container: &ContainerState, mut exec: Exec<'_>, output: &mut dyn OutputSink) -> Result<Exit> {
    let ContainerState { docker, name, .. } = container;
    let Some(before) = started(container).await else { return Ok(lost(name)) };
    let mark = uuid::Uuid::new_v4().simple().to_string();
    let words = ["/bin/sh", "-c", exec.command].map(str::to_owned).to_vec();
    let attached = match start(docker, name, words, Some(&mark)).await {
        Ok(attached) => attached,
        Err(error) if is_missing(&error) || is_conflict(&error) => return Ok(lost(name)),
        Err(error) => return Err(failed(ErrorKind::Build, format!("start a command in container {name}"), &error)),
    };
    let pumped = pump(docker, attached, &mut exec.stdin, output);
    let ended = match exec.timeout {
        Some(limit) => {
            let Ok(ended) = tokio::time::timeout(limit, pumped).await else {
                if !kill(docker, name, &mark).await && started(container).await.is_none() {
                    return Ok(lost(name));
                }
                return Ok(Exit::TimedOut(limit));
            };
            ended
        }
        None => pumped.await,
    };
    match ended {
        Ok(code) => {
            let code = i32::try_from(code).unwrap_or(i32::MAX);
            if code >= BY_SIGNAL && started(container).await.as_ref() != Some(&before) {
                return Ok(lost(name));
            }
            Ok(Exit::Status(code))
        }
        Err(error) if is_missing(&error) => Ok(lost(name)),
        Err(error) => Ok(Exit::Lost(format!("the connection to the Docker daemon broke: {}", message(&error)))),
    }
}

/// Kills the command with this mark and everything that it started; the Engine API has no call for that. False when a
/// process may be left.
async fn kill(docker: &Docker, container: &str, mark: &str) -> bool {
    let killed = tokio::time::timeout(LIMIT, run_script(docker, container, &[&script(mark), "sh"])).await;
    matches!(killed, Ok(Some(0)))
}

fn lost(name: &str) -> Exit {
    Exit::Lost(format!("container {name} has ended"))
}

/// When the container was last started; `None` when it isn't running.
async fn started(container: &ContainerState) -> Option<String> {
    let seen = container.docker.inspect_container(&container.name, None::<InspectContainerOptions>).await.ok()?;
    let state = seen.state.filter(|state| state.running == Some(true))?;
    state.started_at
}

/// Feeds a command, passes its output on until it ends, and returns its status.
async fn pump(
    docker: &Docker,
    attached: Attached,
    stdin: &mut ami_bake_core::communicator::Reader<'_>,
    output: &mut dyn OutputSink,
) -> Result<i64, Engine> {
    let Attached { id, output: mut chunks, mut input } = attached;
    let feed = async {
        // A command may close its input before it has read everything.
        let _ = tokio::io::copy(stdin, &mut input).await;
        let _ = input.shutdown().await;
    };
    let ended = status(docker, &id);
    tokio::pin!(feed, ended);
    let (mut fed, mut open, mut code, mut unread) = (false, true, None, UNREAD);
    while open && unread > 0 || code.is_none() {
        output.ready().await;
        tokio::select! {
            chunk = chunks.next(), if open => {
                let chunk = chunk.transpose()?;
                if code.is_some() {
                    unread = unread.saturating_sub(chunk.as_ref().map_or(0, |chunk| chunk.as_ref().len()));
                }
                match chunk {
                    Some(LogOutput::StdErr { message }) => output.write(Stream::Stderr, &message),
                    Some(LogOutput::StdOut { message } | LogOutput::Console { message }) => {
                        output.write(Stream::Stdout, &message);
                    }
                    Some(LogOutput::StdIn { .. }) => {}
                    None => open = false,
                }
            }
            () = &mut feed, if !fed => fed = true,
            status = &mut ended, if code.is_none() => code = Some(status?),
            () = tokio::time::sleep(DRAIN), if code.is_some() => break,
        }
    }
    Ok(code.unwrap_or_default())
}
