//! The service behind [`Cx::ask`]: questions in, answers out, everything shared in between.

use std::collections::{BTreeMap, VecDeque};

use super::cache::Cache;
use super::error::LookupError;
use super::lookup::{Answer, Lookup, Step};
use super::name::Question;
use super::note::LookupNote;
use super::query::{Client, Heard, Manner, QueryId};
use super::trust::Trust;
use crate::config::{self, DnssecProbe};
use crate::context::{AskId, Cx};
use crate::limits;
use crate::machine::Input;
use crate::report::Event;
use crate::time::Instant;

/// Answers the questions of all machines of a run.
///
/// The root machine gives every input that it admits to [`handle`](Self::handle) first. Then it
/// calls [`serve`](Self::serve) and wakes who asked, until `serve` returns `false`.
#[derive(Debug)]
pub(crate) struct Resolver {
    client: Client,
    cache: Cache,
    trust: Trust,
    tasks: BTreeMap<Question, Task>,
    /// Tasks that wait for others to end.
    queue: VecDeque<Question>,
    running: BTreeMap<QueryId, Question>,
    /// Who waits for which task.
    askers: BTreeMap<AskId, Question>,
    probe: Option<(QueryId, DnssecProbe)>,
    tell_questions: bool,
}

/// A question that is on its way; equal questions share it.
#[derive(Debug)]
struct Task {
    lookup: Lookup,
    askers: Vec<AskId>,
    query: Option<QueryId>,
}

impl Resolver {
    /// `matters` tells whether the security of answers matters to the caller.
    pub(crate) fn new(lookup: &config::Lookup, matters: bool) -> Self {
        Self {
            client: Client::new(lookup.resolvers.clone(), lookup.tell_questions),
            cache: Cache::default(),
            trust: Trust::new(lookup, matters),
            tasks: BTreeMap::new(),
            queue: VecDeque::new(),
            running: BTreeMap::new(),
            askers: BTreeMap::new(),
            probe: None,
            tell_questions: lookup.tell_questions,
        }
    }

    /// Takes an input; `false` if it is for somebody else.
    pub(crate) fn handle(&mut self, cx: &mut Cx, input: &Input) -> bool {
        self.client.handle(cx, input)
    }

    /// Gives up what is due, takes new questions and gives answers; `false` if there were none.
    pub(crate) fn serve(&mut self, cx: &mut Cx) -> bool {
        self.client.expire(cx);
        let mut answered = false;
        while let Some(id) = cx.next_withdrawal() {
            self.withdraw(cx, id);
        }
        while let Some((id, question)) = cx.next_question() {
            answered |= self.take(cx, id, question);
        }
        loop {
            while let Some((id, heard)) = self.client.finished() {
                answered |= self.heard(cx, id, heard);
            }
            if !self.start_queued(cx) {
                break;
            }
        }
        cx.set_settling(self.probe.is_some());
        answered
    }

    /// Tells when to [`serve`](Self::serve) at the latest.
    pub(crate) fn deadline(&self) -> (Instant, &'static str) {
        self.client.deadline()
    }

    fn take(&mut self, cx: &mut Cx, id: AskId, question: Question) -> bool {
        if let Some(answer) = self.cache.get(cx.now(), &question) {
            self.tell(cx, &question, &answer, true);
            cx.put_answer(id, answer);
            return true;
        }
        self.askers.insert(id, question.clone());
        if let Some(task) = self.tasks.get_mut(&question) {
            task.askers.push(id);
            return false;
        }
        let lookup = Lookup::new(&question);
        self.tasks.insert(question.clone(), Task { lookup, askers: vec![id], query: None });
        self.queue.push_back(question);
        false
    }

    fn withdraw(&mut self, cx: &mut Cx, id: AskId) {
        let Some(question) = self.askers.remove(&id) else { return };
        let Some(task) = self.tasks.get_mut(&question) else { return };
        task.askers.retain(|asker| *asker != id);
        if !task.askers.is_empty() {
            return;
        }
        if let Some(query) = task.query {
            self.client.cancel(cx, query);
            self.running.remove(&query);
        }
        self.tasks.remove(&question);
        self.queue.retain(|queued| *queued != question);
    }

    fn start_queued(&mut self, cx: &mut Cx) -> bool {
        let mut started = false;
        while self.running.len() < limits::QUESTIONS {
            let Some(question) = self.queue.pop_front() else { break };
            self.run(cx, &question, question.clone());
            started = true;
        }
        started
    }

    /// Sends the query of the present step of a task.
    fn run(&mut self, cx: &mut Cx, question: &Question, step: Question) {
        let Some(task) = self.tasks.get_mut(question) else { return };
        let query = self.client.ask(cx, step, Manner::default());
        task.query = Some(query);
        self.running.insert(query, question.clone());
    }

    fn heard(&mut self, cx: &mut Cx, id: QueryId, heard: Heard) -> bool {
        if let Some((_, probe)) = self.probe.take_if(|(query, _)| *query == id) {
            self.trust.probed(cx, probe, heard);
            // It may be what somebody waits for.
            return true;
        }
        if let Some((probe, question)) = self.trust.look(cx, &heard) {
            self.probe = Some((self.client.ask(cx, question, Manner::default()), probe));
        }
        let Some(question) = self.running.remove(&id) else { return false };
        let Some(task) = self.tasks.get_mut(&question) else { return false };
        let trusted = heard.from.is_some_and(|(server, _)| self.trust.counts(server));
        match task.lookup.take(heard.result, trusted) {
            Step::Ask(step) => {
                self.run(cx, &question, step);
                false
            }
            Step::Done(answer, ttl) => {
                if let Err(LookupError::AliasLoop { name }) = &answer {
                    cx.tell(Event::Lookup(LookupNote::AliasLoop { name: name.clone() }));
                }
                self.tell(cx, &question, &answer, false);
                self.answer(cx, &question, &answer);
                self.cache.put(cx.now(), question, answer, ttl);
                true
            }
        }
    }

    fn tell(&self, cx: &mut Cx, question: &Question, answer: &Answer, cached: bool) {
        if self.tell_questions {
            let result = answer.as_ref().map(|found| found.owner.to_string());
            cx.tell(Event::Lookup(LookupNote::Answered {
                name: question.name.to_string(),
                record: question.record,
                result: result.map_err(LookupError::clone),
                cached,
            }));
        }
    }

    fn answer(&mut self, cx: &mut Cx, question: &Question, answer: &Answer) {
        let Some(task) = self.tasks.remove(question) else { return };
        for id in task.askers {
            self.askers.remove(&id);
            cx.put_answer(id, answer.clone());
        }
    }
}
