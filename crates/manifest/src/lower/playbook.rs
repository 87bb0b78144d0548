//! The local files that a playbook is made of.

use std::path::{Path, PathBuf};

use ami_bake_core::plan::Value;

/// Folders beside a playbook from which Ansible takes something by itself, or which its authors name so.
const FOLDERS: [&str; 19] = [
    "roles",
    "collections",
    "group_vars",
    "host_vars",
    "vars",
    "defaults",
    "tasks",
    "handlers",
    "files",
    "templates",
    "library",
    "module_utils",
    "action_plugins",
    "callback_plugins",
    "filter_plugins",
    "lookup_plugins",
    "test_plugins",
    "vars_plugins",
    "playbooks",
];
/// What changes in them without any meaning.
pub(super) const NOISE: [&str; 3] = ["**/.git", "**/__pycache__", "**/*.pyc"];
/// The variable of a step that names further folders of roles.
const ROLES: &str = "ANSIBLE_ROLES_PATH";

/// The files and folders, in a fixed order: the playbook, its requirements, the YAML files and the usual folders beside
/// it, the configuration, files that arguments name (`@FILE`), folders of roles that `env` names.
pub(super) fn files(
    playbook: &Path,
    requirements: Option<&Path>,
    folder: &Path,
    args: &[String],
    env: &[(String, Value)],
) -> Vec<PathBuf> {
    let beside = playbook.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut files = vec![playbook.to_owned()];
    files.extend(requirements.map(Path::to_owned));
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|end| end == "yml" || end == "yaml") && path.is_file();
    let entries = std::fs::read_dir(beside).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut yaml: Vec<PathBuf> =
        entries.filter(is_yaml).filter(|path| path.file_name() != playbook.file_name()).collect();
    yaml.sort();
    files.extend(yaml);
    let named = FOLDERS.iter().map(|name| beside.join(name));
    let configuration = [beside.join("ansible.cfg"), folder.join("ansible.cfg")];
    let of_args = args
        .iter()
        .filter_map(|arg| arg.rsplit_once('@').filter(|(before, _)| before.is_empty() || before.ends_with('=')));
    let of_args = of_args.map(|(_, path)| folder.join(path));
    let roles = env.iter().filter_map(|(name, value)| match value {
        Value::Plain(text) if name == ROLES => Some(text),
        _ => None,
    });
    let roles = roles.flat_map(|text| text.split(':')).filter(|path| !path.is_empty()).map(|path| folder.join(path));
    for path in named.chain(configuration).chain(of_args).chain(roles) {
        if path.exists() && !files.contains(&path) {
            files.push(path);
        }
    }
    files
}
