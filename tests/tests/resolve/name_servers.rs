//! How single answers are got from name servers, and what is trusted.

use std::time::Duration;

use tlsfinger_core::config::{DnssecTrust, Level, Lookup};
use tlsfinger_core::resolve::{ResolverTest, RouteFinder, TestNames};
use tlsfinger_core::{Instant, WallTime};
use tlsfinger_tests::dns::World;
use tlsfinger_tests::told::text;

use super::{SIGNED, ask, asked, at};

const ONE: &str = "
    @secure .
    one.test            A 192.0.2.1
    _25._tcp.one.test   TLSA 3 1 1 aa
";
const GOOD: &str = "one.test[192.0.2.1]:25 secure Dane one.test";

/// Runs `[one.test]` and returns the instant and text of the last event, and the queries.
fn one(zones: &str, conf: &str) -> (Instant, String, World) {
    let mut world = World::new(&format!("{ONE}\n{zones}"));
    ask("[one.test]").resolv_conf(conf).run(&mut world);
    let (when, event) = world.told.last().cloned().unwrap();
    (when, text(&event), world)
}

#[test]
fn bad_answers_do_not_stop_the_real_one() {
    for fault in ["spoof", "junk", "twice", "case", "truncated"] {
        let (when, last, _) = one(&format!("@server 127.0.0.1 {fault}"), "");
        assert_eq!(last.to_ascii_lowercase(), GOOD.to_ascii_lowercase(), "{fault}");
        // Over TCP it takes a connection and the question once more.
        assert_eq!(when, at(if fault == "truncated" { 60 } else { 20 }), "{fault}");
    }
}

#[test]
fn lost_question_is_asked_again() {
    let (when, last, world) = one("@fault one.test A lossy", "options timeout:2");
    assert_eq!((when, &last[..]), (at(2020), GOOD));
    assert_eq!(asked(&world, "one.test A"), 2);
}

#[test]
fn late_answer_counts() {
    // It comes after the second attempt began, before that is answered.
    let (when, last, _) = one("@server 127.0.0.1 late 5500", "");
    assert_eq!((when, &last[..]), (at(5520), GOOD));
}

#[test]
fn failure_of_an_earlier_attempt_changes_nothing() {
    // The first server fails while the second one is about to answer.
    let faults =
        "@server 127.0.0.4 servfail\n@server 127.0.0.4 late 5500\n@server 127.0.0.1 late 1000";
    let (when, last, world) = one(faults, "nameserver 127.0.0.4\nnameserver 127.0.0.1");
    assert_eq!((when, &last[..]), (at(6020), GOOD));
    assert_eq!(world.asked.len(), 6);
}

#[test]
fn next_server_is_asked() {
    let conf = "nameserver 127.0.0.4\nnameserver 127.0.0.1";
    for (fault, when) in
        [("dead", 40), ("servfail", 40), ("refused", 40), ("cut", 40), ("silent", 5020)]
    {
        let (at_, last, _) = one(&format!("@server 127.0.0.4 {fault}"), conf);
        assert_eq!((at_, &last[..]), (at(when), GOOD), "{fault}");
    }
}

#[test]
fn silent_server_is_not_asked_first_again() {
    let conf = "nameserver 127.0.0.4\nnameserver 127.0.0.1";
    let mut world = World::new(&format!("{SIGNED}\n@server 127.0.0.4 silent"));
    ask("example.test").resolv_conf(conf).run(&mut world);
    let silent = world.asked.iter().filter(|(_, asked)| asked.starts_with("127.0.0.4 "));
    assert_eq!(silent.count(), 1);
    assert_eq!(world.told[1].0, at(5040));
}

#[test]
fn rotation_spreads_questions() {
    let conf = "nameserver 127.0.0.1\nnameserver 127.0.0.2\noptions rotate";
    let (_, last, world) = one("", conf);
    assert_eq!(last, GOOD);
    let asked: Vec<_> = world.asked.iter().map(|(_, asked)| &asked[..9]).collect();
    assert_eq!(asked, ["127.0.0.1", "127.0.0.2", "127.0.0.1"]);
}

#[test]
fn time_without_answer_is_bounded() {
    for (conf, fault, seconds) in [
        ("", "silent", 10),
        ("nameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 127.0.0.3", "silent", 29),
        ("options timeout:1 attempts:3", "silent", 3),
        ("options timeout:30 attempts:5\nnameserver 127.0.0.1", "dead", 0),
    ] {
        let servers: String =
            (1..4).map(|last| format!("@server 127.0.0.{last} {fault}\n")).collect();
        let (when, last, _) = one(&servers, conf);
        assert!(last.ends_with("Host not found, try again"), "{last}");
        assert_eq!(when.elapsed().as_secs(), seconds, "{conf}");
    }
}

