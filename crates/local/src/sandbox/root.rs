//! The root of a sandbox: overlay, kernel file systems, binds, then the pivot.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use ami_bake_core::Result;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};

use super::devices;
use super::entry::Context;
use super::hide::{Hidden, copy_attributes};
use super::inside::Inside;
use super::mounts;
use super::overlay::{Changes, Overlay, layer};
use super::spec::{Network, Spec};

/// The folder of the layer that hides parts of the host, in the work folder.
const HIDE: &str = "hide";

/// Sets the root up and makes it this process's. Has to run in a mount namespace of its own, as PID 1 of its PID
/// namespace.
pub(super) fn enter(spec: &Spec, user_namespace: bool) -> Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .context(|| "take the mounts out of the host's sight".to_owned())?;
    let over_host = spec.lower.last().is_some_and(|lowest| lowest == Path::new("/"));
    let parts = if over_host { mounts::of_system(&spec.hide)? } else { Vec::new() };
    let target = mount_layers(spec, over_host, user_namespace)?;
    let inside = Inside::open(&target)?;
    mounts::overlay(&inside, spec, &parts, &spec.work.join(HIDE), user_namespace)?;
    inside.mount("/proc", "proc", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, c"").map_err(
        |error| {
            error.help(
                "Inside a container /proc is masked: start the container with --privileged, or use --platform docker.",
            )
        },
    )?;
    devices::mount_sys(&inside, user_namespace)?;
    devices::mount_dev(&inside)?;
    inside.mount("/run", "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"mode=755")?;
    inside.mount("/tmp", "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"mode=1777")?;
    let _ = rustix::fs::mkdirat(inside.root(), "run/lock", rustix::fs::Mode::from_raw_mode(0o1777));
    devices::guard_proc(&inside, user_namespace, spec.boot_id.as_deref())?;
    name_service(&inside, spec)?;
    for bind in &spec.binds {
        inside.bind(&bind.source, &bind.target, bind.read_only)?;
    }
    pivot(&inside)
}

/// Mounts the layers below the work folder and says where.
fn mount_layers(spec: &Spec, over_host: bool, user_namespace: bool) -> Result<PathBuf> {
    let [work, target] = ["overlay", "root"].map(|name| spec.work.join(name));
    let mut lower = spec.lower.iter().map(|path| layer(path)).collect::<Result<Vec<OwnedFd>>>()?;
    let fresh = !spec.upper.exists();
    for folder in [&spec.upper, &work, &target] {
        std::fs::create_dir_all(folder).context(|| format!("make the folder {}", folder.display()))?;
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

/// The host's root without what is hidden, as a file system of its own.
///
/// It has to be one: the kernel refuses layers that lie within each other (ELOOP), and all other layers lie somewhere
/// below `/`.
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

/// Makes names resolvable: what `/etc/resolv.conf` leads to is often in `/run`, which is empty here.
fn name_service(inside: &Inside, spec: &Spec) -> Result<()> {
    if spec.network == Network::Host
        && let Ok(servers) = std::fs::read_to_string("/etc/resolv.conf")
    {
        provide(inside, "/etc/resolv.conf", &servers)?;
    }
    let hosts = format!("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n127.0.1.1\t{}\n", spec.hostname);
    provide(inside, "/etc/hosts", &hosts)
}

/// Shows `content` at `path` where the root has no such file or an empty one. The content is never part of the image.
fn provide(inside: &Inside, path: &str, content: &str) -> Result<()> {
    let doing = || format!("provide {path} in the sandbox");
    let path = Path::new(path);
    let found = inside.find(path)?;
    if let Some(found) = &found
        && rustix::fs::fstat(found).context(doing)?.st_size > 0
    {
        return Ok(());
    }
    if found.is_none()
        && let Some(target) = link_into_run(inside, path)
    {
        let file = inside.file(&target)?;
        return std::fs::write(super::inside::by_number(&file), content).context(doing);
    }
    let store = Path::new("/run/ami-bake").join(path.file_name().unwrap_or_default());
    let file = inside.file(&store)?;
    let place = super::inside::by_number(&file);
    std::fs::write(&place, content).context(doing)?;
    let target = inside.file(path)?;
    rustix::mount::mount_bind(place, super::inside::by_number(&target)).context(doing)
}

/// Where a dangling link leads to, when that is in `/run`.
fn link_into_run(inside: &Inside, path: &Path) -> Option<PathBuf> {
    let relative = path.strip_prefix("/").ok()?;
    let link = rustix::fs::readlinkat(inside.root(), relative, Vec::new()).ok()?;
    let link = Path::new(link.to_str().ok()?);
    let text = path.parent()?.join(link);
    // `/etc/../run/x` and `/run/x` are both usual.
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

/// Makes the new root `/` and lets go of the old one, with all that is mounted there.
fn pivot(inside: &Inside) -> Result<()> {
    let doing = || "enter the sandbox's root".to_owned();
    rustix::process::fchdir(inside.root()).context(doing)?;
    // The old root lands on top of the new one and is taken off again: no folder is needed for it (pivot_root(2)).
    rustix::process::pivot_root(".", ".").context(doing)?;
    unmount(".", UnmountFlags::DETACH).context(doing)?;
    rustix::process::chdir("/").context(doing)
}
