//! The name under which the program runs; it decides which options exist.

use std::path::Path;

/// The program's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    as_called: String,
    name: String,
}

impl Program {
    /// Takes `argv[0]`; the base name is the name.
    pub(crate) fn named(as_called: &str) -> Self {
        let name = Path::new(as_called).file_name().and_then(|name| name.to_str());
        Self { as_called: as_called.to_owned(), name: name.unwrap_or("tlsfinger").to_owned() }
    }

    /// Tells the base name, which stands before every line.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Tells the name as it was called, which stands before complaints about options.
    pub(crate) fn as_called(&self) -> &str {
        &self.as_called
    }

    /// Tells whether scripts of posttls-finger(1) call: then only its options exist.
    pub(crate) fn is_posttls_finger(&self) -> bool {
        self.name == "posttls-finger"
    }
}
