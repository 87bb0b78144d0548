//! A builder of a template, which becomes one image.

use ami_bake_manifest::budget::Exceeded;
use jiff::Timestamp;

use super::model::{BuildBlock, Builder};
use super::variables::Variables;
use crate::input::Reader;
use crate::template::{TemplateScope, Unsupported, Words};
use crate::yaml::{Map, Value};

/// Platform of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Platform {
    Aws,
    Docker,
}

impl Platform {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Docker => "docker",
        }
    }
}

/// A builder, with everything that its fields may refer to.
pub(crate) struct Build<'a, 'v> {
    pub(crate) builder: &'a Builder,
    /// Fields of the builder.
    pub(crate) reader: Reader<'a>,
    /// The steps that run on the builder.
    pub(crate) block: &'a BuildBlock,
    /// Name of the builder in the template, which `only` and `build_name` refer to.
    pub(crate) name: String,
    /// Name of the image.
    pub(crate) image: String,
    pub(crate) platform: Platform,
    pub(crate) variables: &'v Variables<'a>,
}

/// The image of a builder.
#[derive(Debug, Default)]
pub(crate) struct ImageDraft<'a> {
    pub(crate) map: Map,
    pub(crate) steps: Vec<Value>,
    /// The home region, with the field that sets it.
    pub(crate) region: Option<(Value, Reader<'a>)>,
    /// The role to assume.
    pub(crate) role: Option<Value>,
    /// The login name in the manifest's syntax.
    pub(crate) user: Option<String>,
    /// `changes` of a docker builder, which need a repository.
    pub(crate) changes: Map,
}

impl Build<'_, '_> {
    /// Type of the builder.
    pub(crate) fn kind(&self) -> &str {
        &self.builder.kind
    }

    /// The builder's name for scripts in the manifest's syntax: an expression if possible, so that images can share
    /// steps that use it.
    pub(crate) fn own_name(&self) -> Words {
        let name = self.builder.source.as_ref().unwrap_or(&self.name);
        if self.image == *name { Words::expr("image", Some(name.clone())) } else { Words::text(name.as_str()) }
    }
}

impl TemplateScope for Build<'_, '_> {
    fn user(&self, name: &str) -> Result<Words, Unsupported> {
        self.variables.user(name)
    }

    fn env(&self, name: &str) -> Result<Words, Unsupported> {
        Variables::env(name)
    }

    fn field(&self, path: &[String]) -> Result<Words, Unsupported> {
        let shown = path.join(".");
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let aws = self.platform == Platform::Aws;
        let code = match path.as_slice() {
            ["SourceAMI"] if aws => "source.id".to_owned(),
            ["SourceAMIName"] if aws => "source.name".to_owned(),
            ["SourceAMIOwner"] if aws => "source.owner".to_owned(),
            ["SourceAMICreationDate"] if aws => "source.created".to_owned(),
            ["SourceAMITags", tag] if aws => format!("source.tags.{tag}"),
            ["BuildRegion"] if aws => "region".to_owned(),
            ["BuildName"] => return Ok(self.own_name()),
            ["SourceImageDigest"] => "source.id".to_owned(),
            _ => return Err(Unsupported::new(format!("Packer's variable `{shown}` has no counterpart"))),
        };
        Ok(Words::expr(code, None))
    }

    fn word(&self, name: &str) -> Option<Result<Words, Unsupported>> {
        Some(Ok(match name {
            "build_name" => self.own_name(),
            "build_type" => Words::text(self.kind()),
            "template_dir" => Words::text(self.variables.folder()),
            "pwd" => Words::text("."),
            _ => return None,
        }))
    }

    fn spend(&self, bytes: usize) -> Result<(), Exceeded> {
        self.variables.spend(bytes)
    }

    fn now(&self) -> Option<Timestamp> {
        self.variables.now()
    }
}
