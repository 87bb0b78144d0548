//! The targets, one file for each kind of writer.

mod files;
mod guest;
mod manifests;
mod templates;

/// Runs a target with one input.
pub type Run = fn(&[u8]);

/// All targets, with the names of their folders in `fuzz/corpus`.
pub const TARGETS: [(&str, Run); 14] = [
    ("archive", guest::archive),
    ("component", manifests::component),
    ("console", guest::console),
    ("expression", manifests::expression),
    ("hcl", templates::hcl),
    ("image_builder", templates::image_builder),
    ("ledger", files::ledger),
    ("machine", guest::machine),
    ("manifest", manifests::manifest),
    ("output", guest::output),
    ("packer_json", templates::packer_json),
    ("report", files::report),
    ("root_archive", guest::root_archive),
    ("ssh", guest::ssh),
];
