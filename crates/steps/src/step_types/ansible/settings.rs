//! What the user's own configuration of Ansible says where ours would take its place: an environment variable wins over
//! `ansible.cfg`, so that its folders have to be in the variable too.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Folders that Ansible searches, by the setting's name, the variable that has it, and what it is without any.
pub(super) const SEARCHED: [(&str, &str, &str); 4] = [
    (
        "DEFAULT_CONNECTION_PLUGIN_PATH",
        "ANSIBLE_CONNECTION_PLUGINS",
        "~/.ansible/plugins/connection:/usr/share/ansible/plugins/connection",
    ),
    (
        "DEFAULT_CALLBACK_PLUGIN_PATH",
        "ANSIBLE_CALLBACK_PLUGINS",
        "~/.ansible/plugins/callback:/usr/share/ansible/plugins/callback",
    ),
    ("DEFAULT_ROLES_PATH", "ANSIBLE_ROLES_PATH", "~/.ansible/roles:/usr/share/ansible/roles:/etc/ansible/roles"),
    ("COLLECTIONS_PATHS", "ANSIBLE_COLLECTIONS_PATH", "~/.ansible/collections:/usr/share/ansible/collections"),
];

/// The configuration that Ansible would read, as it looks for it: the variable, the folder that it runs in, the home
/// folder, `/etc`; and, since a bake runs in the manifest's folder, beside the playbook before the home folder.
pub(super) fn file(said: Option<PathBuf>, folder: &Path, playbook: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let beside = playbook.parent().map(|parent| parent.join("ansible.cfg"));
    let of_home = home.map(|home| home.join(".ansible.cfg"));
    let places = [said, Some(folder.join("ansible.cfg")), beside, of_home, Some("/etc/ansible/ansible.cfg".into())];
    places.into_iter().flatten().find(|path| path.is_file())
}

/// The folders of each of [`SEARCHED`] in what `ansible-config dump --format json` says; none when it is not to be read.
pub(super) fn folders(dump: &[u8]) -> Option<Vec<String>> {
    let settings: Vec<Value> = serde_json::from_slice(dump).ok()?;
    let of = |name: &str| {
        let setting = settings.iter().find(|setting| setting["name"] == name)?;
        let folders: Vec<&str> = setting["value"].as_array()?.iter().filter_map(Value::as_str).collect();
        Some(folders.join(":"))
    };
    Some(SEARCHED.iter().map(|(name, _, usual)| of(name).unwrap_or_else(|| (*usual).to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_beside_the_playbook_counts_and_the_nearest_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("plays")).unwrap();
        std::fs::write(path("plays/ansible.cfg"), "").unwrap();
        let found = || file(None, folder.path(), &path("plays/web.yml"), Some(&path("home")));
        assert_eq!(found(), Some(path("plays/ansible.cfg")));
        std::fs::write(path("ansible.cfg"), "").unwrap();
        assert_eq!(found(), Some(path("ansible.cfg")));
    }

    #[test]
    fn folders_are_read_from_the_dump() {
        let dump = br#"[{"name": "DEFAULT_ROLES_PATH", "value": ["/a", "/b"], "origin": "x"}, {"GALAXY_SERVERS": {}}]"#;
        let folders = folders(dump).unwrap();
        assert_eq!((folders[2].as_str(), folders[3].as_str()), ("/a:/b", SEARCHED[3].2));
        assert!(super::folders(b"usage: ansible-config").is_none());
    }
}
