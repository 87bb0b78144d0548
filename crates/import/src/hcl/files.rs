//! Finds the files of a template.

use std::path::{Path, PathBuf};

/// The files of a template in a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateFiles {
    /// Files to import, in order.
    pub templates: Vec<PathBuf>,
    /// Variable files that Packer loads automatically, in order.
    pub variables: Vec<PathBuf>,
}

fn ends(path: &Path, ending: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ending))
}

/// Whether a file name is that of an HCL2 template, also in JSON notation.
pub(crate) fn is_template(path: &Path) -> bool {
    (ends(path, ".hcl") && !is_variables(path)) || is_json(path)
}

/// Whether a file name is that of an HCL2 template in JSON notation.
pub(super) fn is_json(path: &Path) -> bool {
    ends(path, ".pkr.json")
}

/// Whether a file name is that of an HCL2 variable file.
pub(crate) fn is_variables(path: &Path) -> bool {
    ends(path, ".pkrvars.hcl") || ends(path, ".pkrvars.json")
}

/// The files of a folder that Packer reads; empty when it has no template in HCL.
///
/// # Errors
/// When the folder can't be read.
pub fn gather(folder: &Path) -> std::io::Result<TemplateFiles> {
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?;
    all.retain(|path| path.is_file());
    all.sort();
    let mut gathered = TemplateFiles::default();
    for path in all {
        if ends(&path, ".pkr.hcl") || is_json(&path) {
            gathered.templates.push(path);
        } else if ends(&path, ".auto.pkrvars.hcl") || ends(&path, ".auto.pkrvars.json") {
            gathered.variables.push(path);
        }
    }
    Ok(gathered)
}
