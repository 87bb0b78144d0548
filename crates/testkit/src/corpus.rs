//! Templates and documents written by other people, for import tests. They are not part of the repository.

use std::path::{Path, PathBuf};

/// The folder in AMI_BAKE_CORPUS, or the one beside the checkout; if there is none, prints that the test is skipped.
#[expect(clippy::print_stdout, reason = "says why nothing was tested")]
pub fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let folder = std::env::var_os("AMI_BAKE_CORPUS").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return folder.canonicalize().ok();
    }
    println!("skipped: there is no corpus; set AMI_BAKE_CORPUS to its folder");
    None
}
