//! The platform: each method calls the module that implements it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ami_bake_core::ledger::{Entry, IMAGE, MACHINE};
use ami_bake_core::plan::{ImagePlan, SourceImage, SourceQuery};
use ami_bake_core::platform::{
    Candidate, Capabilities, Grant, ImageQuery, ImageRecord, Launch, Machine, Orphan, Orphans, Permission, Platform,
    Registration, SweepScope, Undo,
};
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;

use crate::capabilities::{CAPABILITIES, PLATFORM, SANDBOX};
use crate::export::{Exported, Format, export};
use crate::images::Images;
use crate::machine::{SandboxState, discard, launch};
use crate::sandbox::Helper;
use crate::store::Store;
use crate::{preflight, source};

/// This machine as a platform.
#[derive(Debug, Clone)]
pub struct Local {
    images: Images,
    helper: Helper,
    cleaned_up: Arc<tokio::sync::OnceCell<()>>,
    /// The machines of this process, whose processes undo has to end, too.
    machines: Arc<Mutex<HashMap<String, Weak<SandboxState>>>>,
}

impl Local {
    /// The platform with its images in the folder `store`. `program` is a program that calls
    /// [`dispatch`](crate::dispatch) first: `ami-bake` itself.
    ///
    /// # Errors
    /// When the store can't be created.
    pub fn new(store: &Path, program: PathBuf) -> Result<Self> {
        let helper = Helper::new(program);
        let remover = Arc::new(helper.clone());
        Ok(Self {
            images: Images::new(Store::open(store)?, PLATFORM, SANDBOX, remover),
            helper,
            cleaned_up: Arc::default(),
            machines: Arc::default(),
        })
    }

    /// The platform with this program.
    ///
    /// # Errors
    /// As [`Local::new`].
    pub fn of_this_program(store: &Path) -> Result<Self> {
        let program =
            std::env::current_exe().map_err(|error| Error::internal("could not find this program").because(error))?;
        Self::new(store, program)
    }

    /// Ends a machine of this process, or of a process that has ended.
    async fn end_machine(&self, id: &str) -> Result<Undo> {
        let own = self.machines.lock().unwrap_or_else(PoisonError::into_inner).get(id).and_then(Weak::upgrade);
        match own {
            Some(machine) => discard(&machine).await?,
            None if self.store().is_held(id) => return Ok(Undo::Later("its bake is still running".into())),
            None => self.images.discard_machine(id)?,
        }
        Ok(Undo::Done)
    }

    /// Writes an image to the file or folder `to`, whole or not at all. `image` is an id, `NAME/IMAGE/VERSION` or
    /// `[NAME/]IMAGE[@RANGE]`.
    ///
    /// # Errors
    /// When there is no such image, `to` exists, a layer is missing, or it can't be written.
    pub async fn export(&self, run: &Run, image: &str, to: &Path, format: Format) -> Result<Exported> {
        export(self.store(), &self.helper, run, image, to, format).await
    }

    /// The image store.
    pub fn store(&self) -> &Store {
        self.images.store()
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

    async fn owner(&self, _: &Run) -> Result<Option<String>> {
        let root = self.store().root();
        let root = std::fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
        Ok(Some(format!("the image store {}", root.display())))
    }

    async fn find_source(&self, run: &Run, query: &SourceQuery) -> Result<SourceImage> {
        run.until_cancelled(source::find(&self.images, &self.helper, query)).await?
    }

    async fn images(&self, _run: &Run, query: &ImageQuery) -> Result<Vec<ImageRecord>> {
        self.images.list(query)
    }

    async fn launch(&self, run: &Run, request: &Launch<'_>) -> Result<Box<dyn Machine>> {
        // Remains of a killed bake are removed before the first machine starts.
        self.cleaned_up.get_or_init(|| self.images.clean_up(run)).await;
        let machine = launch(run, self.store(), &self.helper, request).await?;
        let mut machines = self.machines.lock().unwrap_or_else(PoisonError::into_inner);
        machines.insert(machine.state.id.clone(), Arc::downgrade(&machine.state));
        Ok(Box::new(machine))
    }

    async fn register(&self, run: &Run, image: &Candidate, registration: &Registration<'_>) -> Result<ImageRecord> {
        self.images.register(run, image, registration).await
    }

    async fn delete_image(&self, run: &Run, image: &str) -> Result<()> {
        self.images.delete(run, image).await
    }

    async fn undo(&self, run: &Run, entry: &Entry) -> Result<Undo> {
        let id = entry.id.as_deref().unwrap_or(&entry.find_by);
        match entry.kind.as_str() {
            MACHINE => return self.end_machine(id).await,
            // The image was registered before the run was cut off: others may use it.
            IMAGE if self.store().image(id).is_ok_and(|image| !image.candidate) => {
                return Ok(Undo::Kept("it is registered and tested".to_owned()));
            }
            IMAGE => self.delete_image(run, id).await?,
            other => return Ok(Undo::Later(format!("this version of ami-bake can't delete a local {other}"))),
        }
        Ok(Undo::Done)
    }

    async fn close(&self, _run: &Run) -> Result<()> {
        Ok(())
    }

    async fn expired(&self, run: &Run, _: &SweepScope) -> Result<Orphans> {
        Ok(Orphans { found: self.images.expired(run)?, incomplete: false })
    }

    async fn remove(&self, run: &Run, orphan: &Orphan) -> Result<Undo> {
        self.images.remove(run, orphan).await?;
        Ok(Undo::Done)
    }

    async fn permissions(&self, _: &Run, _: &[ImagePlan], _: &[Grant]) -> Result<Vec<Permission>> {
        Ok(preflight::permissions())
    }
}
