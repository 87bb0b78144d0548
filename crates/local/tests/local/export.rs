//! Tests of exports, which are read back with common tools.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ami_bake_core::ErrorKind;
use ami_bake_core::platform::ImageRecord;
use ami_bake_local::Format;

use crate::fixture::{LocalFixture, small_root};

/// Prints what every export has to contain, including links, owners, modes, attributes and deleted files.
const LOOK: &str = "cd \"$0\" && stat -c '%n %a %u %g %Y %F' opt/keep opt/link opt/pipe && readlink opt/link && cat opt/keep && \
                    stat -c '%h' opt/one && ls opt/emptied && ! ls opt/gone opt/emptied/old var/marked 2>/dev/null && \
                    python3 -c 'import os; print(os.getxattr(\"opt/keep\", \"user.note\").decode())'";
const SEEN: &str = "opt/keep 6751 1234 4321 1600000000 regular file\nopt/link 777 0 0 1600000001 symbolic link\n\
                    opt/pipe 644 0 0 1600000002 fifo\n../odd//target\nkept\n2\nnew\nnoted\n";

/// An image of three layers: a root file system, and two that change it.
async fn image(fixture: &LocalFixture) -> ImageRecord {
    let root = fixture.folder.path().join("root");
    small_root(&root);
    std::fs::copy("/usr/bin/mkfifo", root.join("bin/mkfifo")).unwrap();
    for folder in ["opt/gone", "opt/emptied", "var/marked"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
        std::fs::write(root.join(folder).join("old"), "old").unwrap();
    }
    let source = fixture.source(root.to_str().unwrap()).await;
    let first = "echo kept >/opt/keep && chown 1234:4321 /opt/keep && chmod 6751 /opt/keep && \
                 touch -d @1600000000 /opt/keep && ln -s ../odd//target /opt/link && \
                 touch -h -d @1600000001 /opt/link && mkfifo -m 644 /opt/pipe && touch -d @1600000002 /opt/pipe && \
                 echo 1 >/opt/one && ln /opt/one /opt/two && chmod 700 /bin/hostname";
    let first = fixture.bake(&source, "1.0.0", first).await;
    let keep = fixture.local.store().layer(&first.parts[0]).join("opt/keep");
    rustix::fs::setxattr(&keep, "user.note", b"noted", rustix::fs::XattrFlags::empty()).unwrap();
    let second = "rm -r /opt/gone /opt/emptied /var/marked && mkdir /opt/emptied && echo new >/opt/emptied/new";
    fixture.bake(&first.as_source(), "1.2.0", second).await
}

fn looks_right(root: &Path) {
    let output = Command::new("bash").args(["-c", LOOK]).arg(root).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), SEEN, "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a program that must succeed, and returns its standard output.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} ({error}): .ci/setup installs what the tests need"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn an_oci_layout_unpacks_to_the_same_files() {
    let fixture = LocalFixture::new();
    let image = image(&fixture).await;
    let folder = fixture.folder.path().join("web.oci");
    let exported = fixture.local.export(&fixture.run, "web@^1", &folder, Format::Oci).await.unwrap();
    assert_eq!((exported.image.id.as_str(), exported.holds_host()), (image.id.as_str(), false));
    assert!(exported.size > 1 << 20, "{exported:?}");

    let bundle = fixture.folder.path().join("bundle");
    let reference = format!("{}:1.2.0", folder.display());
    run("umoci", &["unpack", "--image", &reference, bundle.to_str().unwrap()]);
    looks_right(&bundle.join("rootfs"));
    let shown: serde_json::Value =
        serde_json::from_str(&run("umoci", &["stat", "--image", &reference, "--json"])).unwrap();
    assert_eq!(shown["history"].as_array().unwrap().len(), 3, "{shown}");

    let manifest = blob(&folder, &json(&folder.join("index.json"))["manifests"][0]);
    let config = blob(&folder, &manifest["config"]);
    assert_eq!(config["config"]["Labels"]["ami-bake:version"], "1.2.0");
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 3);

    let archive = fixture.folder.path().join("web.oci.tar");
    fixture.local.export(&fixture.run, &image.id, &archive, Format::OciArchive).await.unwrap();
    let again = fixture.folder.path().join("again");
    std::fs::create_dir(&again).unwrap();
    run("tar", &["-xf", archive.to_str().unwrap(), "-C", again.to_str().unwrap()]);
    let index = |folder: &Path| std::fs::read_to_string(folder.join("index.json")).unwrap();
    assert_eq!(index(&again), index(&folder), "the same image is the same bytes");
    assert!(fixture.run.ledger().open_entries().is_empty());
    assert_eq!(std::fs::read_dir(fixture.store().join("machines")).unwrap().count(), 0);
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The JSON content of a descriptor's blob.
fn blob(folder: &Path, descriptor: &serde_json::Value) -> serde_json::Value {
    json(&folder.join("blobs/sha256").join(descriptor["digest"].as_str().unwrap().trim_start_matches("sha256:")))
}

