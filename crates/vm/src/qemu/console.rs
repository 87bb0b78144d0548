//! The serial console of a machine, which QEMU writes to a file.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use ami_bake_core::console;
use ami_bake_core::output::sanitize;

/// The kernel's message before it stops for good.
pub(crate) const PANIC: &str = "Kernel panic - not syncing";
/// Bytes of the end that are looked at; a boot of a verbose system writes some 100 KB.
const KEPT: u64 = 512 << 10;

/// The output of a serial console.
#[derive(Debug, Clone)]
pub(crate) struct Console(PathBuf);

impl Console {
    /// The console in a file, which may not exist yet.
    pub(crate) fn new(file: PathBuf) -> Self {
        Self(file)
    }

    /// The end of the output; empty if there is none.
    pub(crate) fn text(&self) -> String {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = std::fs::File::open(&self.0)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(KEPT)))?;
            let mut bytes = Vec::new();
            file.take(KEPT).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
    }

    /// Number of bytes written so far.
    pub(crate) fn length(&self) -> u64 {
        std::fs::metadata(&self.0).map_or(0, |data| data.len())
    }

    /// The last lines that are not empty.
    pub(crate) fn tail(&self, lines: usize) -> Vec<String> {
        let text = self.text();
        let all: Vec<String> = text.lines().map(sanitize).filter(|line| !line.trim().is_empty()).collect();
        all[all.len().saturating_sub(lines)..].to_vec()
    }
}

/// True when the console shows that the system has started: its boot is over.
pub(crate) fn ends_well(text: &str) -> bool {
    console::is_up(text)
}
