//! The context that main passes to every command.

use std::sync::Arc;

use ami_bake_core::platform::Platform;
use ami_bake_core::{Result, Run};

use crate::args::PlatformArgs;
use crate::host::Host;
use crate::platforms::Platforms;

/// The host and the platforms of this build.
#[derive(Clone)]
pub(crate) struct Program {
    /// The terminal or the workflow.
    pub(crate) host: Arc<dyn Host>,
    /// The platforms of this build.
    pub(crate) platforms: Platforms,
}

impl Program {
    /// Connects to a platform.
    ///
    /// # Errors
    /// When this build has no platform of that name, or it can't be reached.
    pub(crate) async fn connect(&self, name: &str, args: PlatformArgs, run: &Run) -> Result<Arc<dyn Platform>> {
        self.host.platform_chosen(run, name, &args);
        self.platforms.get(name)?.connect(args, self.host.as_ref(), run).await
    }
}
