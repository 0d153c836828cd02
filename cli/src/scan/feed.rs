//! From the lines of a list to the destinations that are to be probed.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use tlsfinger_core::config::{Dialect, Level};

use super::columns;
use super::lines::Lines;
use super::list::{self, Entry, LineError, Shard};
use super::record::Origin;
use crate::settings::Ports;

/// Destinations that are remembered, to leave out those that come again: the first million, at 10
/// to 21 octets each.
const REMEMBERED: usize = 1 << 20;

/// Reads a list, and leaves out what is not to be probed.
#[derive(Debug)]
pub(crate) struct Feed<R> {
    lines: Lines<R>,
    choice: Choice,
    /// Keys of the destinations that came.
    seen: HashSet<u64>,
    /// What became of the lines that nothing comes of.
    left_out: BTreeMap<&'static str, u64>,
}

/// How lines are read, and which of them count.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) dialect: Dialect,
    pub(crate) level: Level,
    pub(crate) ports: Ports,
    pub(crate) shard: Option<Shard>,
    pub(crate) done: Done,
}

/// What has a record already, by keys.
#[derive(Debug)]
pub(crate) enum Done {
    /// Of [entries](Entry::key).
    Entries(HashSet<u64>),
    /// Of [rows](columns::key).
    Rows(HashSet<u64>),
}

impl Done {
    fn has(&self, line: u64, entry: &Entry) -> bool {
        match self {
            Self::Entries(keys) => keys.contains(&entry.key()),
            Self::Rows(keys) => keys.contains(&columns::key(line, &entry.destination.text)),
        }
    }
}

impl<R: BufRead> Feed<R> {
    pub(crate) fn new(source: R, choice: Choice) -> Self {
        let (seen, left_out) = (HashSet::new(), BTreeMap::new());
        Self { lines: Lines::new(source), choice, seen, left_out }
    }

    /// Finds the next destination. Lines that are none are told with their number.
    ///
    /// # Errors
    ///
    /// The list cannot be read any further.
    pub(crate) fn next(
        &mut self,
        mut tell: impl FnMut(u64, LineError),
    ) -> io::Result<Option<Origin>> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(None) };
            let Choice { dialect, level, ports, .. } = &self.choice;
            let entry = line.and_then(|line| {
                let entry = list::entry(line, *dialect, |name| ports.port(name))?;
                entry.as_ref().map(|entry| entry.pins(*level)).transpose()?;
                Ok(entry)
            });
            let line = self.lines.number();
            let why = match entry {
                Ok(None) => "blank or comment",
                Ok(Some(entry)) => match self.objection(line, &entry) {
                    None => return Ok(Some(Origin { line, entry })),
                    Some(why) => why,
                },
                Err(error) => {
                    tell(line, error);
                    BAD
                }
            };
            *self.left_out.entry(why).or_default() += 1;
        }
    }

    /// Tells how many lines were read.
    pub(crate) fn lines(&self) -> u64 {
        self.lines.number()
    }

    /// Tells how many lines with an end were read.
    pub(crate) fn ended(&self) -> u64 {
        self.lines.ended()
    }

    /// Tells what became of the lines that nothing comes of.
    pub(crate) fn left_out(&self) -> &BTreeMap<&'static str, u64> {
        &self.left_out
    }

    /// Tells why an entry is not to be probed.
    fn objection(&mut self, line: u64, entry: &Entry) -> Option<&'static str> {
        let Choice { shard, done, .. } = &self.choice;
        if shard.is_some_and(|shard| !shard.has(entry)) {
            return Some("of other shards");
        }
        let key = entry.key();
        let is_new = match self.seen.len() < REMEMBERED {
            true => self.seen.insert(key),
            false => !self.seen.contains(&key),
        };
        match (is_new, done.has(line, entry)) {
            (false, _) => Some("duplicate"),
            (true, true) => Some(DONE),
            (true, false) => None,
        }
    }
}

/// What lines are whose destination has a record already.
pub(crate) const DONE: &str = "done before";

/// What lines are that are no destinations.
pub(crate) const BAD: &str = "bad";

/// Opens a list; `-` and nothing are the standard input. Tells how many lines it has if that can be
/// known.
pub(crate) fn open(path: Option<&Path>) -> io::Result<(Box<dyn Read + Send>, Option<u64>)> {
    let Some(path) = path.filter(|path| *path != "-") else {
        return Ok((Box::new(io::stdin()), None));
    };
    let file = File::open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let lines = if kind.is_file() { Some(count_lines(File::open(path)?)?) } else { None };
    Ok((Box::new(file), lines))
}

fn count_lines(file: File) -> io::Result<u64> {
    let mut reader = BufReader::with_capacity(64 * 1024, file);
    let mut lines = 0;
    loop {
        let read = reader.fill_buf()?;
        if read.is_empty() {
            return Ok(lines);
        }
        lines += read.iter().filter(|octet| **octet == b'\n').count() as u64;
        let size = read.len();
        reader.consume(size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out() {
        let list = "# list\n\na.test\nA.test.\nb.test\nb.test\tx\na..b\nc.test\nc.test\n\
                    {\"domain\":\"b.test\",\"id\":1}\n";
        let entry = |line: &str| list::entry(line.as_bytes(), Dialect::Smtp, |_| None);
        let done = Done::Entries(HashSet::from([entry("c.test").unwrap().unwrap().key()]));
        let level = Level::Dane;
        let choice =
            Choice { dialect: Dialect::Smtp, level, ports: Ports::none(), shard: None, done };
        let mut feed = Feed::new(list.as_bytes(), choice);
        let (mut found, mut bad) = (Vec::new(), Vec::new());
        while let Some(origin) = feed.next(|line, _| bad.push(line)).unwrap() {
            found.push(origin.line);
        }
        assert_eq!((found, bad), (vec![3, 5, 6, 10], vec![7]));
        assert_eq!(feed.lines(), 10);
        let left_out: Vec<_> = feed.left_out().iter().map(|(why, count)| (*why, *count)).collect();
        let expected = [("bad", 1), ("blank or comment", 2), ("done before", 1), ("duplicate", 2)];
        assert_eq!(left_out, expected);
    }
}
