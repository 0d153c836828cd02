//! Steps of TLS as text, and what stands in for TLS when they are played.
//!
//! ```text
//! 0.068000 > tell tunnel t4 start sent 251
//! 0.088000 > tell tunnel t4 receive sent 80 facts version TLSv1.3 suite 4866 ..
//! 0.088000 > tell tunnel t4 send "EHLO client.example\r\n" sent 43
//! 0.108000 > tell tunnel t4 receive text "250 mx.example.org\r\n" stored left
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::NotAnInput;
use super::words::{Hex, Quoted, Words};
use crate::config::ServerCertificates;
use crate::machine::TransportId;
use crate::report::{
    Alert, ClientSignature, Disclosure, Group, KeyProof, SignatureScheme, TlsError, TlsFacts,
    TlsVersion, TunnelCall, TunnelEffect, TunnelStep,
};
use crate::tls::{Suite, Tape, TapedStep, TicketFacts};

/// Collects the tapes of all connections while a trace is read.
#[derive(Debug, Default)]
pub(super) struct Tapes {
    connections: BTreeMap<TransportId, (Vec<TapedStep>, Vec<u8>)>,
    /// Signatures that stand before the step they belong to.
    signed: Vec<ClientSignature>,
}

impl Tapes {
    pub(super) fn sign(&mut self, signature: ClientSignature) {
        self.signed.push(signature);
    }

    pub(super) fn step(&mut self, step: TunnelStep) {
        let TunnelStep { transport, call, sent, effect } = step;
        let signed = std::mem::take(&mut self.signed);
        let (steps, _) = self.connections.entry(transport).or_default();
        steps.push(TapedStep { call, sent, effect, signed });
    }

    /// Takes what was sent; before the first step of its connection it was plain text.
    pub(super) fn send(&mut self, id: TransportId, octets: &[u8]) {
        if let Some((_, sent)) = self.connections.get_mut(&id) {
            sent.extend_from_slice(octets);
        }
    }

    pub(super) fn finish(self) -> BTreeMap<TransportId, Tape> {
        let tape = |(steps, sent): (_, Vec<u8>)| Tape::new(steps, sent.into());
        self.connections.into_iter().map(|(id, parts)| (id, tape(parts))).collect()
    }
}

impl fmt::Display for TunnelStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transport, call, sent, effect } = self;
        let TunnelEffect { text, facts, ended, error, session_stored, session_left, disclosures } =
            effect;
        write!(f, "{transport}")?;
        match call {
            TunnelCall::Start => f.write_str(" start")?,
            TunnelCall::Receive => f.write_str(" receive")?,
            TunnelCall::GoOn(octets) => write!(f, " go-on {octets}")?,
            TunnelCall::Send(text) => write!(f, " send {}", Quoted(text))?,
            TunnelCall::Close => f.write_str(" close")?,
        }
        if *sent > 0 {
            write!(f, " sent {sent}")?;
        }
        if !text.is_empty() {
            write!(f, " text {}", Quoted(text))?;
        }
        let flags = [(*ended, " ended"), (*session_stored, " stored"), (*session_left, " left")];
        flags.iter().filter(|(on, _)| *on).try_for_each(|(_, word)| f.write_str(word))?;
        if let Some(error) = error {
            f.write_str(" error ")?;
            write_error(f, error)?;
        }
        disclosures.iter().try_for_each(|disclosure| write_disclosure(f, disclosure))?;
        facts.iter().try_for_each(|facts| write_facts(f, facts))
    }
}

fn write_error(f: &mut fmt::Formatter<'_>, error: &TlsError) -> fmt::Result {
    match error {
        TlsError::AlertReceived(Alert(number)) => write!(f, "alert {number}"),
        TlsError::NotTls => f.write_str("not-tls"),
        TlsError::Misbehaved(detail) => write!(f, "misbehaved {}", Quoted(detail.as_bytes())),
        TlsError::Incompatible(detail) => write!(f, "incompatible {}", Quoted(detail.as_bytes())),
        TlsError::BadSignature => f.write_str("bad-signature"),
        TlsError::UnsupportedKey => f.write_str("unsupported-key"),
        TlsError::Limit => f.write_str("limit"),
        TlsError::Other(detail) => write!(f, "other {}", Quoted(detail.as_bytes())),
    }
}

