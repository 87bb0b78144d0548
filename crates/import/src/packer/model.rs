//! The typed Packer template, which both JSON and HCL2 are parsed into.

use std::cell::Cell;

use crate::input::{InputValue, Location, Log, Reader};
use crate::template::Template;

/// Maximum number of builders: each becomes an image, and a matrix has no more variants.
pub(crate) const MOST_BUILDERS: usize = 256;

/// A Packer template.
#[derive(Debug, Default)]
pub(crate) struct PackerTemplate {
    /// Comments of the author on the template.
    pub(crate) comments: Vec<String>,
    pub(crate) variables: Vec<DeclaredVariable>,
    pub(crate) builds: Vec<BuildBlock>,
    /// Other top-level fields, which only JSON has.
    pub(crate) others: Vec<InputValue>,
}

/// A variable that the template declares.
#[derive(Debug)]
pub(crate) struct DeclaredVariable {
    pub(crate) name: String,
    /// The value without a variable file and `--set`; null when it must be set.
    pub(crate) default: InputValue,
    pub(crate) sensitive: bool,
    /// Whether the value was used where fields can't refer to the variable.
    pub(crate) evaluated: bool,
    /// Comments of the author on the variable.
    pub(crate) comments: Vec<String>,
}

/// Builders with the steps that run on them. JSON has one; HCL has one for each source of a `build`, since expressions may
/// depend on the source.
#[derive(Debug, Default)]
pub(crate) struct BuildBlock {
    /// The `build` of HCL that it comes from: blocks of one `build` share their steps.
    pub(crate) group: Option<usize>,
    pub(crate) builders: Vec<Builder>,
    pub(crate) provisioners: Vec<Provisioner>,
    pub(crate) post_processors: Vec<PostProcessor>,
}

/// A builder, which becomes an image.
#[derive(Debug)]
pub(crate) struct Builder {
    /// Type of the builder, such as `amazon-ebs`.
    pub(crate) kind: String,
    pub(crate) name: Option<Template>,
    /// The name that scripts get in `PACKER_BUILD_NAME`, if it is not the builder's: HCL keeps the name of a source
    /// that a build renames (Packer, hcl2template/types.source.go).
    pub(crate) source: Option<String>,
    pub(crate) comments: Vec<String>,
    pub(crate) fields: InputValue,
}

/// A provisioner, which becomes steps.
#[derive(Debug)]
pub(crate) struct Provisioner {
    /// Type of the provisioner, such as `shell`.
    pub(crate) kind: String,
    pub(crate) comments: Vec<String>,
    pub(crate) fields: InputValue,
    /// Whether a builder that was imported uses it.
    pub(crate) used: Cell<bool>,
}

/// A post-processor.
#[derive(Debug)]
pub(crate) struct PostProcessor {
    /// Type of the post-processor, such as `docker-push`.
    pub(crate) kind: String,
    /// The list entry that it belongs to: post-processors of one entry work on the result of the previous one.
    pub(crate) chain: Location,
    pub(crate) fields: InputValue,
}

impl PackerTemplate {
    /// Reports every field that was not used.
    pub(crate) fn report_unused(&self, log: &Log) {
        self.others.iter().for_each(|value| log.report_unused(value));
        self.variables.iter().for_each(|variable| log.report_unused(&variable.default));
        for build in &self.builds {
            build.builders.iter().for_each(|builder| log.report_unused(&builder.fields));
            build.provisioners.iter().for_each(|provisioner| log.report_unused(&provisioner.fields));
            build.post_processors.iter().for_each(|post| log.report_unused(&post.fields));
        }
    }

    /// Another top-level field.
    pub(crate) fn other<'a>(&'a self, path: &str, log: &'a Log) -> Option<Reader<'a>> {
        self.others.iter().find(|value| value.location.path == path).map(|value| Reader::new(value, log))
    }
}
