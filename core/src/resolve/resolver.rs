//! The service behind [`Cx::ask`]: questions in, answers out, everything shared in between.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::cache::Cache;
use super::dnssec::{Clock, Proof, Security, Validator};
use super::error::{DnsProblem, LookupError};
use super::lookup::{Answer, Answered, Lookup, Step};
use super::name::Question;
use super::note::LookupNote;
use super::query::{Client, Heard, Manner, QueryId};
use super::trust::Trust;
use crate::config::{self, DnssecProbe, DnssecTrust};
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
    cache: Cache<Question, Answered>,
    trust: Trust,
    validator: Validator,
    /// Questions that validation needs answers to, under way and before that.
    chains: BTreeMap<QueryId, Question>,
    chain_queue: BTreeSet<Question>,
    /// The tasks that wait for the answer to such a question.
    unproven: BTreeMap<Question, BTreeSet<Question>>,
    tasks: BTreeMap<Question, Task>,
    /// Tasks that wait for others to end.
    queue: VecDeque<Question>,
    running: BTreeMap<QueryId, Question>,
    /// Who waits for which task.
    askers: BTreeMap<AskId, Question>,
    probe: Option<(QueryId, DnssecProbe)>,
    /// A probe that waits for room.
    probe_due: Option<(DnssecProbe, Question)>,
    tell_questions: bool,
    /// How many tasks may be under way.
    at_once: usize,
    /// How many sockets each of them may take.
    attempts: usize,
    /// How many sockets all of them may take.
    sockets: usize,
}

/// An answer that waits for its proof.
#[derive(Debug)]
struct Unproven {
    step: Question,
    heard: Heard,
    /// How many questions were asked for its sake.
    asked: usize,
    /// Those whose answers are missing.
    missing: BTreeSet<Question>,
}

/// A question that is on its way; equal questions share it.
#[derive(Debug)]
struct Task {
    lookup: Lookup,
    askers: Vec<AskId>,
    query: Option<QueryId>,
    /// The name that is asked for now.
    step: Question,
    unproven: Option<Unproven>,
    /// Of the steps so far.
    proofs: Vec<Arc<Proof>>,
}

impl Resolver {
    /// Counts the octets received and held.
    pub(crate) fn buffered(&self) -> usize {
        self.client.buffered()
    }

    /// `matters` tells whether the security of answers matters to the caller, `repeatable` whether
    /// all randomness has to be that of the run.
    pub(crate) fn new(lookup: &config::Lookup, matters: bool, repeatable: bool) -> Self {
        let trust = Trust::new(lookup, matters);
        let mut client = Client::new(lookup.resolvers.clone(), lookup.tell_questions, repeatable);
        let tls = lookup.resolvers.tls.is_some();
        client.set_unchecked(|server, authenticated| {
            let believed = trust.believes(server, tls.then_some(authenticated));
            lookup.dnssec != DnssecTrust::Trust && !believed
        });
        let lenient = lookup.dnssec == DnssecTrust::Auto;
        Self {
            client,
            cache: Cache::default(),
            trust,
            validator: Validator::new(Arc::clone(&lookup.trust_anchors), lenient),
            chains: BTreeMap::new(),
            chain_queue: BTreeSet::new(),
            unproven: BTreeMap::new(),
            tasks: BTreeMap::new(),
            queue: VecDeque::new(),
            running: BTreeMap::new(),
            askers: BTreeMap::new(),
            probe: None,
            probe_due: None,
            tell_questions: lookup.tell_questions,
            at_once: limits::QUESTIONS,
            attempts: lookup.resolvers.servers.len() * lookup.resolvers.attempts as usize,
            sockets: usize::MAX,
        }
    }

    /// Changes how many questions may be under way at once, so that they never take more than so
    /// many sockets, those of one question at least. What validation asks goes before new questions.
    pub(crate) fn allow(&mut self, sockets: usize) {
        self.at_once = (sockets / self.attempts.max(1)).clamp(1, limits::SCAN_QUESTIONS);
        self.sockets = sockets;
    }

