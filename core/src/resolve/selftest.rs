//! What the configured name servers can do, so that a failure can be put at the right door.

use std::collections::BTreeMap;

use super::conf::ResolvConf;
use super::error::{DnsProblem, RecordType, Trouble};
use super::message::Reply;
use super::name::{Question, from_text};
use super::note::LookupNote;
use super::query::{Client, Heard, Manner, QueryId};
use super::trust::Trust;
use crate::config::Lookup;
use crate::context::Cx;
use crate::machine::{Input, Machine, Output, Remote, Stop};
use crate::random::Seed;
use crate::report::Event;
use crate::time::{Instant, WallTime};

/// Names whose state in DNSSEC is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestNames {
    /// A name with signed records of some type.
    pub signed: (String, RecordType),
    /// A name whose records cannot be signed, should there be any.
    pub unsigned: (String, RecordType),
    /// A name whose signatures are wrong.
    pub bogus: (String, RecordType),
}

impl Default for TestNames {
    /// The root's name servers; `localhost`, which every resolver makes up by itself (RFC 6761
    /// section 6.3); and a domain that is kept broken for this purpose.
    fn default() -> Self {
        Self {
            signed: (".".to_owned(), RecordType::NS),
            unsigned: ("localhost".to_owned(), RecordType::A),
            bogus: ("dnssec-failed.org".to_owned(), RecordType::A),
        }
    }
}

/// What a name server can do. `None` where the answers leave it open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerReport {
    /// The name server.
    pub server: Remote,
    /// Its AD bit counts under the configuration.
    pub trusted: bool,
    /// It is asked over TLS: what is said of UDP and TCP is said of that.
    pub over_tls: bool,
    /// It answers over UDP, or why not.
    pub udp: Result<(), DnsProblem>,
    /// It answers over TCP, or why not.
    pub tcp: Result<(), DnsProblem>,
    /// It speaks EDNS.
    pub edns: Option<bool>,
    /// It sets the AD bit on signed answers.
    pub sets_ad: Option<bool>,
    /// It hands out signatures.
    pub hands_out_signatures: Option<bool>,
    /// It refuses answers whose signatures are wrong.
    pub validates: Option<bool>,
    /// It sets the AD bit on answers that nobody can have validated.
    pub sets_ad_without_cause: Option<bool>,
}

/// Tests every configured name server by itself, all at once.
#[derive(Debug)]
pub(crate) struct SelfTest {
    servers: Vec<ServerTest>,
}

#[derive(Debug)]
struct ServerTest {
    server: Remote,
    over_tls: bool,
    trusted: bool,
    client: Client,
    running: BTreeMap<QueryId, Test>,
    heard: BTreeMap<Test, Heard>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Test {
    Signed,
    SignedTcp,
    Unsigned,
    Bogus,
    BogusUnchecked,
}

impl SelfTest {
    pub(crate) fn start(cx: &mut Cx, lookup: &Lookup, names: &TestNames) -> Self {
        let trust = Trust::new(lookup, false);
        let servers = lookup.resolvers.servers.iter().enumerate();
        let servers = servers.map(|(at, server)| {
            let conf = ResolvConf { servers: vec![server.clone()], ..lookup.resolvers.clone() };
            let mut test = ServerTest {
                server: server.clone(),
                over_tls: lookup.resolvers.tls.is_some(),
                trusted: trust.believes(at, lookup.resolvers.tls.is_some().then_some(true)),
                client: Client::new(conf, false, false),
                running: BTreeMap::new(),
                heard: BTreeMap::new(),
            };
            test.start(cx, names);
            test
        });
        Self { servers: servers.collect() }
    }

    /// Takes an input; ends with a report on each server.
    pub(crate) fn handle(&mut self, cx: &mut Cx, input: &Input) -> Option<Vec<ServerReport>> {
        for test in &mut self.servers {
            test.client.handle(cx, input);
            test.client.expire(cx);
            while let Some((id, heard)) = test.client.finished() {
                if let Some(kind) = test.running.remove(&id) {
                    test.heard.insert(kind, heard);
                }
            }
        }
        let done = self.servers.iter().all(|test| test.running.is_empty());
        done.then(|| self.servers.iter().map(ServerTest::report).collect())
    }

