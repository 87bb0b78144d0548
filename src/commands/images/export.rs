//! `ami-bake images export`

use std::path::PathBuf;

use ami_bake_core::Result;
use clap::ValueEnum;

use crate::args::StoreArgs;
use crate::program::Program;
use crate::report::Show;
use crate::session::{Session, Settings};

/// Export an image of the platform local or vm to a file
///
/// Images of `local`: an OCI image layout keeps the image's layers, and skopeo, podman, docker and umoci can read it. A tarball or an ext4
/// disk contains the whole root file system. Existing files are never overwritten, and a failed export leaves no files.
///
/// Images of `vm` are disks: qcow2, raw, VMDK (stream-optimized), VHD, and Vagrant boxes.
///
/// The export of an image based on `local: host` includes this machine's own system: programs, world-readable settings,
/// and the databases of package managers. It leaves out home directories, keys, password hashes, logs, data, everything
/// in /opt and /srv, mounted file systems, and this machine's names, proxies and credentials of known programs.
/// Everything that the image's own steps created is always included.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake images export web web.oci                       highest version, as an OCI image layout
  ami-bake images export shop/web/1.2.0 web.tar.gz
  ami-bake images export web@~1.2 web.img
  ami-bake images export web web.vmdk --platform vm
  ami-bake images export web web.box --platform vm --format vagrant-virtualbox
  skopeo copy oci:web.oci docker-daemon:shop/web:1.2.0")]
pub(super) struct Args {
    /// Image to export: its ID, NAME/IMAGE/VERSION, or IMAGE@RANGE for the highest tested version in a range
    #[arg(value_name = "IMAGE")]
    image: String,

    /// File to create: a folder or .oci.tar for an OCI image layout, .tar or .tar.gz for a root file system, .img or
    /// .raw for an ext4 disk; with --platform vm .qcow2, .img or .raw, .vmdk, .vhd, or .box
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Format of the export. Default: from the extension of FILE
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,

    /// Platform of the image: local or vm
    #[arg(long, value_name = "PLATFORM", default_value = "local")]
    platform: String,

    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// An OCI image layout: a folder, or a tar file if FILE ends in .tar
    Oci,
    /// The root file system in a tar file
    Rootfs,
    /// The root file system on a raw ext4 disk
    Disk,
    /// A compressed qcow2 disk (vm)
    Qcow2,
    /// A raw disk (vm)
    Raw,
    /// A stream-optimized VMDK (vm)
    Vmdk,
    /// A VHD of fixed size (vm)
    Vhd,
    /// A Vagrant box for libvirt (vm)
    VagrantLibvirt,
    /// A Vagrant box for VirtualBox (vm)
    VagrantVirtualbox,
}

pub(super) async fn run(args: Args, program: &Program) -> Result<u8> {
    let session = Session::begin(Settings::reading(Show::Warnings), &program.host)?;
    let format = args.format.and_then(|format| format.to_possible_value()).map(|value| value.get_name().to_owned());
    let exported = async {
        let platform = program.platforms.get(&args.platform)?;
        platform.export(&session.run, &args.image, &args.file, format.as_deref(), args.store).await
    };
    match exported.await {
        Ok(text) => {
            program.host.say(&text);
            Ok(session.end(0).await)
        }
        Err(error) => session.fail(error).await,
    }
}
