//! The `docker` platform.

use std::sync::Arc;

use ami_bake_core::platform::{Capabilities, Platform};
use ami_bake_core::{Result, Run};
use ami_bake_docker::{CAPABILITIES, Docker, Settings};
use async_trait::async_trait;

use crate::args::PlatformArgs;
use crate::host::Host;
use crate::platforms::PlatformFactory;

/// Registers the platform.
pub(super) struct DockerFactory;

#[async_trait]
impl PlatformFactory for DockerFactory {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    async fn connect(&self, _: PlatformArgs, _: &dyn Host, _: &Run) -> Result<Arc<dyn Platform>> {
        Ok(Arc::new(Docker::connect(Settings::from_environment()).await?))
    }
}
