//! Launches a machine.

use std::sync::Arc;

use ami_bake_core::ledger::{Closed, MACHINE};
use ami_bake_core::platform::Launch;
use ami_bake_core::{Result, Run};

use super::sandbox::Sandbox;
use super::state::SandboxState;
use super::stop::discard;
use crate::capabilities::PLATFORM;
use crate::sandbox::{Helper, Network, Spec};
use crate::secrets;
use crate::source::{self, Stack};
use crate::store::{Base, MachineInfo, Store, new_id};

/// Starts a sandbox from the source. It is recorded in the ledger before its folder is created.
pub(crate) async fn launch(run: &Run, store: &Store, helper: &Helper, launch: &Launch<'_>) -> Result<Sandbox> {
    let id = new_id("box");
    let ticket = run.intend(PLATFORM, MACHINE, None, &id)?;
    // The lock keeps the layers from being removed until the machine is registered as their user.
    let lock = store.lock().await?;
    let stack = source::stack(run, store, launch.source)?;
    let folder = store.new_machine(&id)?;
    let info = MachineInfo {
        run: run.id().to_owned(),
        purpose: format!("{} of {}/{}", launch.phase.as_str(), launch.namespace, launch.key),
        layers: stack.layers.clone(),
        kept: None,
    };
    info.write(folder.path())?;
    drop(lock);
    run.ledger().confirm(ticket, &id);
    let spec = spec(store, &stack, launch, folder.path())?;
    let state = Arc::new(SandboxState::new(store.clone(), helper.clone(), stack, info, spec, folder));
    if let Err(error) = state.start().await {
        // If this fails too, the ledger still has the machine.
        if discard(&state).await.is_ok() {
            run.ledger().close_id(MACHINE, &id, Closed::Deleted);
        }
        return Err(error);
    }
    Ok(Sandbox { state })
}

fn spec(store: &Store, stack: &Stack, launch: &Launch<'_>, folder: &std::path::Path) -> Result<Spec> {
    let mut spec = Spec {
        lower: stack.lower.clone(),
        upper: folder.join("upper"),
        work: folder.join("work"),
        hostname: Some(launch.key.host_name()).filter(|name| !name.is_empty()).unwrap_or_else(|| "sandbox".to_owned()),
        network: if launch.machine.network == Some(false) { Network::None } else { Network::Host },
        // A machine does not survive a power failure anyway; its image is synced to the disk when it is registered.
        volatile: true,
        lifetime: Some(launch.lifetime.as_secs()),
        ..Spec::default()
    };
    if matches!(stack.base, Base::Host { .. }) {
        let secrets = secrets::of_host(&[store.root()])?;
        spec.hide = secrets.hide;
        spec.replace = secrets.replace;
    }
    Ok(spec)
}
