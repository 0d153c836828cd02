//! The head of a trace: everything that decides a run besides what the world does.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::words::{Hex, Quoted, Target, Words};
use super::{NotAnInput, TraceError};
use crate::cert::{Certificate, Digest};
use crate::config::{
    AddressFamilies, Anchor, Config, DaneDigests, Dialect, DnssecProbe, DnssecTrust, Family,
    Groups, HostLookup, InsecureMx, Level, Lookup, MatchRule, OfferFlaw, Pin, Policy, Proxy,
    ProxyForm, Reuse, ServerKeys, ServerNameChoice, TrustStore, Versions, Watch, WiderOffer,
};
use crate::enumerate::Enumerating;
use crate::random::Seed;
use crate::report::{ClientSignature, Group};
use crate::resolve::{ResolvConf, ResolverTls, TrustAnchors, parse_resolver};
use crate::time::{Instant, WallTime};
use crate::tls::scout::Protocol;
use crate::tls::{self, Identity};

/// Everything that decides a run besides what the world does: written above the first line of the
/// border, one property to a line.
///
/// Client keys are not in it, only their certificates: signatures stand in the trace where they
/// were made. Files that were read are in it by content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The program that recorded, with its version.
    pub program: String,
    /// The version of rustls, which decides the octets of TLS.
    pub rustls: String,
    /// What all randomness grew from.
    pub seed: Seed,
    /// The wall time at the beginning.
    pub wall_time: WallTime,
    /// What was to be done; always [`repeatable`](Config::repeatable).
    pub config: Config,
    /// All that servers accept was to be found out, in this way.
    pub enumerating: Option<Enumerating>,
    /// What else the caller wants to find again, by name.
    pub caller: Vec<(String, String)>,
}

impl Header {
    /// Begins a trace of a run of this version. The run must be made with `config` as it stands in
    /// the header: it is repeatable there.
    pub fn new(program: &str, config: Config, seed: Seed, wall_time: WallTime) -> Self {
        Self {
            program: program.to_owned(),
            rustls: tls::RUSTLS.to_owned(),
            seed,
            wall_time,
            config: Config { repeatable: true, ..config },
            enumerating: None,
            caller: Vec::new(),
        }
    }

    /// Tells the version of rustls that recorded, if it is another one: its TLS may differ.
    pub fn other_rustls(&self) -> Option<&str> {
        (self.rustls != tls::RUSTLS).then_some(self.rustls.as_str())
    }

    /// Finds what the caller wrote under a name.
    pub fn caller(&self, name: &str) -> impl Iterator<Item = &str> {
        self.caller.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Reads the lines of a header; `signatures` are those that the client made later.
    pub(super) fn parse<'a>(
        lines: impl Iterator<Item = (usize, &'a str)>,
        signatures: &[ClientSignature],
    ) -> Result<Self, TraceError> {
        let mut reader = Reader::new();
        for (number, line) in lines {
            reader.line(line).map_err(|NotAnInput| TraceError::Unreadable { line: number })?;
        }
        let mut header = reader.header;
        let Config { lookup, policy, .. } = &mut header.config;
        if let Some(tls) = lookup.resolvers.tls.as_mut().filter(|_| reader.resolver_roots_as_policy)
        {
            tls.trust = policy.trust.clone();
        }
        header.config.policy.identity = Identity::recorded(reader.client_chains, signatures);
        Ok(header)
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, rustls, seed, wall_time, config, enumerating, caller } = self;
        writeln!(f, "{WARNING}")?;
        writeln!(f, "program {}", Quoted(program.as_bytes()))?;
        writeln!(f, "rustls {}", Quoted(rustls.as_bytes()))?;
        writeln!(f, "seed {}", Hex(seed))?;
        writeln!(f, "wall-time {}", wall_time.0)?;
        write_config(f, config)?;
        if let Some(Enumerating { pause, every }) = enumerating {
            let servers = if *every { "every" } else { "first" };
            writeln!(f, "enumerate {servers} {}", Instant::from_elapsed(*pause))?;
        }
        for (name, value) in caller {
            let (name, value) = (Quoted(name.as_bytes()), Quoted(value.as_bytes()));
            writeln!(f, "caller {name} {value}")?;
        }
        Ok(())
    }
}

