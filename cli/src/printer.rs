//! Where lines go: one write and one flush for each, and what to do once nobody reads them.

use std::io::{self, ErrorKind, Write};

use crate::line::{Charset, Line, Message};
use crate::program::Program;

/// Writes finished lines to the output of the program.
#[derive(Debug)]
pub(crate) struct Printer<W> {
    out: W,
    program: Program,
    charset: Charset,
    /// Messages are in colour.
    colour: bool,
    /// Where messages go instead, if the output is for programs.
    aside: Option<io::Stderr>,
    /// Why nothing is written any more.
    failed: Option<ErrorKind>,
}

impl<W: Write> Printer<W> {
    pub(crate) fn new(out: W, program: Program) -> Self {
        Self { out, program, charset: Charset::default(), colour: false, aside: None, failed: None }
    }

    /// Chooses the characters that messages are shown in from now on.
    pub(crate) fn set_charset(&mut self, charset: Charset) {
        self.charset = charset;
    }

    /// Shows messages in colour from now on.
    pub(crate) fn set_colour(&mut self, colour: bool) {
        self.colour = colour;
    }

    /// Lets messages go aside from now on.
    pub(crate) fn set_aside(&mut self, aside: io::Stderr) {
        self.aside = Some(aside);
    }

    /// Writes a message as one line. After the first error nothing is written.
    pub(crate) fn say(&mut self, message: &Message) {
        let mut line = Line::new(&self.program, message, self.charset);
        if self.colour {
            line = line.coloured(message.tone);
        }
        match &mut self.aside {
            // If nobody reads that, there is nobody left to tell.
            Some(aside) => drop(aside.write_all(line.as_bytes())),
            None => self.write(line.as_bytes()),
        }
    }

    /// Writes a text of our own, such as the help.
    pub(crate) fn show(&mut self, text: &str) {
        for line in text.lines() {
            self.write(Line::bare(line).as_bytes());
        }
    }

    /// Tells whether somebody still reads.
    pub(crate) fn is_open(&self) -> bool {
        self.failed.is_none()
    }

    /// Ends with what went wrong.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.failed.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn write(&mut self, line: &[u8]) {
        if self.failed.is_none() {
            let written = self.out.write_all(line).and_then(|()| self.out.flush());
            self.failed = written.err().map(|error| error.kind());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes `room` writes, then fails.
    struct Sink {
        room: usize,
        kind: ErrorKind,
        writes: Vec<String>,
    }

    impl Write for &mut Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.writes.len() == self.room {
                return Err(self.kind.into());
            }
            self.writes.push(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn run(kind: ErrorKind) -> (Vec<String>, bool, io::Result<()>) {
        let mut sink = Sink { room: 2, kind, writes: vec![] };
        let mut printer = Printer::new(&mut sink, Program::named("tlsfinger"));
        for text in ["one\r\ntwo", "three", "four", "five"] {
            printer.say(&Message::info(text));
        }
        let open = printer.is_open();
        let end = printer.finish();
        (sink.writes, open, end)
    }

    #[test]
    fn one_write_for_each_line_until_the_first_error() {
        let (writes, open, end) = run(ErrorKind::StorageFull);
        assert_eq!(writes, ["tlsfinger: one??two\n", "tlsfinger: three\n"]);
        assert!(!open);
        assert_eq!(end.unwrap_err().kind(), ErrorKind::StorageFull);
    }
}
