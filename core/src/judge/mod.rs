//! Judging: what was seen, held against a policy. Pure functions over data.

mod checks;
mod conclusion;
mod constraints;
mod dane;
mod error;
mod links;
mod log;
mod names;
mod path;
mod pins;
mod verdict;

pub use conclusion::{Conclusion, ResultType};
pub use error::VerifyError;
pub use links::LinkCache;
pub(crate) use names::covers;
pub use names::{NameProblem, ReferenceNames};
pub use pins::{anchor_records, pin_records};
pub use verdict::{Match, PeerIdentity, PeerName, Reason, Status, Step, Verdict};

use std::iter;
use std::sync::Arc;

use bytes::Bytes;

use self::checks::Context;
use self::dane::Records;
use self::links::Signatures;
use self::log::Log;
use self::names::Wanted;
use self::path::{Path, Trust};
use crate::cert::{COMMON_NAME, Digest, Examined, Name, ORGANIZATION, TextProblem};
use crate::config::{Level, Policy, ServerCertificates};
use crate::limits;
use crate::report::{KeyProof, Observation, TlsFacts};
use crate::resolve::Tlsa;
use crate::time::WallTime;
use crate::tls::scout::{Flight, Proof};

/// Judges what a TLS server showed.
///
/// `level` is the one for this server; at the levels of DANE `tlsa` holds its records, of usages
/// DANE-TA and DANE-EE, and without any of them they count as level secure. The verdict depends on
/// nothing but the arguments; `links` only makes it cheaper.
pub fn judge(
    facts: &TlsFacts,
    policy: &Policy,
    level: Level,
    tlsa: &[Tlsa],
    names: &ReferenceNames,
    time: WallTime,
    links: &mut LinkCache,
) -> Verdict {
    let shown = Shown {
        chain: &facts.chain,
        raw_key: facts.certificates == ServerCertificates::RawPublicKey,
        is_proved: facts.key_proof != KeyProof::Unverifiable,
    };
    shown.judge(policy, level, tlsa, names, time, links)
}

/// Judges what a server showed to a scout, by the same rules; `None` if it may have more to show than
/// came in plain text. Nobody makes a connection of it, so it satisfies nothing and is never
/// [`Status::Verified`].
pub fn judge_flight(
    flight: &Flight,
    policy: &Policy,
    level: Level,
    tlsa: &[Tlsa],
    names: &ReferenceNames,
    time: WallTime,
    links: &mut LinkCache,
) -> Option<Verdict> {
    if !flight.is_agreed() || flight.chain.is_empty() != flight.is_anonymous() {
        return None;
    }
    // Without a signature there is nothing to doubt yet: a client would encrypt to the key.
    let is_proved = flight.signature.is_none_or(|signature| signature.proof == Proof::Right);
    let shown = Shown { chain: &flight.chain, raw_key: flight.raw_key, is_proved };
    let verdict = shown.judge(policy, level, tlsa, names, time, links);
    let status = verdict.status.min(Status::Trusted);
    Some(Verdict { status, satisfied: false, ..verdict })
}

/// What a server showed of itself.
#[derive(Clone, Copy, Debug)]
struct Shown<'a> {
    chain: &'a [Bytes],
    raw_key: bool,
    /// Nothing speaks against its owning the key.
    is_proved: bool,
}

impl Shown<'_> {
    fn judge(
        self,
        policy: &Policy,
        level: Level,
        tlsa: &[Tlsa],
        names: &ReferenceNames,
        time: WallTime,
        links: &mut LinkCache,
    ) -> Verdict {
        let demand = Demand::new(policy, level, tlsa, names);
        let Self { chain: sent, raw_key, is_proved } = self;
        let Some(server) = sent.first() else { return demand.verdict(Status::Anonymous) };
        let chain = if raw_key { Vec::new() } else { examine(sent, links) };
        let mut log = Log::default();
        if !is_proved {
            // Whoever cannot prove to own a key may show anybody's.
            log.fail(&chain, 0, VerifyError::UnsupportedSignature);
        }
        if raw_key {
            demand.judge_raw_key(server, log, policy)
        } else {
            demand.judge_chain(&chain, server, log, policy, time, links)
        }
    }
}

