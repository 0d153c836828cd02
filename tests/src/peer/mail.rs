//! A virtual SMTP or LMTP server that plays a [`Script`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::script::{Behind, Move, Script};
use super::tls::TlsServer;
use super::{Act, Peer};

/// The server side of one connection.
#[derive(Debug)]
pub struct MailServer {
    script: Arc<Script>,
    journal: Journal,
    layer: Layer,
    /// Plain text that arrived and was not answered yet.
    input: Vec<u8>,
    moves: VecDeque<Move>,
    output: VecDeque<Vec<u8>>,
    /// Commands from before TLS that are answered inside.
    kept: Vec<u8>,
    closed: bool,
}

/// What a server heard, over all its connections, a line each.
///
/// `open` and `end` are the transport's, `TLSv1_3` and the like is the end of a handshake,
/// `close_notify` that of TLS; commands inside TLS stand behind `* `.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    /// Tells what was heard so far.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no writer panics").clone()
    }

    fn note(&self, line: impl Into<String>) {
        self.0.lock().expect("no writer panics").push(line.into());
    }
}

#[derive(Debug)]
enum Layer {
    Plain,
    /// TLS may begin, and no byte of it has come yet.
    Expecting,
    Tls(Box<TlsServer>, Shown),
    /// Nothing is heard any more.
    Deaf,
}

/// What of a TLS connection stands in the journal.
#[derive(Debug, Default)]
struct Shown {
    greeted: bool,
    secured: bool,
    closed: bool,
}

impl MailServer {
    /// Makes the server side of a new connection.
    pub fn new(script: &Script) -> Self {
        Self {
            layer: if script.wrapper { Layer::Expecting } else { Layer::Plain },
            journal: script.journal.clone(),
            script: Arc::new(script.clone()),
            input: vec![],
            moves: VecDeque::new(),
            output: VecDeque::new(),
            kept: vec![],
            closed: false,
        }
    }

    fn perform(&mut self, answer: &super::Answer) {
        self.moves.extend(answer.0.iter().cloned());
    }

    /// Stops hearing, and does this instead.
    fn turn_deaf(&mut self, answer: &super::Answer) {
        self.layer = Layer::Deaf;
        self.input.clear();
        self.moves.clear();
        self.perform(answer);
    }

    /// Decides what to do instead of TLS with a client that begins so.
    fn instead_of_tls(&self, bytes: &[u8]) -> Option<super::Answer> {
        let setup = &self.script.tls;
        let rather = || setup.rather.as_ref()?.flight_for(bytes).map(super::Answer::from);
        setup.instead.clone().or_else(rather)
    }

    fn receive_tls(&mut self, bytes: &[u8]) {
        let Layer::Tls(tls, shown) = &mut self.layer else { return };
        if self.script.wrapper
            && self.script.tls.half_rtt
            && !std::mem::replace(&mut shown.greeted, true)
        {
            for step in &self.script.greeting.0 {
                if let Move::Say(text) = step {
                    tls.say(text);
                }
            }
        }
        let (plain, error) = tls.receive(bytes);
        let output = tls.output();
        if !output.is_empty() {
            self.output.push_back(output);
        }
        self.input.extend_from_slice(&plain);
        if let Some((flights, answer)) = &self.script.tls.after_flight
            && tls.flights >= *flights
        {
            let answer = answer.clone();
            return self.turn_deaf(&answer);
        }
        if let Some(error) = error {
            self.journal.note(format!("TLS failed: {error}"));
            return self.turn_deaf(&super::Answer::silence().end());
        }
        if let (false, Some(summary)) = (shown.secured, tls.summary()) {
            shown.secured = true;
            self.input.splice(..0, self.kept.drain(..));
            self.journal.note(summary);
            if self.script.wrapper && !shown.greeted {
                self.moves.extend(self.script.greeting.0.iter().cloned());
            }
        }
        if !shown.closed && tls.closed_by_client() {
            shown.closed = true;
            self.take_commands_at_end();
            self.journal.note("close_notify");
        }
    }

    /// Notes the commands that come in one read with the end of TLS before that end.
    fn take_commands_at_end(&mut self) {
        while let Some(command) = self.take_command() {
            self.answer(&command);
        }
    }

