//! Files that ami-bake writes or reads in the folders of a project.

/// The report of a bake, in the working directory.
pub const REPORT: &str = "bake-report.json";

/// The file with patterns of what is not uploaded, in the syntax of `.gitignore`. It applies to its own folder.
pub const IGNORE_FILE: &str = ".bakeignore";

/// Whether ami-bake writes files of this name: reports, keys of kept machines (`i-0123456789abcdef0.key`), and its ignore
/// files. They change with each bake, and a key opens a machine.
pub fn is_own(name: &str) -> bool {
    let key = name.strip_prefix("i-").and_then(|name| name.strip_suffix(".key"));
    let is_key = key.is_some_and(|id| !id.is_empty() && id.chars().all(|c| c.is_ascii_hexdigit()));
    is_key || name == REPORT || name == IGNORE_FILE
}
