//! Targets for the inputs of `import`.

use ami_bake_import::{FindingKind, Request, Source, import, lines};
use ami_bake_manifest::access::VisibleEnv;
use ami_bake_manifest::diagnostic::{Style, text};
use jiff::Timestamp;

/// Imports a Packer template in HCL2.
pub(super) fn hcl(input: &[u8]) {
    read("main.pkr.hcl", input);
}

/// Imports a Packer template in JSON.
pub(super) fn packer_json(input: &[u8]) {
    read("template.json", input);
}

/// Imports a resource of Image Builder, or a component document.
pub(super) fn image_builder(input: &[u8]) {
    read("recipe.yml", input);
}

fn read(name: &str, input: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let request = Request {
        files: vec![Source { path: folder.path().join(name), text: String::from_utf8_lossy(input).into_owned() }],
        var_files: Vec::new(),
        sets: Vec::new(),
        working: folder.path().to_owned(),
        output: folder.path().to_owned(),
        environment: VisibleEnv::default(),
        allow_files: Vec::new(),
        now: Some(Timestamp::UNIX_EPOCH),
    };
    match import(&request) {
        Ok(imported) => {
            for kind in [FindingKind::Dropped, FindingKind::Changed] {
                let _ = lines(&imported.findings, kind, false);
            }
        }
        Err(refused) => drop(text(&refused.findings, &refused.sources, Style::Plain)),
    }
}
