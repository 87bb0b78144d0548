//! The platform: each duty is a function of the module that knows it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ami_bake_core::ledger::{Closed, Entry, MACHINE};
use ami_bake_core::plan::{CaptureMode, ImagePlan, SourceImage, SourceQuery};
use ami_bake_core::platform::{
    Candidate, Capabilities, Grant, ImageQuery, ImageRecord, Launch, Machine, Orphan, Permission, Platform,
    Registration, Undo,
};
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;

use crate::machine::{Helper, IMAGE, Shared, launch};
use crate::store::{Image, Store};
use crate::{preflight, publish, source, sweep};

/// The platform's name in the ledger and in manifests.
pub(crate) const PLATFORM: &str = "local";

/// What this machine can do for a bake. Every capture mode means the same: the machine's processes end first.
pub const CAPABILITIES: Capabilities = Capabilities {
    platform: PLATFORM,
    source: PLATFORM,
    machine: &["user", "network", "lifetime", "tags"],
    publish: &["name", "description", "tags", "keep", "if"],
    captures: &[CaptureMode::Halted, CaptureMode::Stopped, CaptureMode::Live],
    init: false,
    deploy: false,
    replaces_versions: true,
    services: false,
};

/// This machine as a platform.
#[derive(Debug, Clone)]
pub struct Local {
    pub(crate) store: Store,
    pub(crate) helper: Helper,
    tidied: Arc<tokio::sync::OnceCell<()>>,
    /// The machines of this process, for undo: their folders alone would leave their processes.
    machines: Arc<Mutex<HashMap<String, Weak<Shared>>>>,
}

impl Local {
    /// The platform with its images in the folder `store`. `program` is a binary that gives its command line to
    /// [`sandbox::dispatch`](crate::sandbox::dispatch) first: `ami-bake` itself.
    ///
    /// # Errors
    /// When the store can't be made.
    pub fn new(store: &Path, program: PathBuf) -> Result<Self> {
        Ok(Self {
            store: Store::open(store)?,
            helper: Helper::new(program),
            tidied: Arc::default(),
            machines: Arc::default(),
        })
    }

    /// The platform with this very program.
    ///
    /// # Errors
    /// As [`Local::new`].
    pub fn of_this_program(store: &Path) -> Result<Self> {
        let program = std::env::current_exe().map_err(|error| Error::internal("find this program").because(error))?;
        Self::new(store, program)
    }

    /// Ends a machine of this process or of one that is gone.
    async fn end_machine(&self, id: &str) -> Result<Undo> {
        let ours = self.machines.lock().unwrap_or_else(PoisonError::into_inner).get(id).and_then(Weak::upgrade);
        match ours {
            Some(machine) => machine.discard().await?,
            None if self.store.is_held(id) => return Ok(Undo::Later("the bake that it belongs to still runs".into())),
            None => self.helper.empty(self.store.discard_machine(id)?),
        }
        Ok(Undo::Done)
    }

    /// The image store.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

#[async_trait]
impl Platform for Local {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn region(&self) -> Option<String> {
        None
    }

    async fn find_source(&self, run: &Run, query: &SourceQuery) -> Result<SourceImage> {
        run.until_cancelled(source::find(&self.store, &self.helper, query)).await?
    }

    async fn images(&self, _run: &Run, query: &ImageQuery) -> Result<Vec<ImageRecord>> {
        let fits = |record: &ImageRecord| {
            query.namespace.as_ref().is_none_or(|namespace| *namespace == record.namespace)
                && query.key.as_ref().is_none_or(|key| *key == record.key)
        };
        Ok(self.store.images()?.iter().filter_map(Image::record).filter(fits).collect())
    }

    async fn launch(&self, run: &Run, wanted: &Launch<'_>) -> Result<Box<dyn Machine>> {
        // What a killed bake left goes before the first machine of a new one comes.
        self.tidied.get_or_init(|| sweep::tidy(self, run)).await;
        let machine = launch(run, &self.store, &self.helper, wanted).await?;
        let mut machines = self.machines.lock().unwrap_or_else(PoisonError::into_inner);
        machines.insert(machine.shared.id.clone(), Arc::downgrade(&machine.shared));
        Ok(Box::new(machine))
    }

    async fn register(&self, run: &Run, image: &Candidate, registration: &Registration<'_>) -> Result<ImageRecord> {
        publish::register(self, run, image, registration).await
    }

    async fn delete_image(&self, run: &Run, image: &str) -> Result<()> {
        let lock = self.store.lock().await?;
        let trash = self.store.delete(image)?;
        drop(lock);
        self.helper.empty(trash);
        run.ledger().close_id(IMAGE, image, Closed::Deleted)
    }

    async fn undo(&self, run: &Run, entry: &Entry) -> Result<Undo> {
        let id = entry.id.as_deref().unwrap_or(&entry.find_by);
        match entry.kind.as_str() {
            MACHINE => return self.end_machine(id).await,
            IMAGE => self.delete_image(run, id).await?,
            other => return Ok(Undo::Later(format!("this ami-bake doesn't know what a local {other} is"))),
        }
        Ok(Undo::Done)
    }

    async fn close(&self, _run: &Run) -> Result<()> {
        Ok(())
    }

    async fn expired(&self, run: &Run) -> Result<Vec<Orphan>> {
        sweep::expired(self, run)
    }

    async fn remove(&self, run: &Run, leftover: &Orphan) -> Result<Undo> {
        sweep::remove(self, run, leftover).await
    }

    async fn permissions(&self, _: &Run, _: &[ImagePlan], _: &[Grant]) -> Result<Vec<Permission>> {
        Ok(preflight::permissions())
    }
}