fn read_error(words: &mut Words<'_>) -> Result<TlsError, NotAnInput> {
    Ok(match words.next()? {
        "alert" => TlsError::AlertReceived(Alert(words.parse()?)),
        "not-tls" => TlsError::NotTls,
        "misbehaved" => TlsError::Misbehaved(words.string()?),
        "incompatible" => TlsError::Incompatible(words.string()?),
        "bad-signature" => TlsError::BadSignature,
        "unsupported-key" => TlsError::UnsupportedKey,
        "limit" => TlsError::Limit,
        "other" => TlsError::Other(words.string()?),
        _ => return Err(NotAnInput),
    })
}

fn write_disclosure(f: &mut fmt::Formatter<'_>, disclosure: &Disclosure) -> fmt::Result {
    match disclosure {
        Disclosure::Certificate(chain) => {
            f.write_str(" disclosed certificate")?;
            write_certificates(f, chain)
        }
        Disclosure::Signature(SignatureScheme(scheme)) => {
            write!(f, " disclosed signature {scheme}")
        }
        Disclosure::CertificateRequest(schemes) => {
            write!(f, " disclosed request {}", schemes.len())?;
            schemes.iter().try_for_each(|SignatureScheme(scheme)| write!(f, " {scheme}"))
        }
        Disclosure::Ticket(TicketFacts { lifetime, early_data }) => {
            write!(f, " disclosed ticket {} {early_data}", lifetime.unwrap_or(0))
        }
        Disclosure::Protocol(name) => write!(f, " disclosed protocol {}", Hex(name)),
    }
}

fn read_disclosure(words: &mut Words<'_>) -> Result<Disclosure, NotAnInput> {
    Ok(match words.next()? {
        "certificate" => Disclosure::Certificate(read_certificates(words)?),
        "signature" => Disclosure::Signature(SignatureScheme(words.parse()?)),
        "request" => {
            let count: usize = words.parse()?;
            let schemes = (0..count).map(|_| words.parse().map(SignatureScheme));
            Disclosure::CertificateRequest(schemes.collect::<Result<_, _>>()?)
        }
        "ticket" => {
            let lifetime = Some(words.parse()?).filter(|lifetime| *lifetime > 0);
            Disclosure::Ticket(TicketFacts { lifetime, early_data: words.parse()? })
        }
        "protocol" => Disclosure::Protocol(words.octets()?.into()),
        _ => return Err(NotAnInput),
    })
}

/// Writes how many there are, then each.
fn write_certificates(f: &mut fmt::Formatter<'_>, chain: &[Bytes]) -> fmt::Result {
    write!(f, " {}", chain.len())?;
    chain.iter().try_for_each(|certificate| write!(f, " {}", Hex(certificate)))
}

fn read_certificates(words: &mut Words<'_>) -> Result<Vec<Bytes>, NotAnInput> {
    let count: usize = words.parse()?;
    (0..count).map(|_| words.octets().map(Bytes::from)).collect()
}

fn write_facts(f: &mut fmt::Formatter<'_>, facts: &TlsFacts) -> fmt::Result {
    let TlsFacts {
        version,
        suite,
        group,
        server_signature,
        key_proof,
        client_signature,
        client_certificate_requested,
        chain,
        certificates,
        ocsp,
        resumed,
        hello_retry,
    } = facts;
    write!(f, " facts version {version} suite {}", suite.number)?;
    group.iter().try_for_each(|group| write!(f, " group {group}"))?;
    server_signature.iter().try_for_each(|it| write!(f, " server-signature {}", it.0))?;
    write!(f, " proof {}", key_proof_word(*key_proof))?;
    client_signature.iter().try_for_each(|it| write!(f, " client-signature {}", it.0))?;
    let flags = [
        (*client_certificate_requested, " requested"),
        (*certificates == ServerCertificates::RawPublicKey, " raw"),
        (*resumed, " resumed"),
        (*hello_retry, " retried"),
    ];
    flags.iter().filter(|(on, _)| *on).try_for_each(|(_, word)| f.write_str(word))?;
    ocsp.iter().try_for_each(|ocsp| write!(f, " ocsp {}", Hex(ocsp)))?;
    f.write_str(" chain")?;
    write_certificates(f, chain)
}

