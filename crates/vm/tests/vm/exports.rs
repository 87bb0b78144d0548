//! Exports, each read back by another program.

use std::collections::BTreeMap;

use ami_bake_core::tags;
use ami_bake_local::{Base, Store};
use ami_bake_vm::Format;
use serde_json::Value;

use crate::fixture::{VmFixture, machine, sh};

/// An image of two layers, made of a disk and of what a machine changed on it.
async fn image(fixture: &VmFixture) -> String {
    let disk = fixture.disk("disk.raw", "exported");
    let source = fixture.find(&disk, None).await.unwrap();
    // The launch imports the disk.
    let machine = fixture.launch_with(&source, &machine()).await.unwrap();
    machine.destroy(&fixture.run).await.unwrap();
    let store = fixture.vm.store();
    let layer = store.layer("lyr-0123456789abcdef0");
    std::fs::create_dir(&layer).unwrap();
    sh(
        &layer,
        &format!(
            "qemu-img create -q -f qcow2 -F qcow2 -b ../../layers/{}/disk.qcow2 disk.qcow2
             qemu-io -f qcow2 -c 'write -q -P 0x41 64k 4k' disk.qcow2",
            source.id
        ),
    );
    let tags: BTreeMap<String, String> = [
        (tags::NAME, "shop"),
        (tags::IMAGE, "web"),
        (tags::VERSION, "1.2.0"),
        (tags::DIGEST, "sha256:0"),
        (tags::TESTED, "2026-11-20T12:00:00Z"),
        ("ami-bake:user", "debian"),
        ("ami-bake:firmware", "uefi"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect();
    let layers = vec!["lyr-0123456789abcdef0".to_owned(), source.id.clone()];
    let mut image = Store::new_image("shop/web & <co>/1.2.0".to_owned(), Base::Layers, layers, tags);
    image.candidate = false;
    store.write(&image).unwrap();
    // What the disk holds with both layers.
    let expected = fixture.path("expected.raw");
    sh(&layer, &format!("qemu-img convert -f qcow2 -O raw disk.qcow2 {}", expected.display()));
    image.id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_format_is_read_back() {
    let fixture = VmFixture::new();
    let id = image(&fixture).await;
    let folder = fixture.folder.path();
    for (file, format, kind) in [
        ("web.qcow2", Format::Qcow2, "qcow2"),
        ("web.raw", Format::Raw, "raw"),
        ("web.vmdk", Format::Vmdk, "vmdk"),
        ("web.vhd", Format::Vhd, "vpc"),
    ] {
        let exported = fixture.vm.export(&fixture.run, &id, &fixture.path(file), format).await.unwrap();
        assert!(exported.size > 0, "{file}");
        let info = sh(folder, &format!("qemu-img info -f {kind} --output=json {file}"));
        let info: Value = serde_json::from_str(&info).unwrap();
        assert_eq!(info["format"], kind, "{info:#}");
        assert_eq!(info["virtual-size"], 1 << 20, "{info:#}");
        assert!(info["backing-filename"].is_null(), "{info:#}");
        if format == Format::Vmdk {
            assert_eq!(info["format-specific"]["data"]["create-type"], "streamOptimized");
        }
        sh(folder, &format!("qemu-img compare -q -f {kind} -F raw {file} expected.raw"));
        let again = fixture.vm.export(&fixture.run, &id, &fixture.path(file), format).await.unwrap_err();
        assert!(again.message().ends_with("already exists"), "{again}");
    }
    assert_eq!(fixture.left(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_has_what_vagrant_needs() {
    let fixture = VmFixture::new();
    let id = image(&fixture).await;
    let folder = fixture.folder.path();
    for (name, format) in [("libvirt", Format::VagrantLibvirt), ("virtualbox", Format::VagrantVirtualbox)] {
        let file = fixture.path(&format!("{name}.box"));
        let exported = fixture.vm.export(&fixture.run, "shop/web/1.2.0", &file, format).await.unwrap();
        assert_eq!(exported.image.id, id);
        sh(folder, &format!("mkdir {name} && tar xf {name}.box -C {name}"));
        let read = |file: &str| std::fs::read_to_string(folder.join(name).join(file)).unwrap();
        let metadata: Value = serde_json::from_str(&read("metadata.json")).unwrap();
        assert_eq!(metadata["provider"], name);
        assert!(read("Vagrantfile").contains("config.ssh.username = \"debian\""));
        if name == "libvirt" {
            assert_eq!((&metadata["format"], &metadata["virtual_size"]), (&"qcow2".into(), &1.into()));
            sh(folder, "qemu-img compare -q -f qcow2 -F raw libvirt/box.img expected.raw");
            continue;
        }
        sh(folder, "qemu-img compare -q -f vmdk -F raw virtualbox/box-disk001.vmdk expected.raw");
        // Python's own parser reads it, and every reference leads somewhere.
        let check = r#"
import os, sys, xml.etree.ElementTree as tree
ovf, rasd = "{http://schemas.dmtf.org/ovf/envelope/1}", "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData}"
root = tree.parse("virtualbox/box.ovf").getroot()
file = root.find(f"{ovf}References/{ovf}File")
path = "virtualbox/" + file.get(ovf + "href")
assert os.path.getsize(path) == int(file.get(ovf + "size"))
disk = root.find(f"{ovf}DiskSection/{ovf}Disk")
assert disk.get(ovf + "fileRef") == file.get(ovf + "id") and disk.get(ovf + "capacity") == str(1 << 20)
items = root.findall(f"{ovf}VirtualSystem/{ovf}VirtualHardwareSection/{ovf}Item")
by_id = {item.find(rasd + "InstanceID").text: item for item in items}
assert len(by_id) == len(items)
[drive] = [item for item in items if item.find(rasd + "ResourceType").text == "17"]
assert drive.find(rasd + "HostResource").text == "/disk/" + disk.get(ovf + "diskId")
assert by_id[drive.find(rasd + "Parent").text].find(rasd + "ResourceSubType").text == "AHCI"
assert root.find(f"{ovf}VirtualSystem/{ovf}Info").text == "shop/web & <co>/1.2.0"
assert 'Firmware type="EFI"' in open("virtualbox/box.ovf").read()
"#;
        std::fs::write(folder.join("check.py"), check).unwrap();
        sh(folder, "python3 check.py");
    }
}
