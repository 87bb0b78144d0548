//! Runs scripts for the step types `run` and `script`, and for other crates.

use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::time::Duration;

use ami_bake_core::communicator::{Exit, Reader};
use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::{FileHash, Step};
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result, Run};
use tokio::task::JoinHandle;

use super::{Program, Tail, ended, environment, words};
use crate::local::{Chunks, Verified, blocking};

/// The default interpreter.
const BASH: [&str; 3] = ["bash", "-euo", "pipefail"];
/// Shells that get a command to close the script's own file, so that programs they start do not inherit it.
const SHELLS: [&str; 7] = ["bash", "sh", "dash", "ash", "ksh", "mksh", "zsh"];
/// That command, placed before the script's first line so that line numbers stay the same.
const CLOSE: &[u8] = b"exec 3<&-; ";

/// Sets a user's environment; replaces the line `ami_bake_account` in our scripts.
pub(crate) const ACCOUNT: &str = include_str!("account.sh");

/// The interpreter of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Interpreter {
    /// These words, with the script's file in place of `{0}` or after them.
    Words(Vec<String>),
    /// `bash -euo pipefail`, or `sh -eu` if there is no bash.
    Any,
    /// The file is executed directly.
    Itself,
}

impl Interpreter {
    /// The manifest's `shell`, or bash.
    pub(crate) fn of(shell: Option<&str>) -> Result<Self> {
        Ok(Self::Words(shell.map_or_else(|| Ok(BASH.map(str::to_owned).to_vec()), words)?))
    }

    fn is_shell(&self) -> bool {
        match self {
            Self::Words(words) => {
                let name = words.first().and_then(|word| word.rsplit('/').next()).unwrap_or_default();
                SHELLS.contains(&name) && !words.iter().any(|word| word.contains("{0}"))
            }
            Self::Any => true,
            Self::Itself => false,
        }
    }
}

/// A script and the arguments of its run.
pub(crate) struct Script<'a> {
    /// Content of the script, and its length in bytes.
    pub(crate) content: (Reader<'a>, u64),
    /// Interpreter of the script.
    pub(crate) interpreter: Interpreter,
    /// Arguments of the script.
    pub(crate) args: &'a [String],
    /// The user to run as. Default: root.
    pub(crate) user: Option<&'a str>,
    /// The folder to run in. Default: `/`.
    pub(crate) folder: Option<&'a str>,
    /// Time limit of the script.
    pub(crate) timeout: Option<Duration>,
    /// The task that sends a local file, with its result.
    sending: Option<JoinHandle<std::io::Result<u64>>>,
}