#[tokio::test]
async fn a_tarball_unpacks_to_the_same_files() {
    let fixture = LocalFixture::new();
    image(&fixture).await;
    for (name, format) in [("web.tar", Format::Rootfs), ("web.tar.gz", Format::RootfsGz)] {
        let file = fixture.folder.path().join(name);
        fixture.local.export(&fixture.run, "shop/web/1.2.0", &file, format).await.unwrap();
        let to = fixture.folder.path().join(format!("{name}.d"));
        std::fs::create_dir(&to).unwrap();
        run("tar", &["--xattrs", "--same-owner", "-xpf", file.to_str().unwrap(), "-C", to.to_str().unwrap()]);
        looks_right(&to);
        // The export is a source for the next bake.
        fixture.source(file.to_str().unwrap()).await;
    }
}

#[tokio::test]
async fn a_disk_is_sparse_sound_and_mounts() {
    let fixture = LocalFixture::new();
    image(&fixture).await;
    let file = fixture.folder.path().join("web.img");
    fixture.local.export(&fixture.run, "web", &file, Format::Disk).await.unwrap();
    let metadata = std::fs::metadata(&file).unwrap();
    assert!(metadata.blocks() * 512 < metadata.len() / 2, "{} of {}", metadata.blocks() * 512, metadata.len());
    run("fsck.ext4", &["-f", "-n", file.to_str().unwrap()]);
    assert!(run("debugfs", &["-R", "stat /opt/keep", file.to_str().unwrap()]).contains("06751"));
    let at = fixture.folder.path().join("mounted");
    std::fs::create_dir(&at).unwrap();
    run("mount", &["-o", "loop,ro", file.to_str().unwrap(), at.to_str().unwrap()]);
    let mounted = Mounted(at);
    looks_right(&mounted.0);
}

/// A mount that is unmounted when dropped.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test]
async fn nothing_is_overwritten_and_nothing_half_stays() {
    let fixture = LocalFixture::new();
    image(&fixture).await;
    let file = fixture.folder.path().join("web.tar");
    std::fs::write(&file, "mine").unwrap();
    let error = fixture.local.export(&fixture.run, "web", &file, Format::Rootfs).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Usage && error.to_string().contains("already exists"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");

    // A layer that can't be read to its end.
    let layers = std::fs::read_dir(fixture.store().join("layers")).unwrap().flatten();
    let layer = layers.into_iter().map(|entry| entry.path()).find(|path| path.join("opt/keep").exists()).unwrap();
    std::fs::remove_file(layer.join("opt/pipe")).unwrap();
    Command::new("mknod").arg(layer.join("opt/pipe")).args(["c", "1", "3"]).status().unwrap();
    std::fs::write(layer.join("opt/keep"), vec![0; 1 << 20]).unwrap();
    let folder = fixture.folder.path().join("tiny");
    std::fs::create_dir(&folder).unwrap();
    run("mount", &["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder.to_str().unwrap()]);
    let full = Mounted(folder);
    let to = full.0.join("web.tar");
    let error = fixture.local.export(&fixture.run, "web", &to, Format::Rootfs).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Publish && error.to_string().contains("No space left"), "{error}");
    assert_eq!(std::fs::read_dir(&full.0).unwrap().count(), 0, "no half file stays");
    assert_eq!(std::fs::read_dir(fixture.store().join("machines")).unwrap().count(), 0);
    let error = fixture.local.export(&fixture.run, "db", &to, Format::Rootfs).await.unwrap_err();
    assert!(error.help_text().is_some_and(|help| help.contains("ami-bake images")), "{error:?}");
}