const WARNING: &str = "\
# Trace of a probe. Keep it to yourself: whoever has it can decrypt the recorded connections.";

/// The property's lines, in the order of the fields. No field may be left out.
fn write_config(f: &mut fmt::Formatter<'_>, config: &Config) -> fmt::Result {
    let Config {
        destination,
        dialect,
        wrapper,
        helo_name,
        connect_timeout,
        command_timeout,
        await_quit,
        family,
        lookup,
        level,
        no_tls,
        policy,
        flaw,
        scout,
        reuse,
        proxy,
        watch,
        hygiene,
        repeatable: _,
    } = config;
    writeln!(f, "destination {}", Target(destination))?;
    writeln!(f, "dialect {}", word(DIALECTS, *dialect))?;
    writeln!(f, "wrapper {}", yes(*wrapper))?;
    writeln!(f, "helo-name {}", Quoted(helo_name.as_bytes()))?;
    writeln!(f, "connect-timeout {}", Instant::from_elapsed(*connect_timeout))?;
    writeln!(f, "command-timeout {}", Instant::from_elapsed(*command_timeout))?;
    if !await_quit {
        writeln!(f, "await-quit no")?;
    }
    writeln!(f, "family {}", word(FAMILIES, *family))?;
    write_lookup(f, lookup, &policy.trust)?;
    writeln!(f, "level {}", level.word())?;
    writeln!(f, "no-tls {}", yes(*no_tls))?;
    write_policy(f, policy)?;
    match flaw {
        None => {}
        Some(OfferFlaw::Protocols(list)) => {
            writeln!(f, "flaw protocols {}", Quoted(list.as_bytes()))?;
        }
        Some(OfferFlaw::Grade(name)) => writeln!(f, "flaw grade {}", Quoted(name.as_bytes()))?,
        Some(OfferFlaw::Ciphers(name)) => writeln!(f, "flaw ciphers {}", Quoted(name.as_bytes()))?,
        Some(OfferFlaw::NoVersion) => writeln!(f, "flaw no-version")?,
        Some(OfferFlaw::NoSuite) => writeln!(f, "flaw no-suite")?,
        Some(OfferFlaw::NoGroup) => writeln!(f, "flaw no-group")?,
    }
    if let Some(WiderOffer { versions, suites, groups }) = scout {
        write_list(f, "scout-versions", versions.iter().map(|version| version.0))?;
        write_list(f, "scout-suites", suites)?;
        write_list(f, "scout-groups", groups)?;
    }
    if *hygiene {
        writeln!(f, "hygiene yes")?;
    }
    if let Some(Reuse { delay, limit }) = reuse {
        writeln!(f, "reuse {} {limit}", Instant::from_elapsed(*delay))?;
    }
    if let Some(Proxy { socket, forms, values }) = proxy {
        writeln!(f, "proxy {}", Quoted(socket.as_os_str().as_bytes()))?;
        for form in forms {
            writeln!(f, "proxy-form {}", word(PROXY_FORMS, *form))?;
        }
        for (name, value) in values {
            let (name, value) = (Quoted(name.as_bytes()), Quoted(value.as_bytes()));
            writeln!(f, "proxy-value {name} {value}")?;
        }
    }
    let Watch { messages, handshake_bytes, session_bytes, secrets } = *watch;
    let watched = [
        (messages, "messages"),
        (handshake_bytes, "handshake"),
        (session_bytes, "session"),
        (secrets, "secrets"),
    ];
    write_list(f, "watch", watched.iter().filter(|(on, _)| *on).map(|(_, name)| name))
}

