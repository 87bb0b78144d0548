//! Reads the user's own Ansible configuration for settings that our environment variables would override: a variable
//! takes precedence over `ansible.cfg`, so the variable must include its folders, too.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Settings for folders that Ansible searches: name, environment variable, and default.
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

/// The configuration file that Ansible would read, in its order: the environment variable, the working directory, the
/// home folder, `/etc`. Since a bake runs in the manifest's folder, the playbook's folder comes before the home folder.
pub(super) fn file(said: Option<PathBuf>, folder: &Path, playbook: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let beside = playbook.parent().map(|parent| parent.join("ansible.cfg"));
    let of_home = home.map(|home| home.join(".ansible.cfg"));
    let places = [said, Some(folder.join("ansible.cfg")), beside, of_home, Some("/etc/ansible/ansible.cfg".into())];
    places.into_iter().flatten().find(|path| path.is_file())
}

/// The folders of each of [`SEARCHED`] in the output of `ansible-config dump --format json`; `None` when it can't be
/// parsed.
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