/// Decodes what a server sent. Others than its own certificate are passed over if they cannot be
/// read; without its own there is nothing to judge.
fn examine(chain: &[Bytes], links: &mut LinkCache) -> Vec<Arc<Examined>> {
    let Some((server, issuers)) = chain.split_first() else { return Vec::new() };
    let Some(server) = links.examine(server) else { return Vec::new() };
    let issuers = issuers.iter().take(limits::CHAIN - 1).filter_map(|der| links.examine(der));
    iter::once(server).chain(issuers).collect()
}

/// Judges an observation again, by another policy and without another connection; `None` if no
/// TLS came about.
///
/// The verdict is exact if that policy would have made the same [`Offer`](crate::config::Offer). If
/// not, the server might have shown something else.
pub fn judge_again(
    observation: &Observation,
    policy: &Policy,
    level: Level,
    tlsa: &[Tlsa],
    names: &ReferenceNames,
    time: WallTime,
    links: &mut LinkCache,
) -> Option<(Verdict, Exactness)> {
    let verdict = judge(observation.tls.as_ref()?, policy, level, tlsa, names, time, links);
    let same = observation.offer.as_ref().is_some_and(|offer| offer.is_of(policy, level, names));
    Some((verdict, if same { Exactness::Exact } else { Exactness::OtherOffer }))
}

/// What a verdict of [`judge_again`] is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exactness {
    /// The policy would have made the same offer.
    Exact,
    /// The policy would have made another offer, which the server might have answered otherwise.
    OtherOffer,
}

/// What the policy demands of a server at a level.
#[derive(Debug)]
struct Demand {
    level: Level,
    /// TLSA records, or what stands for fingerprints and anchors; `None` where roots decide.
    records: Option<Records>,
    kind: RecordKind,
    wanted: Wanted,
    all_unusable: bool,
    /// No certificate can be good enough.
    hopeless: bool,
    /// Nothing was pinned at a level that lives by pins.
    unpinned: bool,
    no_names: bool,
}

/// What records stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecordKind {
    Dane,
    Fingerprint,
    Anchor,
}

impl Demand {
    fn new(policy: &Policy, level: Level, tlsa: &[Tlsa], names: &ReferenceNames) -> Self {
        let dane = matches!(level, Level::HalfDane | Level::Dane | Level::DaneOnly);
        let level = if dane && tlsa.is_empty() { Level::Secure } else { level };
        let mut this = Self {
            level,
            records: None,
            kind: RecordKind::Dane,
            wanted: Wanted::default(),
            all_unusable: false,
            hopeless: false,
            unpinned: false,
            no_names: false,
        };
        match level {
            Level::None | Level::May | Level::Encrypt => {}
            Level::Fingerprint => {
                this.kind = RecordKind::Fingerprint;
                this.unpinned = policy.pins.is_empty();
                let records = policy
                    .pins
                    .iter()
                    .flat_map(pin_records)
                    .filter(|tlsa| tlsa.selector == Tlsa::SPKI || !policy.raw_public_keys);
                let digest = |matching| (matching == Tlsa::PRIVATE).then_some((policy.digest, 1));
                this.match_by(Records::new(records, digest));
            }
            Level::HalfDane | Level::Dane | Level::DaneOnly => {
                let digest = |matching| policy.dane_digests.find(matching);
                this.wanted = Wanted::dane(names);
                this.match_by(Records::new(tlsa.iter().cloned(), digest));
                if this.all_unusable && level != Level::DaneOnly {
                    // Unauthenticated, but encrypted (RFC 7672 section 2.2).
                    this.level = Level::Encrypt;
                    this.wanted = Wanted::default();
                    this.hopeless = false;
                }
            }
            Level::Verify | Level::Secure => {
                this.kind = RecordKind::Anchor;
                this.wanted = Wanted::by_rules(&policy.matches, level, names);
                this.match_by(Records::new(policy.anchors.iter().flat_map(anchor_records), |_| {
                    None
                }));
                this.no_names = this.wanted.is_empty();
                this.hopeless |= this.no_names;
            }
        }
        this
    }

