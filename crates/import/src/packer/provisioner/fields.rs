//! The fields of a provisioner, including those that `override` sets for a builder.

use crate::input::Reader;

/// The fields of a provisioner for one builder.
pub(super) struct Fields<'a> {
    reader: Reader<'a>,
    over: Option<Reader<'a>>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(reader: Reader<'a>, builder: &str) -> Self {
        let over = reader.get("override").and_then(|all| all.get(builder));
        Self { reader, over }
    }

    /// A field; if an override replaces it, that is reported.
    pub(super) fn get(&self, key: &str) -> Option<Reader<'a>> {
        let own = self.reader.get(key);
        match self.over.as_ref().and_then(|over| over.get(key)) {
            Some(over) => {
                if let Some(own) = own {
                    own.changed("overridden for a builder", "");
                    own.mark_used();
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

    /// Reports fields that are not supported, unless they are unset.
    pub(super) fn drop(&self, keys: &[&str], why: &str, help: &str) {
        for key in keys {
            if let Some(field) = self.get(key) {
                // `use_proxy` is the only flag that is on by default.
                if field.is_unset() && *key != "use_proxy" {
                    field.mark_used();
                } else {
                    field.drop(why, help);
                }
            }
        }
    }
}
