//! The fields of a provisioner, with what `override` says for a builder laid over them.

use crate::input::Reader;

pub(crate) struct Fields<'a> {
    reader: Reader<'a>,
    over: Option<Reader<'a>>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(reader: Reader<'a>, builder: &str) -> Self {
        let over = reader.get("override").and_then(|all| all.get(builder));
        Self { reader, over }
    }

    /// A field; what an override replaces is told.
    pub(super) fn get(&self, key: &str) -> Option<Reader<'a>> {
        let own = self.reader.get(key);
        match self.over.as_ref().and_then(|over| over.get(key)) {
            Some(over) => {
                if let Some(own) = own {
                    own.changed("an override takes its place for a builder", "");
                    own.tick();
                }
                Some(over)
            }
            None => own,
        }
    }

    /// The provisioner itself.
    pub(super) fn reader(&self) -> &Reader<'a> {
        &self.reader
    }

    /// Tells of fields that have no counterpart, but for those that say what holds without them.
    pub(super) fn drop(&self, keys: &[&str], why: &str, help: &str) {
        for key in keys {
            if let Some(field) = self.get(key) {
                // Of all flags only `use_proxy` is on by itself.
                let unset = matches!(field.node.scalar(), Some("" | "false")) && *key != "use_proxy";
                if unset {
                    field.tick();
                } else {
                    field.drop(why, help);
                }
            }
        }
    }
}
