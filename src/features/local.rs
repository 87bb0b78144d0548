//! The `local` platform.

use std::path::Path;
use std::sync::Arc;

use ami_bake_core::platform::{Capabilities, Platform};
use ami_bake_core::{Result, Run};
use ami_bake_local::{CAPABILITIES, Format, Local, default_store};
use async_trait::async_trait;

use crate::args::{PlatformArgs, StoreArgs};
use crate::host::Host;
use crate::platforms::PlatformFactory;

/// Registers the platform.
pub(super) struct LocalFactory;

#[async_trait]
impl PlatformFactory for LocalFactory {
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
        let mut text = format!(
            "Exported {} ({}) to {} as {} ({:.1} MB)\n",
            exported.image.name,
            exported.image.id,
            file.display(),
            exported.format.as_str(),
            exported.size as f64 / 1e6
        );
        if exported.holds_host() {
            text.push_str(
                "The image is based on `local: host`, so the export includes this machine's system files. Data, keys and \
                 settings of this machine are left out: see `ami-bake help images export`.\n",
            );
        }
        Ok(text)
    }
}

fn open(store: StoreArgs) -> Result<Local> {
    let folder = store.store.map_or_else(default_store, Ok)?;
    Local::of_this_program(&folder)
}
