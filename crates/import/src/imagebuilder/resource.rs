//! One resource.

use super::Kind;
use crate::context::Context;
use crate::input::Reader;

/// A resource of Image Builder.
#[derive(Debug, Clone)]
pub(crate) struct Resource<'a> {
    pub(crate) kind: Kind,
    /// Its name in the stack.
    pub(crate) id: Option<String>,
    pub(crate) reader: Reader<'a>,
}

impl<'a> Resource<'a> {
    /// A field: CloudFormation begins it with a capital letter.
    pub(crate) fn get(&self, name: &str) -> Option<Reader<'a>> {
        get(&self.reader, name)
    }

    /// Its name.
    pub(crate) fn name(&self, context: &Context) -> Option<String> {
        let name = self.get("name")?;
        context.words(&name)?.known().filter(|name| !name.is_empty())
    }
}

/// A field of either spelling.
pub(crate) fn get<'a>(reader: &Reader<'a>, name: &str) -> Option<Reader<'a>> {
    reader.get(name).or_else(|| {
        let mut chars = name.chars();
        let capital: String = chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect();
        reader.get(&capital)
    })
}

/// Tells of fields that have no counterpart.
pub(crate) fn left(reader: &Reader, fields: &[(&str, &str, &str)]) {
    for (name, why, help) in fields {
        if let Some(field) = get(reader, name) {
            field.drop(*why, *help);
        }
    }
}
