//! The record of everything that a run creates: written before the call that creates it, so that nothing is lost.
//!
//! The file is a sequence of JSON lines. A resource is *intended* (with the token or name by which it can be found
//! again), *confirmed* with its id, and *closed* when it was deleted or became the user's. Whoever reads the file folds
//! the lines into open entries; a last line that was cut off in the middle is skipped.

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

/// The version of the file's format.
pub const LEDGER_VERSION: u32 = 1;

/// The kind of a machine's entry, on every platform.
pub const MACHINE: &str = "instance";
/// The kind of an image's entry, on every platform.
pub const IMAGE: &str = "image";

/// One resource in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number in this ledger, from one.
    pub number: u64,
    /// The run that made it.
    pub run: String,
    /// The image that it was made for, as shown in messages; none for what all images of the run share.
    pub image: Option<String>,
    /// The platform that knows how to undo it.
    pub platform: String,
    /// What it is: `instance`, `key-pair`, `security-group`, `snapshot`, `image`, `sandbox` …
    pub kind: String,
    /// Its region, where the platform has regions.
    pub region: Option<String>,
    /// The role under which it is reached, where that is not the run's own: it is in another account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The client token, name or tag by which it can be found when its id was never learnt.
    pub find_by: String,
    /// Its id, once known.
    pub id: Option<String>,
}

/// One line of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Record {
    /// The first line.
    Ledger { version: u32, run: String },
    /// About to be created.
    Intended { at: Timestamp, entry: Entry },
    /// Created.
    Confirmed { at: Timestamp, number: u64, id: String },
    /// Deleted, never created, or the user's from now on.
    Closed { at: Timestamp, number: u64, why: Closed },
}

/// Why an entry needs no undo any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closed {
    /// It was deleted, or its deletion was accepted.
    Deleted,
    /// It was never created: a definite refusal.
    Refused,
    /// It is the result of the run and stays.
    Published,
    /// It stays for a person who asked for it; its tags say until when.
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
}

/// A handle on an entry that was intended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

