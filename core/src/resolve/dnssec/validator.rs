//! One answer, piece by piece: aliases, records, denial.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use domain::base::ToName;

use super::anchors::TrustAnchors;
use super::denial::{Denial, Denied};
use super::key::{self, Budget};
use super::proof::{ChainStep, Flaw, Insecurity, Proof, Security};
use super::records::{RrSet, Section, Sections, name_at};
use super::zones::{Clock, Place, Zone, Zones, signed_by};
use crate::limits;
use crate::resolve::RecordType;
use crate::resolve::error::{DnsProblem, Trouble};
use crate::resolve::message::Reply;
use crate::resolve::name::{Name, Question};

/// Tells what answers are worth.
///
/// It waits for nothing: where answers to other questions are needed first, it names them, and is
/// asked again when it [learnt](Self::learn) them.
#[derive(Debug)]
pub(crate) struct Validator {
    zones: Zones,
}

/// A piece of an answer.
enum Piece<'a> {
    /// Records of the type asked for, an alias, or a DNAME record.
    Records(&'a RrSet),
    /// There are no such records.
    Denied(Name),
    /// Something is wrong with it whatever its zone says.
    Wrong(Name, Flaw),
}

impl Validator {
    /// `lenient` tells to take everything for insecure if the name server has no DNSSEC.
    pub(crate) fn new(anchors: Arc<TrustAnchors>, lenient: bool) -> Self {
        Self { zones: Zones::new(anchors, lenient) }
    }

    /// Takes the answer to a question that was named.
    pub(crate) fn learn(
        &mut self,
        clock: Clock,
        question: Question,
        result: Result<Reply, Trouble>,
    ) {
        let answer = result
            .and_then(|reply| Sections::read(&reply.message).ok_or(DnsProblem::Malformed.into()));
        self.zones.learn(clock, question, answer);
    }

    /// Tells what an answer is worth, or which questions have to be asked first.
    pub(crate) fn validate(
        &mut self,
        clock: Clock,
        question: &Question,
        reply: &Reply,
    ) -> Result<Proof, BTreeSet<Question>> {
        let mut proof = Proof::begin(question);
        let Some(sections) = Sections::read(&reply.message) else {
            proof.fail(&question.name, question.record, Flaw::Malformed);
            return Ok(proof);
        };
        let pieces = pieces(question, &sections, reply.rcode);
        let mut wanted = BTreeSet::new();
        let mut places = Vec::new();
        for piece in &pieces {
            let (name, apex) = piece.place(question, &sections);
            places.push((self.zones.walk(clock, &name, apex, &mut wanted), name, apex));
        }
        if !wanted.is_empty() {
            return Err(wanted);
        }
        let mut budget = Budget::default();
        for (piece, (place, name, apex)) in pieces.iter().zip(places) {
            let (owner, record) = piece.subject(question);
            let zone = match place {
                Some(Place::Zone(zone)) => zone,
                Some(Place::End(end)) => {
                    proof.add_steps(&end.steps);
                    proof.lower(end.security.clone());
                    continue;
                }
                None => continue,
            };
            proof.add_steps(&zone.steps);
            let checked = if !apex {
                Err(piece.unsigned())
            } else if zone.name != name {
                Err(Flaw::NoSuchZone { signer: name.to_string() })
            } else {
                piece.check(clock, question, &zone, &sections, &mut budget)
            };
            match checked {
                Ok((step, None)) => proof.steps.push(step),
                Ok((step, Some(why))) => {
                    proof.steps.push(step);
                    let (name, why) = (owner.to_string(), why.clone());
                    proof.steps.push(ChainStep::Insecure { name, record, why: why.clone() });
                    proof.lower(Security::Insecure(why));
                }
                Err(flaw) => proof.fail(&owner, record, flaw),
            }
        }
        Ok(proof)
    }
}

impl Proof {
    /// The proof of an answer that would take more questions than it is worth.
    pub(crate) fn too_much_work(question: &Question) -> Self {
        let mut proof = Self::begin(question);
        proof.fail(&question.name, question.record, Flaw::TooMuchWork);
        proof
    }

    fn begin(question: &Question) -> Self {
        Self {
            name: question.name.to_string(),
            record: question.record,
            security: Security::Secure,
            steps: Vec::new(),
        }
    }

    fn add_steps(&mut self, steps: &[ChainStep]) {
        for step in steps {
            if !self.steps.contains(step) {
                self.steps.push(step.clone());
            }
        }
    }

    /// One weak piece makes the whole weak.
    fn lower(&mut self, security: Security) {
        match (&self.security, &security) {
            (Security::Bogus(_), _) | (Security::Insecure(_), Security::Insecure(_)) => {}
            (_, Security::Secure) => {}
            (Security::Secure | Security::Insecure(_), _) => self.security = security,
        }
    }

    fn fail(&mut self, name: &Name, record: RecordType, flaw: Flaw) {
        self.steps.push(ChainStep::Broken { name: name.to_string(), record, flaw: flaw.clone() });
        self.lower(Security::Bogus(flaw));
    }
}