fn write_lookup(f: &mut fmt::Formatter<'_>, lookup: &Lookup, roots: &TrustStore) -> fmt::Result {
    let Lookup {
        hosts: HostLookup { dns, native },
        families: AddressFamilies { v4, v6 },
        srv,
        force_tlsa,
        insecure_mx,
        resolvers,
        dnssec,
        dnssec_probe,
        trust_anchors,
        tell_questions,
    } = lookup;
    let ResolvConf { servers, timeout, attempts, rotate, use_vc, trust_ad, tls } = resolvers;
    writeln!(f, "lookup-dns {}", yes(*dns))?;
    writeln!(f, "lookup-native {}", yes(*native))?;
    writeln!(f, "ipv4 {}", yes(*v4))?;
    writeln!(f, "ipv6 {}", yes(*v6))?;
    writeln!(f, "srv {}", yes(*srv))?;
    writeln!(f, "force-tlsa {}", yes(*force_tlsa))?;
    writeln!(f, "insecure-mx {}", word(INSECURE_MX, *insecure_mx))?;
    write_list(f, "name-servers", servers)?;
    writeln!(f, "name-server-timeout {}", Instant::from_elapsed(*timeout))?;
    writeln!(f, "name-server-attempts {attempts}")?;
    writeln!(f, "name-server-rotate {}", yes(*rotate))?;
    writeln!(f, "name-server-tcp {}", yes(*use_vc))?;
    writeln!(f, "name-server-trust-ad {}", yes(*trust_ad))?;
    if let Some(ResolverTls { name, trust }) = tls {
        let same = if *trust == *roots { "policy" } else { "own" };
        writeln!(f, "name-server-tls {same} {}", Quoted(name.as_bytes()))?;
        for certificate in trust.certificates().filter(|_| trust != roots) {
            writeln!(f, "name-server-root {}", Hex(certificate.der()))?;
        }
    }
    writeln!(f, "dnssec {}", word(DNSSEC, *dnssec))?;
    let probe = dnssec_probe.as_ref().map(ToString::to_string).unwrap_or_default();
    writeln!(f, "dnssec-probe {}", Quoted(probe.as_bytes()))?;
    if **trust_anchors != TrustAnchors::default() {
        writeln!(f, "trust-anchors {}", Quoted(trust_anchors.to_string().as_bytes()))?;
    }
    writeln!(f, "tell-questions {}", yes(*tell_questions))
}

fn write_policy(f: &mut fmt::Formatter<'_>, policy: &Policy) -> fmt::Result {
    let Policy {
        matches,
        pins,
        trust,
        anchors,
        digest,
        dane_digests,
        server_name,
        raw_public_keys,
        versions: Versions { tls12, tls13 },
        suites,
        groups,
        keys,
        identity,
    } = policy;
    for rule in matches {
        match rule {
            MatchRule::Hostname => writeln!(f, "match hostname")?,
            MatchRule::Nexthop => writeln!(f, "match nexthop")?,
            MatchRule::DotNexthop => writeln!(f, "match dot-nexthop")?,
            MatchRule::Name(name) => writeln!(f, "match name {}", Quoted(name.as_bytes()))?,
            MatchRule::Address(address) => writeln!(f, "match address {address}")?,
        }
    }
    for Pin(octets) in pins {
        writeln!(f, "pin {}", Hex(octets))?;
    }
    for certificate in trust.certificates() {
        writeln!(f, "root {}", Hex(certificate.der()))?;
    }
    for anchor in anchors {
        match anchor {
            Anchor::Certificate(anchor) => writeln!(f, "anchor certificate {}", Hex(anchor.der()))?,
            Anchor::Key(spki) => writeln!(f, "anchor key {}", Hex(spki))?,
        }
    }
    writeln!(f, "digest {}", Quoted(digest.to_string().as_bytes()))?;
    writeln!(f, "dane-digests {}", Quoted(dane_digests.to_string().as_bytes()))?;
    match server_name {
        None => {}
        Some(ServerNameChoice::Hostname) => writeln!(f, "server-name hostname")?,
        Some(ServerNameChoice::Nexthop) => writeln!(f, "server-name nexthop")?,
        Some(ServerNameChoice::Name(name)) => {
            writeln!(f, "server-name name {}", Quoted(name.as_bytes()))?;
        }
    }
    writeln!(f, "raw-public-keys {}", yes(*raw_public_keys))?;
    writeln!(f, "tls12 {}", yes(*tls12))?;
    writeln!(f, "tls13 {}", yes(*tls13))?;
    if let Some(suites) = suites {
        write_list(f, "suites", suites)?;
    }
    write_list(f, "groups", &groups.0)?;
    if let Some(keys) = keys {
        writeln!(f, "keys {}", word(KEYS, *keys))?;
    }
    identity.chains().try_for_each(|chain| {
        write_list(f, "client-certificates", chain.iter().map(|certificate| Hex(certificate)))
    })
}