    pub(crate) fn deadline(&self) -> (Instant, &'static str) {
        let busy = self.servers.iter().filter(|test| !test.running.is_empty());
        busy.map(|test| test.client.deadline())
            .min()
            .unwrap_or((Instant::NEVER, "for a DNS answer"))
    }
}

impl ServerTest {
    fn start(&mut self, cx: &mut Cx, names: &TestNames) {
        let edns = Manner { edns_only: true, ..Manner::default() };
        let tcp = Manner { tcp: true, ..Manner::default() };
        let unchecked = Manner { checking_disabled: true, ..Manner::default() };
        for (test, (name, record), manner) in [
            (Test::Signed, &names.signed, edns),
            (Test::SignedTcp, &names.signed, tcp),
            (Test::Unsigned, &names.unsigned, Manner::default()),
            (Test::Bogus, &names.bogus, Manner::default()),
            (Test::BogusUnchecked, &names.bogus, unchecked),
        ] {
            if let Some(name) = from_text(name) {
                let id = self.client.ask(cx, Question::new(name, *record), manner);
                self.running.insert(id, test);
            }
        }
    }

    fn report(&self) -> ServerReport {
        let answered = |test| match self.heard.get(&test) {
            // Whatever the answer was, there was one.
            Some(Heard { from: Some(_), .. }) => Ok(()),
            Some(Heard { truncated: true, .. }) if test == Test::Signed => Ok(()),
            Some(Heard { result: Err(trouble), .. }) => Err(trouble.problem.clone()),
            Some(Heard { result: Ok(_), .. }) => Ok(()),
            None => Err(DnsProblem::TimedOut),
        };
        let reply = |test| self.heard.get(&test).map(|heard| heard.result.as_ref());
        let signed = match reply(Test::Signed) {
            Some(Ok(reply)) if has_data(reply) => Some(reply),
            Some(Ok(_) | Err(_)) | None => None,
        };
        let edns = match reply(Test::Signed) {
            Some(Ok(reply)) => Some(reply.edns),
            // RFC 6891 section 7: FORMERR is the word of those who do not know it.
            Some(Err(Trouble { problem: DnsProblem::Rcode(1), .. })) => Some(false),
            Some(Err(_)) | None => None,
        };
        let validates = match (reply(Test::Bogus), reply(Test::BogusUnchecked)) {
            (Some(Err(Trouble { problem: DnsProblem::ServFail, .. })), Some(Ok(reply)))
                if has_data(reply) =>
            {
                Some(true)
            }
            (Some(Ok(reply)), _) if has_data(reply) => Some(false),
            (Some(Ok(_) | Err(_)) | None, _) => None,
        };
        let with_ad = |test| match reply(test) {
            Some(Ok(reply)) if has_data(reply) => Some(reply.authentic),
            Some(Ok(_) | Err(_)) | None => None,
        };
        let unsigned = [with_ad(Test::Unsigned), with_ad(Test::Bogus)];
        ServerReport {
            server: self.server.clone(),
            over_tls: self.over_tls,
            trusted: self.trusted && !self.heard.values().any(is_stranger),
            udp: answered(Test::Signed),
            tcp: answered(Test::SignedTcp),
            edns,
            sets_ad: signed.map(|reply| reply.authentic),
            hands_out_signatures: signed.map(|reply| reply.signed),
            validates,
            sets_ad_without_cause: unsigned.into_iter().flatten().reduce(|one, other| one || other),
        }
    }
}

/// Tells whether an answer came over TLS from somebody who is not the one that was asked for.
fn is_stranger(heard: &Heard) -> bool {
    heard.from.is_some_and(|from| from.authenticated == Some(false))
}

fn has_data(reply: &Reply) -> bool {
    reply.records.as_ref().is_some_and(|records| !records.data.is_empty())
}

/// Tests the configured name servers, and tells of each as [`LookupNote::ServerTested`].
#[derive(Debug)]
pub struct ResolverTest {
    cx: Cx,
    test: SelfTest,
    ended: bool,
}

impl ResolverTest {
    /// Begins; the first outputs are queued already.
    pub fn new(lookup: &Lookup, names: &TestNames, seed: Seed, began: WallTime) -> Self {
        let mut cx = Cx::new(seed, began);
        let test = SelfTest::start(&mut cx, lookup, names);
        cx.end();
        Self { cx, test, ended: false }
    }
}

impl Machine for ResolverTest {
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.cx.begin(now);
        if self.cx.admit(&input) && !self.ended {
            let stop = matches!(input, Input::Stop(Stop::Drain | Stop::Now));
            let reports = self.test.handle(&mut self.cx, &input);
            self.ended = stop || reports.is_some();
            for report in reports.into_iter().flatten() {
                self.cx.tell(Event::Lookup(LookupNote::ServerTested(Box::new(report))));
            }
            if self.ended {
                self.cx.close_all();
            }
        }
        self.cx.end();
    }

    fn poll_output(&mut self) -> Output {
        if let Some(output) = self.cx.pop() {
            return output;
        }
        if !self.ended {
            let (until, why) = self.test.deadline();
            return Output::Wait(until, why);
        }
        self.cx.ending()
    }
}
