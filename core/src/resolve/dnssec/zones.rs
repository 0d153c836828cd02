//! The walk from a trust anchor down to a zone, remembered for all answers of a run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::base::ToName;

use super::anchors::{Anchor, TrustAnchors};
use super::denial::{Denial, Denied};
use super::key::{self, Budget, Ds, Key, Signed, is_known_algorithm};
use super::proof::{ChainStep, Flaw, Insecurity, Security, SignedBy};
use super::records::{RrSet, Sections};
use crate::limits;
use crate::resolve::RecordType;
use crate::resolve::cache::Cache;
use crate::resolve::error::Trouble;
use crate::resolve::name::{Name, Question};
use crate::time::{Instant, WallTime};

/// What time it is, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) now: Instant,
    pub(crate) wall: WallTime,
}

impl Clock {
    /// Seconds since 1970 modulo 2^32, as signatures count.
    pub(super) fn seconds(self) -> u32 {
        u32::try_from(self.wall.0 & u64::from(u32::MAX)).unwrap_or(0)
    }
}

/// A zone whose keys are believed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Zone {
    pub(super) name: Name,
    pub(super) keys: Vec<Key>,
    /// How it came to that.
    pub(super) steps: Vec<ChainStep>,
}

/// Where a walk ends without keys.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) security: Security,
    pub(super) steps: Vec<ChainStep>,
}

/// What a walk comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Zone(Arc<Zone>),
    End(Arc<End>),
}

/// What a zone says about a name below it.
#[derive(Clone, Debug)]
enum Cut {
    /// Another zone begins there, with a key that one of these names.
    Zone(Arc<Delegation>),
    /// None begins there.
    None,
    /// None begins there or below.
    Nothing,
    End(Arc<End>),
}

#[derive(Debug)]
struct Delegation {
    anchors: Vec<Anchor>,
    step: ChainStep,
}

/// What is known of zones.
#[derive(Debug)]
pub(super) struct Zones {
    anchors: Arc<TrustAnchors>,
    /// A name server without DNSSEC makes everything insecure instead of bogus.
    lenient: bool,
    /// Answers that were not needed yet.
    fetched: Cache<Question, Result<Arc<Sections>, Trouble>>,
    cuts: Cache<Name, Cut>,
    places: Cache<Name, Place>,
}

impl Zones {
    pub(super) fn new(anchors: Arc<TrustAnchors>, lenient: bool) -> Self {
        Self {
            anchors,
            lenient,
            fetched: Cache::default(),
            cuts: Cache::default(),
            places: Cache::default(),
        }
    }

    /// Takes the answer to a question that a walk wanted.
    pub(super) fn learn(
        &mut self,
        clock: Clock,
        question: Question,
        answer: Result<Sections, Trouble>,
    ) {
        self.fetched.put(clock.now, question, answer.map(Arc::new), limits::CACHE_FAILURE);
    }

    /// Finds the zone that a name belongs to. `None` if answers to `wanted` are needed first.
    ///
    /// `apex` tells that the name should be that of a zone itself.
    pub(super) fn walk(
        &mut self,
        clock: Clock,
        name: &Name,
        apex: bool,
        wanted: &mut BTreeSet<Question>,
    ) -> Option<Place> {
        let Some(anchor) = self.anchors.closest(name) else {
            return Some(ended(Vec::new(), Security::Insecure(Insecurity::NoAnchor)));
        };
        let mut path: Vec<Name> = name
            .iter_suffixes()
            .map(|suffix| suffix.to_name())
            .take_while(|suffix: &Name| *suffix != anchor)
            .collect();
        path.reverse();
        let missing = wanted.len();
        let mut place = self.anchored(clock, &anchor, wanted);
        for child in &path {
            let Some(Place::Zone(zone)) = &place else { break };
            let zone = Arc::clone(zone);
            place = match self.cut(clock, &zone, child, wanted) {
                Some(Cut::None) => continue,
                Some(Cut::Nothing) => break,
                Some(Cut::End(end)) => return Some(Place::End(end)),
                Some(Cut::Zone(delegation)) => {
                    self.delegated(clock, &zone, child, &delegation, wanted)
                }
                None => None,
            };
        }
        if wanted.len() > missing && place.is_none() {
            self.look_ahead(clock, &path, apex, wanted);
        }
        place
    }

