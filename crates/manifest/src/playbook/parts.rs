//! Finds the local files that a playbook uses.

use std::path::{Path, PathBuf};

use ami_bake_core::plan::Value;

use super::references::{LARGEST, Place, Walk, is_yaml, normal};
use crate::access::FileAccess;

/// Folders beside a playbook that Ansible uses automatically, or that authors commonly use.
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
/// Names of Ansible's settings for folders that a playbook uses; the environment variable has the prefix `ANSIBLE_`.
/// Settings that end in `_plugins` are such folders, too.
const SETTINGS: [&str; 5] = ["roles_path", "library", "module_utils", "collections_path", "collections_paths"];

/// The files that a playbook uses, as far as they are known before it runs.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// Files and folders, in a fixed order.
    pub(crate) files: Vec<PathBuf>,
    /// Locations of paths that are only known when the playbook runs.
    pub(crate) unknown: Vec<Place>,
    /// Files among them that are not read for further names, with why: those outside of what the manifest may name.
    pub(crate) unread: Vec<(PathBuf, String)>,
    /// Tasks that can't work over the bake's connection.
    pub(crate) unsuited: Vec<Place>,
}

/// The playbook, its requirements, the YAML files and usual folders beside it, the configuration and the folders that
/// it or `env` names, files in arguments, and all literal paths in playbooks and tasks. Files that `access` refuses are
/// parts too, but not searched for further paths.
pub(crate) fn parts(
    playbook: &Path,
    requirements: Option<&Path>,
    folder: &Path,
    args: &[String],
    env: &[(String, Value)],
    access: &FileAccess,
) -> Parts {
    let mut files = vec![playbook.to_owned()];
    files.extend(requirements.map(Path::to_owned));
    let mut add = |path: PathBuf| {
        if path.exists() && !files.contains(&path) {
            files.push(path);
        }
    };
    beside(playbook).into_iter().for_each(&mut add);
    let said = |name: &str| {
        env.iter().find_map(|(said, value)| match value {
            Value::Plain(text) if said == name => Some(folder.join(text)),
            _ => None,
        })
    };
    let of_playbook = playbook.parent().unwrap_or(Path::new("")).join("ansible.cfg");
    let configurations: Vec<PathBuf> =
        [said("ANSIBLE_CONFIG"), Some(folder.join("ansible.cfg")), Some(of_playbook)].into_iter().flatten().collect();
    let configuration = configurations.iter().find(|path| path.is_file());
    let mut walk = Walk::new(access);
    for (name, path) in
        configuration.map(|path| configured(path, access)).unwrap_or_default().into_iter().chain(of_env(env, folder))
    {
        if name == "roles_path" {
            walk.roles.push(path.clone());
        }
        add(path);
    }
    configurations.into_iter().chain(of_args(args, folder)).for_each(&mut add);
    walk.playbook(playbook);
    for imported in &walk.imported {
        beside(imported).into_iter().for_each(&mut add);
    }
    let covered: Vec<PathBuf> = files.iter().map(|path| normal(path)).collect();
    let covers = |path: &Path| covered.iter().any(|folder| path.starts_with(folder));
    let mut more: Vec<PathBuf> = Vec::new();
    for path in walk.found {
        if !covers(&path) && !more.iter().any(|folder| path.starts_with(folder)) {
            more.push(path);
        }
    }
    let known = |folder: &Option<PathBuf>| {
        folder.as_ref().is_some_and(|path| covers(path) || more.iter().any(|folder| path.starts_with(folder)))
    };
    let unknown = walk.unknown.into_iter().filter(|(_, folder)| !known(folder)).map(|(unknown, _)| unknown).collect();
    files.extend(more);
    Parts { files, unknown, unread: walk.unread, unsuited: walk.unsuited }
}

/// The YAML files and the usual folders beside a playbook.
fn beside(playbook: &Path) -> Vec<PathBuf> {
    let folder = playbook.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut yaml: Vec<PathBuf> =
        entries.filter(|path| is_yaml(path) && path.file_name() != playbook.file_name()).collect();
    yaml.sort();
    yaml.extend(FOLDERS.iter().map(|name| folder.join(name)));
    yaml
}

/// The folders that a configuration file names, relative to it, each with its setting. Folders of the computer are not
/// part of the image's definition.
fn configured(path: &Path, access: &FileAccess) -> Vec<(String, PathBuf)> {
    let text = access.read(path, LARGEST).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let folder = path.parent().unwrap_or(Path::new(""));
    text.lines().filter_map(|line| line.split_once('=')).flat_map(|(name, text)| folders(name, text, folder)).collect()
}

/// The folders that a step's environment variables name, relative to the manifest's folder, in which Ansible runs.
fn of_env(env: &[(String, Value)], folder: &Path) -> Vec<(String, PathBuf)> {
    let plain = env.iter().filter_map(|(name, value)| match value {
        Value::Plain(text) => Some((name.strip_prefix("ANSIBLE_")?.to_lowercase(), text)),
        Value::Secret(_) => None,
    });
    plain.flat_map(|(name, text)| folders(&name, text, folder)).collect()
}