    fn match_by(&mut self, records: Records) {
        self.all_unusable = records.is_empty() && !records.unusable.is_empty();
        self.hopeless = self.all_unusable;
        if !(records.is_empty() && records.unusable.is_empty()) {
            self.records = Some(records);
        }
    }

    /// Judges a raw public key (RFC 7250): only a record or a fingerprint can match it.
    fn judge_raw_key(self, spki: &Bytes, mut log: Log, policy: &Policy) -> Verdict {
        let records = self.records.as_ref().filter(|records| !records.is_empty());
        let found = records.and_then(|records| records.find_raw_key(spki)).cloned();
        let error = match (&found, records) {
            (Some(_), _) => None,
            (None, Some(_)) => Some(VerifyError::NoDaneMatch),
            (None, None) => Some(VerifyError::RawKeyUntrusted),
        };
        match error {
            None => log.pass_raw_key(),
            Some(error) => log.fail(&[], 0, error),
        }
        let matched = found.map(|tlsa| match self.kind {
            RecordKind::Fingerprint => Match::Fingerprint(tlsa.data),
            RecordKind::Dane | RecordKind::Anchor => Match::RawKey(tlsa),
        });
        let peer = PeerIdentity {
            subject: String::new(),
            issuer: String::new(),
            problems: Vec::new(),
            certificate: None,
            key: policy.digest.of(&[spki]),
        };
        self.conclude(log, matched, None, peer, None)
    }

    fn judge_chain(
        self,
        sent: &[Arc<Examined>],
        server: &Bytes,
        mut log: Log,
        policy: &Policy,
        time: WallTime,
        links: &mut LinkCache,
    ) -> Verdict {
        let Some(leaf) = sent.first() else {
            log.fail(&[], 0, VerifyError::Unspecified);
            let peer = PeerIdentity {
                certificate: Some(policy.digest.of(&[server])),
                ..PeerIdentity::default()
            };
            return self.conclude(log, None, None, peer, None);
        };
        let issuer = leaf.certificate().issuer().clone();
        if self.hopeless {
            let peer = PeerIdentity::of(leaf, None, policy.digest);
            return self.conclude(log, None, None, peer, Some(issuer));
        }
        let mut context = Context {
            strict: self.level >= Level::Fingerprint,
            wanted: &self.wanted,
            now: time.into(),
            signatures: Signatures::new(links),
        };
        if context.strict && !checks::is_strong(leaf.key()) {
            log.fail(sent, 0, VerifyError::ServerKeyTooSmall);
        }
        let usable = self.records.as_ref().filter(|records| !records.is_empty());
        let (matched, peername) = match usable {
            Some(records) => self.match_records(records, sent, &mut context, &mut log),
            None => {
                let trust = Trust::Store(&policy.trust);
                let path = Path::build(sent, trust, context.now, &mut context.signatures);
                (None, context.check(&path, false, &mut log))
            }
        };
        let peer = PeerIdentity::of(leaf, peername.as_deref(), policy.digest);
        self.conclude(log, matched, peername, peer, Some(issuer))
    }