    fn take_command(&mut self) -> Option<String> {
        let end = self.input.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.input.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn answer(&mut self, command: &str) {
        let inside = matches!(self.layer, Layer::Tls(..));
        self.journal.note(format!("{}{command}", if inside { "* " } else { "" }));
        let verb = command.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        let script = self.script.clone();
        let is_piped = verb == "STARTTLS" && !self.input.is_empty();
        if is_piped && script.behind_starttls == Behind::Refused {
            self.input.clear();
            return self.perform(&super::Answer::from("554 5.5.0 pipelining\r\n").end());
        }
        let answer = inside.then(|| script.answers_inside.get(&verb)).flatten();
        match answer.or_else(|| script.answers.get(&verb)) {
            Some(answer) => self.perform(answer),
            None => self.perform(&"502 5.5.2 what?\r\n".into()),
        }
    }

    /// Writes through the TLS layer, if there is one.
    fn say(&mut self, text: &Bytes) -> Option<Act> {
        match &mut self.layer {
            Layer::Tls(tls, _) => {
                tls.say(text);
                let output = tls.output();
                (!output.is_empty()).then(|| Act::Send(output.into()))
            }
            Layer::Plain | Layer::Expecting | Layer::Deaf => Some(Act::Send(text.clone())),
        }
    }

    fn make(&mut self, next: Move) -> Option<Act> {
        match next {
            Move::Say(text) => self.say(&text),
            Move::SayBare(bytes) => Some(Act::Send(bytes)),
            Move::Repeat(_, 0) => None,
            Move::Repeat(text, times) => {
                self.moves.push_front(Move::Repeat(text.clone(), times - 1));
                self.say(&text)
            }
            Move::Pause(pause) => Some(Act::Pause(pause)),
            Move::StartTls => {
                self.layer = Layer::Expecting;
                if self.script.behind_starttls != Behind::AnsweredOutside {
                    let early = std::mem::take(&mut self.input);
                    match self.script.behind_starttls {
                        Behind::AnsweredInside => self.kept = early,
                        Behind::Tls => self.received(&early),
                        Behind::Dropped | Behind::AnsweredOutside | Behind::Refused => {}
                    }
                }
                None
            }
            Move::CloseNotify => match &mut self.layer {
                Layer::Tls(tls, _) => {
                    tls.close_notify();
                    Some(Act::Send(tls.output().into()))
                }
                Layer::Plain | Layer::Expecting | Layer::Deaf => None,
            },
            Move::End => self.hang_up(Act::End),
            Move::Reset => self.hang_up(Act::Reset),
        }
    }

    fn hang_up(&mut self, how: Act) -> Option<Act> {
        (!std::mem::replace(&mut self.closed, true)).then_some(how)
    }
}

impl Peer for MailServer {
    fn opened(&mut self) {
        self.journal.note("open");
        if !self.script.wrapper {
            self.moves.extend(self.script.greeting.0.iter().cloned());
        }
    }

    fn received(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        match &self.layer {
            Layer::Plain => self.input.extend_from_slice(bytes),
            Layer::Deaf => {}
            Layer::Tls(..) => self.receive_tls(bytes),
            Layer::Expecting => match self.instead_of_tls(bytes) {
                Some(answer) => self.turn_deaf(&answer),
                None => {
                    let tls = Box::new(self.script.tls.accept());
                    self.layer = Layer::Tls(tls, Shown::default());
                    self.receive_tls(bytes);
                }
            },
        }
    }

    fn ended(&mut self) {
        self.journal.note("end");
        self.moves = [Move::End].into();
    }

    fn act(&mut self) -> Option<Act> {
        loop {
            if self.closed {
                // What comes is still heard, but nothing can be said any more.
                self.moves.clear();
                self.output.clear();
            }
            if let Some(output) = self.output.pop_front() {
                return Some(Act::Send(output.into()));
            }
            if let Some(next) = self.moves.pop_front() {
                if let Some(act) = self.make(next) {
                    return Some(act);
                }
                continue;
            }
            let command = self.take_command()?;
            self.answer(&command);
        }
    }
}
