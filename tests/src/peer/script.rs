//! What a virtual mail server says and does, as a table that a test can change line by line.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::legacy::Legacy;
use super::mail::{Journal, MailServer};
use super::tls::TlsSetup;
use super::{Host, Peer};

/// The script of a [`MailServer`](super::MailServer).
///
/// A new script is that of a well-behaved server with STARTTLS. Verbs are matched without regard
/// to case; those that the table does not have are answered by `502 5.5.2 what?`.
#[derive(Clone, Debug)]
pub struct Script {
    pub(super) greeting: Answer,
    pub(super) answers: BTreeMap<String, Answer>,
    pub(super) answers_inside: BTreeMap<String, Answer>,
    pub(super) tls: TlsSetup,
    pub(super) wrapper: bool,
    legacy: Option<Box<Legacy>>,
    pub(super) behind_starttls: Behind,
    pub(super) journal: Journal,
}

/// What becomes of what comes in one piece with STARTTLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behind {
    /// It counts as TLS, which comes to nothing unless it is.
    #[default]
    Tls,
    /// It is dropped.
    Dropped,
    /// It is kept, and answered inside TLS (CVE-2011-0411).
    AnsweredInside,
    /// It is answered before TLS begins.
    AnsweredOutside,
    /// It ends the session.
    Refused,
}

/// What a server does on one occasion: a sequence of moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer(pub(super) Vec<Move>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Say(Bytes),
    SayBare(Bytes),
    Repeat(Bytes, u64),
    Pause(Duration),
    StartTls,
    CloseNotify,
    End,
    Reset,
}

impl Script {
    /// Makes the script of an SMTP server.
    pub fn smtp() -> Self {
        let inside = Answer::from("250 mx.example.org\r\n");
        Self {
            greeting: "220 mx.example.org ESMTP\r\n".into(),
            answers: BTreeMap::new(),
            answers_inside: BTreeMap::new(),
            tls: TlsSetup::default(),
            wrapper: false,
            legacy: None,
            behind_starttls: Behind::default(),
            journal: Journal::default(),
        }
        .on("EHLO", "250-mx.example.org\r\n250 STARTTLS\r\n")
        .on("STARTTLS", Answer::from("220 go ahead\r\n").start_tls())
        .on("QUIT", Answer::from("221 bye\r\n").close_notify().end())
        .inside("EHLO", inside.clone())
        .inside("LHLO", inside)
    }

    /// Makes the script of an LMTP server.
    pub fn lmtp() -> Self {
        let mut script = Self::smtp().greeting("220 mx.example.org LMTP\r\n");
        let hello = script.answers.remove("EHLO").unwrap_or_default();
        script.on("LHLO", hello)
    }

    /// Changes what the server says first.
    pub fn greeting(mut self, answer: impl Into<Answer>) -> Self {
        self.greeting = answer.into();
        self
    }

    /// Changes what the server does on a command, inside TLS too unless
    /// [`inside`](Self::inside) says otherwise.
    pub fn on(mut self, verb: &str, answer: impl Into<Answer>) -> Self {
        self.answers.insert(verb.to_ascii_uppercase(), answer.into());
        self
    }

    /// Changes what the server does on a command inside TLS.
    pub fn inside(mut self, verb: &str, answer: impl Into<Answer>) -> Self {
        self.answers_inside.insert(verb.to_ascii_uppercase(), answer.into());
        self
    }

    /// Changes the server's TLS.
    pub fn tls(mut self, tls: TlsSetup) -> Self {
        self.tls = tls;
        self
    }

    /// Lets TLS come first, before the greeting.
    pub fn wrapper(mut self) -> Self {
        self.wrapper = true;
        self
    }

    /// Lets a hand-built server play instead.
    pub fn legacy(mut self, legacy: Legacy) -> Self {
        self.legacy = Some(Box::new(legacy));
        self
    }

    /// Decides what becomes of what comes in one piece with STARTTLS.
    pub fn behind_starttls(mut self, behind: Behind) -> Self {
        self.behind_starttls = behind;
        self
    }

    /// Tells what the servers of this script and its clones hear.
    pub fn journal(&self) -> Journal {
        self.journal.clone()
    }
}

impl Host for Script {
    fn accept(&self) -> Box<dyn Peer> {
        match &self.legacy {
            Some(legacy) => legacy.accept(),
            None => Box::new(MailServer::new(self)),
        }
    }
}

impl Answer {
    /// Says nothing, and waits for the next command.
    pub fn silence() -> Self {
        Self::default()
    }

    /// Says something more, in one write.
    pub fn say(mut self, text: impl AsRef<[u8]>) -> Self {
        self.0.push(Move::Say(Bytes::copy_from_slice(text.as_ref())));
        self
    }

    /// Writes something past the TLS layer, if there is one.
    pub fn say_bare(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.push(Move::SayBare(Bytes::copy_from_slice(bytes.as_ref())));
        self
    }

    /// Says something byte by byte with a pause before each.
    pub fn drip(mut self, text: impl AsRef<[u8]>, pause: Duration) -> Self {
        for byte in text.as_ref() {
            self = self.pause(pause).say([*byte]);
        }
        self
    }

    /// Says something many times over; it is made as it is sent.
    pub fn repeat(mut self, text: impl AsRef<[u8]>, times: u64) -> Self {
        self.0.push(Move::Repeat(Bytes::copy_from_slice(text.as_ref()), times));
        self
    }

    /// Does nothing for a while.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.0.push(Move::Pause(pause));
        self
    }

    /// Takes everything that comes for TLS from here on.
    pub fn start_tls(mut self) -> Self {
        self.0.push(Move::StartTls);
        self
    }

    /// Ends TLS, if there is any; more may be said all the same.
    pub fn close_notify(mut self) -> Self {
        self.0.push(Move::CloseNotify);
        self
    }

    /// Hangs up.
    pub fn end(mut self) -> Self {
        self.0.push(Move::End);
        self
    }

    /// Breaks the connection off.
    pub fn reset(mut self) -> Self {
        self.0.push(Move::Reset);
        self
    }
}

impl<T: AsRef<[u8]>> From<T> for Answer {
    fn from(text: T) -> Self {
        Self::silence().say(text)
    }
}