/// Reads facts; the chain is their end.
fn read_facts(words: &mut Words<'_>) -> Result<TlsFacts, NotAnInput> {
    let named = |words: &mut Words<'_>, name| {
        if words.next()? == name { Ok(()) } else { Err(NotAnInput) }
    };
    named(words, "version")?;
    let version = match words.next()? {
        "TLSv1.2" => TlsVersion::Tls12,
        "TLSv1.3" => TlsVersion::Tls13,
        _ => return Err(NotAnInput),
    };
    named(words, "suite")?;
    let mut facts = TlsFacts {
        version,
        suite: Suite::by_number(words.parse()?).ok_or(NotAnInput)?,
        group: None,
        server_signature: None,
        key_proof: KeyProof::Earlier,
        client_signature: None,
        client_certificate_requested: false,
        chain: Vec::new(),
        certificates: ServerCertificates::X509,
        ocsp: None,
        resumed: false,
        hello_retry: false,
    };
    loop {
        match words.next()? {
            "group" => {
                let name = words.next()?;
                let known = Group::ALL.into_iter().find(|group| group.to_string() == name);
                facts.group = Some(known.ok_or(NotAnInput)?);
            }
            "server-signature" => facts.server_signature = Some(SignatureScheme(words.parse()?)),
            "proof" => {
                let word = words.next()?;
                let known = KEY_PROOFS.into_iter().find(|proof| key_proof_word(*proof) == word);
                facts.key_proof = known.ok_or(NotAnInput)?;
            }
            "client-signature" => facts.client_signature = Some(SignatureScheme(words.parse()?)),
            "requested" => facts.client_certificate_requested = true,
            "raw" => facts.certificates = ServerCertificates::RawPublicKey,
            "resumed" => facts.resumed = true,
            "retried" => facts.hello_retry = true,
            "ocsp" => facts.ocsp = Some(words.octets()?.into()),
            "chain" => {
                facts.chain = read_certificates(words)?;
                return Ok(facts);
            }
            _ => return Err(NotAnInput),
        }
    }
}

const KEY_PROOFS: [KeyProof; 3] = [KeyProof::Earlier, KeyProof::Proved, KeyProof::Unverifiable];

fn key_proof_word(proof: KeyProof) -> &'static str {
    match proof {
        KeyProof::Earlier => "earlier",
        KeyProof::Proved => "proved",
        KeyProof::Unverifiable => "unverifiable",
    }
}

