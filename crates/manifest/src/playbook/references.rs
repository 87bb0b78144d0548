//! Finds the local files that playbooks and task files name by literal paths, in Ansible's search order: in the role,
//! beside the file that names them, beside the playbook, each time first in the folder for their kind.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::access::{FileAccess, FileError};
use crate::diagnostic::Sources;
use crate::tree::{self, Node};

/// A location in a file, such as that of a path that is only known when the playbook runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Path of the file.
    pub(crate) file: PathBuf,
    /// Start in bytes.
    pub(crate) start: u32,
    /// End in bytes.
    pub(crate) end: u32,
}

/// A file that is searched, and the folders for its relative paths.
#[derive(Debug, Clone)]
struct Doc {
    path: PathBuf,
    role: Option<PathBuf>,
    play: PathBuf,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Playbook,
    Tasks,
    Meta,
}

/// Maximum size in bytes of a file that is searched for paths.
pub(super) const LARGEST: u64 = 1 << 20;

/// State and results of the search.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    access: &'a FileAccess,
    /// Folders with roles, in addition to those in the playbook's own folder.
    pub(super) roles: Vec<PathBuf>,
    /// Files and folders that were found, in the order of their references.
    pub(super) found: Vec<PathBuf>,
    /// Playbooks that other playbooks import.
    pub(super) imported: Vec<PathBuf>,
    /// Paths that can't be known, with their folder if that is known.
    pub(super) unknown: Vec<(Place, Option<PathBuf>)>,
    /// Files that are not read for further names, with why.
    pub(super) unread: Vec<(PathBuf, String)>,
    /// Tasks that can't work over the bake's connection.
    pub(super) unsuited: Vec<Place>,
    seen: BTreeSet<PathBuf>,
    queue: Vec<Doc>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(access: &'a FileAccess) -> Self {
        Self {
            access,
            roles: Vec::new(),
            found: Vec::new(),
            imported: Vec::new(),
            unknown: Vec::new(),
            unread: Vec::new(),
            unsuited: Vec::new(),
            seen: BTreeSet::new(),
            queue: Vec::new(),
        }
    }

    /// Searches a playbook and everything that it refers to.
    pub(super) fn playbook(&mut self, path: &Path) {
        let play = path.parent().unwrap_or(Path::new("")).to_owned();
        self.queue.push(Doc { path: normal(path), role: None, play, kind: Kind::Playbook });
        while let Some(doc) = self.queue.pop() {
            if self.seen.insert(doc.path.clone()) {
                self.read(&doc);
            }
        }
    }

    fn read(&mut self, doc: &Doc) {
        let bytes = match self.access.read(&doc.path, LARGEST) {
            Ok(bytes) => bytes,
            Err(FileError::Missing) => return,
            Err(error) => return self.unread.push((doc.path.clone(), error.to_string())),
        };
        let Ok(text) = String::from_utf8(bytes) else { return };
        let file = Sources::default().add("", text.as_str());
        // Errors in YAML are reported by Ansible, which also has tags of its own.
        let Some(tree) = tree::parse(file, &text, &mut Vec::new()) else { return };
        match doc.kind {
            Kind::Playbook => tree.items().iter().for_each(|play| self.play(doc, play)),
            Kind::Tasks => self.tasks(doc, &tree),
            Kind::Meta => tree.get("dependencies").into_iter().for_each(|list| self.roles(doc, list)),
        }
        self.lookups(doc, &tree);
    }

    fn play(&mut self, doc: &Doc, play: &Node) {
        for entry in play.entries() {
            match bare(&entry.key) {
                "import_playbook" => {
                    if let Some(path) = self.named(doc, &entry.value, &[]) {
                        self.imported.push(path.clone());
                        let play = path.parent().unwrap_or(Path::new("")).to_owned();
                        self.queue.push(Doc { path, role: None, play, kind: Kind::Playbook });
                    }
                }
                "vars_files" => leaves(&entry.value, &mut |leaf| _ = self.named(doc, leaf, &["vars"])),
                "roles" => self.roles(doc, &entry.value),
                "tasks" | "pre_tasks" | "post_tasks" | "handlers" => self.tasks(doc, &entry.value),
                _ => {}
            }
        }
    }

    fn roles(&mut self, doc: &Doc, list: &Node) {
        for item in list.items() {
            self.role(doc, ["role", "name"].into_iter().find_map(|key| item.get(key)).unwrap_or(item));
        }
    }

    fn role(&mut self, doc: &Doc, name: &Node) {
        let Some(text) = name.as_text() else { return };
        if text.contains("{{") {
            return self.dynamic(doc, name, text, &["roles"]);
        }
        let places = [doc.play.join("roles"), doc.play.clone()];
        let beside = doc.role.as_deref().and_then(Path::parent).map(Path::to_owned);
        let mut places = places.into_iter().chain(self.roles.iter().cloned()).chain(beside);
        let Some(role) = places.find_map(|place| Some(normal(&place.join(text))).filter(|path| path.is_dir())) else {
            return;
        };
        self.found.push(role.clone());
        for (folder, kind) in [("tasks", Kind::Tasks), ("handlers", Kind::Tasks), ("meta", Kind::Meta)] {
            let mut files: Vec<PathBuf> = std::fs::read_dir(role.join(folder))
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path())
                .collect();
            files.sort();
            for path in files.into_iter().filter(|path| is_yaml(path)) {
                self.queue.push(Doc { path, role: Some(role.clone()), play: doc.play.clone(), kind });
            }
        }
    }

    fn tasks(&mut self, doc: &Doc, list: &Node) {
        for task in list.items() {
            for entry in task.entries() {
                let value = &entry.value;
                match bare(&entry.key) {
                    "block" | "rescue" | "always" => self.tasks(doc, value),
                    "include_tasks" | "import_tasks" | "include" => {
                        let name = value.get("file").unwrap_or(value);
                        if let Some(path) = self.named(doc, name, &["tasks"]) {
                            self.queue.push(Doc { path, kind: Kind::Tasks, ..doc.clone() });
                        }
                    }
                    "include_role" | "import_role" => {
                        value.get("name").into_iter().for_each(|name| self.role(doc, name));
                    }
                    "include_vars" => {
                        let name = ["file", "dir"].into_iter().find_map(|key| value.get(key)).unwrap_or(value);
                        self.named(doc, name, &["vars"]);
                    }
                    // From the machine to itself it can work.
                    "synchronize" if task.get("delegate_to").is_none() => {
                        let span = entry.key_span;
                        self.unsuited.push(Place { file: doc.path.clone(), start: span.start, end: span.end });
                    }
                    "copy" | "unarchive" | "assemble" => self.sent(doc, value, "files"),
                    "template" => self.sent(doc, value, "templates"),
                    "script" => _ = self.named(doc, value.get("cmd").unwrap_or(value), &["files"]),
                    "with_file" => leaves(value, &mut |leaf| _ = self.named(doc, leaf, &["files"])),
                    // The folder stands for its content.
                    "with_fileglob" => leaves(value, &mut |leaf| self.glob(doc, leaf)),
                    _ => {}
                }
            }
        }
    }

    /// Finds what a module sends to the machine.
    fn sent(&mut self, doc: &Doc, value: &Node, folder: &str) {
        let remote = value.get("remote_src").and_then(Node::scalar);
        if remote.is_some_and(|remote| matches!(remote.text.to_lowercase().as_str(), "true" | "yes" | "on" | "1")) {
            return;
        }
        if let Some(src) = value.get("src") {
            self.named(doc, src, &[folder]);
            return;
        }
        let words = value.as_text().unwrap_or_default().split_whitespace();
        let src = words.filter_map(|word| word.strip_prefix("src=")).find(|src| !src.contains("{{"));
        if let Some(src) = src {
            self.literal(doc, src.trim_matches(['"', '\'']), &[folder]);
        }
    }

    fn glob(&mut self, doc: &Doc, pattern: &Node) {
        let Some(text) = pattern.as_text() else { return };
        if text.contains("{{") {
            return self.dynamic(doc, pattern, text, &["files"]);
        }
        if let Some((folder, _)) = text.rsplit_once('/') {
            self.literal(doc, folder, &["files"]);
        }
    }

    /// Finds the file that a node names. Only the first word counts; the rest are arguments.
    fn named(&mut self, doc: &Doc, name: &Node, folders: &[&str]) -> Option<PathBuf> {
        let text = name.as_text()?;
        let text = known(text, doc);
        if text.contains("{{") {
            self.dynamic(doc, name, &text, folders);
            return None;
        }
        self.literal(doc, &text, folders).or_else(|| self.literal(doc, text.split_whitespace().next()?, folders))
    }

    fn literal(&mut self, doc: &Doc, text: &str, folders: &[&str]) -> Option<PathBuf> {
        let path = find(doc, text, folders)?;
        self.found.push(path.clone());
        Some(path)
    }

    /// Handles a path that contains an expression. Below a known folder the folder is used; a plain name is looked up
    /// in the usual folders.
    fn dynamic(&mut self, doc: &Doc, name: &Node, text: &str, folders: &[&str]) {
        let (before, after) = text.split_once("{{").unwrap_or((text, ""));
        let folder = before.rsplit_once('/').map(|(folder, _)| if folder.is_empty() { "/" } else { folder });
        let rest = after.split_once("}}").map_or("", |(_, rest)| rest);
        if folder.is_none() && !rest.starts_with('/') {
            return;
        }
        let span = name.span;
        let unknown = Place { file: doc.path.clone(), start: span.start, end: span.end };
        self.unknown.push((unknown, folder.and_then(|folder| find(doc, folder, folders))));
    }

    /// Finds `lookup('file', 'PATH')` in a text.
    fn lookups(&mut self, doc: &Doc, node: &Node) {
        leaves(node, &mut |leaf| {
            let Some(text) = leaf.as_text() else { return };
            for call in text.match_indices("lookup(").chain(text.match_indices("query(")) {
                let mut words = text[call.0 + call.1.len()..].splitn(5, ['\'', '"']).skip(1).step_by(2);
                let (Some(kind), Some(path)) = (words.next(), words.next()) else { continue };
                let folder = match bare(kind) {
                    "file" | "unvault" | "ini" | "csvfile" => "files",
                    "template" => "templates",
                    _ => continue,
                };
                if !path.contains("{{") {
                    self.literal(doc, path, &[folder]);
                }
            }
        });
    }
}