fn folders(name: &str, text: &str, folder: &Path) -> Vec<(String, PathBuf)> {
    let name = name.trim();
    if !SETTINGS.contains(&name) && !name.ends_with("_plugins") {
        return Vec::new();
    }
    let theirs = |path: &&str| {
        !path.is_empty() && !["~", "$", "/usr/share/ansible", "/etc/ansible"].iter().any(|of| path.starts_with(of))
    };
    let paths = text.split(':').map(str::trim).filter(theirs);
    paths.map(|path| (name.to_owned(), folder.join(path))).collect()
}

/// Files in arguments: `@FILE`, and inventories with the variable files beside them.
fn of_args(args: &[String], folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut words = args.iter();
    while let Some(arg) = words.next() {
        if let Some((_, path)) = arg.rsplit_once('@').filter(|(before, _)| before.is_empty() || before.ends_with('=')) {
            files.push(folder.join(path));
        }
        let inventory = match arg.as_str() {
            "-i" | "--inventory" | "--inventory-file" => words.next().map(String::as_str),
            arg => arg.strip_prefix("--inventory=").or_else(|| arg.strip_prefix("-i")),
        };
        if let Some(path) = inventory.filter(|path| !path.contains(',')).map(|path| folder.join(path)) {
            let of = if path.is_dir() { path.clone() } else { path.parent().unwrap_or(Path::new("")).to_owned() };
            files.push(path);
            files.extend(["group_vars", "host_vars"].map(|name| of.join(name)));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAYS: &str = "- import_playbook: ../more/db.yml
- hosts: all
  vars_files: [../common/vars.yml, [\"../common/{{ stage }}.yml\", \"{{ home }}/x.yml\"]]
  vars: {secret: !vault x, key: \"{{ lookup('file', '../keys/deploy.pub') }}\"}
  roles: [web, {role: ../far, tags: x}, \"{{ extra }}\"]
  tasks:
    - ansible.builtin.include_tasks: {file: ../common/tasks.yml}
    - block:
        - copy: {src: ../payload, dest: /opt/}
        - template: src=../page.j2 dest=/opt/page
        - copy: {src: /etc/hostname, dest: /x, remote_src: true}
        - copy: {src: /dev/null, dest: /x}
        - copy: {src: \"{{ item }}\", dest: /x}
        - template: {src: \"{{ playbook_dir }}/../other.j2\", dest: /x}
        - template: {src: \"templates/{{ name }}.j2\", dest: /x}
";

    #[test]
    fn what_is_named_by_literal_paths_counts_wherever_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| {
            std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            std::fs::write(path(name), text).unwrap();
        };
        write("plays/site.yml", PLAYS);
        write("ansible.cfg", "[defaults]\nroles_path = shared/roles:~/.ansible/roles\nfilter_plugins=filters\n");
        write("more/db.yml", "- hosts: all\n  tasks: [{script: ../setup.sh --fast}]\n");
        write("common/tasks.yml", "- include_vars: deep.yml\n- import_role: {name: web}\n");
        write("shared/roles/web/tasks/main.yml", "- include_tasks: other.yml\n");
        write("shared/roles/web/tasks/other.yml", "- copy: {src: \"{{ role_path }}/../../outside\", dest: /x}\n");
        write("far/meta/main.yml", "dependencies: [near]\n");
        for name in [
            "more/group_vars/all.yml",
            "setup.sh",
            "common/vars.yml",
            "common/deep.yml",
            "common/stage.yml",
            "keys/deploy.pub",
            "near/tasks/main.yml",
            "payload/a",
            "page.j2",
            "other.j2",
            "plays/templates/x.j2",
            "shared/outside",
            "filters/f.py",
            "inventory/hosts",
            "inventory/group_vars/all.yml",
        ] {
            write(name, "x: 1\n");
        }
        let args = ["-i".to_owned(), "inventory/hosts".to_owned()];
        let parts =
            parts(&path("plays/site.yml"), None, folder.path(), &args, &[], &FileAccess::around(folder.path(), &[]));
        let mut found: Vec<String> = parts
            .files
            .iter()
            .map(|file| normal(file).strip_prefix(folder.path()).unwrap().display().to_string())
            .collect();
        found.sort();
        assert_eq!(
            found,
            [
                "ansible.cfg",
                "common/deep.yml",
                "common/tasks.yml",
                "common/vars.yml",
                "far",
                "filters",
                "inventory/group_vars",
                "inventory/hosts",
                "keys/deploy.pub",
                "more/db.yml",
                "more/group_vars",
                "near",
                "other.j2",
                "page.j2",
                "payload",
                "plays/site.yml",
                "plays/templates",
                "setup.sh",
                "shared/outside",
                "shared/roles",
            ]
        );
        let told: Vec<&str> = parts.unknown.iter().map(|of| &PLAYS[of.start as usize..of.end as usize]).collect();
        assert_eq!(told, ["\"../common/{{ stage }}.yml\"", "\"{{ home }}/x.yml\""]);
    }
}
