//! Vagrant boxes: a tar file with the disk and its description
//! (<https://developer.hashicorp.com/vagrant/docs/boxes/format>).

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use ami_bake_core::{Error, Result};
use serde_json::json;

use super::format::Format;
use crate::qemu::{convert, info};

/// Processors and memory in MiB of a machine from the box, unless its user sets others.
const CPUS: u32 = 2;
const MEMORY: u32 = 2048;
/// The MAC address of a VirtualBox machine's first card, in VirtualBox's own range. Vagrant replaces it for each machine.
const MAC: &str = "080027B1A2C3";

/// What a box says about its image.
#[derive(Debug)]
pub(super) struct BoxFacts<'a> {
    /// Name of the image.
    pub(super) name: &'a str,
    /// Login name, if known.
    pub(super) user: Option<&'a str>,
    /// True if the disk boots by UEFI.
    pub(super) uefi: bool,
    /// Size of the disk in bytes.
    pub(super) size: u64,
}

/// Writes a box. The converted disk is in the folder `work` meanwhile.
///
/// # Errors
/// When the disk can't be converted, or a file can't be written.
pub(super) async fn write(facts: &BoxFacts<'_>, disk: &Path, work: &Path, to: &Path, format: Format) -> Result<()> {
    let virtualbox = format == Format::VagrantVirtualbox;
    let name = if virtualbox { "box-disk001.vmdk" } else { "box.img" };
    let converted = work.join(name);
    let options: &[&str] =
        if virtualbox { &["-O", "vmdk", "-o", "subformat=streamOptimized"] } else { &["-O", "qcow2", "-c"] };
    convert(disk, "qcow2", &converted, options).await?;
    let mut files: Vec<(&str, String)> = Vec::new();
    if virtualbox {
        let length = std::fs::metadata(&converted).map_or(0, |data| data.len());
        let size = info(&converted).await?.size;
        files.push(("metadata.json", json!({ "provider": "virtualbox" }).to_string()));
        files.push(("box.ovf", ovf(facts, name, length, size)));
    } else {
        let gib = facts.size.div_ceil(1 << 30);
        let metadata = json!({ "provider": "libvirt", "format": "qcow2", "virtual_size": gib });
        files.push(("metadata.json", metadata.to_string()));
    }
    files.push(("Vagrantfile", vagrantfile(facts, virtualbox)));
    let to: PathBuf = to.to_owned();
    let work = tokio::task::spawn_blocking(move || {
        archive(&to, &files, name, &converted)
            .map_err(|error| Error::build(format!("could not write {}", to.display())).because(error))
    });
    work.await.map_err(|error| Error::internal("could not write a Vagrant box").because(error))?
}

fn archive(to: &Path, files: &[(&str, String)], name: &str, disk: &Path) -> std::io::Result<()> {
    let mut archive = tar::Builder::new(BufWriter::with_capacity(1 << 20, File::create_new(to)?));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(text.len() as u64);
        archive.append_data(&mut header, name, text.as_bytes())?;
    }
    archive.append_path_with_name(disk, name)?;
    archive.into_inner()?.flush()
}

/// The settings that come with the box.
fn vagrantfile(facts: &BoxFacts<'_>, virtualbox: bool) -> String {
    let mut text = String::from("Vagrant.configure(\"2\") do |config|\n");
    if let Some(user) = facts.user {
        text.push_str(&format!("  config.ssh.username = \"{user}\"\n"));
    }
    if virtualbox {
        text.push_str(&format!("  config.vm.base_mac = \"{MAC}\"\n"));
    } else {
        text.push_str("  config.vm.provider :libvirt do |libvirt|\n    libvirt.driver = \"kvm\"\n");
        if facts.uefi {
            text.push_str("    libvirt.loader = \"/usr/share/OVMF/OVMF_CODE.fd\"\n");
        }
        text.push_str("  end\n");
    }
    text.push_str("end\n");
    text
}