impl<'a> Script<'a> {
    /// A script that is written in the manifest.
    pub(crate) fn text(text: &'a str, interpreter: Interpreter) -> Self {
        let content: (Reader<'a>, u64) = (Box::new(text.as_bytes()), text.len() as u64);
        Self { content, interpreter, args: &[], user: None, folder: None, timeout: None, sending: None }
    }

    /// A local file; without `shell` it is run according to its first line, as the kernel would. The content must have
    /// the planned hash.
    ///
    /// # Errors
    /// When the file can't be read.
    pub(crate) async fn file(path: &Path, shell: Option<&str>, planned: Option<FileHash>) -> Result<Self> {
        let about = |error: std::io::Error| {
            Error::build(format!("could not read the script `{}`", path.display()))
                .because(error)
                .help("The path is relative to the manifest's folder; the file must be readable.")
        };
        let path = path.to_owned();
        let opened = blocking({
            let path = path.clone();
            move || open(&path)
        });
        let (file, size, start) = opened.await?.map_err(about)?;
        let interpreter = match (shell, shebang(&start)) {
            (None, Some(words)) => Interpreter::Words(words),
            (None, None) if start.starts_with(b"\x7fELF") => Interpreter::Itself,
            (shell, _) => Interpreter::of(shell)?,
        };
        let (mut writer, reader) = Chunks::pair();
        let sending = tokio::task::spawn_blocking(move || {
            let sent = std::io::copy(&mut Verified::of(file, &path, size, planned), &mut writer);
            if let Err(error) = &sent {
                writer.fail(error);
            }
            sent
        });
        Ok(Self {
            content: (Box::new(reader), size),
            interpreter,
            args: &[],
            user: None,
            folder: None,
            timeout: None,
            sending: Some(sending),
        })
    }

    /// Runs the script and returns how it ended.
    ///
    /// # Errors
    /// When the run is cancelled, or the machine does not have the step's user, folder or shell.
    pub(crate) async fn execute(
        self,
        run: &Run,
        on: &ConnectedMachine<'_>,
        step: &Step,
        output: &mut Tail<'_>,
    ) -> Result<Exit> {
        let token = output.token().to_owned();
        let (user, folder) = (self.user.unwrap_or("root"), self.folder.unwrap_or("/"));
        check_user(user).map_err(|error| error.at(step.route.key("as")))?;
        let missing = MissingPrerequisite { step, user, folder, interpreter: self.interpreter.clone() };
        let exports = environment(run, step)?;
        let head = head(&self.interpreter, self.args, user, folder, &token, &exports);
        let (reader, size) = self.content;
        let (payload, size): (Reader<'a>, u64) = if self.interpreter.is_shell() {
            (Box::new(tokio::io::AsyncReadExt::chain(CLOSE, reader)), size + CLOSE.len() as u64)
        } else {
            (reader, size)
        };
        let mut exec = Program::with_payload(head.into_bytes(), payload, size).exec();
        exec.timeout = self.timeout;
        let exit = run.until_cancelled(on.communicator.exec(exec, &mut *output)).await?;
        let ended_sending = match self.sending {
            Some(sending) => Some(sending.await),
            None => None,
        };
        // A script that was not sent completely does not run, whatever the machine reports.
        if let Some(Ok(Err(error))) = ended_sending
            && error.kind() == std::io::ErrorKind::InvalidData
        {
            return Err(Error::build(format!("step `{}`: {error}", step.name)).at(step.route.key("script")));
        }
        let exit = exit?;
        match output.finish() {
            Some(word) => Err(missing.error(&word)),
            None => Ok(exit),
        }
    }
    /// Runs the script as a step.
    ///
    /// # Errors
    /// When it could not be run, or did not exit with 0.
    pub(crate) async fn apply(
        mut self,
        run: &Run,
        on: &ConnectedMachine<'_>,
        step: &Step,
        output: &mut dyn OutputSink,
    ) -> Result<()> {
        self.timeout = step.timeout;
        let mut tail = Tail::new(output);
        let exit = self.execute(run, on, step, &mut tail).await?;
        if exit.success() {
            Ok(())
        } else {
            Err(ended(step, "the script", &exit, tail.last_lines(run)).at(step.route.clone()))
        }
    }
}

/// Opens a script: returns the file, its size, and its first bytes.
fn open(path: &Path) -> std::io::Result<(std::fs::File, u64, Vec<u8>)> {
    let mut file = std::fs::File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut start = Vec::new();
    (&mut file).take(4096).read_to_end(&mut start)?;
    file.rewind()?;
    Ok((file, metadata.len(), start))
}

fn head(interpreter: &Interpreter, args: &[String], user: &str, folder: &str, token: &str, exports: &str) -> String {
    let file = "\"$ami_bake_file\"".to_owned();
    let command = match interpreter {
        Interpreter::Words(words) => {
            let mut command: Vec<String> =
                words.iter().map(|word| word.split("{0}").map(quote).collect::<Vec<_>>().join(&file)).collect();
            if !words.iter().any(|word| word.contains("{0}")) {
                command.push(file);
            }
            command
        }
        Interpreter::Any => BASH.iter().map(|word| quote(word)).chain([file]).collect(),
        Interpreter::Itself => vec![file],
    };
    let command: Vec<String> = command.into_iter().chain(args.iter().map(|arg| quote(arg))).collect();
    let flag = |set: bool| if set { "1" } else { "" };
    // The driver sets the words once the file's name is known. The author's variables come last: from there on the
    // driver only looks up the program itself.
    [
        format!("ami_bake_token={} ami_bake_user={} ami_bake_folder={}\n", quote(token), quote(user), quote(folder)),
        format!("ami_bake_direct={}\n", flag(*interpreter == Interpreter::Itself)),
        format!("ami_bake_fallback={}\n", flag(*interpreter == Interpreter::Any)),
        include_str!("driver.sh")
            .replace("ami_bake_account\n", ACCOUNT)
            .replace("ami_bake_words\n", &format!("set -- {}\n", command.join(" "))),
        exports.to_owned(),
        "command -v \"$ami_bake_program\" >/dev/null 2>&1 || ami_bake_fail shell\nexec \"$@\" </dev/null\n".to_owned(),
    ]
    .concat()
}

/// The interpreter and its one argument in a script's first line, as execve(2) reads them.
fn shebang(start: &[u8]) -> Option<Vec<String>> {
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let line = line.trim_matches([' ', '\t', '\r']);
    let (program, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let words = [program, argument.trim()];
    (!program.is_empty()).then(|| words.iter().filter(|word| !word.is_empty()).map(ToString::to_string).collect())
}

/// Accepts login names that useradd(8) and the common directory services allow, but nothing that a tool would read as
/// an option.
pub(crate) fn check_user(name: &str) -> Result<()> {
    let good = |character: char| character.is_alphanumeric() || "._-$@\\".contains(character);
    if name.is_empty() || name.starts_with('-') || !name.chars().all(good) {
        return Err(Error::manifest(format!("`{name}` is not a valid user name")));
    }
    Ok(())
}

/// A prerequisite that the driver found missing, for messages.
struct MissingPrerequisite<'a> {
    step: &'a Step,
    user: &'a str,
    folder: &'a str,
    interpreter: Interpreter,
}

impl MissingPrerequisite<'_> {
    fn error(&self, word: &str) -> Error {
        let name = &self.step.name;
        let route = &self.step.route;
        match word {
            "user" => Error::build(format!("step `{name}`: the machine has no user `{}`", self.user))
                .help("Create the user in an earlier step, or correct `as`.")
                .at(route.key("as")),
            "folder" => Error::build(format!("step `{name}`: `{}` is not a folder on the machine", self.folder))
                .help("Create it in an earlier step, or correct `working-directory`.")
                .at(route.key("working-directory")),
            "shell" => {
                let program = match &self.interpreter {
                    Interpreter::Words(words) => words.first().map_or("bash", String::as_str),
                    _ => "sh",
                };
                Error::build(format!("step `{name}`: the machine has no `{program}` to run the script with"))
                    .help("Install it in an earlier step, or use a shell that is installed: `shell: sh -eu`.")
                    .at(route.clone())
            }
            "noexec" => Error::build(format!("step `{name}`: no folder on the machine allows programs to run"))
                .help("/dev/shm, /run, /var/tmp and /tmp are all mounted `noexec`: remount one in an earlier step, or upload the program.")
                .at(route.clone()),
            "switch" => Error::build(format!("step `{name}`: the machine has none of setpriv, runuser and su to switch to the user `{}`", self.user))
                .help("Install util-linux in an earlier step.")
                .at(route.key("as")),
            "proc" => Error::build(format!("step `{name}`: /proc is not mounted on the machine"))
                .help("Scripts run from an open file below /proc/self/fd: mount /proc on the machine.")
                .at(route.clone()),
            _ => Error::build(format!("step `{name}`: the script could not be stored on the machine"))
                .help("Its memory file systems (/dev/shm, /run) may be full.")
                .at(route.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shebang_is_read_as_the_kernel_reads_it() {
        assert_eq!(shebang(b"#!/usr/bin/env -S python3 -u\nx").unwrap(), ["/usr/bin/env", "-S python3 -u"]);
        assert_eq!(shebang(b"#! /bin/sh\r\n").unwrap(), ["/bin/sh"]);
        assert_eq!(shebang(b"#!\n"), None);
        assert_eq!(shebang(b"echo"), None);
    }

    #[test]
    fn a_user_is_never_an_option() {
        assert!(check_user("www-data").is_ok());
        for bad in ["", "-x", "a b", "a;b", "a\nb"] {
            assert!(check_user(bad).is_err(), "{bad}");
        }
    }
}
