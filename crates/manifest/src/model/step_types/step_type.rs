//! The interface of a step type to the rest of this crate.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use ami_bake_core::Result;
use ami_bake_core::plan::{Phase, StepAction};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::step_files::FileDigest;

/// The settings of one step, as written in the manifest.
pub trait StepSettings: Debug + Send + Sync {
    /// A short description for the name of an unnamed step: a file, a port, the first line of a script.
    fn about(&self) -> String;

    /// The step's action in the plan; `None` for settings that the check refuses.
    fn lower(&self, context: &StepContext<'_>) -> Option<StepAction>;
}

/// A step type: its settings, with the key that names it.
pub(super) trait Keyed: StepSettings + DeserializeOwned + JsonSchema + 'static {
    /// The key that makes a map a step of this type.
    const KEY: &'static str;
    /// Keys that name local files or folders.
    const FILES: &'static [FileKey] = &[];
    /// Keys other than `env` whose values may contain secrets.
    const SECRETS: &'static [&'static str] = &[];

    /// Clears the local paths in the plan's settings, which the digest hashes: the location of the checkout does not
    /// change an image. A step type with local paths must do this.
    fn clear_paths(_: &mut StepAction) {}

    /// Adds the content of the local files to the digest. A step type with local files must implement this.
    ///
    /// # Errors
    /// When a file can't be read.
    fn digest(_: &mut FileDigest<'_>) -> Result<()> {
        Ok(())
    }

    /// The path in the plan that comes from the key `KEY`, as a manifest would write it, for checking paths that came
    /// from expressions.
    fn path(_: &StepAction) -> Option<String> {
        None
    }

    /// The globs of the step's `exclude`.
    fn exclude(_: &StepAction) -> &[String] {
        &[]
    }
}

/// The position of a step and the settings around it, for lowering.
#[derive(Debug, Clone, Copy)]
pub struct StepContext<'a> {
    /// The phase that the step belongs to.
    pub phase: Phase,
    /// The folder that local paths are relative to.
    pub folder: &'a Path,
    /// The manifest's `machine.user`.
    pub user: Option<&'a str>,
}

/// A key that names a local file or folder, for the check.
#[derive(Debug, Clone, Copy)]
pub struct FileKey {
    /// The key; its value is a path or a list of paths.
    pub key: &'static str,
    /// The required kind of path.
    pub kind: FileKind,
    /// Help for a path of another kind.
    pub help: &'static str,
}

/// The required kind of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A file or a folder.
    Any,
}

/// Parses the keys of a step as the settings of its type.
type ReadSettings = fn(Map<String, Value>) -> Result<Arc<dyn StepSettings>, serde_json::Error>;

/// A step type in the registry.
#[derive(Debug, Clone, Copy)]
pub struct StepType {
    /// The key that makes a map a step of this type.
    pub key: &'static str,
    /// Keys that name local files or folders.
    pub files: &'static [FileKey],
    /// Keys other than `env` whose values may contain secrets.
    pub secrets: &'static [&'static str],
    schema: fn(&mut SchemaGenerator) -> Schema,
    read: ReadSettings,
    clear_paths: fn(&mut StepAction),
    digest: fn(&mut FileDigest<'_>) -> Result<()>,
    path: fn(&StepAction) -> Option<String>,
    exclude: fn(&StepAction) -> &[String],
}

impl StepType {
    /// The registry entry for a step type.
    pub(super) const fn of<T: Keyed>() -> Self {
        Self {
            key: T::KEY,
            files: T::FILES,
            secrets: T::SECRETS,
            schema: T::json_schema,
            read: read::<T>,
            clear_paths: T::clear_paths,
            digest: T::digest,
            path: T::path,
            exclude: T::exclude,
        }
    }

    /// Name of its definition in the schema: `RunStep`.
    pub fn definition(&self) -> String {
        format!("{}{}Step", self.key[..1].to_uppercase(), &self.key[1..])
    }

    /// The schema of the step type's own keys.
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.schema)(generator)
    }

    /// Parses the step type's own keys.
    ///
    /// # Errors
    /// When the keys do not match the schema.
    pub fn read(&self, own: Map<String, Value>) -> Result<Arc<dyn StepSettings>, serde_json::Error> {
        (self.read)(own)
    }

    /// Clears the local paths of a planned step.
    pub(crate) fn clear_paths(&self, action: &mut StepAction) {
        (self.clear_paths)(action);
    }

    /// Adds the content of a planned step's local files to the digest.
    ///
    /// # Errors
    /// When a file can't be read.
    pub(crate) fn digest(&self, files: &mut FileDigest<'_>) -> Result<()> {
        (self.digest)(files)
    }

    /// The path in the plan that comes from the step type's own key, if it is a path.
    pub(crate) fn path(&self, action: &StepAction) -> Option<String> {
        (self.path)(action)
    }

    /// The globs of a planned step's `exclude`.
    pub(crate) fn exclude<'a>(&self, action: &'a StepAction) -> &'a [String] {
        (self.exclude)(action)
    }
}

fn read<T: Keyed>(own: Map<String, Value>) -> Result<Arc<dyn StepSettings>, serde_json::Error> {
    serde_json::from_value::<T>(own.into()).map(|settings| Arc::new(settings) as Arc<dyn StepSettings>)
}