/// Reads a step behind the word `tunnel`.
pub(super) fn read_step(text: &str) -> Result<TunnelStep, NotAnInput> {
    let mut words = Words(text);
    let transport = words.transport()?;
    let call = match words.next()? {
        "start" => TunnelCall::Start,
        "receive" => TunnelCall::Receive,
        "go-on" => TunnelCall::GoOn(words.parse()?),
        "send" => TunnelCall::Send(words.octets()?.into()),
        "close" => TunnelCall::Close,
        _ => return Err(NotAnInput),
    };
    let (mut sent, mut effect) = (0, TunnelEffect::default());
    while !words.0.is_empty() {
        match words.next()? {
            "sent" => sent = words.parse()?,
            "text" => effect.text = words.octets()?.into(),
            "ended" => effect.ended = true,
            "stored" => effect.session_stored = true,
            "left" => effect.session_left = true,
            "error" => effect.error = Some(read_error(&mut words)?),
            "disclosed" => effect.disclosures.push(read_disclosure(&mut words)?),
            "facts" => effect.facts = Some(Arc::new(read_facts(&mut words)?)),
            _ => return Err(NotAnInput),
        }
    }
    Ok(TunnelStep { transport, call, sent, effect })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::SUITES;

    fn facts() -> TlsFacts {
        TlsFacts {
            version: TlsVersion::Tls13,
            suite: &SUITES[0],
            group: Some(Group::X25519MlKem768),
            server_signature: Some(SignatureScheme(0x0403)),
            key_proof: KeyProof::Unverifiable,
            client_signature: Some(SignatureScheme(0x0807)),
            client_certificate_requested: true,
            chain: vec![Bytes::from_static(b"leaf"), Bytes::new(), Bytes::from_static(b"root")],
            certificates: ServerCertificates::RawPublicKey,
            ocsp: Some(Bytes::from_static(b"good")),
            resumed: true,
            hello_retry: true,
        }
    }

    fn round_trips(call: TunnelCall, sent: usize, effect: TunnelEffect) {
        let step = TunnelStep { transport: TransportId(4), call, sent, effect };
        assert_eq!(read_step(&step.to_string()).as_ref(), Ok(&step), "{step}");
    }

    #[test]
    fn steps_round_trip() {
        let none = TunnelEffect::default;
        round_trips(TunnelCall::Start, 0, none());
        round_trips(TunnelCall::GoOn(71), 0, none());
        round_trips(TunnelCall::Send(Bytes::from_static(b"EHLO \"a b\"\r\n")), 41, none());
        round_trips(TunnelCall::Send(Bytes::from_static(b"\0")), 1, none());
        let plain = TlsFacts {
            version: TlsVersion::Tls12,
            group: None,
            server_signature: None,
            key_proof: KeyProof::Earlier,
            client_signature: None,
            client_certificate_requested: false,
            chain: vec![],
            certificates: ServerCertificates::X509,
            ocsp: None,
            resumed: false,
            hello_retry: false,
            ..facts()
        };
        round_trips(
            TunnelCall::Receive,
            7,
            TunnelEffect { facts: Some(Arc::new(plain)), ..none() },
        );
        let everything = TunnelEffect {
            text: Bytes::from_static(b"250 mx\r\n"),
            facts: Some(Arc::new(facts())),
            ended: true,
            error: Some(TlsError::AlertReceived(Alert(40))),
            session_stored: true,
            session_left: true,
            disclosures: vec![
                Disclosure::Certificate(vec![Bytes::from_static(b"leaf")]),
                Disclosure::Signature(SignatureScheme(1)),
                Disclosure::CertificateRequest(vec![SignatureScheme(1), SignatureScheme(2)]),
                Disclosure::CertificateRequest(vec![]),
                Disclosure::Ticket(TicketFacts { lifetime: Some(7200), early_data: 0 }),
                Disclosure::Protocol(Bytes::from_static(b"smtp")),
            ],
        };
        round_trips(TunnelCall::Close, usize::MAX, everything);
        for error in [
            TlsError::NotTls,
            TlsError::Misbehaved("a \"b\"".to_owned()),
            TlsError::Incompatible(String::new()),
            TlsError::BadSignature,
            TlsError::UnsupportedKey,
            TlsError::Limit,
            TlsError::Other("\n".to_owned()),
        ] {
            round_trips(TunnelCall::Receive, 0, TunnelEffect { error: Some(error), ..none() });
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "4 start",
            "t4",
            "t4 begin",
            "t4 send",
            "t4 start sent",
            "t4 start sent -1",
            "t4 receive error",
            "t4 receive error odd",
            "t4 receive disclosed certificate 2 x00",
            "t4 receive facts version TLSv1.1 suite 4866 proof proved chain 0",
            "t4 receive facts version TLSv1.3 suite 65535 proof proved chain 0",
            "t4 receive facts version TLSv1.3 suite 4866 proof none chain 0",
            "t4 receive facts version TLSv1.3 suite 4866 proof proved",
            "t4 receive odd",
            "t4 go-on",
        ] {
            assert_eq!(read_step(text), Err(NotAnInput), "{text}");
        }
    }
}
