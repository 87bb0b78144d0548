//! `expect: {file: …}`.

use ami_bake_core::communicator::Exit;
use ami_bake_core::output::{Collect, OutputSink, Stream};
use ami_bake_core::plan::Probe;
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result, Run};

use super::search::Search;
use crate::poll::Observation;
use crate::shell::{Program, ask};

/// Checks the file.
pub(super) async fn look(run: &Run, on: &ConnectedMachine<'_>, probe: &Probe) -> Result<Observation> {
    let Probe::File { path, exists, contains, mode, owner, sha256 } = probe else { return Ok(Observation::Met) };
    let script = format!("path={}\n{}", quote(path), include_str!("file.sh"));
    let text = ask(run, on, "inspect the file", &script).await?.text("inspect the file")?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let [kind, octal, user, group] = words.as_slice() else {
        let link = words.first() == Some(&"dangling");
        return Ok(match (exists, link) {
            (false, _) => Observation::Met,
            (true, true) => Observation::unmet(format!("expected `{path}` to exist, but it is a dangling link")),
            (true, false) => Observation::unmet(format!("expected `{path}` to exist, but it does not")),
        });
    };
    if !exists {
        return Ok(Observation::unmet(format!("expected `{path}` not to exist, but it does")));
    }
    if let Some(expected) = mode
        && u32::from_str_radix(octal, 8) != Ok(*expected)
    {
        return Ok(Observation::unmet(format!(
            "expected the mode of `{path}` to be {expected:04o}, but it is {octal:0>4}"
        )));
    }
    let both = format!("{user}:{group}");
    if let Some(expected) = owner
        && *expected != both
        && expected != user
    {
        return Ok(Observation::unmet(format!(
            "expected the owner of `{path}` to be `{expected}`, but it is `{both}`"
        )));
    }
    if *kind == "folder" && (contains.is_some() || sha256.is_some()) {
        return Ok(Observation::unmet(format!("expected `{path}` to be a file, but it is a folder")));
    }
    if let Some(expected) = sha256 {
        let sum =
            ask(run, on, "hash the file", &format!("sha256sum < {}", quote(path))).await?.text("hash the file")?;
        let sum = sum.split_whitespace().next().unwrap_or_default();
        if !sum.eq_ignore_ascii_case(expected) {
            return Ok(Observation::unmet(format!(
                "expected the SHA-256 of `{path}` to be {expected}, but it is {sum}"
            )));
        }
    }
    if let Some(expected) = contains
        && !holds(run, on, path, expected).await?
    {
        return Ok(Observation::unmet(format!("expected `{path}` to contain \"{expected}\", but it does not")));
    }
    Ok(Observation::Met)
}

/// Searches the file for a text: on the machine if grep can do it; for a text of several lines the file is streamed
/// here.
async fn holds(run: &Run, on: &ConnectedMachine<'_>, path: &str, text: &str) -> Result<bool> {
    if text.is_empty() {
        return Ok(true);
    }
    if !text.contains('\n') {
        let script = format!("LC_ALL=C grep -qF -e {} < {}", quote(text), quote(path));
        let answer = ask(run, on, "search the file", &script).await?;
        return match answer.status {
            0 => Ok(true),
            1 => Ok(false),
            _ => answer.text("search the file").map(|_| false),
        };
    }
    let mut search = FileSearch { search: Search::new(text), errors: Collect::default() };
    let exec = Program::alone(&format!("cat < {}", quote(path))).exec();
    match run.until_cancelled(on.communicator.exec(exec, &mut search)).await?? {
        Exit::Status(0) => Ok(search.search.found()),
        exit => Err(Error::build(format!(
            "could not read `{path}` on the machine: {exit} {}",
            search.errors.stderr_text().trim()
        ))),
    }
}

/// Searches standard output for a text.
struct FileSearch<'a> {
    search: Search<'a>,
    errors: Collect,
}

impl OutputSink for FileSearch<'_> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => self.search.push(bytes),
            Stream::Stderr => self.errors.write(stream, bytes),
        }
    }
}