    /// Looks for a record that matches the server's own certificate, then for one above it.
    fn match_records(
        &self,
        records: &Records,
        sent: &[Arc<Examined>],
        context: &mut Context<'_>,
        log: &mut Log,
    ) -> (Option<Match>, Option<String>) {
        let Some(leaf) = sent.first() else { return (None, None) };
        if let Some(tlsa) = records.find(leaf.certificate(), true) {
            // DANE-EE ignores names, dates and key usage (RFC 7671 section 5.1).
            let name = match self.kind {
                RecordKind::Dane => None,
                RecordKind::Fingerprint | RecordKind::Anchor => {
                    checks::names(sent, context.wanted, log)
                }
            };
            log.pass(0, leaf);
            let matched = match self.kind {
                RecordKind::Dane => Match::DaneEe(tlsa.clone()),
                RecordKind::Fingerprint => Match::Fingerprint(tlsa.data.clone()),
                RecordKind::Anchor => Match::Anchor(0),
            };
            return (Some(matched), name);
        }
        if !records.has_anchor() {
            log.fail(sent, 0, VerifyError::NoDaneMatch);
            return (None, None);
        }
        let trust = Trust::Records(records);
        let path = Path::build(sent, trust, context.now, &mut context.signatures);
        let name = context.check(&path, true, log);
        let matched = path.anchor.map(|(depth, tlsa)| match self.kind {
            RecordKind::Dane if path.bare_key => Match::DaneTaKey(depth, tlsa),
            RecordKind::Dane => Match::DaneTa(depth, tlsa),
            RecordKind::Fingerprint | RecordKind::Anchor => Match::Anchor(depth),
        });
        (matched, name)
    }

    /// Weighs what was found against what was demanded.
    fn conclude(
        self,
        log: Log,
        matched: Option<Match>,
        peername: Option<String>,
        peer: PeerIdentity,
        issuer: Option<Name>,
    ) -> Verdict {
        let demands = self.level >= Level::Fingerprint;
        let (is_clean, is_trusted) = (log.is_clean(), log.is_trusted());
        let (steps, mut reason) = log.into_parts();
        if self.hopeless {
            reason = Some(Reason { error: VerifyError::Unspecified, depth: 0, issuer });
        } else if self.unpinned && is_clean {
            reason = Some(Reason { error: VerifyError::Untrusted, depth: 0, issuer });
        }
        let refused = self.hopeless || self.unpinned;
        let satisfied = demands && is_clean && !refused;
        let mut verdict = self.verdict(Status::Untrusted);
        if satisfied && verdict.level != Level::HalfDane {
            verdict.status = Status::Verified;
        } else if is_trusted && !refused {
            verdict.status = Status::Trusted;
        }
        verdict.satisfied = satisfied;
        verdict.reason = reason;
        verdict.steps = steps;
        verdict.peer = Some(peer);
        if satisfied {
            (verdict.matched, verdict.peername) = (matched, peername);
        }
        verdict
    }

    /// Begins a verdict with what is known before anything is looked at.
    fn verdict(self, status: Status) -> Verdict {
        Verdict {
            unusable: self.records.map(|records| records.unusable).unwrap_or_default(),
            all_unusable: self.all_unusable,
            name_problems: self.wanted.problems,
            no_names: self.no_names,
            ..Verdict::new(status, self.level)
        }
    }
}

impl PeerIdentity {
    fn of(server: &Examined, peername: Option<&str>, digest: Digest) -> Self {
        let certificate = server.certificate();
        let mut this = Self {
            certificate: Some(digest.of(&[certificate.der()])),
            key: digest.of(&[certificate.spki()]),
            ..Self::default()
        };
        let subject = certificate.subject().first_text(COMMON_NAME);
        this.subject = this
            .note(PeerName::SubjectCommonName, subject)
            .or_else(|| peername.map(str::to_owned))
            .unwrap_or_default();
        let common = certificate.issuer().first_text(COMMON_NAME);
        this.issuer = this
            .note(PeerName::IssuerCommonName, common)
            .or_else(|| {
                let organization = certificate.issuer().first_text(ORGANIZATION);
                this.note(PeerName::IssuerOrganization, organization)
            })
            .unwrap_or_default();
        this
    }

    fn note(
        &mut self,
        name: PeerName,
        text: Option<Result<String, TextProblem>>,
    ) -> Option<String> {
        match text? {
            Ok(text) => Some(text),
            Err(problem) => {
                self.problems.push((name, problem));
                None
            }
        }
    }
}
