//! One question with its alias chain, and whether every step of it was secure.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::dnssec::Proof;
use super::error::{DnsProblem, LookupError, RecordType, Trouble};
use super::extended::ExtendedError;
use super::message::{Data, Reply};
use super::name::{HostText, Name, Question, host_text};
use crate::limits;

/// What a question came to.
pub(crate) type Answer = Result<Arc<Found>, Arc<LookupError>>;

/// An answer as it is given to who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    /// What it is worth, step by step along its aliases; empty if nothing was validated here.
    pub(crate) proofs: Arc<[Arc<Proof>]>,
}

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

    /// Takes the answer to the question of the present step. `secure` tells whether it was
    /// validated by somebody who is trusted.
    pub(crate) fn take(&mut self, result: Result<Reply, Trouble>, secure: bool) -> Step {
        let reply = match result {
            Ok(reply) => reply,
            Err(Trouble { problem, extended }) => {
                return self.failed(self.dns(&self.name, problem, extended));
            }
        };
        self.secure &= secure;
        let extended = reply.extended;
        let Some(records) = reply.records else {
            return self.failed(self.dns(&self.name, DnsProblem::Malformed, extended));
        };
        // RFC 2308 section 5: without SOA record a negative answer is not to be cached.
        let ttl = records.ttl.map_or(limits::CACHE_FAILURE, |ttl| Duration::from_secs(ttl.into()));
        self.ttl = self.ttl.min(ttl);

        let mut end = self.name.clone();
        loop {
            let data = records.data.iter().filter(|(owner, _)| *owner == end);
            let mut data: Vec<_> = data.map(|(_, data)| data.clone()).collect();
            if !data.is_empty() {
                // It is kept for long.
                data.shrink_to_fit();
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
            return self.failed(self.dns(&self.name, DnsProblem::NoSuchName, extended));
        }
        // RFC 2308 section 2.2: the resolver followed the chain and says that there is nothing.
        let denied = records.denied_by.is_some_and(|zone| end.ends_with(&zone));
        if end == self.name || denied {
            return self.failed(self.dns(&end, DnsProblem::NoData, extended));
        }
        if self.queries > limits::ALIAS_QUERIES {
            return self.failed(LookupError::AliasLoop { name: end.to_string() });
        }
        self.queries += 1;
        self.name = end.clone();
        Step::Ask(Question::new(end, self.record))
    }

    fn dns(&self, name: &Name, problem: DnsProblem, extended: Vec<ExtendedError>) -> LookupError {
        LookupError::Dns { name: name.to_string(), record: self.record, problem, extended }
    }

    fn failed(&self, error: LookupError) -> Step {
        let ttl = if error.is_not_found() { self.ttl } else { limits::CACHE_FAILURE };
        Step::Done(Err(Arc::new(error)), ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::message::Records;
    use crate::resolve::name::from_text;
    use bytes::Bytes;

    fn name(text: &str) -> Name {
        from_text(text).unwrap()
    }

    /// An answer with these aliases, and an address of `end`.
    fn reply(aliases: &[(&str, &str)], end: &str) -> Reply {
        let address = Data::A([192, 0, 2, 1].into());
        let records = Records {
            aliases: aliases.iter().map(|(owner, target)| (name(owner), name(target))).collect(),
            data: vec![(name(end), address)],
            ttl: Some(60),
            ..Records::default()
        };
        let records = Some(records);
        Reply {
            rcode: 0,
            authentic: true,
            edns: true,
            signed: true,
            extended: Vec::new(),
            records,
            message: Bytes::new(),
        }
    }

    fn take(aliases: &[(&str, &str)], end: &str) -> Step {
        let question = Question::new(name("a.test"), RecordType::A);
        Lookup::new(&question).take(Ok(reply(aliases, end)), true)
    }

    #[test]
    fn chain_within_one_answer() {
        let chain = [("b.test", "c.test"), ("A.test", "B.test")];
        let Step::Done(Ok(found), ttl) = take(&chain, "C.test") else { panic!() };
        assert_eq!((found.owner.to_string(), found.secure), ("c.test".to_owned(), true));
        assert_eq!(ttl, Duration::from_secs(60));
    }

    #[test]
    fn loop_within_one_answer() {
        for aliases in [
            &[("a.test", "a.test")][..],
            &[("a.test", "b.test"), ("b.test", "A.test")],
            &[("a.test", "b.test"), ("b.test", "c.test"), ("c.test", "b.test")],
        ] {
            let step = take(aliases, "elsewhere.test");
            let Step::Done(Err(error), _) = step else { panic!("{step:?}") };
            assert!(matches!(*error, LookupError::AliasLoop { .. }), "{error:?}");
        }
    }

    #[test]
    fn records_of_other_names_do_not_count() {
        let Step::Done(Err(error), _) = take(&[("b.test", "c.test")], "c.test") else { panic!() };
        assert!(error.is_not_found());
    }

    #[test]
    fn alias_of_something_that_is_no_host() {
        let bad = Name::bytes_from_str(r"a\032b.test").unwrap();
        let mut reply = reply(&[], "end.test");
        reply.records.as_mut().unwrap().aliases.push((name("a.test"), bad));
        let question = Question::new(name("a.test"), RecordType::A);
        let step = Lookup::new(&question).take(Ok(reply), true);
        let wanted = LookupError::InvalidName { name: "a.test".to_owned() };
        assert!(matches!(step, Step::Done(Err(error), _) if *error == wanted));
    }
}