fn write_list(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    items: impl IntoIterator<Item = impl fmt::Display>,
) -> fmt::Result {
    f.write_str(name)?;
    items.into_iter().try_for_each(|item| write!(f, " {item}"))?;
    writeln!(f)
}

/// A header that is being read.
struct Reader {
    header: Header,
    client_chains: Vec<Vec<Bytes>>,
    /// The CAs for name servers are those of the policy.
    resolver_roots_as_policy: bool,
}

impl Reader {
    fn new() -> Self {
        let mut config = Config { repeatable: true, ..Config::default() };
        // What the text may leave out, and what it lists.
        config.policy.groups = Groups(Vec::new());
        config.lookup.resolvers.servers.clear();
        let (program, rustls) = (String::new(), String::new());
        let (seed, wall_time, caller) = (Seed::default(), WallTime::default(), Vec::new());
        let enumerating = None;
        let header = Header { program, rustls, seed, wall_time, config, enumerating, caller };
        Self { header, client_chains: Vec::new(), resolver_roots_as_policy: false }
    }

    /// Takes one property.
    fn line(&mut self, line: &str) -> Result<(), NotAnInput> {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut words = Words(rest);
        let words = &mut words;
        let Header { program, rustls, seed, wall_time, config, enumerating, caller } =
            &mut self.header;
        let Config { lookup, policy, .. } = config;
        let resolvers = &mut lookup.resolvers;
        match name {
            "program" => *program = words.string()?,
            "rustls" => *rustls = words.string()?,
            "seed" => *seed = words.octets()?.try_into().map_err(|_| NotAnInput)?,
            "wall-time" => wall_time.0 = words.parse()?,
            "enumerate" => {
                let every = match words.next()? {
                    "every" => true,
                    "first" => false,
                    _ => return Err(NotAnInput),
                };
                *enumerating = Some(Enumerating { pause: duration(words)?, every });
            }
            "caller" => caller.push((words.string()?, words.string()?)),
            "destination" => config.destination = words.destination()?,
            "dialect" => config.dialect = choice(DIALECTS, words)?,
            "wrapper" => config.wrapper = yes_or_no(words)?,
            "helo-name" => config.helo_name = words.string()?.into(),
            "connect-timeout" => config.connect_timeout = duration(words)?,
            "command-timeout" => config.command_timeout = duration(words)?,
            "await-quit" => config.await_quit = yes_or_no(words)?,
            "family" => config.family = choice(FAMILIES, words)?,
            "level" => config.level = level(words)?,
            "no-tls" => config.no_tls = yes_or_no(words)?,
            "hygiene" => config.hygiene = yes_or_no(words)?,
            "flaw" => config.flaw = Some(flaw(words)?),
            "scout-versions" => {
                let versions = numbers(words)?.into_iter().map(Protocol).collect();
                let (suites, groups) = (Vec::new(), Vec::new());
                config.scout = Some(WiderOffer { versions, suites, groups });
            }
            "scout-suites" => {
                config.scout.as_mut().ok_or(NotAnInput)?.suites = numbers(words)?;
            }
            "scout-groups" => {
                config.scout.as_mut().ok_or(NotAnInput)?.groups = numbers(words)?;
            }
            "reuse" => {
                config.reuse = Some(Reuse { delay: duration(words)?, limit: words.parse()? });
            }
            "watch" => {
                while !words.0.is_empty() {
                    match words.next()? {
                        "messages" => config.watch.messages = true,
                        "handshake" => config.watch.handshake_bytes = true,
                        "session" => config.watch.session_bytes = true,
                        "secrets" => config.watch.secrets = true,
                        _ => return Err(NotAnInput),
                    }
                }
            }
            "lookup-dns" => lookup.hosts.dns = yes_or_no(words)?,
            "lookup-native" => lookup.hosts.native = yes_or_no(words)?,
            "ipv4" => lookup.families.v4 = yes_or_no(words)?,
            "ipv6" => lookup.families.v6 = yes_or_no(words)?,
            "srv" => lookup.srv = yes_or_no(words)?,
            "force-tlsa" => lookup.force_tlsa = yes_or_no(words)?,
            "insecure-mx" => lookup.insecure_mx = choice(INSECURE_MX, words)?,
            "name-servers" => {
                while !words.0.is_empty() {
                    resolvers.servers.push(parse_resolver(words.next()?).map_err(|_| NotAnInput)?);
                }
            }
            "name-server-timeout" => resolvers.timeout = duration(words)?,
            "name-server-attempts" => resolvers.attempts = words.parse()?,
            "name-server-rotate" => resolvers.rotate = yes_or_no(words)?,
            "name-server-tcp" => resolvers.use_vc = yes_or_no(words)?,
            "name-server-trust-ad" => resolvers.trust_ad = yes_or_no(words)?,
            "name-server-tls" => {
                self.resolver_roots_as_policy = match words.next()? {
                    "policy" => true,
                    "own" => false,
                    _ => return Err(NotAnInput),
                };
                let (name, trust) = (words.string()?, TrustStore::default());
                resolvers.tls = Some(ResolverTls { name, trust });
            }
            "name-server-root" => {
                resolvers.tls.as_mut().ok_or(NotAnInput)?.trust.add(certificate(words)?);
            }
            "dnssec" => lookup.dnssec = choice(DNSSEC, words)?,
            "dnssec-probe" => {
                lookup.dnssec_probe =
                    DnssecProbe::parse(&words.string()?).map_err(|_| NotAnInput)?;
            }
            "trust-anchors" => {
                let anchors = TrustAnchors::parse(&words.octets()?).map_err(|_| NotAnInput)?;
                lookup.trust_anchors = Arc::new(anchors);
            }
            "tell-questions" => lookup.tell_questions = yes_or_no(words)?,
            "proxy" => {
                let socket = PathBuf::from(OsString::from_vec(words.octets()?));
                let (forms, values) = (Vec::new(), BTreeMap::new());
                config.proxy = Some(Proxy { socket, forms, values });
            }
            "proxy-form" => {
                let proxy = config.proxy.as_mut().ok_or(NotAnInput)?;
                proxy.forms.push(choice(PROXY_FORMS, words)?);
            }
            "proxy-value" => {
                let proxy = config.proxy.as_mut().ok_or(NotAnInput)?;
                proxy.values.insert(words.string()?, words.string()?);
            }
            "client-certificates" => {
                let mut chain = Vec::new();
                while !words.0.is_empty() {
                    chain.push(words.octets()?.into());
                }
                self.client_chains.push(chain);
            }
            _ => read_policy(policy, name, words)?,
        }
        words.end()
    }
}