    /// Wants at once what a walk will want one after the other: questions leave together.
    fn look_ahead(
        &mut self,
        clock: Clock,
        path: &[Name],
        apex: bool,
        wanted: &mut BTreeSet<Question>,
    ) {
        // Where nothing tells that a name is signed, the walk most likely ends at the second label.
        let ahead = if apex { path.len() } else { 2 };
        for (at, name) in path.iter().enumerate().take(ahead) {
            if self.cuts.get(clock.now, name).is_none() {
                self.want(clock, name, RecordType::DS, wanted);
            }
            let is_zone = apex || at == 0;
            let known = matches!(self.cuts.get(clock.now, name), Some(Cut::None | Cut::End(_)));
            if is_zone && !known && self.places.get(clock.now, name).is_none() {
                self.want(clock, name, RecordType::DNSKEY, wanted);
            }
        }
    }

    /// Hands out an answer, or wants it.
    fn want(
        &mut self,
        clock: Clock,
        name: &Name,
        record: RecordType,
        wanted: &mut BTreeSet<Question>,
    ) -> Option<Result<Arc<Sections>, Trouble>> {
        let question = Question::new(name.clone(), record);
        let found = self.fetched.get(clock.now, &question);
        if found.is_none() {
            wanted.insert(question);
        }
        found
    }

    fn anchored(
        &mut self,
        clock: Clock,
        name: &Name,
        wanted: &mut BTreeSet<Question>,
    ) -> Option<Place> {
        if let Some(place) = self.places.get(clock.now, name) {
            return Some(place);
        }
        let anchors = self.anchors.of(name);
        let steps = vec![ChainStep::Anchor { zone: name.to_string() }];
        if anchors.is_empty() {
            let why = Insecurity::UnknownAlgorithms { zone: name.to_string() };
            return Some(insecure(steps, name, RecordType::DNSKEY, why));
        }
        let answer = self.want(clock, name, RecordType::DNSKEY, wanted)?;
        let signed = |sections: &Sections| {
            let keys = sections.answer.get(&(name.clone(), RecordType::DNSKEY));
            keys.is_some_and(|set| !set.signatures.is_empty())
        };
        if self.lenient && !answer.as_ref().is_ok_and(|sections| signed(sections)) {
            let place = insecure(steps, name, RecordType::DNSKEY, Insecurity::Stripped);
            self.places.put(clock.now, name.clone(), place.clone(), limits::CACHE_TTL);
            return Some(place);
        }
        Some(self.with_keys(clock, name, &anchors, steps, answer))
    }

    fn delegated(
        &mut self,
        clock: Clock,
        parent: &Zone,
        name: &Name,
        delegation: &Delegation,
        wanted: &mut BTreeSet<Question>,
    ) -> Option<Place> {
        if let Some(place) = self.places.get(clock.now, name) {
            return Some(place);
        }
        let answer = self.want(clock, name, RecordType::DNSKEY, wanted)?;
        let mut steps = parent.steps.clone();
        steps.push(delegation.step.clone());
        Some(self.with_keys(clock, name, &delegation.anchors, steps, answer))
    }