#[test]
fn server_without_edns_is_asked_without() {
    let (when, last, world) = one("@server 127.0.0.1 noedns", "");
    assert_eq!((when, &last[..]), (at(40), GOOD));
    assert_eq!(world.asked.len(), 6);
    // Once that is known, nothing is lost on it.
    let mut world = World::new(&format!("{ONE}\n@server 127.0.0.1 noedns"));
    assert_eq!(ask("one.test").run(&mut world), at(60));
}

#[test]
fn tcp_connection_is_shared() {
    let (when, last, world) = one("", "options use-vc");
    assert_eq!((when, &last[..]), (at(40), GOOD));
    assert_eq!((world.most_open, world.asked.len()), (1, 3));
}

#[test]
fn truncation_without_tcp_fails() {
    let (_, last, _) = one("@server 127.0.0.1 notcp", "");
    assert!(last.ends_with("name=one.test type=AAAA: Host not found, try again"), "{last}");
}

#[test]
fn answers_of_64_kib_come_over_tcp() {
    let mut zones = String::new();
    for number in 0..450 {
        zones += &format!("_25._tcp.big.test TLSA 3 0 0 {:04x}{}\n", number, "ab".repeat(110));
    }
    let mut world = World::new(&format!("@secure .\nbig.test A 192.0.2.1\n{zones}"));
    ask("[big.test]").run(&mut world);
    let told: Vec<_> = world.told.iter().map(|(_, event)| text(event)).collect();
    assert_eq!(told[0], "too many: _25._tcp.big.test TLSA");
    assert_eq!(told.len(), 102);
}

#[test]
fn chains_of_aliases() {
    let chain = |steps: usize, shallow: bool| {
        let mut zones = String::from("@secure .\n");
        for step in 0..steps {
            zones += &format!("n{step}.test CNAME n{}.test\n", step + 1);
            if shallow {
                zones += &format!("@fault n{step}.test * shallow\n");
            }
        }
        zones + &format!("n{steps}.test A 192.0.2.1\n")
    };
    let last = |steps, shallow| ask("[n0.test]").told(&chain(steps, shallow)).pop().unwrap();
    assert_eq!(last(15, false), "n0.test[192.0.2.1]:25 secure Secure");
    assert_eq!(last(10, true), "n0.test[192.0.2.1]:25 secure Secure");
    assert_eq!(last(11, true), "failed: Name server loop for n11.test");
    assert_eq!(last(50, true), "failed: Name server loop for n11.test");
}

#[test]
fn insecure_step_makes_the_chain_insecure() {
    let zones = "
        @secure .
        @insecure plain.test
        start.test       CNAME middle.plain.test
        middle.plain.test CNAME end.test
        end.test         A 192.0.2.1
        _25._tcp.end.test TLSA 3 1 1 aa
    ";
    for faults in ["", "@fault start.test * shallow\n@fault middle.plain.test * shallow"] {
        let told = ask("[start.test]").told(&format!("{zones}\n{faults}"));
        assert_eq!(told, ["no tlsa", "start.test[192.0.2.1]:25 Secure"], "{faults}");
    }
}