fn read_policy(policy: &mut Policy, name: &str, words: &mut Words<'_>) -> Result<(), NotAnInput> {
    match name {
        "match" => policy.matches.push(match words.next()? {
            "hostname" => MatchRule::Hostname,
            "nexthop" => MatchRule::Nexthop,
            "dot-nexthop" => MatchRule::DotNexthop,
            "name" => MatchRule::Name(words.string()?),
            "address" => MatchRule::Address(words.parse()?),
            _ => return Err(NotAnInput),
        }),
        "pin" => policy.pins.push(Pin(words.octets()?.into())),
        "root" => policy.trust.add(certificate(words)?),
        "anchor" => policy.anchors.push(match words.next()? {
            "certificate" => Anchor::Certificate(Box::new(certificate(words)?)),
            "key" => Anchor::Key(words.octets()?.into()),
            _ => return Err(NotAnInput),
        }),
        "digest" => policy.digest = Digest::by_name(&words.string()?).ok_or(NotAnInput)?,
        "dane-digests" => {
            let (digests, problems) = DaneDigests::parse(&words.string()?);
            if !problems.is_empty() {
                return Err(NotAnInput);
            }
            policy.dane_digests = digests;
        }
        "server-name" => {
            policy.server_name = Some(match words.next()? {
                "hostname" => ServerNameChoice::Hostname,
                "nexthop" => ServerNameChoice::Nexthop,
                "name" => ServerNameChoice::Name(words.string()?),
                _ => return Err(NotAnInput),
            });
        }
        "raw-public-keys" => policy.raw_public_keys = yes_or_no(words)?,
        "keys" => policy.keys = Some(choice(KEYS, words)?),
        "tls12" => policy.versions.tls12 = yes_or_no(words)?,
        "tls13" => policy.versions.tls13 = yes_or_no(words)?,
        "suites" => {
            let suites = policy.suites.get_or_insert_default();
            while !words.0.is_empty() {
                suites.push(words.parse()?);
            }
        }
        "groups" => {
            while !words.0.is_empty() {
                let name = words.next()?;
                let known = Group::ALL.into_iter().find(|group| group.to_string() == name);
                policy.groups.0.push(known.ok_or(NotAnInput)?);
            }
        }
        _ => return Err(NotAnInput),
    }
    Ok(())
}

