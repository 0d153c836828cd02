//! What the system is asked before a run: its name, files, the environment.

use std::env;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tlsfinger_core::IoError;

use crate::program::Program;
use crate::settings::System;

/// Asks the system.
pub(crate) fn ask(program: &Program) -> Result<System, FileError> {
    Ok(System {
        host_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        services: || File::text_or_nothing("/etc/services"),
        resolv_conf: || File::text_or_nothing("/etc/resolv.conf"),
        read: File::read,
        list,
        key_log: env::var_os("SSLKEYLOGFILE").filter(|path| !path.is_empty()).map(Into::into),
        mail_verbose: env::var_os("MAIL_VERBOSE").is_some(),
        posttls_finger: program.is_posttls_finger(),
        main_cf: main_cf()?,
    })
}

/// Lists the names in a directory that are text; none if it cannot be read.
fn list(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Reads main.cf. Where MAIL_CONFIG names its directory, it must exist.
fn main_cf() -> Result<Option<File>, FileError> {
    match env::var_os("MAIL_CONFIG") {
        Some(directory) => File::read(&Path::new(&directory).join("main.cf")).map(Some),
        None => match File::read(Path::new("/etc/postfix/main.cf")) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.is_missing => Ok(None),
            Err(error) => Err(error),
        },
    }
}

/// A file and what stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) text: Vec<u8>,
}

impl File {
    /// Octets of a file; the largest bundles of CA certificates have half a million.
    const SIZE: u64 = 8 * 1024 * 1024;

    /// Reads a file of the system. One that cannot be read counts as empty.
    fn text_or_nothing(path: &str) -> Vec<u8> {
        Self::read(Path::new(path)).map_or_else(|_| Vec::new(), |file| file.text)
    }

    /// Reads a file. Pipes and devices are refused, because they could block or have no end.
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        let read = || {
            // Without this flag, opening a pipe would wait for a writer.
            let flags = OFlags::NONBLOCK.bits().cast_signed();
            let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
            let kind = file.metadata()?.file_type();
            if kind.is_dir() {
                return Err(io::Error::from(io::ErrorKind::IsADirectory));
            }
            if !kind.is_file() {
                return Err(io::Error::other("not a regular file"));
            }
            let mut text = Vec::new();
            file.take(Self::SIZE + 1).read_to_end(&mut text)?;
            if text.len() as u64 > Self::SIZE {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            Ok(text)
        };
        match read() {
            Ok(text) => Ok(Self { path: path.to_owned(), text }),
            Err(error) => Err(FileError {
                path: path.to_owned(),
                is_missing: error.kind() == io::ErrorKind::NotFound,
                error: IoError::from(&error),
            }),
        }
    }
}

/// A file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileError {
    pub(crate) path: PathBuf,
    pub(crate) is_missing: bool,
    pub(crate) error: IoError,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "open {}: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for FileError {}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_regular_files_of_reasonable_size_are_read() {
        let directory = env::temp_dir().join(format!("tlsfinger-system-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (good, pipe, huge) =
            (directory.join("good"), directory.join("pipe"), directory.join("huge"));
        fs::write(&good, "text").unwrap();
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        fs::File::create(&huge).unwrap().set_len(File::SIZE + 1).unwrap();
        let read = |path: &Path| {
            File::read(path).map(|file| file.text).map_err(|error| error.error.message)
        };
        assert_eq!(read(&good), Ok(b"text".to_vec()));
        assert_eq!(read(&pipe), Err("not a regular file".into()));
        assert_eq!(read(&huge), Err("file too large".into()));
        assert_eq!(read(&directory), Err("is a directory".into()));
        assert_eq!(read(&directory.join("none")), Err("No such file or directory".into()));
        assert!(File::read(&directory.join("none")).unwrap_err().is_missing);
        fs::remove_dir_all(&directory).unwrap();
    }
}
