//! Files of whole lines: what is written stays, what was torn off is cut.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, Write};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{FileType, FlockOperation, OFlags};

/// Where lines go: a file, or the standard output.
#[derive(Debug)]
pub(crate) struct LineFile {
    file: File,
    /// Where the next line begins, if a line can be taken back of which only a part was written.
    end: Option<u64>,
}

impl LineFile {
    /// Takes a descriptor that somebody else opened, such as the standard output.
    pub(crate) fn of(descriptor: impl AsFd) -> io::Result<Self> {
        let mut file = File::from(descriptor.as_fd().try_clone_to_owned()?);
        let is_file = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode).is_file();
        // Others may append to the same file.
        let is_shared = rustix::fs::fcntl_getfl(&file)?.contains(OFlags::APPEND);
        let end = if is_file && !is_shared { Some(file.stream_position()?) } else { None };
        Ok(Self { file, end })
    }

    /// Opens a file to go on with it, or makes it. Each whole line of it is shown with its number;
    /// what follows the last of them is cut off.
    ///
    /// Nobody else may write to it at the same time.
    pub(crate) fn resume(
        path: &Path,
        mut show: impl FnMut(u64, &[u8]) -> io::Result<()>,
    ) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| io::Error::other("another process writes to it"))?;
        let mut reader = BufReader::with_capacity(64 * 1024, &file);
        let (mut whole, mut number, mut line) = (0, 0, Vec::new());
        loop {
            line.clear();
            let size = reader.read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            number += 1;
            show(number, &line[..size - 1])?;
            whole += size as u64;
        }
        drop(reader);
        file.set_len(whole)?;
        Ok(Self { file, end: Some(whole) })
    }

    /// Writes a line, which has its end, as a whole or not at all where that can be had.
    pub(crate) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line).inspect_err(|_| {
            if let Some(end) = self.end {
                // If that fails too, the next run cuts it off.
                let _ = self.file.set_len(end);
            }
        })?;
        self.end = self.end.map(|end| end + line.len() as u64);
        Ok(())
    }

    /// Sees to it that what was written survives a power failure, as far as the file can.
    pub(crate) fn sync(&self) -> io::Result<()> {
        if self.end.is_some() { self.file.sync_data() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_torn_line_is_cut_and_a_file_is_written_by_one_process() {
        let path = std::env::temp_dir().join(format!("tlsfinger-lines-{}", std::process::id()));
        for (before, shown) in [("", vec![]), ("a\nb\n", vec!["a", "b"]), ("a\nb", vec!["a"])] {
            fs::write(&path, before).unwrap();
            let mut seen = Vec::new();
            let mut file = LineFile::resume(&path, |number, line| {
                seen.push(String::from_utf8(line.to_vec()).unwrap());
                assert_eq!(number, seen.len() as u64);
                Ok(())
            })
            .unwrap();
            assert_eq!(seen, shown);
            let error = LineFile::resume(&path, |_, _| Ok(())).unwrap_err();
            assert_eq!(error.to_string(), "another process writes to it");
            file.write(b"c\n").unwrap();
            file.sync().unwrap();
            let after: String =
                shown.iter().chain(&["c"]).map(|line| format!("{line}\n")).collect();
            assert_eq!(fs::read_to_string(&path).unwrap(), after);
        }
        // Whoever does not like a line keeps the file as it is.
        fs::write(&path, "a\nb").unwrap();
        LineFile::resume(&path, |_, _| Err(io::Error::other("no"))).unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn full_devices_are_told() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let error = LineFile::of(&full).unwrap().write(b"x\n").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
