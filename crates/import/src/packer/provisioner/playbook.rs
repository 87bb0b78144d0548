//! What a playbook on the disk reads that Packer gives it by itself.

use std::path::Path;

/// So many files are looked at, and so deep: a playbook may lie at the root of a whole repository.
const FILES: usize = 300;
const DEPTH: usize = 5;
const ENDINGS: [&str; 5] = ["yml", "yaml", "j2", "json", "cfg"];

/// Which of the words stand in a playbook or in what lies beside it.
pub(super) fn reads<'w>(playbook: &Path, words: &[&'w str]) -> Vec<&'w str> {
    let mut found = Vec::new();
    let mut left = FILES;
    let mut look = |path: &Path| {
        let Ok(text) = std::fs::read_to_string(path) else { return };
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

/// The patterns behind `hosts:` of a playbook's plays.
pub(super) fn hosts(playbook: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(playbook).unwrap_or_default();
    let plays: Vec<serde_yaml::Value> = serde_yaml::from_str(&text).unwrap_or_default();
    plays.iter().filter_map(|play| play.get("hosts")?.as_str().map(str::to_owned)).collect()
}
