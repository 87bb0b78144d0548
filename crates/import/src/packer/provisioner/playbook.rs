//! Searches playbooks and the files beside them.

use std::path::Path;

use ami_bake_manifest::access::FileAccess;
use ami_bake_manifest::diagnostic::Sources;
use ami_bake_manifest::tree::{self, Node};

/// Maximum number of files to search, and maximum depth: a playbook may be at the root of a whole repository.
const FILES: usize = 300;
const DEPTH: usize = 5;
const ENDINGS: [&str; 5] = ["yml", "yaml", "j2", "json", "cfg"];

/// Which of the words occur in a playbook or in the files beside it.
pub(super) fn reads<'w>(access: &FileAccess, playbook: &Path, words: &[&'w str]) -> Vec<&'w str> {
    let mut found = Vec::new();
    let mut left = FILES;
    let mut look = |path: &Path| {
        let Some(text) = text(access, path) else { return };
        found.extend(words.iter().filter(|word| text.contains(**word)));
    };
    look(playbook);
    if let Some(folder) = playbook.parent().filter(|_| playbook.is_file()) {
        walk(folder, DEPTH, &mut left, &mut look);
    }
    words.iter().copied().filter(|word| found.contains(&word)).collect()
}

fn walk(folder: &Path, depth: usize, left: &mut usize, look: &mut dyn FnMut(&Path)) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if *left == 0 {
            return;
        }
        *left -= 1;
        let (path, hidden) = (entry.path(), entry.file_name().to_string_lossy().starts_with('.'));
        let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if folder && depth > 0 && !hidden {
            walk(&path, depth - 1, left, look);
        } else if !folder && path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)) {
            look(&path);
        }
    }
}

/// Maximum size in bytes of a playbook.
const SIZE: u64 = 1 << 20;

fn text(access: &FileAccess, path: &Path) -> Option<String> {
    String::from_utf8(access.read(path, SIZE).ok()?).ok()
}

/// The values of `hosts` in a playbook's plays.
pub(super) fn hosts(access: &FileAccess, playbook: &Path) -> Vec<String> {
    let text = text(access, playbook).unwrap_or_default();
    let file = Sources::default().add("", text.as_str());
    // Errors in a playbook are Ansible's to report, and it may have tags of its own.
    let plays = tree::parse_with_tags(file, &text, &mut Vec::new());
    let plays = plays.as_ref().map(Node::items).unwrap_or_default();
    plays.iter().filter_map(|play| play.get("hosts")?.as_text().map(str::to_owned)).collect()
}
