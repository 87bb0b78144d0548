//! The `aws` platform.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_aws::{Aws, CAPABILITIES, Identity, Settings, session_name};
use ami_bake_core::limit::Limiter;
use ami_bake_core::platform::{Capabilities, Platform};
use ami_bake_core::{Result, Run};
use async_trait::async_trait;

use crate::args::{IdentityArgs, PlatformArgs};
use crate::host::{Host, HostIdentity};
use crate::platforms::PlatformFactory;

/// Registers the platform.
pub(in crate::features) struct AwsFactory;

#[async_trait]
impl PlatformFactory for AwsFactory {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    async fn connect(&self, args: PlatformArgs, host: &dyn Host, run: &Run) -> Result<Arc<dyn Platform>> {
        let clock = run.clock_handle();
        let limiter = Arc::new(Limiter::new(Arc::clone(&clock)));
        let settings = Settings {
            region: args.region,
            identity: identity(args.identity, host.identity(run)?, run),
            ..Settings::default()
        };
        Ok(Arc::new(Aws::new(settings, clock, limiter).await?))
    }
}

/// The identity settings from the flags and from the host.
fn identity(args: IdentityArgs, host: HostIdentity, run: &Run) -> Identity {
    let warn = run.for_all();
    let name = args.session_name.or(host.session_name);
    Identity {
        audience: args.audience,
        session_name: name.as_deref().map(session_name),
        duration: args.role_duration.map(Duration::from_secs),
        masker: Some(Arc::clone(run.masker())),
        warn: Some(Arc::new(move |message| warn.warn(message, None))),
        roles: args.role,
        help: host.help,
        tokens: host.tokens,
        ..Identity::default()
    }
}
