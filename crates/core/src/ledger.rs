//! The record of every resource that a run creates, written before the request that creates it, so that no resource is
//! lost.
//!
//! The file is a sequence of JSON lines. A resource is *intended* (with the token or name by which it can be found
//! again), *confirmed* with its id, and *closed* when it was deleted or became the user's. Readers fold the lines into
//! open entries; a last line that was cut off is skipped.
//!
//! Only an intent must be written before the run goes on. A confirmation or an end that can't be written (a full disk)
//! is kept in memory for this run's own clean-up. Later readers of the file find more open entries than there are,
//! which does no harm.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::plan::ImageKey;

/// Version of the file format.
pub const LEDGER_VERSION: u32 = 1;
/// Suffix of a ledger's file name, after the run's ID.
const NAME_END: &str = ".ledger.jsonl";

/// Kind of a machine's entry, on every platform.
pub const MACHINE: &str = "instance";
/// Kind of an image's entry, on every platform.
pub const IMAGE: &str = "image";

/// One resource in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Number of the entry in its ledger, from one.
    pub number: u64,
    /// ID of the run that created the resource.
    pub run: String,
    /// The image that the resource belongs to, by its name in messages; `None` for resources that all images of the run
    /// share.
    pub image: Option<String>,
    /// The platform that can undo the entry.
    pub platform: String,
    /// Kind of the resource: `instance`, `key-pair`, `security-group`, `snapshot`, `image`, `sandbox` …
    pub kind: String,
    /// Region of the resource, if the platform has regions.
    pub region: Option<String>,
    /// ARN of the role that has access to the resource, if it is in another account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The client token, name or tag that finds the resource when its ID was never learned.
    pub find_by: String,
    /// ID of the resource, once known.
    pub id: Option<String>,
}

/// One line of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Record {
    /// First line: format version and run.
    Ledger { version: u32, run: String },
    /// The owner of the resources, except those of a role.
    Owned { owner: String },
    /// A resource is about to be created.
    Intended { at: Timestamp, entry: Entry },
    /// A resource was created.
    Confirmed { at: Timestamp, number: u64, id: String },
    /// A resource needs no undo any more.
    Closed { at: Timestamp, number: u64, why: Closed },
}

/// Why an entry needs no undo any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closed {
    /// The resource was deleted, or its deletion was accepted.
    Deleted,
    /// The resource was never created: the request was refused for certain.
    Refused,
    /// The resource is a result of the run and stays.
    Published,
    /// The resource was kept for a person who asked for it; its tags have the expiry.
    Kept,
}

/// The ledger of one run.
#[derive(Debug)]
pub struct Ledger {
    path: Option<PathBuf>,
    run: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<File>,
    next: u64,
    open: BTreeMap<u64, Entry>,
    owner: Option<String>,
    /// Why the last line that is missing in the file could not be written.
    unwritten: Option<String>,
    /// True when the file ends in the middle of a line.
    torn: bool,
    /// Number of unreadable lines, other than a last one that was cut off.
    broken: usize,
}

/// A handle to an entry that was intended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