    /// Finds out whether a zone's keys are to be believed.
    fn with_keys(
        &mut self,
        clock: Clock,
        name: &Name,
        anchors: &[Anchor],
        mut steps: Vec<ChainStep>,
        answer: Result<Arc<Sections>, Trouble>,
    ) -> Place {
        let believed = match answer {
            Ok(sections) => match sections.answer.get(&(name.clone(), RecordType::DNSKEY)) {
                Some(set) => believed_keys(clock, name, anchors, set),
                None => Err(Flaw::NoMatchingKey { zone: name.to_string() }),
            },
            Err(trouble) => Err(unavailable(name, RecordType::DNSKEY, trouble)),
        };
        let (place, ttl) = match believed {
            Ok((keys, by, ttl)) => {
                let by = signed_by(name, &by);
                steps.push(ChainStep::Keys { zone: name.to_string(), by });
                (Place::Zone(Arc::new(Zone { name: name.clone(), keys, steps })), ttl)
            }
            Err(flaw) => (broken(steps, name, RecordType::DNSKEY, flaw), limits::CACHE_FAILURE),
        };
        self.places.put(clock.now, name.clone(), place.clone(), ttl);
        place
    }

    /// Finds out whether another zone begins at a name below `zone`.
    fn cut(
        &mut self,
        clock: Clock,
        zone: &Zone,
        name: &Name,
        wanted: &mut BTreeSet<Question>,
    ) -> Option<Cut> {
        if let Some(cut) = self.cuts.get(clock.now, name) {
            return Some(cut);
        }
        let answer = self.want(clock, name, RecordType::DS, wanted)?;
        let steps = zone.steps.clone();
        let outcome = match answer {
            Ok(sections) => read_cut(clock, zone, name, &sections),
            Err(trouble) => Err(unavailable(name, RecordType::DS, trouble)),
        };
        let (cut, ttl) = match outcome {
            Ok(found) => found,
            Err(flaw) => {
                let Place::End(end) = broken(steps, name, RecordType::DS, flaw) else {
                    return None;
                };
                (Cut::End(end), limits::CACHE_FAILURE)
            }
        };
        self.cuts.put(clock.now, name.clone(), cut.clone(), ttl);
        Some(cut)
    }
}

/// Reads what `zone` says about a DS record of `name`.
fn read_cut(
    clock: Clock,
    zone: &Zone,
    name: &Name,
    sections: &Sections,
) -> Result<(Cut, Duration), Flaw> {
    let mut budget = Budget::default();
    let mut check =
        |set: &RrSet| key::verify(set, &zone.name, &zone.keys, clock.seconds(), &mut budget);
    let end = |why: Insecurity| {
        let mut steps = zone.steps.clone();
        let security = Security::Insecure(why.clone());
        steps.push(ChainStep::Insecure { name: name.to_string(), record: RecordType::DS, why });
        Cut::End(Arc::new(End { security, steps }))
    };
    if let Some(set) = sections.answer.get(&(name.clone(), RecordType::DS)) {
        let by = check(set)?;
        if by.wildcard {
            return Err(Flaw::NoWildcardProof);
        }
        let ttl = lifetime(clock, set, &by);
        let known: Vec<Ds> = set.data.iter().filter_map(Ds::parse).filter(Ds::is_known).collect();
        // RFC 4035 section 5.2: as if there were none.
        let Some(first) = known.first() else {
            let zone = name.to_string();
            let mut all = set.data.iter().filter_map(Ds::parse);
            let why = match all.any(|ds| is_known_algorithm(ds.algorithm)) {
                true => Insecurity::UnknownDigests { zone },
                false => Insecurity::UnknownAlgorithms { zone },
            };
            return Ok((end(why), ttl));
        };
        let step = ChainStep::Ds {
            zone: name.to_string(),
            tag: first.tag,
            algorithm: first.algorithm,
            digest_type: first.digest_type,
            by: signed_by(&zone.name, &by),
        };
        let anchors = known.into_iter().map(Anchor::Ds).collect();
        return Ok((Cut::Zone(Arc::new(Delegation { anchors, step })), ttl));
    }
    // An alias stands inside its zone (RFC 2181 section 10.1), and all below a DNAME is elsewhere.
    for suffix in name.iter_suffixes() {
        let suffix: Name = suffix.to_name();
        if suffix != *name
            && let Some(set) = sections.answer.get(&(suffix.clone(), RecordType::DNAME))
        {
            let by = check(set)?;
            return Ok((Cut::Nothing, lifetime(clock, set, &by)));
        }
        if suffix == *name
            && let Some(set) = sections.answer.get(&(suffix, RecordType::CNAME))
            && !set.signatures.is_empty()
        {
            let by = check(set)?;
            return Ok((Cut::None, lifetime(clock, set, &by)));
        }
    }
    let authority = &sections.authority;
    let denial = Denial::new(authority, &zone.name, &zone.keys, clock.seconds(), &mut budget)?;
    let ttl = authority.values().map(|set| set.ttl).min().unwrap_or(0);
    let ttl = Duration::from_secs(ttl.into());
    let cut = match denial.of(name, RecordType::DS, &mut budget)? {
        Denied::NoName => Cut::Nothing,
        Denied::NoData { delegates: false } => Cut::None,
        Denied::NoData { delegates: true } | Denied::OptOut => {
            end(Insecurity::Unsigned { zone: name.to_string() })
        }
        Denied::Iterations => end(Insecurity::Iterations { zone: zone.name.to_string() }),
    };
    Ok((cut, ttl))
}

