//! Disks as sources: formats, checksums, and what is no disk.

use ami_bake_core::{ErrorKind, Result};

use crate::fixture::{VmFixture, machine, sh};

/// Every form of a disk starts a machine, and the source is not written to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_is_read_in_every_format() {
    let fixture = VmFixture::new();
    fixture.disk("disk.raw", "hello");
    sh(
        fixture.folder.path(),
        "qemu-img convert -f raw -O qcow2 disk.raw disk.qcow2; gzip -k disk.raw; xz -k disk.qcow2; zstd -q disk.raw",
    );
    for name in ["disk.raw", "disk.qcow2", "disk.raw.gz", "disk.qcow2.xz", "disk.raw.zst"] {
        let path = fixture.path(name);
        let before = std::fs::read(&path).unwrap();
        let source = fixture.find(&path, None).await.unwrap();
        let sum = sh(fixture.folder.path(), &format!("sha256sum {name}"));
        assert_eq!(source.identity, format!("sha256:{}", sum.split(' ').next().unwrap()), "{name}");
        let machine = fixture.launch_with(&source, &machine()).await.unwrap();
        assert!(fixture.vm.store().layer(&source.id).join("disk.qcow2").is_file(), "{name}");
        machine.destroy(&fixture.run).await.unwrap();
        assert!(std::fs::read(&path).unwrap() == before, "{name} was written to");
    }
    assert_eq!(fixture.left(), Vec::<String>::new());
}

/// What can't boot, or could read other files, is refused before a machine starts, and leaves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_bootable_disk_is_refused() {
    let fixture = VmFixture::new();
    fixture.disk("disk.raw", "hello");
    sh(
        fixture.folder.path(),
        "echo 'not a disk at all' > text; : > empty; truncate -s 4M zeros; echo secret > secret
         qemu-img convert -f raw -O qcow2 disk.raw whole.qcow2; head -c 100000 whole.qcow2 > torn.qcow2
         qemu-img create -q -f qcow2 -b secret -F raw backed.qcow2 1M
         qemu-img create -q -f qcow2 -o data_file=secret.raw,data_file_raw=on data.qcow2 1M
         qemu-img convert -f raw -O vmdk disk.raw disk.vmdk; gzip -k disk.raw; head -c 600 disk.raw.gz > torn.raw.gz
         mkdir folder",
    );
    for (name, expected) in [
        ("text", "no partition table or boot sector"),
        ("empty", "no partition table or boot sector"),
        ("zeros", "no partition table or boot sector"),
        ("torn.qcow2", "no partition table or boot sector"),
        ("backed.qcow2", "it refers to another file, secret"),
        ("data.qcow2", "it refers to another file, secret.raw"),
        ("disk.vmdk", "its format is vmdk"),
        ("torn.raw.gz", "could not decompress"),
        ("folder", "could not read"),
    ] {
        let error = fixture.launch(&fixture.path(name)).await.err().unwrap_or_else(|| panic!("{name} was accepted"));
        assert!(error.message().contains(expected), "{name}: {error}");
        assert_eq!(error.kind(), ErrorKind::Preflight, "{name}: {error}");
    }
    assert_eq!(fixture.left(), Vec::<String>::new());
    assert!(fixture.run.ledger().open_entries().is_empty());
}

#[tokio::test]
async fn another_checksum_is_refused() {
    let fixture = VmFixture::new();
    let disk = fixture.disk("disk.raw", "hello");
    let wrong = "0".repeat(64);
    let error = fixture.find(&disk, Some(&wrong)).await.unwrap_err();
    assert!(error.message().starts_with("wrong checksum of "), "{error}");
    assert!(error.message().ends_with(&format!(", expected {wrong}")), "{error}");
    let right = fixture.find(&disk, None).await.unwrap().identity.replace("sha256:", "");
    fixture.find(&disk, Some(&right)).await.unwrap();
    // A file that changes after it was found is not what the digest says.
    let source = fixture.find(&disk, None).await.unwrap();
    std::fs::write(&disk, "another").unwrap();
    let changed: Result<_> = fixture.launch_with(&source, &machine()).await.map(drop);
    assert!(changed.unwrap_err().message().starts_with("wrong checksum of "));
}
