//! Access to the fields of a resource.

use super::resource_kind::ResourceKind;
use crate::context::Context;
use crate::input::Reader;

/// A resource of Image Builder.
#[derive(Debug, Clone)]
pub(crate) struct Resource<'a> {
    pub(crate) kind: ResourceKind,
    /// Name of the resource in the stack.
    pub(crate) id: Option<String>,
    pub(crate) reader: Reader<'a>,
    /// The resource with everything around its properties.
    pub(crate) whole: Reader<'a>,
}

impl<'a> Resource<'a> {
    /// A field, in the spelling of the API or of CloudFormation.
    pub(crate) fn get(&self, name: &str) -> Option<Reader<'a>> {
        get(&self.reader, name)
    }

    /// Reports fields that are not supported, and those that only matter to the API.
    pub(crate) fn report_unsupported(&self, fields: &[(&str, &str, &str)]) {
        unsupported(&self.reader, fields);
        unsupported(
            &self.reader,
            &[
                ("clientToken", "only relevant to the API call", ""),
                ("arn", "set by AWS", ""),
                ("dateCreated", "set by AWS", ""),
                ("dateUpdated", "set by AWS", ""),
            ],
        );
    }

    /// Name of the resource.
    pub(crate) fn name(&self, context: &Context) -> Option<String> {
        let name = self.get("name")?;
        context.words(&name)?.known().filter(|name| !name.is_empty())
    }
}

/// A field, as the API spells it or with a capital letter as in CloudFormation.
pub(crate) fn get<'a>(reader: &Reader<'a>, name: &str) -> Option<Reader<'a>> {
    reader.get(name).or_else(|| {
        let mut chars = name.chars();
        let capital: String = chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect();
        reader.get(&capital)
    })
}

/// Reports fields that are not supported.
pub(crate) fn unsupported(reader: &Reader, fields: &[(&str, &str, &str)]) {
    for (name, why, help) in fields {
        if let Some(field) = get(reader, name) {
            field.drop(*why, *help);
        }
    }
}