fn certificate(words: &mut Words<'_>) -> Result<Certificate, NotAnInput> {
    Certificate::parse(words.octets()?.into()).map_err(|_| NotAnInput)
}

fn numbers(words: &mut Words<'_>) -> Result<Vec<u16>, NotAnInput> {
    let mut numbers = Vec::new();
    while !words.0.is_empty() {
        numbers.push(words.parse()?);
    }
    Ok(numbers)
}

fn duration(words: &mut Words<'_>) -> Result<Duration, NotAnInput> {
    words.parse::<Instant>().map(Instant::elapsed)
}

fn level(words: &mut Words<'_>) -> Result<Level, NotAnInput> {
    let name = words.next()?;
    Level::ALL.into_iter().find(|level| level.word() == name).ok_or(NotAnInput)
}

fn flaw(words: &mut Words<'_>) -> Result<OfferFlaw, NotAnInput> {
    Ok(match words.next()? {
        "protocols" => OfferFlaw::Protocols(words.string()?),
        "grade" => OfferFlaw::Grade(words.string()?),
        "ciphers" => OfferFlaw::Ciphers(words.string()?),
        "no-version" => OfferFlaw::NoVersion,
        "no-suite" => OfferFlaw::NoSuite,
        "no-group" => OfferFlaw::NoGroup,
        _ => return Err(NotAnInput),
    })
}

const DIALECTS: &[(&str, Dialect)] = &[("smtp", Dialect::Smtp), ("lmtp", Dialect::Lmtp)];
const FAMILIES: &[(&str, Family)] =
    &[("any", Family::Any), ("ipv4", Family::V4), ("ipv6", Family::V6)];
const INSECURE_MX: &[(&str, InsecureMx)] =
    &[("may", InsecureMx::May), ("encrypt", InsecureMx::Encrypt), ("dane", InsecureMx::Dane)];
