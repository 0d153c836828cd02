//! What is remembered for as long as its TTL allows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::limits;
use crate::time::Instant;

/// Answers by question, at most [`limits::CACHE`]; those that expire first go first.
#[derive(Debug)]
pub(crate) struct Cache<Q, A> {
    answers: BTreeMap<Q, (Instant, A)>,
    expiry: BTreeSet<(Instant, Q)>,
}

impl<Q, A> Default for Cache<Q, A> {
    fn default() -> Self {
        Self { answers: BTreeMap::new(), expiry: BTreeSet::new() }
    }
}

impl<Q: Clone + Ord, A: Clone> Cache<Q, A> {
    /// Finds the answer to a question.
    pub(crate) fn get(&mut self, now: Instant, question: &Q) -> Option<A> {
        let (until, answer) = self.answers.get(question)?;
        if *until > now {
            return Some(answer.clone());
        }
        self.remove(question);
        None
    }

    /// Keeps an answer; one without time to live is not kept.
    pub(crate) fn put(&mut self, now: Instant, question: Q, answer: A, ttl: Duration) {
        let ttl = ttl.min(limits::CACHE_TTL);
        if ttl.is_zero() {
            return;
        }
        self.remove(&question);
        let until = now + ttl;
        self.expiry.insert((until, question.clone()));
        self.answers.insert(question, (until, answer));
        if self.answers.len() > limits::CACHE
            && let Some((_, first)) = self.expiry.pop_first()
        {
            self.answers.remove(&first);
        }
    }

    fn remove(&mut self, question: &Q) {
        if let Some((until, _)) = self.answers.remove(question) {
            self.expiry.remove(&(until, question.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::lookup::Answer;
    use crate::resolve::name::{Question, from_text};
    use crate::resolve::{LookupError, RecordType};

    fn question(name: &str) -> Question {
        Question::new(from_text(name).unwrap(), RecordType::A)
    }

    fn answer(name: &str) -> Answer {
        Err(LookupError::AliasLoop { name: name.to_owned() }.into())
    }

    #[test]
    fn answers_expire() {
        let mut cache = Cache::default();
        let (start, second) = (Instant::START, Duration::from_secs(1));
        cache.put(start, question("a.test"), answer("a"), second);
        cache.put(start, question("b.test"), answer("b"), Duration::ZERO);
        assert_eq!(cache.get(start, &question("A.Test")), Some(answer("a")), "case counts not");
        assert_eq!(cache.get(start, &question("b.test")), None);
        assert_eq!(cache.get(start + second, &question("a.test")), None);
        cache.put(start, question("a.test"), answer("a"), Duration::MAX);
        assert_eq!(cache.get(start + limits::CACHE_TTL, &question("a.test")), None);
        assert!(cache.answers.is_empty() && cache.expiry.is_empty());
    }

    #[test]
    fn cache_is_bounded() {
        let mut cache = Cache::default();
        let start = Instant::START;
        for number in 0..=limits::CACHE {
            let ttl = Duration::from_secs(1000 + number as u64 % 1000);
            cache.put(start, question(&format!("n{number}.test")), answer("n"), ttl);
        }
        assert_eq!((cache.answers.len(), cache.expiry.len()), (limits::CACHE, limits::CACHE));
        assert_eq!(cache.get(start, &question("n0.test")), None, "it would have expired first");
        assert!(cache.get(start, &question("n4095.test")).is_some());
    }
}