impl Ledger {
    /// Creates a ledger in `folder`, in a file named after the run.
    ///
    /// # Errors
    /// When the folder or file can't be created.
    pub fn create(folder: &Path, run: &str) -> Result<Self> {
        let path = folder.join(format!("{run}{NAME_END}"));
        let failed = |error: std::io::Error| {
            Error::preflight(format!("could not write the ledger {}", path.display()))
                .help("A bake records in the ledger what it creates. Set XDG_STATE_HOME to a writable folder.")
                .because(error)
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        // The file has another name until it is locked and has its first line, so that no other process takes it for
        // the ledger of a killed run.
        let draft = folder.join(format!(".{run}.ledger"));
        let begin = || {
            let mut file = OpenOptions::new().create_new(true).append(true).open(&draft)?;
            claim(&file);
            file.write_all(&line(&Record::Ledger { version: LEDGER_VERSION, run: run.to_owned() })?)?;
            std::fs::rename(&draft, &path).map(|()| file)
        };
        let file = begin().map_err(|error| {
            let _ = std::fs::remove_file(&draft);
            failed(error)
        })?;
        let state = State { file: Some(file), next: 1, ..State::default() };
        Ok(Self { path: Some(path), run: run.to_owned(), state: Mutex::new(state) })
    }

    /// A ledger without a file, for commands that create nothing and for tests.
    pub fn in_memory(run: &str) -> Self {
        Self { path: None, run: run.to_owned(), state: Mutex::new(State { next: 1, ..State::default() }) }
    }

    /// Path of the file; `None` for a ledger in memory.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Records the owner of the resources, except those of a role: with another account they can't be found.
    pub fn belongs_to(&self, owner: &str) {
        let mut state = self.lock();
        state.owner = Some(owner.to_owned());
        // If this fails, readers of the file assume that the owner is their own account.
        let _ = self.append(&mut state, &Record::Owned { owner: owner.to_owned() });
    }

    /// The owner of the resources, if known.
    pub fn owner(&self) -> Option<String> {
        self.lock().owner.clone()
    }

    /// Records that a resource shared by the whole run is about to be created. Call it before the request is sent; for
    /// resources of one image see [`crate::Run::intend`].
    ///
    /// # Errors
    /// When the line can't be written: then nothing may be created.
    pub fn intend(&self, platform: &str, kind: &str, region: Option<&str>, find_by: &str) -> Result<Ticket> {
        self.intend_for(None, None, platform, kind, region, find_by)
    }

    /// Records that a resource of `image` is about to be created, under `role` if it is in another account.
    ///
    /// # Errors
    /// As [`Ledger::intend`].
    pub fn intend_for(
        &self,
        image: Option<&ImageKey>,
        role: Option<&str>,
        platform: &str,
        kind: &str,
        region: Option<&str>,
        find_by: &str,
    ) -> Result<Ticket> {
        let mut state = self.lock();
        let entry = Entry {
            number: state.next,
            run: self.run.clone(),
            image: image.map(ToString::to_string),
            platform: platform.to_owned(),
            kind: kind.to_owned(),
            region: region.map(str::to_owned),
            role: role.map(str::to_owned),
            find_by: find_by.to_owned(),
            id: None,
        };
        self.append(&mut state, &Record::Intended { at: Timestamp::now(), entry: entry.clone() })?;
        state.next = state.next.saturating_add(1);
        state.open.insert(entry.number, entry.clone());
        Ok(Ticket(entry.number))
    }

    /// Records the ID of a resource that was created.
    pub fn confirm(&self, ticket: Ticket, id: &str) {
        let mut state = self.lock();
        if let Some(entry) = state.open.get_mut(&ticket.0) {
            entry.id = Some(id.to_owned());
        }
        let record = Record::Confirmed { at: Timestamp::now(), number: ticket.0, id: id.to_owned() };
        // A failure is harmless: the intent is in the file, and finds the resource.
        let _ = self.append(&mut state, &record);
    }

    /// Records that an entry needs no undo any more.
    pub fn close(&self, ticket: Ticket, why: Closed) {
        let mut state = self.lock();
        state.open.remove(&ticket.0);
        // A failure is harmless: undoing an entry twice does no damage.
        let _ = self.append(&mut state, &Record::Closed { at: Timestamp::now(), number: ticket.0, why });
    }

    /// Closes an entry that was read with [`Ledger::open_entries`].
    pub fn close_entry(&self, entry: &Entry, why: Closed) {
        self.close(Ticket(entry.number), why);
    }

    /// Closes the open entry of this kind and ID, if there is one.
    pub fn close_id(&self, kind: &str, id: &str, why: Closed) {
        let ticket = self
            .lock()
            .open
            .values()
            .find(|entry| entry.kind == kind && entry.id.as_deref() == Some(id))
            .map(|entry| Ticket(entry.number));
        if let Some(ticket) = ticket {
            self.close(ticket, why);
        }
    }

    /// The open entries, oldest first.
    pub fn open_entries(&self) -> Vec<Entry> {
        self.lock().open.values().cloned().collect()
    }

    /// Why a line is missing in the file, if one is missing and entries are open: a later clean-up relies on the file.
    pub fn unwritten(&self) -> Option<String> {
        let state = self.lock();
        state.unwritten.clone().filter(|_| !state.open.is_empty())
    }

    /// Number of unreadable lines, other than a last one that was cut off.
    pub fn broken(&self) -> usize {
        self.lock().broken
    }

    /// Removes the file when no entry is open. A file with unreadable lines is renamed instead, since those may have
    /// named more resources.
    pub fn finish(&self) {
        let state = self.lock();
        if let (true, Some(path)) = (state.open.is_empty(), &self.path) {
            // A failure is harmless: the next sweep reads the file and finds nothing open.
            let _ = if state.broken > 0 { set_aside(path).map(|_| ()) } else { std::fs::remove_file(path) };
        }
    }

    /// Reads the ledger of another process and continues it; `None` while that process is still running.
    ///
    /// # Errors
    /// When the file can't be read, or is not a ledger of a known version.
    pub fn resume(path: &Path) -> Result<Option<Self>> {
        Self::open(path, false)
    }

    /// Like [`Ledger::resume`], whether or not the other process is running: undoing an entry twice does no damage.
    ///
    /// # Errors
    /// When the file can't be read, or is not a ledger of a known version.
    pub fn take_over(path: &Path) -> Result<Self> {
        let taken = Self::open(path, true)?;
        taken.ok_or_else(|| Error::internal(format!("the ledger {} was not opened", path.display())))
    }

    fn open(path: &Path, anyway: bool) -> Result<Option<Self>> {
        let failed = |error: std::io::Error| {
            Error::preflight(format!("could not read the ledger {}", path.display())).because(error)
        };
        // Does not follow links: the file is appended to, and may come from a step of the same job.
        let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let file = OpenOptions::new().read(true).append(true).custom_flags(no_link).open(path).map_err(failed)?;
        if !claim(&file) && !anyway {
            return Ok(None);
        }
        let mut state = State { next: 1, ..State::default() };
        let mut run = None;
        for text in BufReader::new(&file).split(b'\n') {
            state.torn = false;
            match serde_json::from_slice(&text.map_err(failed)?) {
                Ok(Record::Ledger { version, run: of }) if version == LEDGER_VERSION => run = Some(of),
                Ok(Record::Ledger { version, .. }) => {
                    return Err(Error::preflight(format!(
                        "could not read the ledger {}: its format {version} is too new for this version of ami-bake",
                        path.display()
                    )));
                }
                Ok(record) => state.apply(record),
                // Cut off when the process was killed or the disk was full: the request that the line announces was
                // never sent.
                Err(error) if error.is_eof() => state.torn = true,
                Err(_) => state.broken += 1,
            }
        }
        // Without the first line the entries still name the run.
        let run = run.or_else(|| state.open.values().next().map(|entry| entry.run.clone()));
        let Some(run) = run else { return Err(not_a_ledger(path, &file)) };
        state.file = Some(file);
        Ok(Some(Self { path: Some(path.to_owned()), run, state: Mutex::new(state) }))
    }

    /// The ledgers that earlier runs left in `folder`; empty if the folder does not exist.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn left_in(folder: &Path) -> Result<Vec<PathBuf>> {
        let failed = |error: std::io::Error| {
            Error::preflight(format!("could not look for ledgers in {}", folder.display())).because(error)
        };
        let all = match std::fs::read_dir(folder) {
            Ok(all) => all.collect::<std::io::Result<Vec<_>>>().map_err(failed)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let paths = all.into_iter().map(|entry| entry.path());
        let mut paths: Vec<PathBuf> = paths.filter(|path| path.to_string_lossy().ends_with(NAME_END)).collect();
        paths.sort();
        Ok(paths)
    }

    /// The run ID in a ledger's file name.
    pub fn run_of(path: &Path) -> Option<&str> {
        path.file_name()?.to_str()?.strip_suffix(NAME_END)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a line with one write call. The file is not synced to disk: it must survive this process; if the whole
    /// machine is lost, the tags on the resources remain.
    fn append(&self, state: &mut State, record: &Record) -> Result<()> {
        let Some(file) = &mut state.file else { return Ok(()) };
        let failed = |error: std::io::Error| {
            Error::build(format!(
                "could not write the ledger {}",
                self.path.as_deref().unwrap_or_else(|| Path::new("(no file)")).display()
            ))
            .help("Nothing is created without an entry in the ledger. Free some disk space and bake again.")
            .because(error)
        };
        let mut text = if state.torn { b"\n".to_vec() } else { Vec::new() };
        let written = line(record).and_then(|line| {
            text.extend(line);
            file.write_all(&text)
        });
        state.torn = written.is_err();
        if let Err(error) = &written {
            state.unwritten = Some(error.to_string());
        }
        written.map_err(failed)
    }
}

impl State {
    fn apply(&mut self, record: Record) {
        match record {
            Record::Ledger { .. } => {}
            Record::Owned { owner } => self.owner = Some(owner),
            Record::Intended { entry, .. } => {
                self.next = self.next.max(entry.number.saturating_add(1));
                self.open.insert(entry.number, entry);
            }
            Record::Confirmed { number, id, .. } => {
                if let Some(entry) = self.open.get_mut(&number) {
                    entry.id = Some(id);
                }
            }
            Record::Closed { number, .. } => _ = self.open.remove(&number),
        }
    }
}

fn line(record: &Record) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    Ok(line)
}

/// Renames a file that is not a readable ledger, so that no later clean-up stops at it; the error has the new path.
fn not_a_ledger(path: &Path, file: &File) -> Error {
    let empty = file.metadata().is_ok_and(|meta| meta.len() == 0);
    let what = if empty { "is empty" } else { "is not an ami-bake ledger" };
    let name = path.display();
    let message = match set_aside(path) {
        Ok(aside) => format!("{name} {what}; it was renamed to {}", aside.display()),
        Err(error) => format!("{name} {what}, and could not be renamed: {error}"),
    };
    Error::preflight(message)
        .help("Once the resources of its run have expired, `ami-bake sweep` finds them by their tags.")
}

fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".broken");
    let aside = PathBuf::from(aside);
    std::fs::rename(path, &aside).map(|()| aside)
}

/// Locks a ledger's file for this process; the kernel releases the lock when the process ends in any way. False when
/// another process has it. On a file system without locks it is true.
fn claim(file: &File) -> bool {
    use rustix::fs::{FlockOperation, flock};
    !matches!(flock(file, FlockOperation::NonBlockingLockExclusive), Err(rustix::io::Errno::WOULDBLOCK))
}

#[cfg(test)]
mod tests;
