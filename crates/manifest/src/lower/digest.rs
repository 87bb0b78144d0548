//! The digest of an image (docs/dev/lifecycle.md, "Digest and cache").

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ami_bake_core::plan::{
    AnsibleStep, ChefStep, ComponentStep, Digest, Digester, DownloadStep, Exclude, FileKind, ImagePlan, InputTree,
    Inputs, ScriptStep, Step, StepAction, UploadStep, hash_file, local_files,
};
use ami_bake_core::{Error, Result};
use globset::{Glob, GlobSet, GlobSetBuilder};
use serde_json::json;

use super::playbook::{self, NOISE};

/// The digest of a plan, and the hashes of the local files that its steps send; each file is opened once. The clock is
/// not part of the digest: `cache-for` compares the age of an image of the same digest.
///
/// # Errors
/// When a file that a step names can't be read.
pub(crate) fn digest(plan: &ImagePlan) -> Result<(Digest, Inputs)> {
    let (mut digester, mut inputs) = (Digester::default(), BTreeMap::new());
    digester.part("source", &plan.source.identity);
    let machine = &plan.machine;
    digester.part("disk", json!([machine.disk, machine.volumes]).to_string());
    digester.part("user-data", machine.user_data.as_deref().unwrap_or_default());
    digester.part("metadata", json!(plan.settings.imds_v2).to_string());
    if let Some(container) = &plan.settings.container {
        digester.part("container", json!(container.changes).to_string());
    }
    digester.part("seal", json!([plan.settings.keep, plan.settings.allow]).to_string());
    for (phase, steps) in [("build", &plan.build), ("validate", &plan.validate), ("test", &plan.test)] {
        for step in steps {
            digester.part("phase", phase);
            self::step(&mut digester, step, &mut inputs)?;
        }
    }
    Ok((digester.finish(), inputs.into_iter().collect()))
}

/// Files by the path and the excluded patterns that a step names.
type Trees = BTreeMap<(PathBuf, Vec<String>), InputTree>;

