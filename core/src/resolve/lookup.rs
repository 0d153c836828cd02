//! One question with its alias chain, and whether every step of it was secure.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::error::{DnsProblem, LookupError, RecordType};
use super::message::{Data, Reply};
use super::name::{HostText, Name, Question, host_text};
use crate::limits;

/// What a question came to.
pub(crate) type Answer = Result<Arc<Found>, LookupError>;

/// The records that were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Whose they are: the end of the alias chain.
    pub(crate) owner: Name,
    /// The records; never empty, at most [`limits::RECORDS`].
    pub(crate) data: Vec<Data>,
    /// There were more than that.
    pub(crate) excess: bool,
    /// Every step was validated, and whoever says so is trusted.
    pub(crate) secure: bool,
}

/// A question that is being followed along its aliases.
#[derive(Debug)]
pub(crate) struct Lookup {
    record: RecordType,
    /// The name that is asked for now.
    name: Name,
    /// All names of the chain so far.
    seen: BTreeSet<Name>,
    queries: usize,
    secure: bool,
    ttl: Duration,
}

/// What comes after an answer.
#[derive(Debug)]
pub(crate) enum Step {
    /// The lookup ended; the answer may be kept for this long.
    Done(Answer, Duration),
    /// Ask this next.
    Ask(Question),
}

impl Lookup {
    pub(crate) fn new(question: &Question) -> Self {
        Self {
            record: question.record,
            name: question.name.clone(),
            seen: BTreeSet::from([question.name.clone()]),
            queries: 1,
            secure: true,
            ttl: limits::CACHE_TTL,
        }
    }

    /// Takes the answer to the question of the present step. `trusted` tells whether the AD bit of
    /// whoever gave it counts.
    pub(crate) fn take(&mut self, result: Result<Reply, DnsProblem>, trusted: bool) -> Step {
        let reply = match result {
            Ok(reply) => reply,
            Err(problem) => return self.failed(self.dns(&self.name, problem)),
        };
        self.secure &= reply.authentic && trusted;
        let Some(records) = reply.records else {
            return self.failed(self.dns(&self.name, DnsProblem::Malformed));
        };
        // RFC 2308 section 5: without SOA record a negative answer is not to be cached.
        let ttl = records.ttl.map_or(limits::CACHE_FAILURE, |ttl| Duration::from_secs(ttl.into()));
        self.ttl = self.ttl.min(ttl);

        let mut end = self.name.clone();
        loop {
            let data = records.data.iter().filter(|(owner, _)| *owner == end);
            let data: Vec<_> = data.map(|(_, data)| data.clone()).collect();
            if !data.is_empty() {
                let secure = self.secure;
                let found = Found { owner: end, data, excess: records.excess, secure };
                return Step::Done(Ok(Arc::new(found)), self.ttl);
            }
            let alias = records.aliases.iter().find(|(owner, _)| *owner == end);
            let Some((_, target)) = alias else { break };
            if matches!(host_text(target), HostText::Bad(..) | HostText::Root) {
                return self.failed(LookupError::InvalidName { name: self.name.to_string() });
            }
            if !self.seen.insert(target.clone()) {
                return self.failed(LookupError::AliasLoop { name: end.to_string() });
            }
            end = target.clone();
        }
        if reply.rcode != 0 {
            // RFC 6604 section 3: it belongs to the end of the chain, but the reference names its
            // beginning.
            return self.failed(self.dns(&self.name, DnsProblem::NoSuchName));
        }
        // RFC 2308 section 2.2: the resolver followed the chain and says that there is nothing.
        let denied = records.denied_by.is_some_and(|zone| end.ends_with(&zone));
        if end == self.name || denied {
            return self.failed(self.dns(&end, DnsProblem::NoData));
        }
        if self.queries > limits::ALIAS_QUERIES {
            return self.failed(LookupError::AliasLoop { name: end.to_string() });
        }
        self.queries += 1;
        self.name = end.clone();
        Step::Ask(Question::new(end, self.record))
    }

    fn dns(&self, name: &Name, problem: DnsProblem) -> LookupError {
        LookupError::Dns { name: name.to_string(), record: self.record, problem }
    }

    fn failed(&self, error: LookupError) -> Step {
        let ttl = if error.is_not_found() { self.ttl } else { limits::CACHE_FAILURE };
        Step::Done(Err(error), ttl)
    }
}
