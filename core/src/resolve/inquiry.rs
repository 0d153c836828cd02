//! A machine of its own that asks one question and tells what the answer is worth.

use std::collections::VecDeque;
use std::sync::Arc;

use super::name::{Question, from_text};
use super::{LookupError, RecordType, Resolver};
use crate::config::Lookup;
use crate::context::{AskId, Cx};
use crate::machine::{Input, Machine, Output, Stop};
use crate::random::Seed;
use crate::report::Event;
use crate::time::{Instant, WallTime};

/// Asks one question of any type, or [several](Self::then) one after the other.
///
/// It tells each proof as [`LookupNote::Validated`](super::LookupNote::Validated): one if the name
/// server follows aliases, else one for each part of the alias chain. If there is no answer it
/// tells [`Event::LookupFailed`] at the end.
#[derive(Debug)]
pub struct Inquiry {
    cx: Cx,
    resolver: Resolver,
    asked: Option<AskId>,
    /// What comes after that.
    later: VecDeque<Question>,
}

impl Inquiry {
    /// Begins; the first outputs are queued already.
    pub fn new(
        lookup: &Lookup,
        name: &str,
        record: RecordType,
        seed: Seed,
        began: WallTime,
    ) -> Self {
        let mut cx = Cx::new(seed, began);
        let resolver = Resolver::new(lookup, true, true);
        let asked = from_text(name).map(|name| cx.ask(Question::new(name, record)));
        if asked.is_none() {
            let name = name.to_owned();
            cx.tell(Event::LookupFailed(LookupError::InvalidName { name }));
        }
        let mut inquiry = Self { cx, resolver, asked, later: VecDeque::new() };
        inquiry.advance();
        inquiry.cx.end();
        inquiry
    }

    /// Adds a question that is asked when the ones before it are answered, with all that was learnt by
    /// then. Names that DNS cannot hold are passed over.
    #[must_use]
    pub fn then(mut self, name: &str, record: RecordType) -> Self {
        self.later.extend(from_text(name).map(|name| Question::new(name, record)));
        self
    }

    fn advance(&mut self) {
        while let Some(id) = self.asked {
            let answered = self.resolver.serve(&mut self.cx);
            if let Some(answered) = self.cx.answer(id) {
                if let Err(error) = answered.answer {
                    self.cx.tell(Event::LookupFailed(Arc::unwrap_or_clone(error)));
                }
                match self.later.pop_front() {
                    Some(question) => self.asked = Some(self.cx.ask(question)),
                    None => self.stop(),
                }
            } else if !answered {
                return;
            }
        }
    }

    fn stop(&mut self) {
        self.asked = None;
        self.cx.close_all();
    }
}

impl Machine for Inquiry {
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.cx.begin(now);
        if self.cx.admit(&input) && self.asked.is_some() {
            if let Input::Stop(Stop::Drain | Stop::Now) = input {
                self.stop();
            } else {
                self.resolver.handle(&mut self.cx, &input);
            }
        }
        self.advance();
        self.cx.end();
    }

    fn poll_output(&mut self) -> Output {
        if let Some(output) = self.cx.pop() {
            return output;
        }
        if self.asked.is_some() {
            let (until, why) = self.resolver.deadline();
            return Output::Wait(until, why);
        }
        self.cx.ending()
    }
}
