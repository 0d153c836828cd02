//! Finished lines of output: the one place where text is made fit for a terminal.

use std::fmt;

use crate::program::Program;

/// Something to tell people: a text and how serious it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) severity: Severity,
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// What a [`Message`] means for the reader; decides its colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Doubtful,
    Bad,
}

impl Tone {
    /// The colour as SGR parameter (ECMA-48).
    const fn colour(self) -> Option<u8> {
        match self {
            Self::Plain => None,
            Self::Good => Some(32),
            Self::Doubtful => Some(33),
            Self::Bad => Some(31),
        }
    }
}

/// How serious a [`Message`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    Info,
    Warning,
    /// The run cannot go on.
    Fatal,
    /// Goes on from what was told before: no name stands before it.
    Bare,
}

impl Message {
    pub(crate) fn bare(text: impl fmt::Display) -> Self {
        Self { severity: Severity::Bare, text: text.to_string(), tone: Tone::Plain }
    }

    pub(crate) fn info(text: impl fmt::Display) -> Self {
        Self { severity: Severity::Info, text: text.to_string(), tone: Tone::Plain }
    }

    pub(crate) fn warning(text: impl fmt::Display) -> Self {
        Self { severity: Severity::Warning, text: text.to_string(), tone: Tone::Doubtful }
    }

    pub(crate) fn fatal(text: impl fmt::Display) -> Self {
        Self { severity: Severity::Fatal, text: text.to_string(), tone: Tone::Bad }
    }

    /// Gives the message another tone.
    pub(crate) fn toned(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }
}

/// Which characters are shown as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Charset {
    Ascii,
    #[default]
    Utf8,
}

/// One line of output with its end. Whatever it was made of, it holds no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line(String);

impl Line {
    /// Makes the line of a message, behind the program's name.
    pub(crate) fn new(program: &Program, message: &Message, charset: Charset) -> Self {
        let kind = match message.severity {
            Severity::Bare => return Self::finish(&message.text, charset),
            Severity::Info => "",
            Severity::Warning => "warning: ",
            Severity::Fatal => "fatal: ",
        };
        Self::finish(&format!("{}: {kind}{}", program.name(), message.text), charset)
    }

    /// Makes a line that does not start with the program's name.
    pub(crate) fn bare(text: &str) -> Self {
        Self::finish(text, Charset::Utf8)
    }

    fn finish(text: &str, charset: Charset) -> Self {
        Self(filtered(text, charset) + "\n")
    }

    /// Puts the line into the colour of a tone.
    pub(crate) fn coloured(self, tone: Tone) -> Self {
        match tone.colour() {
            Some(colour) => Self(format!("\x1b[{colour}m{}\x1b[0m\n", self.0.trim_end())),
            None => self,
        }
    }

    /// Makes a line that goes on from the one before it, behind a tab.
    pub(crate) fn indented(text: &str) -> Self {
        Self(format!("\t{}", Self::bare(text).0))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Replaces everything that a terminal could take for more than text.
pub(crate) fn printable(text: &str) -> String {
    filtered(text, Charset::Utf8)
}

fn filtered(text: &str, charset: Charset) -> String {
    let mut line = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if is_printable(c) && (c.is_ascii() || charset == Charset::Utf8) {
            line.push(c);
        } else {
            line.extend(std::iter::repeat_n('?', shown_octets(c)));
        }
    }
    line
}

/// Tells whether a terminal shows `c` and does nothing else with it.
fn is_printable(c: char) -> bool {
    let reorders_or_hides = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    );
    !c.is_control() && c != char::REPLACEMENT_CHARACTER && !reorders_or_hides
}

/// How many question marks stand for `c`: one for each octet, where the replacement character
/// stands for one octet that was no UTF-8.
fn shown_octets(c: char) -> usize {
    if c == char::REPLACEMENT_CHARACTER { 1 } else { c.len_utf8() }
}

/// Text of a server, which counts as ASCII: every octet that is neither printable nor white space
/// becomes a question mark.
pub(crate) struct ServerText<'a>(pub(crate) &'a [u8]);

impl fmt::Display for ServerText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        self.0.iter().try_for_each(|octet| {
            let fit = octet.is_ascii_graphic() || octet.is_ascii_whitespace();
            f.write_char(if fit { char::from(*octet) } else { '?' })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        Line::new(&Program::named("/usr/sbin/posttls-finger"), &Message::info(text), Charset::Utf8)
            .0
    }

    #[test]
    fn severity_is_a_word_behind_the_name() {
        let program = Program::named("./tlsfinger");
        let table = [
            (Message::info("x"), "tlsfinger: x\n"),
            (Message::warning("x"), "tlsfinger: warning: x\n"),
            (Message::fatal("x"), "tlsfinger: fatal: x\n"),
        ];
        for (message, expected) in table {
            assert_eq!(Line::new(&program, &message, Charset::Utf8).0, expected);
        }
    }

    #[test]
    fn nothing_unprintable_survives() {
        let table = [
            ("a\tb\r\nc\0\u{1b}[31m\u{7f}", "a?b??c??[31m?"),
            ("bücher", "bücher"),
            // C1 controls and marks that reorder text, one question mark per octet.
            ("\u{9b}31m", "??31m"),
            ("a\u{202e}b\u{2028}", "a???b???"),
            ("b\u{fffd}cher", "b?cher"),
        ];
        for (text, expected) in table {
            assert_eq!(line(text), format!("posttls-finger: {expected}\n"));
        }
    }

    #[test]
    fn ascii_leaves_one_question_mark_for_each_octet() {
        let line = Line::new(&Program::named("x"), &Message::info("bücher"), Charset::Ascii);
        assert_eq!(line.0, "x: b??cher\n");
    }

    #[test]
    fn server_text_is_ascii() {
        let text = "250 b\u{fc}cher\x1b \x00\t\n".as_bytes();
        assert_eq!(line(&ServerText(text).to_string()), "posttls-finger: 250 b??cher? ???\n");
    }
}