const PROXY_FORMS: &[(&str, ProxyForm)] = &[("3.7", ProxyForm::V3_7), ("3.11", ProxyForm::V3_11)];
const DNSSEC: &[(&str, DnssecTrust)] =
    &[("trust", DnssecTrust::Trust), ("auto", DnssecTrust::Auto), ("local", DnssecTrust::Local)];

const KEYS: &[(&str, ServerKeys)] = &[("rsa", ServerKeys::Rsa), ("ecdsa", ServerKeys::Ecdsa)];

fn word<T: PartialEq>(table: &[(&'static str, T)], value: T) -> &'static str {
    table.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
}

fn choice<T: Copy>(table: &[(&str, T)], words: &mut Words<'_>) -> Result<T, NotAnInput> {
    let word = words.next()?;
    table.iter().find(|(known, _)| *known == word).map(|(_, value)| *value).ok_or(NotAnInput)
}

fn yes(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn yes_or_no(words: &mut Words<'_>) -> Result<bool, NotAnInput> {
    choice(&[("yes", true), ("no", false)], words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TrustStore;
    use crate::destination::{Destination, Place};

    fn round_trip(header: &Header) -> Result<Header, TraceError> {
        let text = header.to_string();
        let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
        Header::parse(lines, &[])
    }

    fn header(config: Config) -> Header {
        let mut header = Header::new("tlsfinger 1", config, [7; 32], WallTime(1_800_000_000));
        header.enumerating = Some(Enumerating { pause: Duration::from_millis(7), every: true });
        header.caller = vec![("words".to_owned(), "-L a \"b\"".to_owned())];
        header
    }

    /// A configuration in which nothing is as usual.
    fn unusual() -> Config {
        let pem = include_bytes!("../tls/testdata/rsa.crt");
        let mut trust = TrustStore::default();
        trust.add_pem(pem).unwrap();
        trust.add_pem(include_bytes!("../tls/testdata/ec.crt")).unwrap();
        let anchors = crate::config::read_trust(pem).unwrap();
        let name = |text: &str| text.to_owned();
        let mut resolvers = ResolvConf::parse(
            b"nameserver fe80::1%eth0\nnameserver 192.0.2.1\n\
              options timeout:7 attempts:4 rotate use-vc trust-ad",
        );
        resolvers.servers.push(parse_resolver("[::1]:5353").unwrap());
        resolvers.tls = Some(ResolverTls { name: name("dns.example"), trust: trust.clone() });
        Config {
            destination: Destination { text: name("unix:/a b"), place: Place::Unix("/a b".into()) },
            dialect: Dialect::Lmtp,
            wrapper: true,
            helo_name: name("b\u{fc}cher \"x\"").into(),
            connect_timeout: Duration::from_micros(1_500_001),
            command_timeout: Duration::from_secs(86_400),
            await_quit: false,
            family: Family::V6,
            lookup: Lookup {
                hosts: HostLookup { dns: false, native: true },
                families: AddressFamilies { v4: false, v6: false },
                srv: true,
                force_tlsa: true,
                insecure_mx: InsecureMx::Encrypt,
                resolvers,
                dnssec: DnssecTrust::Auto,
                dnssec_probe: None,
                trust_anchors: Arc::new(
                    TrustAnchors::parse(b". DS 1 13 2 00ff\na.test. DNSKEY 257 3 15 AAEC").unwrap(),
                ),
                tell_questions: true,
            },
            level: Level::HalfDane,
            no_tls: true,
            policy: Policy {
                matches: vec![
                    MatchRule::Hostname,
                    MatchRule::Nexthop,
                    MatchRule::DotNexthop,
                    MatchRule::Name(name(".example")),
                    MatchRule::Address("2001:db8::1".parse().unwrap()),
                ],
                pins: vec![Pin(Bytes::from_static(b"text"))],
                trust,
                anchors: [anchors, vec![Anchor::Key(Bytes::from_static(b"key"))]].concat(),
                digest: Digest::Sha3t256,
                dane_digests: DaneDigests::parse("sha512=9 sha256 =2").0,
                server_name: Some(ServerNameChoice::Name(name("a"))),
                raw_public_keys: true,
                versions: Versions { tls12: false, tls13: false },
                suites: Some(vec![4865, 49199]),
                groups: Groups(vec![Group::Secp521r1, Group::X25519MlKem768]),
                keys: Some(ServerKeys::Ecdsa),
                identity: Identity::default(),
            },
            flaw: Some(OfferFlaw::Ciphers(name("high"))),
            scout: Some(WiderOffer {
                versions: vec![Protocol::SSL3, Protocol::TLS12],
                suites: vec![0x35, 0x39],
                groups: vec![29, 23],
            }),
            reuse: Some(Reuse { delay: Duration::from_secs(3), limit: 9 }),
            proxy: Some(Proxy {
                socket: "/a b".into(),
                forms: vec![ProxyForm::V3_7, ProxyForm::V3_11],
                values: [(name("a"), name("b \"c\"")), (name("d"), name(""))].into(),
            }),
            watch: Watch {
                messages: true,
                handshake_bytes: true,
                session_bytes: true,
                secrets: true,
            },
            hygiene: true,
            repeatable: true,
        }
    }

    #[test]
    fn headers_round_trip() {
        let mut other_roots = unusual();
        other_roots.policy.trust = TrustStore::default();
        for config in [Config::default(), unusual(), other_roots] {
            let header = header(config);
            assert_eq!(round_trip(&header), Ok(header.clone()), "{header}");
        }
        for flaw in [
            OfferFlaw::Protocols("x".to_owned()),
            OfferFlaw::Grade("\n".to_owned()),
            OfferFlaw::NoVersion,
            OfferFlaw::NoSuite,
            OfferFlaw::NoGroup,
        ] {
            let header = header(Config { flaw: Some(flaw), ..Config::default() });
            assert_eq!(round_trip(&header), Ok(header.clone()));
        }
        for server_name in [ServerNameChoice::Hostname, ServerNameChoice::Nexthop] {
            let server_name = Some(server_name);
            let policy = Policy { server_name, suites: Some(vec![]), ..Policy::default() };
            let header = header(Config { policy, ..Config::default() });
            assert_eq!(round_trip(&header), Ok(header.clone()));
        }
    }

    #[test]
    fn keys_are_left_out() {
        let mut config = Config::default();
        let key = include_str!("../tls/testdata/ec.key");
        let chain = [key, include_str!("../tls/testdata/ec.crt")].concat();
        config.policy.identity.add_chains(chain.as_bytes()).unwrap();
        let blocks = crate::cert::read_pem(key.as_bytes()).unwrap();
        let der = &blocks.last().unwrap().der;
        let text = header(config.clone()).to_string();
        // Neither as a whole nor its secret (RFC 5958, RFC 5915).
        for part in [&der[..], &der[36..68]] {
            assert!(!text.contains(&Hex(part).to_string()[1..]), "{text}");
        }
        let read = round_trip(&header(config.clone())).unwrap();
        let identity = read.config.policy.identity;
        let chains = |identity: &Identity| identity.chains().map(<[_]>::to_vec).collect::<Vec<_>>();
        assert_eq!(chains(&identity), chains(&config.policy.identity));
        assert_eq!(identity.key_kinds().count(), 1);
    }

    #[test]
    fn other_lines_are_refused() {
        let good = header(Config::default()).to_string();
        for bad in [
            "unknown yes",
            "seed x00",
            "wrapper maybe",
            "wrapper yes no",
            "level quarter-dane",
            "groups x25519 none",
            "root x00",
            "dane-digests \"sha1\"",
            "helo-name y",
        ] {
            let text = format!("{good}{bad}\n");
            let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
            let last = text.lines().count() - 1;
            let unreadable = TraceError::Unreadable { line: last };
            assert_eq!(Header::parse(lines, &[]).unwrap_err(), unreadable, "{bad}");
        }
    }
}
