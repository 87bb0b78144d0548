//! The local files that a step is made of, for those who need them before it runs: the digest, `check`.

use std::io;
use std::path::{Path, PathBuf};

use ami_bake_core::plan::{Digester, Step, Verb, digest_path};

/// The local paths that a step reads.
pub fn file_inputs(step: &Step) -> Vec<&Path> {
    match &step.verb {
        Verb::Script { path, .. } | Verb::Component { path, .. } => vec![path],
        Verb::Upload { from, .. } => vec![from],
        Verb::Ansible { playbook, requirements, .. } => {
            [Some(playbook), requirements.as_ref()].into_iter().flatten().map(PathBuf::as_path).collect()
        }
        Verb::Chef { cookbooks, roles, data_bags, environments, .. } => cookbooks
            .iter()
            .chain([roles, data_bags, environments].into_iter().flatten())
            .map(PathBuf::as_path)
            .collect(),
        Verb::Run { .. } | Verb::Download { .. } | Verb::Reboot | Verb::Wait { .. } | Verb::Expect(_) => Vec::new(),
    }
}

/// Adds the content, names and modes of all local files that these steps read. Blocks.
///
/// # Errors
/// Names the path that can't be read.
pub fn digest_of_files(steps: &[Step], digester: &mut Digester) -> io::Result<()> {
    for step in steps {
        let exclude = if let Verb::Upload { exclude, .. } = &step.verb { exclude.as_slice() } else { &[] };
        for path in file_inputs(step) {
            digester.part("files", digest_path(path, exclude)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ami_bake_core::Route;
    use ami_bake_core::plan::OnFailure;

    use super::*;

    #[test]
    fn the_digest_follows_the_files_that_are_sent_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("a", "1");
        write("b.map", "1");
        let verb = Verb::Upload {
            from: folder.path().to_owned(),
            contents: true,
            to: "/srv".to_owned(),
            exclude: vec!["*.map".to_owned()],
            owner: None,
            mode: None,
        };
        let step = Step {
            name: "it".to_owned(),
            route: Route::root(),
            verb,
            env: Vec::new(),
            timeout: None,
            retries: 0,
            on_failure: OnFailure::Abort,
            cache_for: None,
        };
        let digest = || {
            let mut digester = Digester::default();
            digest_of_files(std::slice::from_ref(&step), &mut digester).unwrap();
            digester.finish()
        };
        let before = digest();
        write("b.map", "2");
        assert_eq!(before, digest());
        write("a", "2");
        assert_ne!(before, digest());
        assert_eq!(file_inputs(&step), [folder.path()]);
    }
}
