//! Sets up the root of a sandbox: overlay, kernel file systems, bind mounts, then the pivot.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use ami_bake_core::Result;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};

use super::devices;
use super::failure::Context;
use super::hide::{Hidden, copy_attributes};
use super::mounts;
use super::new_root::{NewRoot, by_number};
use super::overlay::{Changes, Overlay, layer};
use super::spec::{Network, Spec};

/// Name of the folder for the layer that hides parts of the host, in the work folder.
const HIDE: &str = "hide";

/// Sets up the root and enters it. Must run in a new mount namespace, as PID 1 of its PID namespace.
pub(super) fn enter(spec: &Spec, user_namespace: bool) -> Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .context(|| "make the mounts private".to_owned())?;
    let over_host = spec.lower.last().is_some_and(|lowest| lowest == Path::new("/"));
    let parts = if over_host { mounts::of_system(&spec.hide)? } else { Vec::new() };
    let target = mount_layers(spec, over_host, user_namespace)?;
    let root = NewRoot::open(&target)?;
    mounts::overlay(&root, spec, &parts, &spec.work.join(HIDE), user_namespace)?;
    root.mount("/proc", "proc", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, c"").map_err(|error| {
        error.help(
            "Inside a container /proc is masked: start the container with --privileged, or use --platform docker.",
        )
    })?;
    devices::mount_sys(&root, user_namespace)?;
    devices::mount_dev(&root)?;
    root.mount("/run", "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"mode=755")?;
    root.mount("/tmp", "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"mode=1777")?;
    let _ = rustix::fs::mkdirat(root.descriptor(), "run/lock", rustix::fs::Mode::from_raw_mode(0o1777));
    devices::guard_proc(&root, user_namespace, spec.boot_id.as_deref())?;
    name_service(&root, spec)?;
    for bind in &spec.binds {
        root.bind(&bind.source, &bind.target, bind.read_only)?;
    }
    pivot(&root)
}

/// Mounts the layers in the work folder and returns the mount point.
fn mount_layers(spec: &Spec, over_host: bool, user_namespace: bool) -> Result<PathBuf> {
    let [work, target] = ["overlay", "root"].map(|name| spec.work.join(name));
    let mut lower = spec.lower.iter().map(|path| layer(path)).collect::<Result<Vec<OwnedFd>>>()?;
    let fresh = !spec.upper.exists();
    for folder in [&spec.upper, &work, &target] {
        std::fs::create_dir_all(folder).context(|| format!("create the folder {}", folder.display()))?;
    }
    if let (true, Some(top)) = (fresh, spec.lower.first()) {
        let doing = || format!("copy the attributes of {}", top.display());
        let metadata = std::fs::metadata(top).context(doing)?;
        copy_attributes(&metadata, &spec.upper).context(doing)?;
    }
    if over_host && let Some(host) = lower.pop() {
        lower.push(host_below(spec, host, user_namespace)?);
    }
    let changes = Some(Changes { upper: &spec.upper, work: &work, volatile: spec.volatile });
    Overlay { lower: &lower, changes, user_marks: user_namespace }.mount(&target)?;
    Ok(target)
}

/// Mounts the host's root without the hidden paths, as a file system of its own.
///
/// This is necessary because the kernel refuses layers inside each other (ELOOP), and all other layers are somewhere below
/// `/`.
fn host_below(spec: &Spec, host: OwnedFd, user_namespace: bool) -> Result<OwnedFd> {
    let doing = || "hide parts of the host".to_owned();
    let [hide, below] = [HIDE, "below"].map(|name| spec.work.join(name));
    for folder in [&hide, &below] {
        std::fs::create_dir_all(folder).context(doing)?;
    }
    mount("tmpfs", &hide, "tmpfs", MountFlags::NOSUID, c"mode=755").context(doing)?;
    copy_attributes(&std::fs::metadata("/").context(doing)?, &hide).context(doing)?;
    let lower = [layer(&hide)?, host];
    Hidden { paths: &spec.hide, replace: &spec.replace, user_marks: user_namespace }.write(&hide, &lower[1..])?;
    Overlay { lower: &lower, changes: None, user_marks: user_namespace }.mount(&below)?;
    layer(&below)
}

/// Makes name resolution work: `/etc/resolv.conf` is often a link into `/run`, which is empty in a sandbox.
fn name_service(root: &NewRoot, spec: &Spec) -> Result<()> {
    if spec.network == Network::Host
        && let Ok(servers) = std::fs::read_to_string("/etc/resolv.conf")
    {
        provide(root, "/etc/resolv.conf", &servers)?;
    }
    let hosts = format!("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n127.0.1.1\t{}\n", spec.hostname);
    provide(root, "/etc/hosts", &hosts)
}

/// Shows `content` at `path` if the root has no such file or an empty one. The content never becomes part of the image.
fn provide(root: &NewRoot, path: &str, content: &str) -> Result<()> {
    let doing = || format!("provide {path} in the sandbox");
    let path = Path::new(path);
    let found = root.find(path)?;
    if let Some(found) = &found
        && rustix::fs::fstat(found).context(doing)?.st_size > 0
    {
        return Ok(());
    }
    if found.is_none()
        && let Some(target) = link_into_run(root, path)
    {
        let file = root.file(&target)?;
        return std::fs::write(by_number(&file), content).context(doing);
    }
    let store = Path::new("/run/ami-bake").join(path.file_name().unwrap_or_default());
    let file = root.file(&store)?;
    let place = by_number(&file);
    std::fs::write(&place, content).context(doing)?;
    let target = root.file(path)?;
    rustix::mount::mount_bind(place, by_number(&target)).context(doing)
}

/// The target of a dangling link, if it is in `/run`.
fn link_into_run(root: &NewRoot, path: &Path) -> Option<PathBuf> {
    let relative = path.strip_prefix("/").ok()?;
    let link = rustix::fs::readlinkat(root.descriptor(), relative, Vec::new()).ok()?;
    let link = Path::new(link.to_str().ok()?);
    let text = path.parent()?.join(link);
    // Both `/etc/../run/x` and `/run/x` are common.
    let mut clean = PathBuf::new();
    for part in text.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    clean.starts_with("/run").then_some(clean)
}

/// Makes the new root `/` and unmounts the old one with everything below it.
fn pivot(root: &NewRoot) -> Result<()> {
    let doing = || "enter the sandbox's root".to_owned();
    rustix::process::fchdir(root.descriptor()).context(doing)?;
    // The old root is mounted on top of the new one and unmounted again, which needs no folder for it (pivot_root(2)).
    rustix::process::pivot_root(".", ".").context(doing)?;
    unmount(".", UnmountFlags::DETACH).context(doing)?;
    rustix::process::chdir("/").context(doing)
}
