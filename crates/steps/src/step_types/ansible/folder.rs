//! A private temporary folder with the files for a playbook run, deleted afterwards.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ami_bake_core::{Error, Result, whole_file};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// Maximum length of a socket's path, including its end (unix(7)).
const LONGEST: usize = 108;

/// A temporary folder for a playbook run.
pub(super) struct WorkFolder(TempDir);

impl WorkFolder {
    /// Creates the folder with our plug-ins in it.
    pub(super) fn new() -> Result<Self> {
        let made = |parent: &Path| {
            let mut builder = tempfile::Builder::new();
            builder.prefix("ami-bake-").permissions(Permissions::from_mode(0o700)).tempdir_in(parent).map(Self)
        };
        let failed = |error| Error::build("could not create a folder for the playbook's inventory").because(error);
        let mut folder = made(&std::env::temp_dir()).map_err(failed)?;
        if folder.socket().as_os_str().len() >= LONGEST {
            folder = made(Path::new("/tmp")).map_err(failed)?;
        }
        for name in ["connection", "callback", "roles", "collections", "tmp"] {
            std::fs::create_dir(folder.path(name)).map_err(failed)?;
        }
        folder.write("connection/ami_bake.py", include_str!("connection.py"))?;
        folder.write("callback/ami_bake_events.py", include_str!("callback.py"))?;
        Ok(folder)
    }

    /// The path of a file in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Path of the socket that the plug-ins connect to.
    pub(super) fn socket(&self) -> PathBuf {
        self.path("socket")
    }

    /// Writes a file that only this user can read.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        let written = whole_file::create(&path, 0o600, |to| to.write_all(text.as_bytes()));
        written.map_err(|error| Error::build("could not write a file for the playbook").because(error))?;
        Ok(path)
    }
}

/// The inventory with one machine, as JSON, which is YAML too.
pub(super) fn inventory(host: &str, user: &str, groups: &[String]) -> String {
    let groups: Map<String, Value> = groups.iter().map(|name| (name.clone(), json!({"hosts": {host: {}}}))).collect();
    json!({"all": {
        "hosts": {host: {"ansible_connection": "ami_bake", "ansible_user": user}},
        "children": groups,
    }})
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_user_sees_it_and_it_goes() {
        let folder = WorkFolder::new().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let vars = folder.write("vars.json", "{}").unwrap();
        assert_eq!((mode(&folder.path("")), mode(&vars)), (0o700, 0o600));
        let gone = folder.path("");
        drop(folder);
        assert!(!gone.exists());
    }

    #[test]
    fn the_machine_is_in_its_groups() {
        let inventory: Value =
            serde_json::from_str(&inventory("web", "root", &["a".to_owned(), "b c".to_owned()])).unwrap();
        assert_eq!(inventory["all"]["children"]["b c"]["hosts"], json!({"web": {}}));
        assert_eq!(inventory["all"]["hosts"]["web"]["ansible_connection"], "ami_bake");
    }
}