/// Takes an answer apart, from the name that was asked for along its aliases.
fn pieces<'a>(question: &Question, sections: &'a Sections, rcode: u16) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let mut end = question.name.clone();
    let mut seen = BTreeSet::new();
    while seen.insert(end.clone()) {
        if seen.len() > limits::VALIDATED_ALIASES {
            pieces.push(Piece::Wrong(end, Flaw::TooMuchWork));
            return pieces;
        }
        if let Some(set) = sections.answer.get(&(end.clone(), question.record)) {
            pieces.push(Piece::Records(set));
            return pieces;
        }
        let Some(alias) = sections.answer.get(&(end.clone(), RecordType::CNAME)) else { break };
        let [target] = &alias.data[..] else {
            pieces.push(Piece::Wrong(end, Flaw::Malformed));
            return pieces;
        };
        let Some((target, _)) = name_at(target, 0) else {
            pieces.push(Piece::Wrong(end, Flaw::Malformed));
            return pieces;
        };
        // RFC 6672 section 5.3.1: the alias that a DNAME record makes is not signed.
        let dname = alias.signatures.is_empty().then(|| dname_above(&end, &sections.answer));
        match dname.flatten() {
            Some(dname) if made_alias(dname, &end).as_ref() != Some(&target) => {
                pieces.push(Piece::Wrong(end, Flaw::WrongAlias));
                return pieces;
            }
            Some(dname) => pieces.push(Piece::Records(dname)),
            None => pieces.push(Piece::Records(alias)),
        }
        end = target;
    }
    // Where an alias leads out of what the server says, its end is asked for again.
    let says_no = sections
        .authority
        .keys()
        .any(|(owner, record)| *record == RecordType::SOA && end.ends_with(owner));
    if rcode != 0 || pieces.is_empty() || says_no {
        pieces.push(Piece::Denied(end));
    }
    pieces
}

fn dname_above<'a>(name: &Name, answer: &'a Section) -> Option<&'a RrSet> {
    let mut above = name.iter_suffixes().skip(1);
    above.find_map(|suffix| answer.get(&(suffix.to_name(), RecordType::DNAME)))
}

/// Replaces the owner of a DNAME record at the end of a name by its target (RFC 6672 section 2.2).
fn made_alias(dname: &RrSet, name: &Name) -> Option<Name> {
    let [target] = &dname.data[..] else { return None };
    let (target, _) = name_at(target, 0)?;
    let kept = name.len().checked_sub(dname.owner.len())?;
    let octets = [name.as_slice().get(..kept)?, target.as_slice()].concat();
    Name::from_octets(Bytes::from(octets)).ok()
}

impl Piece<'_> {
    /// What it is about.
    fn subject(&self, question: &Question) -> (Name, RecordType) {
        match self {
            Self::Records(set) => (set.owner.clone(), set.record),
            Self::Denied(name) | Self::Wrong(name, _) => (name.clone(), question.record),
        }
    }

    /// What is wrong with it if it is not signed but should be.
    fn unsigned(&self) -> Flaw {
        match self {
            Self::Records(_) => Flaw::NoSignature,
            Self::Denied(_) => Flaw::NoDenial,
            Self::Wrong(_, flaw) => flaw.clone(),
        }
    }

    /// Tells which zone to find, and whether that is known to be a zone because it signed.
    fn place(&self, question: &Question, sections: &Sections) -> (Name, bool) {
        let (owner, record) = self.subject(question);
        // DS records belong to the parent (RFC 4035 section 2.4).
        let home = match owner.parent() {
            Some(parent) if record == RecordType::DS => parent.to_name(),
            Some(_) | None => owner,
        };
        let denies =
            |record| matches!(record, RecordType::NSEC | RecordType::NSEC3 | RecordType::SOA);
        let sets: Vec<&RrSet> = match self {
            Self::Records(set) => vec![set],
            Self::Denied(_) => {
                sections.authority.values().filter(|set| denies(set.record)).collect()
            }
            Self::Wrong(..) => Vec::new(),
        };
        let signers = sets.iter().flat_map(|set| &set.signatures).map(|rrsig| &rrsig.signer);
        let above = signers.filter(|signer| home.ends_with(signer));
        match above.max_by_key(|signer| signer.label_count()) {
            Some(signer) => (signer.clone(), true),
            None => (home, false),
        }
    }

    /// Checks it by the keys of its zone. Besides the step tells why it is no more than insecure.
    fn check(
        &self,
        clock: Clock,
        question: &Question,
        zone: &Zone,
        sections: &Sections,
        budget: &mut Budget,
    ) -> Result<(ChainStep, Option<Insecurity>), Flaw> {
        let seconds = clock.seconds();
        let zone_name = || zone.name.to_string();
        let weak = |denied| match denied {
            Denied::OptOut => Some(Insecurity::OptOut { zone: zone_name() }),
            Denied::Iterations => Some(Insecurity::Iterations { zone: zone_name() }),
            Denied::NoName | Denied::NoData { .. } => None,
        };
        match self {
            Self::Wrong(_, flaw) => Err(flaw.clone()),
            Self::Records(set) => {
                let by = key::verify(set, &zone.name, &zone.keys, seconds, budget)?;
                let mut insecurity = None;
                if by.wildcard {
                    let denial =
                        Denial::new(&sections.authority, &zone.name, &zone.keys, seconds, budget)?;
                    let proof = denial.of_better_match(&set.owner, by.labels, budget)?;
                    insecurity = proof.and_then(weak);
                }
                let name = set.owner.to_string();
                let by = signed_by(&zone.name, &by);
                Ok((ChainStep::Records { name, record: set.record, by }, insecurity))
            }
            Self::Denied(name) => {
                let denial =
                    Denial::new(&sections.authority, &zone.name, &zone.keys, seconds, budget)?;
                let denied = denial.of(name, question.record, budget)?;
                let step = ChainStep::Denial {
                    name: name.to_string(),
                    record: question.record,
                    zone: zone_name(),
                };
                Ok((step, weak(denied)))
            }
        }
    }
}