#[test]
fn trust_in_the_resolver() {
    let remote = "nameserver 192.0.2.53";
    let secure = ["tlsa: _25._tcp.one.test usable 3 1 1 AA", GOOD].map(str::to_owned);
    // These zones have no real signatures.
    let stripped = |server: &str| {
        let insecure = "insecure: the name server leaves out DNSSEC records";
        let proof = |question: &str| format!("{question}: {insecure}");
        vec![
            format!("strips: {server}"),
            proof("one.test A"),
            proof("one.test AAAA"),
            proof("_25._tcp.one.test TLSA"),
            "no tlsa".to_owned(),
            "one.test[192.0.2.1]:25 Secure".to_owned(),
        ]
    };
    for (dnssec, conf, wanted) in [
        (DnssecTrust::Trust, remote, secure.to_vec()),
        (DnssecTrust::Auto, "nameserver 127.0.0.53", secure.to_vec()),
        (DnssecTrust::Auto, "nameserver ::1", secure.to_vec()),
        (DnssecTrust::Auto, "nameserver 192.0.2.53\noptions trust-ad", secure.to_vec()),
        (DnssecTrust::Auto, remote, stripped("192.0.2.53:53")),
        (DnssecTrust::Auto, "nameserver fe80::1%eth0", stripped("[fe80::1]:53")),
    ] {
        let ask = ask("[one.test]").resolv_conf(conf).lookup(|lookup| lookup.dnssec = dnssec);
        assert_eq!(ask.told(ONE), wanted, "{dnssec:?} {conf}");
    }
    // Nobody wants to know where DANE is not wanted.
    let ask = ask("[one.test]").level(Level::May).resolv_conf(remote);
    let ask = ask.lookup(|lookup| lookup.dnssec = DnssecTrust::Auto);
    let told = ask.told(ONE);
    assert!(!told.iter().any(|line| line.starts_with("strips")), "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("one.test[192.0.2.1]:25 May"));
}

#[test]
fn missing_dnssec_is_told_once() {
    let no_dnssec = "no dnssec: ns:.";
    let root = "@secure .\n. NS ns.test\n";
    let implicit = "@insecure one.test\n";
    let run = |zones: &str| ask("one.test").told(&format!("{ONE}\n{zones}"));
    let end = ["no tlsa", "one.test[192.0.2.1]:25 Secure"];
    assert_eq!(run(&format!("{root}{implicit}")), end, "DNSSEC works, the domain is not signed");
    assert_eq!(run(&format!("{root}@server 127.0.0.1 noad")), [&[no_dnssec], &end[..]].concat());
    let told = run(&format!("{root}@server 127.0.0.1 refused"));
    assert_eq!(
        told,
        [
            "no dnssec: ns:.: Host or domain name not found. Name service error for name=. type=NS: Host not found, try again",
            "failed: Host or domain name not found. Name service error for name=one.test type=MX: Host not found, try again",
        ]
    );
    let ask = ask("one.test").lookup(|lookup| lookup.dnssec_probe = None);
    assert_eq!(ask.told(&format!("{ONE}\n@server 127.0.0.1 noad")), end);
}

#[test]
fn stopping_closes_everything() {
    use tlsfinger_core::machine::Stop;
    use tlsfinger_core::{Input, Machine};
    let config = ask("example.test").config;
    let mut finder = RouteFinder::new(&config, [1; 32], WallTime(0));
    finder.handle_input(at(1), Input::Stop(Stop::Now));
    let mut world = World::new(SIGNED);
    assert_eq!(world.run(&mut finder), Instant::START);
    assert!(world.told.is_empty());
}

#[test]
fn nothing_lasts_longer_than_its_use() {
    // A late host of a later preference is not awaited by those who need it not; here all are told,
    // so the end comes with the last of them.
    let zones = format!("{SIGNED}\n@fault mx2.example.test * late 300");
    let mut world = World::new(&zones);
    let end = ask("example.test").run(&mut world);
    assert_eq!(end, at(340));
    assert_eq!(world.latency, Duration::from_millis(10));
}

#[test]
fn resolver_is_tested() {
    let zones = "
        @secure .
        @insecure localhost
        . NS ns.test
        localhost A 127.0.0.1
        dnssec-failed.org A 192.0.2.1
        @fault dnssec-failed.org * bogus
    ";
    let report = |faults: &str| {
        let mut world = World::new(&format!("{zones}\n{faults}"));
        let names = TestNames::default();
        world.run(&mut ResolverTest::new(&Lookup::default(), &names, [1; 32], WallTime(0)));
        assert_eq!(world.told.len(), 1);
        text(&world.told[0].1)
    };
    let server = |fault: &str| report(&format!("@server 127.0.0.1 {fault}"));
    let good = "udp yes tcp yes edns yes ad yes signatures yes validates yes ad-without-cause no";
    assert_eq!(report(""), good);
    assert_eq!(server("noad"), good.replace("ad yes", "ad no"));
    assert_eq!(server("strip"), good.replace("signatures yes", "signatures no"));
    assert_eq!(server("ad"), good.replace("cause no", "cause yes"));
    assert_eq!(server("loose"), good.replace("validates yes", "validates no"));
    assert_eq!(
        server("noedns"),
        "udp yes tcp yes edns no ad ? signatures ? validates yes ad-without-cause no"
    );
    assert_eq!(
        server("notcp"),
        "udp yes tcp no edns ? ad ? signatures ? validates ? ad-without-cause ?"
    );
    assert_eq!(
        server("dead"),
        "udp no tcp no edns ? ad ? signatures ? validates ? ad-without-cause ?"
    );
    assert_eq!(
        server("refused"),
        "udp yes tcp yes edns ? ad ? signatures ? validates ? ad-without-cause ?"
    );
}

/// For those who want to see the work: each question with its end, what is asked once more, and
/// what was known already.
#[test]
fn questions_are_told_if_wanted() {
    let zones = "
        @server 127.0.0.4 silent
        @secure .
        alias.test              CNAME real.test
        real.test               A 192.0.2.1
        _25._tcp.real.test      TLSA 3 1 1 abcd
    ";
    let told = |tell| {
        let ask = ask("[alias.test]").lookup(|lookup| lookup.tell_questions = tell);
        ask.resolv_conf("nameserver 127.0.0.4\nnameserver 127.0.0.1").told(zones)
    };
    let wanted = told(true);
    for line in ["alias.test A: found at real.test", "_25._tcp.real.test TLSA: found"] {
        assert!(wanted.iter().any(|told| told == line), "{line}: {wanted:#?}");
    }
    assert!(wanted.iter().any(|told| told.starts_with("alias.test A: again at ")), "{wanted:#?}");
    assert!(wanted.iter().any(|told| told.starts_with("alias.test AAAA: Host")), "{wanted:#?}");
    let unwanted = told(false);
    assert!(!unwanted.iter().any(|told| told.contains(": found") || told.contains("again at")));
}
