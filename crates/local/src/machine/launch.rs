//! Starts a machine.

use ami_bake_core::ledger::MACHINE;
use ami_bake_core::platform::Launch;
use ami_bake_core::{Result, Run};

use super::{Helper, Sandbox, Shared};
use crate::platform::PLATFORM;
use crate::sandbox::{Network, Spec};
use crate::secrets;
use crate::source::{self, Stack};
use crate::store::{About, Base, Store, new_id};

/// The longest host name that Linux takes.
const NAME_LIMIT: usize = 64;

/// Starts a sandbox on the source, in the ledger before its folder is made.
pub(crate) async fn launch(run: &Run, store: &Store, helper: &Helper, launch: &Launch<'_>) -> Result<Sandbox> {
    let id = new_id("box");
    let ticket = run.intend(PLATFORM, MACHINE, None, &id)?;
    // Between looking the layers up and noting that they are stood on nobody may take them away.
    let lock = store.lock().await?;
    let stack = source::stack(run, store, launch.source)?;
    let folder = store.new_machine(&id)?;
    let about = About {
        run: run.id().to_owned(),
        purpose: format!("{} of {}/{}", launch.phase.as_str(), launch.namespace, launch.key),
        layers: stack.layers.clone(),
        kept: None,
    };
    about.write(folder.path())?;
    drop(lock);
    run.ledger().confirm(ticket, &id)?;
    let spec = describe(store, &stack, launch, folder.path())?;
    let shared = std::sync::Arc::new(Shared::new(store.clone(), helper.clone(), stack, about, spec, folder));
    if let Err(error) = shared.start().await {
        // The ledger still has it should this fail too.
        if shared.discard().await.is_ok() {
            run.ledger().close_id(MACHINE, &id, ami_bake_core::ledger::Closed::Deleted)?;
        }
        return Err(error);
    }
    Ok(Sandbox { shared })
}

fn describe(store: &Store, stack: &Stack, launch: &Launch<'_>, folder: &std::path::Path) -> Result<Spec> {
    let mut spec = Spec {
        lower: stack.lower.clone(),
        upper: folder.join("upper"),
        work: folder.join("work"),
        hostname: host_name(&launch.key.to_string()),
        network: if launch.machine.network == Some(false) { Network::None } else { Network::Host },
        // A machine that loses its power is gone anyway; its image is written to disk when it is published.
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

/// The image's name with what a host name may hold (hostname(7)).
fn host_name(key: &str) -> String {
    let name: String =
        key.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let name = name.get(..NAME_LIMIT).unwrap_or(&name).trim_matches('-');
    if name.is_empty() { "sandbox".to_owned() } else { name.to_owned() }
}
