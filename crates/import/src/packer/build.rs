//! One builder of a template, which becomes one image.

use jiff::Timestamp;

use super::variables::Variables;
use crate::input::Reader;
use crate::template::{Scope, Trouble, Words};
use crate::yaml::{Map, Value};

/// Where an image is baked.
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

/// One builder.
pub(crate) struct Build<'a, 'v> {
    pub(crate) reader: Reader<'a>,
    /// Its name in the template: what `only` and `build_name` say.
    pub(crate) name: String,
    /// Its type.
    pub(crate) kind: String,
    /// The image's name.
    pub(crate) image: String,
    pub(crate) platform: Platform,
    pub(crate) variables: &'v Variables<'a>,
}

/// What came of a builder.
#[derive(Debug, Default)]
pub(crate) struct Image {
    pub(crate) map: Map,
    pub(crate) steps: Vec<Value>,
    /// The home region.
    pub(crate) region: Option<(Value, (String, String))>,
    /// The role to assume.
    pub(crate) role: Option<Value>,
    /// The login name, as the manifest writes it.
    pub(crate) user: Option<String>,
    /// `CHANGES` of a docker builder, which need a repository.
    pub(crate) changes: Map,
}

impl Build<'_, '_> {
    /// Its name as the manifest says it: steps of several images that say it stay alike.
    pub(crate) fn own_name(&self) -> Words {
        if self.image == self.name {
            Words::expr("image", Some(self.name.clone()))
        } else {
            Words::text(self.name.as_str())
        }
    }
}

impl Scope for Build<'_, '_> {
    fn user(&self, name: &str) -> Result<Words, Trouble> {
        self.variables.user(name)
    }

    fn env(&self, name: &str) -> Result<Words, Trouble> {
        Variables::env(name)
    }

    fn field(&self, path: &[String]) -> Result<Words, Trouble> {
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
            _ => {
                return Err(Trouble::new(format!("`{shown}` is a value of Packer's own that has no counterpart")));
            }
        };
        Ok(Words::expr(code, None))
    }

    fn word(&self, name: &str) -> Option<Result<Words, Trouble>> {
        Some(Ok(match name {
            "build_name" => self.own_name(),
            "build_type" => Words::text(self.kind.as_str()),
            "template_dir" => Words::text(self.variables.folder()),
            "pwd" => Words::text("."),
            _ => return None,
        }))
    }

    fn now(&self) -> Option<Timestamp> {
        self.variables.now()
    }
}
