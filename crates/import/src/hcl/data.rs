//! `data` blocks: what they would ask AWS for, the bake asks for, or is given.

use std::ops::Range;

use super::evaluate::Scope;
use super::fault::{Fault, Outcome};
use super::module::{Data, Module};
use super::value::{Piece, Text, Value};
use crate::template::Trouble;

impl<'a> Module<'a> {
    /// The data source of a type and a name.
    pub(super) fn find_data(&self, kind: &str, name: &str) -> Option<&Data<'a>> {
        self.data.iter().find(|data| data.kind == kind && data.name == name)
    }

    /// `data.TYPE.NAME.FIELD`
    pub(super) fn datum(
        &self,
        scope: &Scope,
        kind: &str,
        name: &str,
        field: &str,
        tag: Option<&str>,
        span: Option<Range<usize>>,
    ) -> Outcome<Value> {
        let Some(data) = self.find_data(kind, name) else {
            let message = format!("there is no data source `{kind}` called `{name}`");
            return Err(Fault::wrong(scope.file, span, message, "Declare it in a `data` block."));
        };
        data.used.set(true);
        let path = format!("data.{kind}.{name}");
        let own = Scope::new(self, data.file);
        let attribute = |key: &str| -> Outcome<Option<Value>> {
            data.body.get_attribute(key).map(|attribute| own.eval(&attribute.value)).transpose()
        };
        match (kind, field) {
            ("amazon-ami", _) => {
                let field = tag.map_or_else(|| field.to_owned(), |tag| format!("{field}.{tag}"));
                Ok(Value::Text(Text(vec![Piece::Data { name: name.to_owned(), field }])))
            }
            ("null", "output") => match attribute("input")? {
                Some(value) => {
                    scope.note(own.take_notes());
                    Ok(value)
                }
                None => Ok(Value::Null),
            },
            ("amazon-secretsmanager", "value" | "secret_string") => Ok(self.extra(name, data.file, path, true)),
            ("amazon-parameterstore", "value") => {
                // Its own default is not to decrypt, and then a secret would be of no use.
                let plain = matches!(attribute("with_decryption")?, None | Some(Value::Bool(false)));
                Ok(self.extra(name, data.file, path, !plain || crate::credential::named(name)))
            }
            _ => Err(Fault::Trouble(
                Trouble::new(format!("`{path}.{field}` reads a value from another service"))
                    .help("Read it in the workflow before the bake, and give it as a secret or a variable."),
            )),
        }
    }

    /// The parameter of SSM that a text is, when it is nothing else.
    pub(super) fn parameter(&self, text: &Text) -> Option<String> {
        let live = text.single()?;
        let name = live.name.strip_prefix("data.amazon-parameterstore.")?;
        let data = self.find_data("amazon-parameterstore", name)?;
        let own = Scope::new(self, data.file);
        let value = own.eval(&data.body.get_attribute("name")?.value).ok()?;
        value.to_text()?.literal()
    }
}
