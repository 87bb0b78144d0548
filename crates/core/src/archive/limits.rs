//! Limits on the size of an archive.

use serde::{Deserialize, Serialize};

/// Limits on an archive. A small compressed archive can hold terabytes, and a machine can send data without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveLimits {
    /// Maximum number of files, folders and links.
    pub files: u64,
    /// Maximum bytes of all files together, including holes.
    pub size: u64,
    /// Maximum number of components of a path.
    pub depth: usize,
}

impl ArchiveLimits {
    /// No limits, for archives that ami-bake itself created.
    pub const NONE: Self = Self { files: u64::MAX, size: u64::MAX, depth: usize::MAX };
}

impl Default for ArchiveLimits {
    /// The limits of a download: enough for logs, reports and packages, and below the disk space of a hosted runner (14
    /// GB).
    fn default() -> Self {
        Self { files: 100_000, size: 10 << 30, depth: 64 }
    }
}

/// Formats a number of bytes in the largest unit that divides it or leaves few digits: `10 GiB`, `1.5 MiB`, `300
/// bytes`.
pub(super) fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let power = (1..=UNITS.len()).rev().find(|power| bytes >> (10 * power) > 0);
    let Some(power) = power else { return format!("{bytes} bytes") };
    let (unit, name) = (1_u64 << (10 * power), UNITS[power - 1]);
    match bytes % unit {
        0 => format!("{} {name}", bytes / unit),
        _ => format!("{:.1} {name}", bytes as f64 / unit as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_at_a_glance() {
        let sizes = [0, 1023, 1024, 1536 << 10, 10 << 30, 5 << 40, u64::MAX].map(human_size);
        assert_eq!(sizes, ["0 bytes", "1023 bytes", "1 KiB", "1.5 MiB", "10 GiB", "5 TiB", "16777216.0 TiB"]);
    }
}
