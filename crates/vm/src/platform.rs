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
use ami_bake_local::{Images, OwnFiles, Store, architecture};
use async_trait::async_trait;

use crate::capabilities::{CAPABILITIES, PLATFORM, VIRTUAL_MACHINE};
use crate::export::{Exported, Format, export};
use crate::host::{Accelerator, detect, emulator, qemu_img};
use crate::machine::{Computer, FIRMWARE, USER, VmState, discard, launch, preflight};
use crate::source;

/// Virtual machines on this computer as a platform.
#[derive(Clone)]
pub struct Vm {
    images: Images,
    computer: Arc<Computer>,
    cleaned_up: Arc<tokio::sync::OnceCell<()>>,
    /// The machines of this process, which undo has to end, too.
    machines: Arc<Mutex<HashMap<String, Weak<VmState>>>>,
}

impl Vm {
    /// The platform with its images in the folder `vm` of the store. `program` is a program that calls
    /// [`dispatch`](crate::dispatch) first: `ami-bake` itself.
    ///
    /// # Errors
    /// When the store can't be created.
    pub fn new(store: &Path, program: PathBuf) -> Result<Self> {
        let store = Store::open(&store.join(PLATFORM))?;
        Ok(Self {
            images: Images::new(store, PLATFORM, VIRTUAL_MACHINE, Arc::new(OwnFiles)),
            computer: Arc::new(Computer::new(program)),
            cleaned_up: Arc::default(),
            machines: Arc::default(),
        })
    }

    /// The platform with this program.
    ///
    /// # Errors
    /// As [`Vm::new`].
    pub fn of_this_program(store: &Path) -> Result<Self> {
        let program =
            std::env::current_exe().map_err(|error| Error::internal("could not find this program").because(error))?;
        Self::new(store, program)
    }

    /// Writes an image to the file `to`, whole or not at all. `image` is an ID, `NAME/IMAGE/VERSION` or
    /// `[NAME/]IMAGE[@RANGE]`.
    ///
    /// # Errors
    /// When there is no such image, `to` exists, or it can't be written.
    pub async fn export(&self, run: &Run, image: &str, to: &Path, format: Format) -> Result<Exported> {
        export(&self.images, run, image, to, format).await
    }

    /// The image store.
    pub fn store(&self) -> &Store {
        self.images.store()
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
}

#[async_trait]
impl Platform for Vm {
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
        run.until_cancelled(source::find(&self.images, query)).await?
    }

    async fn images(&self, _: &Run, query: &ImageQuery) -> Result<Vec<ImageRecord>> {
        self.images.list(query)
    }

    async fn preflight_machine(&self, run: &Run, plan: &ImagePlan) -> Result<()> {
        preflight(&self.computer, run, &plan.machine, &plan.source).await?;
        self.computer.provide(run, &self.images, &plan.source).await
    }

    async fn launch(&self, run: &Run, request: &Launch<'_>) -> Result<Box<dyn Machine>> {
        // Remains of a killed bake are removed before the first machine starts.
        self.cleaned_up.get_or_init(|| self.images.clean_up(run)).await;
        let machine = Box::pin(launch(&self.computer, run, &self.images, request)).await?;
        let mut machines = self.machines.lock().unwrap_or_else(PoisonError::into_inner);
        machines.insert(machine.state.id.clone(), Arc::downgrade(&machine.state));
        Ok(Box::new(machine))
    }

    async fn register(&self, run: &Run, image: &Candidate, registration: &Registration<'_>) -> Result<ImageRecord> {
        // What images built on it need to know.
        let mut tags = registration.tags.clone();
        for name in [USER, FIRMWARE] {
            if let Some(value) = image.image.tags.get(name) {
                tags.entry(name.to_owned()).or_insert_with(|| value.clone());
            }
        }
        self.images.register(run, image, &Registration { tags, ..registration.clone() }).await
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
            other => return Ok(Undo::Later(format!("this version of ami-bake can't delete a {other} of `vm`"))),
        }
        Ok(Undo::Done)
    }

    async fn close(&self, _: &Run) -> Result<()> {
        Ok(())
    }

    async fn expired(&self, run: &Run, _: &SweepScope) -> Result<Orphans> {
        Ok(Orphans { found: self.images.expired(run)?, incomplete: false })
    }

    async fn remove(&self, run: &Run, orphan: &Orphan) -> Result<Undo> {
        self.images.remove(run, orphan).await?;
        Ok(Undo::Done)
    }

    async fn permissions(&self, _: &Run, plans: &[ImagePlan], _: &[Grant]) -> Result<Vec<Permission>> {
        let own = architecture();
        let guest = plans.iter().find_map(|plan| plan.source.architecture).or(own);
        let Some(guest) = guest else { return Ok(Vec::new()) };
        let missing = |result: Result<PathBuf>| {
            result.err().map(|error| format!("{error}. {}", error.help_text().unwrap_or_default()).trim().to_owned())
        };
        let programs = [("run QEMU", missing(emulator(guest))), ("convert disk images", missing(qemu_img()))];
        let mut all: Vec<Permission> = programs
            .into_iter()
            .map(|(action, missing)| Permission {
                action: action.to_owned(),
                allowed: Some(missing.is_none()),
                detail: missing,
            })
            .collect();
        if let Ok(emulator) = emulator(guest)
            && let Accelerator::Tcg { why, help } = detect(&emulator, guest).await
        {
            let detail =
                [Some(format!("{why}; machines are emulated")), help].into_iter().flatten().collect::<Vec<_>>();
            // Not required: an emulated machine is only slow.
            all.push(Permission { action: "use KVM".to_owned(), allowed: None, detail: Some(detail.join(". ")) });
        }
        Ok(all)
    }
}
