//! Checks that the links of an unpacked archive do not point out of its folder.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::folder::{Folder, Found};

/// Maximum number of links that are followed in a row, as in the kernel (path_resolution(7)).
const HOPS: usize = 40;

/// The first link at or below `at` that points out of the folder `root`, with its target.
///
/// # Errors
/// When something can't be read.
pub(super) fn find_outside(root: &Folder, folder: &Folder, at: &Path) -> io::Result<Option<(PathBuf, PathBuf)>> {
    for name in folder.names()? {
        let path = at.join(&name);
        let found = match folder.look(&name)? {
            Found::Folder => find_outside(root, &folder.child(&name)?, &path)?,
            Found::Link if leads_out(root, &path)? => {
                let to = root.link_at(&path)?.unwrap_or_default().into();
                Some((path, to))
            }
            _ => None,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// True when the link at `path` leads out of the folder. Links in its target are followed: with `d -> .`, the target
/// `d/d/../../x` is outside although it has no more `..` than names. A target that does not exist is inside if its path
/// is.
///
/// # Errors
/// When a link can't be read.
fn leads_out(root: &Folder, path: &Path) -> io::Result<bool> {
    let mut here: Vec<OsString> = path.parent().into_iter().flat_map(Path::iter).map(OsString::from).collect();
    let Some(target) = root.link_at(path)? else { return Ok(false) };
    let mut rest = VecDeque::new();
    prepend(&mut rest, &target);
    let mut hops = 0;
    while let Some(name) = rest.pop_front() {
        match Path::new(&name).components().next() {
            Some(Component::Normal(_)) => {}
            Some(Component::ParentDir) if here.pop().is_some() => continue,
            Some(Component::CurDir) | None => continue,
            Some(_) => return Ok(true),
        }
        here.push(name);
        let found: PathBuf = here.iter().collect();
        if let Some(target) = root.link_at(&found)? {
            here.pop();
            hops += 1;
            if hops > HOPS {
                // A circle of links points nowhere.
                return Ok(false);
            }
            prepend(&mut rest, &target);
        }
    }
    Ok(false)
}

fn prepend(rest: &mut VecDeque<OsString>, target: &OsString) {
    for name in Path::new(target).components().rev() {
        rest.push_front(name.as_os_str().to_owned());
    }
}