/// The description of the machine (DMTF DSP0243, OVF 1.1; the types of hardware are those of CIM's ResourceType).
fn ovf(facts: &BoxFacts<'_>, disk: &str, length: u64, capacity: u64) -> String {
    let name = escaped(facts.name);
    let firmware = if facts.uefi { "EFI" } else { "BIOS" };
    let items = [
        format!(
            "<rasd:Caption>{CPUS} processors</rasd:Caption><rasd:ElementName>processors</rasd:ElementName>\
             <rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType>\
             <rasd:VirtualQuantity>{CPUS}</rasd:VirtualQuantity>"
        ),
        format!(
            "<rasd:AllocationUnits>MegaBytes</rasd:AllocationUnits><rasd:ElementName>memory</rasd:ElementName>\
             <rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType>\
             <rasd:VirtualQuantity>{MEMORY}</rasd:VirtualQuantity>"
        ),
        "<rasd:Address>0</rasd:Address><rasd:ElementName>sata0</rasd:ElementName><rasd:InstanceID>3</rasd:InstanceID>\
         <rasd:ResourceSubType>AHCI</rasd:ResourceSubType><rasd:ResourceType>20</rasd:ResourceType>"
            .to_owned(),
        "<rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:ElementName>disk1</rasd:ElementName>\
         <rasd:HostResource>/disk/vmdisk1</rasd:HostResource><rasd:InstanceID>4</rasd:InstanceID>\
         <rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType>"
            .to_owned(),
        "<rasd:AutomaticAllocation>true</rasd:AutomaticAllocation><rasd:Connection>NAT</rasd:Connection>\
         <rasd:ElementName>network</rasd:ElementName><rasd:InstanceID>5</rasd:InstanceID>\
         <rasd:ResourceSubType>E1000</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType>"
            .to_owned(),
    ];
    let items = items.map(|item| format!("      <Item>{item}</Item>\n")).concat();
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Envelope ovf:version="1.0" xml:lang="en-US" xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData" xmlns:vbox="http://www.virtualbox.org/ovf/machine">
  <References>
    <File ovf:id="file1" ovf:href="{disk}" ovf:size="{length}"/>
  </References>
  <DiskSection>
    <Info>Disks</Info>
    <Disk ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:capacity="{capacity}" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
  </DiskSection>
  <NetworkSection>
    <Info>Networks</Info>
    <Network ovf:name="NAT"><Description>Address translation</Description></Network>
  </NetworkSection>
  <VirtualSystem ovf:id="box">
    <Info>{name}</Info>
    <OperatingSystemSection ovf:id="102">
      <Info>Operating system</Info>
      <Description>Linux_64</Description>
      <vbox:OSType ovf:required="false">Linux_64</vbox:OSType>
    </OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>Hardware</Info>
      <System>
        <vssd:ElementName>Hardware</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>box</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>virtualbox-2.2</vssd:VirtualSystemType>
      </System>
{items}    </VirtualHardwareSection>
    <vbox:Machine ovf:required="false" version="1.16-linux" uuid="{{{uuid}}}" name="box" OSType="Linux_64">
      <ovf:Info>Settings of VirtualBox</ovf:Info>
      <Hardware>
        <Firmware type="{firmware}"/>
        <CPU count="{CPUS}"><PAE enabled="true"/><LongMode enabled="true"/></CPU>
        <Memory RAMSize="{MEMORY}"/>
        <BIOS><IOAPIC enabled="true"/></BIOS>
        <Network>
          <Adapter slot="0" enabled="true" MACAddress="{MAC}" type="82540EM"><NAT/></Adapter>
        </Network>
        <UART><Port slot="0" enabled="true" IOBase="0x3f8" IRQ="4" hostMode="Disconnected"/></UART>
      </Hardware>
      <StorageControllers>
        <StorageController name="SATA" type="AHCI" PortCount="1" useHostIOCache="false" Bootable="true"/>
      </StorageControllers>
    </vbox:Machine>
  </VirtualSystem>
</Envelope>
"#,
        uuid = uuid::Uuid::new_v4(),
    )
}

/// A text in XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