    /// Tells whether there are sockets for one more question, whoever asks it.
    fn has_room(&self, cx: &Cx) -> bool {
        let asked = self.running.len() + self.chains.len() + usize::from(self.probe.is_some()) + 1;
        let others = cx.closing() + self.client.streams();
        let sockets = asked.saturating_mul(self.attempts).saturating_add(others);
        sockets <= self.sockets || asked == 1 && cx.closing() == 0
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
            self.start_chains(cx);
            if !self.start_queued(cx) {
                break;
            }
        }
        if self.has_room(cx)
            && let Some((probe, question)) = self.probe_due.take()
        {
            self.probe = Some((self.client.ask(cx, question, Manner::default()), probe));
        }
        cx.set_settling(self.probe.is_some() || self.probe_due.is_some());
        answered
    }

    /// Tells when to [`serve`](Self::serve) at the latest.
    pub(crate) fn deadline(&self) -> (Instant, &'static str) {
        self.client.deadline()
    }

    fn take(&mut self, cx: &mut Cx, id: AskId, question: Question) -> bool {
        if let Some(answer) = self.cache.get(cx.now(), &question) {
            self.tell(cx, &question, &answer.answer, true);
            cx.put_answer(id, answer);
            return true;
        }
        self.askers.insert(id, question.clone());
        if let Some(task) = self.tasks.get_mut(&question) {
            task.askers.push(id);
            return false;
        }
        let lookup = Lookup::new(&question);
        let (step, proofs) = (question.clone(), Vec::new());
        let task = Task { lookup, askers: vec![id], query: None, step, unproven: None, proofs };
        self.tasks.insert(question.clone(), task);
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
        while self.chain_queue.is_empty() && self.running.len() < self.at_once && self.has_room(cx)
        {
            let Some(question) = self.queue.pop_front() else {
                // It was long if many destinations began at once.
                self.queue.shrink_to(limits::SCAN_QUESTIONS);
                break;
            };
            self.run(cx, &question);
            started = true;
        }
        started
    }

    /// Sends the query of the present step of a task.
    fn run(&mut self, cx: &mut Cx, question: &Question) {
        let Some(task) = self.tasks.get_mut(question) else { return };
        let query = self.client.ask(cx, task.step.clone(), Manner::default());
        task.query = Some(query);
        self.running.insert(query, question.clone());
    }

    fn heard(&mut self, cx: &mut Cx, id: QueryId, heard: Heard) -> bool {
        if let Some((_, probe)) = self.probe.take_if(|(query, _)| *query == id) {
            self.trust.probed(cx, probe, heard);
            // It may be what somebody waits for.
            return true;
        }
        if let Some(probe) = self.trust.look(&heard) {
            self.probe_due = Some(probe);
        }
        if let Some(question) = self.chains.remove(&id) {
            self.validator.learn(clock(cx), question.clone(), heard.result);
            let proved = self.prove_all(cx, &question);
            self.start_chains(cx);
            return proved;
        }
        let Some(question) = self.running.remove(&id) else { return false };
        let Some(task) = self.tasks.get_mut(&question) else { return false };
        task.query = None;
        if self.trust.validates(&heard) && heard.result.is_ok() {
            let step = task.step.clone();
            let missing = BTreeSet::new();
            task.unproven = Some(Unproven { step, heard, asked: 0, missing });
            return self.prove(cx, &question);
        }
        let secure = heard.from.is_some_and(|from| from.authentic && self.trust.counts(&from));
        self.go_on(cx, &question, heard, secure)
    }

    /// Tries to prove every answer that waits for what was learnt.
    fn prove_all(&mut self, cx: &mut Cx, learnt: &Question) -> bool {
        let mut answered = false;
        for question in self.unproven.remove(learnt).unwrap_or_default() {
            // It may be over, or wait for something else by now.
            let task = self.tasks.get_mut(&question);
            let unproven = task.and_then(|task| task.unproven.as_mut());
            if unproven.is_some_and(|unproven| unproven.missing.remove(learnt)) {
                answered |= self.prove(cx, &question);
            }
        }
        answered
    }

    /// Tries to prove the answer to the present step of a task; asks for what is missing.
    fn prove(&mut self, cx: &mut Cx, question: &Question) -> bool {
        let Some(task) = self.tasks.get_mut(question) else { return false };
        let Some(mut unproven) = task.unproven.take() else { return false };
        let Ok(reply) = &unproven.heard.result else { return false };
        if !self.trust.validates(&unproven.heard) {
            // Meanwhile the server showed that it validates itself.
            return self.go_on(cx, question, unproven.heard, false);
        }
        let proved = match self.validator.validate(clock(cx), &unproven.step, reply) {
            Err(_) if unproven.asked > limits::CHAIN_QUESTIONS => {
                Ok(Proof::too_much_work(&unproven.step))
            }
            proved => proved,
        };
        let wanted = match proved {
            Ok(proof) => {
                let mut heard = unproven.heard;
                self.trust.proved(cx, &heard, &proof);
                let secure = proof.is_secure();
                let proof = Arc::new(proof);
                cx.tell(Event::Lookup(LookupNote::Validated(Arc::clone(&proof))));
                task.proofs.push(Arc::clone(&proof));
                if let Security::Bogus(_) = proof.security {
                    heard.result = Err(DnsProblem::Bogus(proof).into());
                }
                return self.go_on(cx, question, heard, secure);
            }
            Err(wanted) => wanted,
        };
        for wanted in &wanted {
            if !self.chains.values().any(|under_way| under_way == wanted) {
                unproven.asked += usize::from(self.chain_queue.insert(wanted.clone()));
            }
            self.unproven.entry(wanted.clone()).or_default().insert(question.clone());
        }
        unproven.missing = wanted;
        if let Some(task) = self.tasks.get_mut(question) {
            task.unproven = Some(unproven);
        }
        self.start_chains(cx);
        false
    }

    /// Asks what validation needs, as much as may be asked at once.
    fn start_chains(&mut self, cx: &mut Cx) {
        while self.chains.len() < limits::CHAINS && self.has_room(cx) {
            let Some(question) = self.chain_queue.pop_first() else { return };
            let id = self.client.ask(cx, question.clone(), Manner::default());
            self.chains.insert(id, question);
        }
    }

    /// Takes the answer to the present step of a task for what it is worth.
    fn go_on(&mut self, cx: &mut Cx, question: &Question, heard: Heard, secure: bool) -> bool {
        let Some(task) = self.tasks.get_mut(question) else { return false };
        match task.lookup.take(heard.result, secure) {
            Step::Ask(step) => {
                task.step = step;
                // What was begun comes before what is new.
                self.queue.push_front(question.clone());
                false
            }
            Step::Done(answer, ttl) => {
                if let Err(error) = &answer
                    && let LookupError::AliasLoop { name } = &**error
                {
                    cx.tell(Event::Lookup(LookupNote::AliasLoop { name: name.clone() }));
                }
                let proofs = std::mem::take(&mut task.proofs).into();
                self.tell(cx, question, &answer, false);
                let answered = Answered { answer, proofs };
                self.answer(cx, question, &answered);
                self.cache.put(cx.now(), question.clone(), answered, ttl);
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
                result: result.map_err(|error| LookupError::clone(error)),
                cached,
            }));
        }
    }

    fn answer(&mut self, cx: &mut Cx, question: &Question, answer: &Answered) {
        let Some(task) = self.tasks.remove(question) else { return };
        for id in task.askers {
            self.askers.remove(&id);
            cx.put_answer(id, answer.clone());
        }
    }
}

fn clock(cx: &Cx) -> Clock {
    Clock { now: cx.now(), wall: cx.wall_time() }
}