/// Finds the keys of a zone if one that `anchors` name signed them (RFC 4035 section 5.2).
fn believed_keys(
    clock: Clock,
    zone: &Name,
    anchors: &[Anchor],
    set: &RrSet,
) -> Result<(Vec<Key>, Signed, Duration), Flaw> {
    let mut budget = Budget::default();
    let keys: Vec<Key> = set.data.iter().filter_map(Key::parse).collect();
    let mut flaw = Flaw::NoMatchingKey { zone: zone.to_string() };
    for anchor in anchors {
        for key in &keys {
            if !anchor.names(zone, key, &mut budget)? {
                continue;
            }
            let one = std::slice::from_ref(key);
            match key::verify(set, zone, one, clock.seconds(), &mut budget) {
                Ok(by) => {
                    let ttl = lifetime(clock, set, &by);
                    let signs = |key: &Key| key.signs_zones();
                    return Ok((keys.into_iter().filter(signs).collect(), by, ttl));
                }
                Err(Flaw::TooMuchWork) => return Err(Flaw::TooMuchWork),
                Err(new) => flaw = new,
            }
        }
    }
    Err(flaw)
}

/// Tells how long something signed may be remembered (RFC 4035 section 5.3.3).
fn lifetime(clock: Clock, set: &RrSet, by: &Signed) -> Duration {
    let left = by.expiration.wrapping_sub(clock.seconds());
    Duration::from_secs(set.ttl.min(left).into())
}

pub(super) fn signed_by(zone: &Name, by: &Signed) -> SignedBy {
    SignedBy {
        zone: zone.to_string(),
        tag: by.tag,
        algorithm: by.algorithm,
        inception: by.inception,
        expiration: by.expiration,
    }
}

fn unavailable(name: &Name, record: RecordType, trouble: Trouble) -> Flaw {
    let Trouble { problem, extended } = trouble;
    Flaw::Unavailable { name: name.to_string(), record, problem: Box::new(problem), extended }
}

fn ended(steps: Vec<ChainStep>, security: Security) -> Place {
    Place::End(Arc::new(End { security, steps }))
}

fn insecure(mut steps: Vec<ChainStep>, name: &Name, record: RecordType, why: Insecurity) -> Place {
    steps.push(ChainStep::Insecure { name: name.to_string(), record, why: why.clone() });
    ended(steps, Security::Insecure(why))
}

fn broken(mut steps: Vec<ChainStep>, name: &Name, record: RecordType, flaw: Flaw) -> Place {
    steps.push(ChainStep::Broken { name: name.to_string(), record, flaw: flaw.clone() });
    ended(steps, Security::Bogus(flaw))
}