/// Calls `act` with all scalars.
fn leaves(node: &Node, act: &mut dyn FnMut(&Node)) {
    node.entries().iter().for_each(|entry| leaves(&entry.value, act));
    node.items().iter().for_each(|item| leaves(item, act));
    if node.scalar().is_some() {
        act(node);
    }
}

/// The name of a keyword or module without the prefix of Ansible's own collection.
fn bare(name: &str) -> &str {
    ["ansible.builtin.", "ansible.legacy.", "ansible.posix."]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name)
}

/// The text with known folders filled in.
fn known(text: &str, doc: &Doc) -> String {
    let mut text = text.to_owned();
    for (name, folder) in [("playbook_dir", Some(&doc.play)), ("role_path", doc.role.as_ref())] {
        let Some(folder) = folder else { continue };
        // Absolute, because the variable may be followed by a path: `{{ playbook_dir }}/../x`.
        let folder = std::path::absolute(Path::new(".").join(folder)).unwrap_or_else(|_| folder.clone());
        for form in [format!("{{{{ {name} }}}}"), format!("{{{{{name}}}}}")] {
            text = text.replace(&form, &folder.to_string_lossy());
        }
    }
    text
}

/// The first candidate path that exists.
fn find(doc: &Doc, text: &str, folders: &[&str]) -> Option<PathBuf> {
    let text = text.trim_end_matches('/');
    let here = doc.path.parent().unwrap_or(Path::new(""));
    let bases = doc.role.iter().map(PathBuf::as_path).chain([here, doc.play.as_path()]);
    let mut places =
        bases.flat_map(|base| folders.iter().map(move |folder| base.join(folder)).chain([base.to_owned()]));
    let there = |path: PathBuf| Some(normal(&path)).filter(|path| readable(path));
    match text {
        "" => Path::new("/").exists().then(|| PathBuf::from("/")),
        _ => places.find_map(|place| there(place.join(text))),
    }
}

/// Whether a path is a readable file or folder; `/dev/null`, which empties a file, is not.
fn readable(path: &Path) -> bool {
    (path.is_file() || path.is_dir()) && std::fs::File::open(path).is_ok()
}

/// Whether Ansible reads the file as YAML.
pub(super) fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "yml" || end == "yaml") && path.is_file()
}

/// The path without `.` and, as far as possible, `..`; relative to the working directory if it is below it.
pub(super) fn normal(path: &Path) -> PathBuf {
    let here = std::env::current_dir().ok().filter(|_| path.is_absolute());
    let path = here.as_deref().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}
