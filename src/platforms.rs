//! The registry of platforms. `features` fills it; everything else looks platforms up by name.

use std::path::Path;
use std::sync::Arc;

use ami_bake_core::platform::{Capabilities, Platform};
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;

use crate::args::{PlatformArgs, StoreArgs};
use crate::host::Host;

/// Everything that the program needs to offer a platform.
#[async_trait]
pub(crate) trait PlatformFactory: Sync {
    /// Capabilities of the platform, including its name in manifests and in `--platform`.
    fn capabilities(&self) -> Capabilities;

    /// Connects to the platform.
    ///
    /// # Errors
    /// When the arguments are incomplete or the platform can't be reached.
    async fn connect(&self, args: PlatformArgs, host: &dyn Host, run: &Run) -> Result<Arc<dyn Platform>>;

    /// Writes an image to a file and returns a sentence about it. `format` overrides the file's extension.
    ///
    /// # Errors
    /// When the platform can't export, the image does not exist, or the file can't be written.
    async fn export(
        &self,
        _run: &Run,
        _image: &str,
        _file: &Path,
        _format: Option<&str>,
        _store: StoreArgs,
    ) -> Result<String> {
        Err(Error::usage(format!("platform `{}` does not support image export", self.capabilities().platform)))
    }
}

/// The platforms of this build.
#[derive(Clone, Copy)]
pub(crate) struct Platforms(pub(crate) &'static [&'static dyn PlatformFactory]);

impl Platforms {
    /// Name of the default platform.
    pub(crate) fn default_name(self) -> &'static str {
        self.0.first().map_or("", |platform| platform.capabilities().platform)
    }

    /// The capabilities of every platform.
    pub(crate) fn capabilities(self) -> Vec<Capabilities> {
        self.0.iter().map(|platform| platform.capabilities()).collect()
    }

    /// The platform with this name.
    ///
    /// # Errors
    /// When this build does not include the platform.
    pub(crate) fn get(self, name: &str) -> Result<&'static dyn PlatformFactory> {
        self.0.iter().copied().find(|platform| platform.capabilities().platform == name).ok_or_else(|| {
            let names: Vec<String> =
                self.0.iter().map(|platform| format!("`{}`", platform.capabilities().platform)).collect();
            Error::usage(format!("platform `{name}` is not supported by this build"))
                .help(format!("Available: {}.", names.join(", ")))
        })
    }
}