fn step(digester: &mut Digester, step: &Step, inputs: &mut Trees) -> Result<()> {
    let failed = |(error, path): Failed| {
        Error::manifest(format!("read {}", path.display())).because(error).at(step.route.key(step.action.name()))
    };
    // The label of the first release: another one would be another digest for every image.
    digester.part("verb", json!(without_paths(&step.action)).to_string());
    digester.part("env", json!(step.env).to_string());
    digester.part("on-failure", json!(step.on_failure).to_string());
    match &step.action {
        StepAction::Script(ScriptStep { path, .. }) | StepAction::Component(ComponentStep { path, .. }) => {
            let hash = digester.file("file", path).map_err(|error| failed((error, path.clone())))?;
            inputs.insert((path.clone(), Vec::new()), BTreeMap::from([(PathBuf::new(), hash)]));
        }
        StepAction::Upload(UploadStep { from, contents, exclude, .. }) => {
            let globs = globs(exclude).map_err(|error| {
                Error::manifest("read the `exclude` globs").because(error).at(step.route.key("exclude"))
            })?;
            if !contents {
                digester.part("name", from.file_name().unwrap_or_default().as_encoded_bytes());
            }
            let mut hashes = InputTree::new();
            tree(digester, from, Path::new(""), &globs, &mut hashes).map_err(failed)?;
            send(inputs, from, exclude, &hashes).map_err(failed)?;
        }
        StepAction::Ansible(AnsibleStep { playbook, requirements, folder, args, .. }) => {
            let parts = playbook::parts(playbook, requirements.as_deref(), folder, args, &step.env);
            for path in &parts.files {
                real_tree(digester, path).map_err(failed)?;
            }
        }
        StepAction::Chef(ChefStep { cookbooks, roles, data_bags, environments, .. }) => {
            for path in cookbooks.iter().chain([roles, data_bags, environments].into_iter().flatten()) {
                let hashes = real_tree(digester, path).map_err(failed)?;
                send(inputs, path, &[], &hashes).map_err(failed)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// A file or folder, without what changes in it by itself. A link to it is as good as itself.
fn real_tree(digester: &mut Digester, path: &Path) -> Result<InputTree, Failed> {
    let noise = globs(&NOISE.map(str::to_owned)).unwrap_or_default();
    let real = std::fs::canonicalize(path).map_err(|error| (error, path.to_path_buf()))?;
    digester.part("name", path.file_name().unwrap_or_default().as_encoded_bytes());
    let mut hashes = InputTree::new();
    tree(digester, &real, Path::new(""), &noise, &mut hashes)?;
    Ok(hashes)
}

/// Notes the hashes of all files that a step sends. `exclude` has the patterns of `.gitignore` when files are sent and globs
/// in the digest, so that some may not be in the digest; those are read here. What can't be listed fails when it is sent.
fn send(inputs: &mut Trees, from: &Path, exclude: &[String], known: &InputTree) -> Result<(), Failed> {
    let Ok(files) = Exclude::new(exclude).and_then(|exclude| local_files(from, &exclude)) else { return Ok(()) };
    let mut sent = InputTree::new();
    for file in files.into_iter().filter(|file| matches!(file.kind, FileKind::File(_))) {
        let hash = match known.get(&file.relative) {
            Some(hash) => *hash,
            None => hash_file(&file.path).map_err(|error| (error, file.path.clone()))?,
        };
        sent.insert(file.relative, hash);
    }
    inputs.insert((from.to_path_buf(), exclude.to_vec()), sent);
    Ok(())
}

/// The action without local paths: the path of the checkout changes no image.
fn without_paths(action: &StepAction) -> StepAction {
    let mut action = action.clone();
    match &mut action {
        StepAction::Script(ScriptStep { path, .. }) | StepAction::Component(ComponentStep { path, .. }) => path.clear(),
        StepAction::Upload(UploadStep { from, .. }) => from.clear(),
        StepAction::Download(DownloadStep { to, .. }) => to.clear(),
        StepAction::Ansible(AnsibleStep { playbook, requirements, folder, .. }) => {
            for path in [Some(playbook), requirements.as_mut(), Some(folder)].into_iter().flatten() {
                path.clear();
            }
        }
        // Their content and order count, and each has its own name in the digest.
        StepAction::Chef(ChefStep { cookbooks, roles, data_bags, environments, .. }) => {
            cookbooks.clear();
            [roles, data_bags, environments].into_iter().flatten().for_each(std::path::PathBuf::clear);
        }
        _ => {}
    }
    action
}

/// The globs of an `exclude` list.
pub(crate) fn globs(patterns: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern)?);
    }
    set.build()
}

/// Why a file could not be read, and which.
type Failed = (std::io::Error, PathBuf);

/// Names, kinds, permission bits and content, in the order of names.
fn tree(
    digester: &mut Digester,
    path: &Path,
    name: &Path,
    exclude: &GlobSet,
    hashes: &mut InputTree,
) -> Result<(), Failed> {
    let at = |error| (error, path.to_path_buf());
    let meta = std::fs::symlink_metadata(path).map_err(at)?;
    digester.part("path", name.as_os_str().as_encoded_bytes());
    if meta.is_symlink() {
        let target = std::fs::read_link(path).map_err(at)?;
        digester.part("link", target.as_os_str().as_encoded_bytes());
        return Ok(());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        digester.part("mode", (meta.permissions().mode() & 0o7777).to_be_bytes());
    }
    if meta.is_dir() {
        let mut entries: Vec<_> = std::fs::read_dir(path).and_then(Iterator::collect::<Result<_, _>>).map_err(at)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = name.join(entry.file_name());
            if !exclude.is_match(&name) {
                tree(digester, &entry.path(), &name, exclude, hashes)?;
            }
        }
        return Ok(());
    }
    hashes.insert(name.to_path_buf(), digester.file("file", path).map_err(at)?);
    Ok(())
}
