//! Reads and writes the report file. It is written whole or not at all.

use std::fs::File;
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

use super::model::{REPORT_FORMAT, Report};
use crate::error::{Error, Result};
use crate::whole_file;

/// Name of the file in the working directory.
pub const FILE_NAME: &str = "bake-report.json";

/// Writes the report as [`FILE_NAME`] into `folder`, as [`whole_file::replace`] does.
///
/// # Errors
/// When the folder can't be written to.
pub fn write(report: &Report, folder: &Path) -> Result<PathBuf> {
    let path = folder.join(FILE_NAME);
    write_to(report, &path)?;
    Ok(path)
}

/// Writes the report to `path`.
///
/// # Errors
/// As [`write`].
pub fn write_to(report: &Report, path: &Path) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::internal(format!("could not write the report {}", path.display()))
            .help("Run ami-bake in a writable folder. The images are not affected.")
            .because(error)
    };
    let content = |file: &mut dyn Write| {
        serde_json::to_writer_pretty(&mut *file, report)?;
        file.write_all(b"\n")
    };
    whole_file::replace(path, content).map_err(failed)
}

/// Maximum size of a report in bytes. One of 256 images with a thousand packages each has 20 MiB.
const LARGEST: u64 = 64 << 20;

/// Reads a report.
///
/// # Errors
/// When the file can't be read, is not a report, or is newer than this program.
pub fn read(path: &Path) -> Result<Report> {
    let name = path.display().to_string();
    let failed = |error| Error::usage(format!("could not read the report {name}")).because(error);
    let mut text = Vec::new();
    File::open(path).map_err(failed)?.take(LARGEST + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > LARGEST {
        return Err(Error::usage(format!("{name} is too large to be a report: the limit is {} MiB", LARGEST >> 20)));
    }
    parse(&text, &name)
}

/// Parses a report; errors call it `name`.
///
/// # Errors
/// When the text is not a report, or is newer than this program.
pub fn parse(text: &[u8], name: &str) -> Result<Report> {
    #[derive(serde::Deserialize)]
    struct Head {
        format: u32,
    }
    let head: Head = serde_json::from_slice(text)
        .map_err(|error| Error::usage(format!("{name} is not an ami-bake report")).because(error))?;
    if head.format > REPORT_FORMAT {
        return Err(Error::usage(format!(
            "could not read the report {name}: its format {} is too new; this version of ami-bake reads up to {REPORT_FORMAT}",
            head.format
        ))
        .help("Use the version of ami-bake that wrote it, or a later one."));
    }
    serde_json::from_slice(text)
        .map_err(|error| Error::usage(format!("{name} is not an ami-bake report")).because(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ImageKey;
    use crate::report::ImageReport;

    #[test]
    fn a_report_of_before_the_rename_of_variants_is_read() {
        let mut report = Report::default();
        let key = ImageKey { variant: Some("arm64".to_owned()), ..ImageKey::new("web") };
        report.images.push(ImageReport::new(key));
        let text = serde_json::to_string(&report).unwrap();
        assert!(text.contains(r#""key":{"image":"web","variant":"arm64"}"#), "{text}");
        let older = text.replace(r#""variant":"#, r#""leg":"#);
        assert_eq!(parse(older.as_bytes(), "bake-report.json").unwrap(), report);
    }

    #[test]
    fn what_was_written_is_read_back_and_nothing_else_stays() {
        let folder = std::env::temp_dir().join(format!("ami-bake-report-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let report = Report { run: "r1".into(), took: std::time::Duration::from_millis(1500), ..Report::default() };
        let path = write(&report, &folder).unwrap();
        assert_eq!(read(&path).unwrap(), report);
        assert!(std::fs::read_to_string(&path).unwrap().contains("\"took\": 1.5"));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);

        std::fs::write(&path, r#"{"format": 99}"#).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("is too new"));
        std::fs::write(&path, "{}").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("not an ami-bake report"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(write(&report, &folder).unwrap_err().kind().exit_code(), 1);
    }
}
