//! Values without a counterpart in a manifest.

use ami_bake_manifest::budget::Exceeded;

/// Why a value has no counterpart in a manifest, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unsupported {
    pub(crate) why: String,
    pub(crate) help: String,
    /// The budget of the import is used up: nothing after it is right, and the whole import is refused.
    pub(crate) exceeded: bool,
}

impl Unsupported {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), help: "Write the value into the manifest by hand.".to_owned(), exceeded: false }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

impl From<Exceeded> for Unsupported {
    fn from(exceeded: Exceeded) -> Self {
        let help = "Make the values of the template smaller.".to_owned();
        Self { why: exceeded.to_string(), help, exceeded: true }
    }
}
