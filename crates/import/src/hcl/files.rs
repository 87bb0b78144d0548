//! Which files belong to a template.

use std::path::{Path, PathBuf};

/// The files of a template in a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateFiles {
    /// Files to import, in order.
    pub templates: Vec<PathBuf>,
    /// Variable files that Packer reads by itself, in order.
    pub variables: Vec<PathBuf>,
    /// Files of the template in HCL2's JSON notation, which is not supported.
    pub unsupported: Vec<PathBuf>,
}

fn ends(path: &Path, ending: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ending))
}

/// Whether a file is a template in HCL, by its name.
pub(crate) fn is_template(path: &Path) -> bool {
    ends(path, ".hcl") && !is_variables(path)
}

/// Whether a file is a variable file in HCL, by its name.
pub(crate) fn is_variables(path: &Path) -> bool {
    ends(path, ".pkrvars.hcl")
}

/// The files of a folder that Packer reads; none when it has no template in HCL.
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
        if ends(&path, ".pkr.hcl") {
            gathered.templates.push(path);
        } else if ends(&path, ".auto.pkrvars.hcl") || ends(&path, ".auto.pkrvars.json") {
            gathered.variables.push(path);
        } else if ends(&path, ".pkr.json") {
            gathered.unsupported.push(path);
        }
    }
    Ok(gathered)
}
