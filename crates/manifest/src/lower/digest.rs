//! The digest of an image (docs/dev/lifecycle.md, "Digest and cache").

use std::path::Path;

use ami_bake_core::plan::{
    AnsibleStep, ChefStep, ComponentStep, Digest, Digester, DownloadStep, ImagePlan, ScriptStep, Step, StepAction,
    UploadStep,
};
use ami_bake_core::{Error, Result};
use globset::{Glob, GlobSet, GlobSetBuilder};
use serde_json::json;

use super::playbook::{self, NOISE};

/// The digest of a plan; files are read. The clock is no part of it: how old an image of this digest may be is asked of
/// the image (`cache-for`).
///
/// # Errors
/// When a file that a step names can't be read.
pub(crate) fn digest(plan: &ImagePlan) -> Result<Digest> {
    let mut digester = Digester::default();
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
            self::step(&mut digester, step)?;
        }
    }
    Ok(digester.finish())
}

fn step(digester: &mut Digester, step: &Step) -> Result<()> {
    let failed = |error: std::io::Error, path: &Path| {
        Error::manifest(format!("read {}", path.display())).because(error).at(step.route.key(step.action.name()))
    };
    // The label of the first release: another one would be another digest for every image.
    digester.part("verb", json!(without_paths(&step.action)).to_string());
    digester.part("env", json!(step.env).to_string());
    digester.part("on-failure", json!(step.on_failure).to_string());
    match &step.action {
        StepAction::Script(ScriptStep { path, .. }) | StepAction::Component(ComponentStep { path, .. }) => {
            digester.part("file", std::fs::read(path).map_err(|error| failed(error, path))?);
        }
        StepAction::Upload(UploadStep { from, contents, exclude, .. }) => {
            let exclude = globs(exclude).map_err(|error| {
                Error::manifest("read the `exclude` globs").because(error).at(step.route.key("exclude"))
            })?;
            if !contents {
                digester.part("name", from.file_name().unwrap_or_default().as_encoded_bytes());
            }
            tree(digester, from, Path::new(""), &exclude).map_err(|(error, path)| failed(error, &path))?;
        }
        StepAction::Ansible(AnsibleStep { playbook, requirements, folder, args, .. }) => {
            let parts = playbook::parts(playbook, requirements.as_deref(), folder, args, &step.env);
            trees(digester, &parts.files).map_err(|(error, path)| failed(error, &path))?;
        }
        StepAction::Chef(ChefStep { cookbooks, roles, data_bags, environments, .. }) => {
            let others = [roles, data_bags, environments].into_iter().flatten().cloned();
            let all: Vec<_> = cookbooks.iter().cloned().chain(others).collect();
            trees(digester, &all).map_err(|(error, path)| failed(error, &path))?;
        }
        _ => {}
    }
    Ok(())
}

/// Files and folders, in their order, without what changes in them by itself.
fn trees(digester: &mut Digester, paths: &[std::path::PathBuf]) -> Result<(), Failed> {
    let noise = globs(&NOISE.map(str::to_owned)).unwrap_or_default();
    for path in paths {
        // A link to a file is as good as the file.
        let real = std::fs::canonicalize(path).map_err(|error| (error, path.clone()))?;
        digester.part("name", path.file_name().unwrap_or_default().as_encoded_bytes());
        tree(digester, &real, Path::new(""), &noise)?;
    }
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

type Failed = (std::io::Error, std::path::PathBuf);

/// Names, kinds, permission bits and content, in the order of names.
fn tree(digester: &mut Digester, path: &Path, name: &Path, exclude: &GlobSet) -> Result<(), Failed> {
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
                tree(digester, &entry.path(), &name, exclude)?;
            }
        }
        return Ok(());
    }
    digester.part("file", std::fs::read(path).map_err(at)?);
    Ok(())
}