impl Ledger {
    /// A ledger in `folder`, in a file of its own named after the run.
    ///
    /// # Errors
    /// When the folder or file can't be made.
    pub fn create(folder: &Path, run: &str) -> Result<Self> {
        let path = folder.join(format!("{run}.ledger.jsonl"));
        let failed = |error: std::io::Error| {
            Error::preflight(format!("write the ledger {}", path.display()))
                .help("A bake records in the ledger what it creates. Set XDG_STATE_HOME to a writable folder.")
                .because(error)
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let file = OpenOptions::new().create_new(true).append(true).open(&path).map_err(failed)?;
        claim(&file);
        let ledger = Self {
            path: Some(path),
            run: run.to_owned(),
            state: Mutex::new(State { file: Some(file), next: 1, open: BTreeMap::new() }),
        };
        ledger.append(&mut ledger.lock(), &Record::Ledger { version: LEDGER_VERSION, run: run.to_owned() })?;
        Ok(ledger)
    }

    /// A ledger without a file, for commands that create nothing and for tests.
    pub fn in_memory(run: &str) -> Self {
        Self { path: None, run: run.to_owned(), state: Mutex::new(State { next: 1, ..State::default() }) }
    }

    /// Where the file is.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Notes that a resource that the whole run shares is about to be created. Call it before the request leaves;
    /// for one image's resources there is [`crate::Run::intend`].
    ///
    /// # Errors
    /// When the line can't be written: then nothing may be created.
    pub fn intend(&self, platform: &str, kind: &str, region: Option<&str>, find_by: &str) -> Result<Ticket> {
        self.intend_for(None, None, platform, kind, region, find_by)
    }

    /// Notes that a resource of `image` is about to be created, under `role` where it is in another account.
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

    /// Notes the id of a resource that was created.
    ///
    /// # Errors
    /// When the line can't be written; the entry is confirmed in memory all the same.
    pub fn confirm(&self, ticket: Ticket, id: &str) -> Result<()> {
        let mut state = self.lock();
        if let Some(entry) = state.open.get_mut(&ticket.0) {
            entry.id = Some(id.to_owned());
        }
        self.append(&mut state, &Record::Confirmed { at: Timestamp::now(), number: ticket.0, id: id.to_owned() })
    }

    /// Notes that an entry needs no undo any more.
    ///
    /// # Errors
    /// When the line can't be written; the entry is closed in memory all the same.
    pub fn close(&self, ticket: Ticket, why: Closed) -> Result<()> {
        let mut state = self.lock();
        state.open.remove(&ticket.0);
        self.append(&mut state, &Record::Closed { at: Timestamp::now(), number: ticket.0, why })
    }

    /// The same, for an entry that was read with [`Ledger::open_entries`].
    ///
    /// # Errors
    /// As [`Ledger::close`].
    pub fn close_entry(&self, entry: &Entry, why: Closed) -> Result<()> {
        self.close(Ticket(entry.number), why)
    }

    /// Closes the open entry of this kind with this id, where there is one.
    ///
    /// # Errors
    /// As [`Ledger::close`].
    pub fn close_id(&self, kind: &str, id: &str, why: Closed) -> Result<()> {
        let ticket = self
            .lock()
            .open
            .values()
            .find(|entry| entry.kind == kind && entry.id.as_deref() == Some(id))
            .map(|entry| Ticket(entry.number));
        ticket.map_or(Ok(()), |ticket| self.close(ticket, why))
    }

    /// What is open now, oldest first.
    pub fn open_entries(&self) -> Vec<Entry> {
        self.lock().open.values().cloned().collect()
    }

    /// Removes the file when nothing is open: a ledger without open entries is of no use.
    pub fn finish(&self) {
        let state = self.lock();
        if let (true, Some(path)) = (state.open.is_empty(), &self.path) {
            // A file that stays is read by the next sweep and found empty.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Reads a ledger that another process left, and continues it; none while that process is still running.
    ///
    /// # Errors
    /// When the file can't be read, or is not a ledger of a known version.
    pub fn resume(path: &Path) -> Result<Option<Self>> {
        Self::open(path, false)
    }

    /// The same, whether or not its process lives: undoing what is undone already does no harm.
    ///
    /// # Errors
    /// When the file can't be read, or is not a ledger of a known version.
    pub fn take_over(path: &Path) -> Result<Self> {
        let taken = Self::open(path, true)?;
        taken.ok_or_else(|| Error::internal(format!("the ledger {} was not opened", path.display())))
    }

    fn open(path: &Path, anyway: bool) -> Result<Option<Self>> {
        let failed =
            |error: std::io::Error| Error::preflight(format!("read the ledger {}", path.display())).because(error);
        let mut state = State { next: 1, ..State::default() };
        let mut run = None;
        // Not through a link: the file is appended to, and may come from a step of the same job.
        let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let file = OpenOptions::new().read(true).append(true).custom_flags(no_link).open(path).map_err(failed)?;
        if !claim(&file) && !anyway {
            return Ok(None);
        }
        for line in BufReader::new(&file).lines() {
            match serde_json::from_str(&line.map_err(failed)?) {
                Ok(Record::Ledger { version, run: of }) if version == LEDGER_VERSION => run = Some(of),
                Ok(Record::Ledger { version, .. }) => {
                    return Err(Error::preflight(format!(
                        "read the ledger {}: its format {version} is newer than this ami-bake",
                        path.display()
                    )));
                }
                Ok(Record::Intended { entry, .. }) => {
                    state.next = state.next.max(entry.number.saturating_add(1));
                    state.open.insert(entry.number, entry);
                }
                Ok(Record::Confirmed { number, id, .. }) => {
                    if let Some(entry) = state.open.get_mut(&number) {
                        entry.id = Some(id);
                    }
                }
                Ok(Record::Closed { number, .. }) => {
                    state.open.remove(&number);
                }
                // The process was killed while it wrote this line; what it announced was never asked for.
                Err(_) => {}
            }
        }
        let run = run.ok_or_else(|| Error::preflight(format!("{} is not a ledger of ami-bake", path.display())))?;
        state.file = Some(file);
        Ok(Some(Self { path: Some(path.to_owned()), run, state: Mutex::new(state) }))
    }

    /// The ledgers that earlier runs left in `folder`.
    pub fn left_in(folder: &Path) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().ends_with(".ledger.jsonl"))
            .collect();
        paths.sort();
        paths
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One write call a line. It is not synced to disk: the file must survive this process, and for the loss of the
    /// whole machine there are the tags on the resources.
    fn append(&self, state: &mut State, record: &Record) -> Result<()> {
        let Some(file) = &mut state.file else { return Ok(()) };
        let failed = |error: std::io::Error| {
            Error::build(format!(
                "write the ledger {}",
                self.path.as_deref().unwrap_or_else(|| Path::new("(no file)")).display()
            ))
            .help("Nothing is created without an entry in the ledger. Free some disk space and bake again.")
            .because(error)
        };
        let mut line = serde_json::to_vec(record).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        file.write_all(&line).map_err(failed)
    }
}

/// Locks a ledger's file for this process; the kernel lets go of it when the process ends, however it ends. False when
/// another process has it. A file system without locks claims nothing and refuses nothing.
fn claim(file: &File) -> bool {
    use rustix::fs::{FlockOperation, flock};
    !matches!(flock(file, FlockOperation::NonBlockingLockExclusive), Err(rustix::io::Errno::WOULDBLOCK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_found_again() {
        let folder = std::env::temp_dir().join(format!("ami-bake-ledger-{}", uuid::Uuid::new_v4()));
        let ledger = Ledger::create(&folder, "r1").unwrap();
        let instance = ledger.intend("aws", "instance", Some("us-east-1"), "token-1").unwrap();
        let key = ledger.intend("aws", "key-pair", Some("us-east-1"), "bake-r1").unwrap();
        ledger.confirm(key, "key-1").unwrap();
        ledger.confirm(instance, "i-1").unwrap();
        ledger.close(key, Closed::Deleted).unwrap();
        let path = ledger.path().unwrap().to_owned();
        assert!(Ledger::resume(&path).unwrap().is_none(), "its process is still running");
        drop(ledger);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(br#"{"intended":{"at":"2026-"#).unwrap();

        let again = Ledger::resume(&path).unwrap().unwrap();
        let open = again.open_entries();
        assert_eq!(open.len(), 1);
        assert_eq!((open[0].kind.as_str(), open[0].id.as_deref()), ("instance", Some("i-1")));
        again.close_id("instance", "i-1", Closed::Deleted).unwrap();
        again.finish();
        assert!(!path.exists());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        let path = std::env::temp_dir().join(format!("{}.ledger.jsonl", uuid::Uuid::new_v4()));
        std::fs::write(&path, "hello\n").unwrap();
        assert!(Ledger::resume(&path).unwrap_err().to_string().contains("not a ledger"));
        std::fs::remove_file(path).unwrap();
    }
}
