//! The file that SSLKEYLOGFILE names, for those who decrypt what they recorded.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tlsfinger_core::report::Secret;

/// A file that secrets are appended to, in the format of RFC 9850.
#[derive(Debug)]
pub(crate) struct KeyLog(File);

impl KeyLog {
    /// Opens the file; a new one is for its owner only.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(Self)
    }

    /// Appends a secret in one write, because other programs may write to the same file.
    pub(crate) fn append(&mut self, secret: &Secret) -> io::Result<()> {
        self.0.write_all(format!("{secret}\n").as_bytes())
    }
}
