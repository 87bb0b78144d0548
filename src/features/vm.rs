//! The `vm` platform.

use std::path::Path;
use std::sync::Arc;

use ami_bake_core::platform::{Capabilities, Platform};
use ami_bake_core::{Result, Run};
use ami_bake_local::default_store;
use ami_bake_vm::{CAPABILITIES, Format, Vm};
use async_trait::async_trait;

use crate::args::{PlatformArgs, StoreArgs};
use crate::host::Host;
use crate::platforms::PlatformFactory;

/// Registers the platform.
pub(super) struct VmFactory;

#[async_trait]
impl PlatformFactory for VmFactory {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    async fn connect(&self, args: PlatformArgs, _: &dyn Host, _: &Run) -> Result<Arc<dyn Platform>> {
        Ok(Arc::new(open(args.store)?))
    }

    async fn export(
        &self,
        run: &Run,
        image: &str,
        file: &Path,
        format: Option<&str>,
        store: StoreArgs,
    ) -> Result<String> {
        let format = Format::of(file, format)?;
        let exported = open(store)?.export(run, image, file, format).await?;
        Ok(format!(
            "Exported {} ({}) to {} as {} ({:.1} MB)\n",
            exported.image.name,
            exported.image.id,
            file.display(),
            exported.format.as_str(),
            exported.size as f64 / 1e6
        ))
    }
}

fn open(store: StoreArgs) -> Result<Vm> {
    let folder = store.store.map_or_else(default_store, Ok)?;
    Vm::of_this_program(&folder)
}
