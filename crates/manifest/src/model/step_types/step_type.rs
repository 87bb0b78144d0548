//! What a step type is to the rest of this crate.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use ami_bake_core::plan::{Phase, StepAction};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The settings of one step, as the manifest writes them.
pub trait StepSettings: Debug + Send + Sync {
    /// What the step is about, for the name of a step that has none: a file, a port, the first line of a script.
    fn about(&self) -> String;

    /// What it does, in the plan. `None` for settings that the check refuses.
    fn lower(&self, context: &StepContext<'_>) -> Option<StepAction>;
}

/// A step type: its settings, with the key that names it.
pub(super) trait Keyed: StepSettings + DeserializeOwned + JsonSchema + 'static {
    /// The key that makes a map a step of this type.
    const KEY: &'static str;
    /// Its keys that name local files or folders.
    const FILES: &'static [FileKey] = &[];
    /// Its keys whose values may hold secrets, beside `env`.
    const SECRETS: &'static [&'static str] = &[];
}

/// Where a step is: what lowering needs to know beside its settings.
#[derive(Debug, Clone, Copy)]
pub struct StepContext<'a> {
    /// The list that the step is in.
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
    /// What the path has to be.
    pub kind: FileKind,
    /// Help for a path that is something else.
    pub help: &'static str,
}

/// What a path has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A file or a folder.
    Any,
}

/// Reads the keys of a step as the settings of its type.
type ReadSettings = fn(Map<String, Value>) -> Result<Arc<dyn StepSettings>, serde_json::Error>;

/// One line of the registry.
#[derive(Debug, Clone, Copy)]
pub struct StepType {
    /// The key that makes a map a step of this type.
    pub key: &'static str,
    /// Its keys that name local files or folders.
    pub files: &'static [FileKey],
    /// Its keys whose values may hold secrets, beside `env`.
    pub secrets: &'static [&'static str],
    schema: fn(&mut SchemaGenerator) -> Schema,
    read: ReadSettings,
}

impl StepType {
    /// The entry of a step type.
    pub(super) const fn of<T: Keyed>() -> Self {
        Self { key: T::KEY, files: T::FILES, secrets: T::SECRETS, schema: T::json_schema, read: read::<T> }
    }

    /// The name of its definition in the schema: `RunStep`.
    pub fn definition(&self) -> String {
        format!("{}{}Step", self.key[..1].to_uppercase(), &self.key[1..])
    }

    /// The schema of its own keys.
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.schema)(generator)
    }

    /// Reads its own keys.
    ///
    /// # Errors
    /// When they don't fit the schema.
    pub fn read(&self, own: Map<String, Value>) -> Result<Arc<dyn StepSettings>, serde_json::Error> {
        (self.read)(own)
    }
}

fn read<T: Keyed>(own: Map<String, Value>) -> Result<Arc<dyn StepSettings>, serde_json::Error> {
    serde_json::from_value::<T>(own.into()).map(|settings| Arc::new(settings) as Arc<dyn StepSettings>)
}
