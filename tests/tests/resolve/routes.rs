//! From MX and SRV records to servers.

use tlsfinger_core::Instant;
use tlsfinger_core::config::{Dialect, Family, HostLookup, InsecureMx, Level};
use tlsfinger_core::destination::Place;
use tlsfinger_core::report::Event;
use tlsfinger_core::resolve::LookupNote;
use tlsfinger_tests::dns::World;
use tlsfinger_tests::told::text;

use super::{SIGNED, ask, at};

/// Round trips of 20 ms before each target of a cold probe is known. This is the table in the
/// documentation of `resolve`.
#[test]
fn round_trips_before_connecting() {
    for (destination, known, names) in [
        (
            "example.test",
            [40; 4].as_slice(),
            [["mx1.example.test"; 2], ["mx2.example.test"; 2]].concat(),
        ),
        ("implicit.test", &[40; 2], vec!["implicit.test"; 2]),
        ("[mx1.example.test]", &[20; 2], vec!["mx1.example.test"; 2]),
    ] {
        let mut world = World::new(SIGNED);
        ask(destination).run(&mut world);
        let target = |(when, event): &(Instant, Event)| match event {
            Event::Lookup(LookupNote::Target(target)) => Some((*when, target.host.to_string())),
            _ => None,
        };
        let targets: Vec<_> = world.told.iter().filter_map(target).collect();
        let wanted: Vec<_> = known
            .iter()
            .zip(&names)
            .map(|(millis, name)| (at(*millis), (*name).to_owned()))
            .collect();
        assert_eq!(targets, wanted, "{destination}");
    }
}

#[test]
fn alias_takes_one_round_trip_more() {
    let zones = format!("{SIGNED} alias.test CNAME mx1.example.test");
    let mut world = World::new(&zones);
    ask("[alias.test]").run(&mut world);
    let when: Vec<_> = world.told.iter().map(|(when, _)| *when).collect();
    assert_eq!(when, [at(40); 3]);
}

#[test]
fn secure_mx_hosts_with_tlsa() {
    assert_eq!(
        ask("example.test").told(SIGNED),
        [
            "tlsa: _25._tcp.mx1.example.test usable 3 1 1 ABCD",
            "mx1.example.test[192.0.2.1]:25 mx-secure secure Dane mx1.example.test,example.test",
            "mx1.example.test[2001:db8::1]:25 mx-secure secure Dane mx1.example.test,example.test",
            "tlsa: _25._tcp.mx2.example.test usable 2 1 2 EF01",
            "mx2.example.test[192.0.2.2]:25 mx-secure secure Dane mx2.example.test,example.test",
            "mx2.example.test[2001:db8::2]:25 mx-secure secure Dane mx2.example.test,example.test",
        ]
    );
    let may: Vec<_> = ask("[implicit.test]").level(Level::May).told(SIGNED);
    assert_eq!(
        may,
        ["implicit.test[192.0.2.3]:25 secure May", "implicit.test[2001:db8::3]:25 secure May"]
    );
}

#[test]
fn no_question_is_asked_that_nobody_needs() {
    let mut world = World::new(SIGNED);
    ask("[implicit.test]").level(Level::Secure).run(&mut world);
    let asked: Vec<_> = world.asked.iter().map(|(_, asked)| &asked[..]).collect();
    assert_eq!(asked, ["127.0.0.1 implicit.test A", "127.0.0.1 implicit.test AAAA"]);
}

const MIXED: &str = "
    @secure .
    @insecure plain.test
    host.plain.test         A 192.0.2.5
    _25._tcp.host.plain.test TLSA 3 1 1 aa
    toplain.test            MX 10 host.plain.test
    todane.plain.test       MX 10 dane.test
    tonone.plain.test       MX 10 none.test
    dane.test               A 192.0.2.1
    _25._tcp.dane.test      TLSA 3 1 1 bb
    none.test               A 192.0.2.2
    alias.plain.test        CNAME dane.test
    outward.test            CNAME host.plain.test
    _25._tcp.outward.test   TLSA 3 1 1 cc
    own.test                CNAME none.test
    _25._tcp.own.test       TLSA 3 1 1 dd
    both.test               CNAME dane.test
    _25._tcp.both.test      TLSA 3 1 1 ee
    tlsalias.test           A 192.0.2.3
    _25._tcp.tlsalias.test  CNAME _25._tcp.dane.test
    tlsaout.test            A 192.0.2.3
    _25._tcp.tlsaout.test   CNAME _25._tcp.host.plain.test
";

#[test]
fn tlsa_base_domain() {
    let address = "192.0.2.1";
    for (destination, wanted) in [
        // Neither address nor name is secure: the records are not even looked at.
        ("[host.plain.test]", vec!["no tlsa", "host.plain.test[192.0.2.5]:25 Secure"]),
        // The alias is not secure, so the secure host at its end does not count.
        ("[alias.plain.test]", vec!["no tlsa", &format!("alias.plain.test[{address}]:25 Secure")]),
        // The alias is secure, the host at its end is not: the alias counts.
        (
            "[outward.test]",
            vec![
                "tlsa: _25._tcp.outward.test usable 3 1 1 CC",
                "outward.test[192.0.2.5]:25 Dane outward.test",
            ],
        ),
        // Both are secure, and only the alias has records.
        (
            "[own.test]",
            vec![
                "tlsa: _25._tcp.own.test usable 3 1 1 DD",
                "own.test[192.0.2.2]:25 secure Dane own.test",
            ],
        ),
        // Both are secure: the end of the alias comes first.
        (
            "[both.test]",
            vec![
                "tlsa: _25._tcp.dane.test usable 3 1 1 BB",
                "both.test[192.0.2.1]:25 secure Dane dane.test",
            ],
        ),
        // The TLSA name may be an alias itself.
        (
            "[tlsalias.test]",
            vec![
                "tlsa: _25._tcp.tlsalias.test -> _25._tcp.dane.test usable 3 1 1 BB",
                "tlsalias.test[192.0.2.3]:25 secure Dane tlsalias.test",
            ],
        ),
        ("[tlsaout.test]", vec!["no tlsa", "tlsaout.test[192.0.2.3]:25 secure Secure"]),
    ] {
        assert_eq!(ask(destination).told(MIXED), wanted, "{destination}");
    }
}

#[test]
fn forced_tlsa_lookup_still_wants_secure_records() {
    let force = |destination: &str| ask(destination).lookup(|lookup| lookup.force_tlsa = true);
    assert_eq!(
        force("[host.plain.test]").told(MIXED),
        ["no tlsa", "host.plain.test[192.0.2.5]:25 Secure"]
    );
    let zones = format!("{MIXED} \n@secure _tcp.host.plain.test");
    assert_eq!(
        force("[host.plain.test]").told(&zones),
        [
            "tlsa: _25._tcp.host.plain.test usable 3 1 1 AA",
            "host.plain.test[192.0.2.5]:25 Dane host.plain.test"
        ]
    );
    let zones = format!(
        "{MIXED} \n@secure _tcp.host.plain.test\n@fault _25._tcp.host.plain.test TLSA servfail"
    );
    let told = force("[host.plain.test]").told(&zones);
    assert_eq!(told.last().unwrap(), "skipped host.plain.test:25");
}

#[test]
fn insecure_mx_policies() {
    let dane = "192.0.2.1]:25 mx-insecure secure";
    let tlsa = "tlsa: _25._tcp.dane.test usable 3 1 1 BB";
    for (policy, wanted) in [
        (
            InsecureMx::Dane,
            vec![
                tlsa.to_owned(),
                "mx insecure: Dane".to_owned(),
                format!("dane.test[{dane} HalfDane dane.test,todane.plain.test"),
            ],
        ),
        (
            InsecureMx::Encrypt,
            vec![
                tlsa.to_owned(),
                "mx insecure: Encrypt".to_owned(),
                format!("dane.test[{dane} Encrypt dane.test,todane.plain.test"),
            ],
        ),
        (InsecureMx::May, vec!["mx insecure: May".to_owned(), format!("dane.test[{dane} May")]),
    ] {
        let ask = ask("todane.plain.test").lookup(|lookup| lookup.insecure_mx = policy);
        assert_eq!(ask.told(MIXED), wanted);
    }
    let none = "none.test[192.0.2.2]:25 mx-insecure secure";
    assert_eq!(
        ask("tonone.plain.test").told(MIXED),
        ["no tlsa".to_owned(), format!("{none} Secure")]
    );
    assert_eq!(
        ask("toplain.test").told(MIXED),
        ["no tlsa", "host.plain.test[192.0.2.5]:25 mx-secure Secure"]
    );
}

#[test]
fn broken_tlsa_records_are_dropped_with_their_reason() {
    let zones = "
        @secure .
        odd.test            A 192.0.2.1
        _25._tcp.odd.test   TLSA 1 1 1 aa
        _25._tcp.odd.test   TLSA 3 1 255 bb
        _25._tcp.odd.test   TYPE52 030101
        _25._tcp.odd.test   TYPE52 03
        _25._tcp.odd.test   TYPE52
    ";
    let dropped = [
        "tlsa: _25._tcp.odd.test usage 1 1 1 AA",
        "tlsa: _25._tcp.odd.test private 3 1 255 BB",
        "tlsa: _25._tcp.odd.test short 3",
        "tlsa: _25._tcp.odd.test short 1",
        "tlsa: _25._tcp.odd.test short 0",
    ];
    let end = ["no usable tlsa", "odd.test[192.0.2.1]:25 secure Secure"];
    assert_eq!(ask("[odd.test]").told(zones), [&dropped[..], &end[..]].concat());
    let zones = format!("{zones} _25._tcp.odd.test TLSA 3 0 9 cc");
    let end = [
        "tlsa: _25._tcp.odd.test usable 3 0 9 CC",
        "odd.test[192.0.2.1]:25 secure DaneOnly odd.test",
    ];
    assert_eq!(
        ask("[odd.test]").level(Level::DaneOnly).told(&zones),
        [&dropped[..], &end[..]].concat()
    );
}

#[test]
fn failed_tlsa_lookup_skips_the_host() {
    let zones = format!("{SIGNED} \n@fault _25._tcp.mx1.example.test TLSA servfail");
    let told = ask("example.test").told(&zones);
    let error = "Host or domain name not found. Name service error for \
                 name=_25._tcp.mx1.example.test type=TLSA: Host not found, try again";
    assert_eq!(
        told[..3],
        [
            &format!("tlsa failed: {error}")[..],
            "skipped mx1.example.test:25",
            "skipped mx1.example.test:25"
        ]
    );
    assert!(told[4].starts_with("mx2.example.test[192.0.2.2]:25"), "{told:?}");
}

#[test]
fn question_sent_ahead_delays_nobody_who_does_not_need_it() {
    for fault in ["servfail", "silent", "cut"] {
        let zones = format!("{MIXED} \n@fault _25._tcp.host.plain.test TLSA {fault}");
        let mut world = World::new(&zones);
        assert_eq!(ask("[host.plain.test]").run(&mut world), at(20), "nothing is left behind");
        let told: Vec<_> = world.told.iter().map(|(when, event)| (*when, text(event))).collect();
        assert_eq!(told[0], (at(20), "no tlsa".to_owned()), "{fault}");
        assert_eq!(told[1], (at(20), "host.plain.test[192.0.2.5]:25 Secure".to_owned()));
    }
    // The alias's own records are asked for ahead, and not needed if the end of the alias has some.
    let zones = format!("{MIXED} \n@fault _25._tcp.both.test TLSA silent");
    let mut world = World::new(&zones);
    ask("[both.test]").run(&mut world);
    assert_eq!(world.told.last().unwrap().0, at(40));
}

#[test]
fn slow_host_delays_no_other() {
    let zones = "
        @secure .
        equal.test  MX 10 slow.test
        equal.test  MX 10 quick.test
        later.test  MX 10 quick.test
        later.test  MX 20 slow.test
        first.test  MX 10 slow.test
        first.test  MX 20 quick.test
        slow.test   A 192.0.2.1
        quick.test  A 192.0.2.2
        half.test   A 192.0.2.3
        half.test   AAAA 2001:db8::3
        @fault slow.test * late 700
        @fault half.test AAAA late 700
    ";
    let when = |destination: &str, family: Family| {
        let mut world = World::new(zones);
        ask(destination).family(family).run(&mut world);
        let target = |(when, event): &(Instant, Event)| match event {
            Event::Lookup(LookupNote::Target(target)) => Some((*when, target.peer.to_string())),
            _ => None,
        };
        world.told.iter().filter_map(target).collect::<Vec<_>>()
    };
    let (slow, quick) =
        ("slow.test[192.0.2.1]:25".to_owned(), "quick.test[192.0.2.2]:25".to_owned());
    // Hosts of equal preference have a short time to catch up.
    assert_eq!(when("equal.test", Family::Any), [(at(90), quick.clone()), (at(740), slow.clone())]);
    assert_eq!(when("later.test", Family::Any), [(at(40), quick.clone()), (at(740), slow.clone())]);
    // A better preference is awaited, and the later ones are there by then.
    assert_eq!(when("first.test", Family::Any), [(at(740), slow), (at(740), quick)]);
    let (v4, v6) = ("half.test[192.0.2.3]:25".to_owned(), "half.test[2001:db8::3]:25".to_owned());
    assert_eq!(when("[half.test]", Family::Any), [(at(70), v4.clone()), (at(720), v6.clone())]);
    assert_eq!(when("[half.test]", Family::V6), [(at(720), v6), (at(720), v4)]);
}

#[test]
fn domains_without_usable_mx() {
    let zones = "
        @secure .
        null.test      MX 0 .
        null.test      A 192.0.2.1
        broken.test    A 192.0.2.1
        @fault broken.test MX servfail
        refused.test   A 192.0.2.1
        @fault refused.test MX refused
        cut.test       MX 10 a.test
        @fault cut.test MX cut
        nowhere.test   MX 10 nothing.test
        nowhere.test   MX 20 txt.test
        txt.test       TYPE16 0161
        lame.test      MX 10 broken-host.test
        lame.test      MX 20 good.test
        good.test      A 192.0.2.7
        @fault broken-host.test * servfail
        odd.test       MX 10 192.0.2.9
        odd.test       MX 5 a\\032b.test
        loop.test      CNAME loop2.test
        loop2.test     CNAME loop.test
        @fault loop.test * shallow
        @fault loop2.test * shallow
        many.test      TYPE16 00
    ";
    let failed = |name: &str, record: &str, why: &str| {
        format!(
            "failed: Host or domain name not found. Name service error for name={name} type={record}: {why}"
        )
    };
    let try_again = "Host not found, try again";
    for (domain, wanted) in [
        ("null.test", vec!["failed: Domain null.test does not accept mail (nullMX)".to_owned()]),
        ("broken.test", vec![failed("broken.test", "MX", try_again)]),
        ("refused.test", vec![failed("refused.test", "MX", try_again)]),
        (
            "cut.test",
            vec!["failed: Name service error for name=cut.test type=MX: Malformed or unexpected name server reply".to_owned()],
        ),
        ("missing.test", vec![failed("missing.test", "AAAA", "Host not found")]),
        (
            "txt.test",
            vec![failed("txt.test", "AAAA", "Host found but no data record of requested type")],
        ),
        (
            "nowhere.test",
            vec![
                "no MX host for nowhere.test has an address".to_owned(),
                failed("txt.test", "AAAA", "Host found but no data record of requested type"),
            ],
        ),
        ("lame.test", vec!["no tlsa".to_owned(), "good.test[192.0.2.7]:25 mx-secure secure Secure".to_owned()]),
        (
            "odd.test",
            vec![
                "numeric: odd.test 192.0.2.9".to_owned(),
                "malformed: odd.test a\\ b.test: invalid character 92(decimal)".to_owned(),
                "no tlsa".to_owned(),
                "192.0.2.9[192.0.2.9]:25 mx-secure Secure".to_owned(),
            ],
        ),
        (
            "loop.test",
            vec![
                "loop: loop2.test".to_owned(),
                "loop: loop2.test".to_owned(),
                "loop: loop2.test".to_owned(),
                "failed: Name server loop for loop2.test".to_owned(),
            ],
        ),
    ] {
        // One server, one attempt: how often it is asked is not the matter here.
        let ask = ask(domain).resolv_conf("options attempts:1");
        assert_eq!(ask.told(zones), wanted, "{domain}");
    }
}

#[test]
fn names_and_literals() {
    let zones = "
        @secure .
        xn--bcher-kva.test   MX 10 mail.xn--bcher-kva.test
        mail.xn--bcher-kva.test  A 192.0.2.1
        under_score.test     A 192.0.2.2
    ";
    let mut world = World::new(zones);
    ask("bücher.test").run(&mut world);
    let Some((_, Event::Lookup(LookupNote::Target(target)))) = world.told.last() else { panic!() };
    assert_eq!((&target.nexthop[..], &target.host[..]), ("bücher.test", "mail.xn--bcher-kva.test"));
    assert_eq!(text(&world.told[0].1), "bücher.test is xn--bcher-kva.test");
    for literal in ["[192.0.2.9]", "192.0.2.9", "[2001:db8::9]"] {
        let mut world = World::new(zones);
        ask(literal).run(&mut world);
        let host = literal.trim_matches(['[', ']']);
        assert_eq!(text(&world.told[1].1), format!("{host}[{host}]:25 Secure"));
        assert!(world.asked.is_empty());
    }
    assert_eq!(
        ask("[under_score.test]").told(zones)[1],
        "under_score.test[192.0.2.2]:25 secure Secure"
    );
    // 255 octets on the wire; one more is too much.
    let long = format!("{}.abcde", vec!["abcdefg"; 31].join("."));
    for (name, why) in [
        (long.clone(), "Host not found".to_owned()),
        (format!("{long}f"), String::new()),
        ("a".repeat(64), String::new()),
        ("a\u{ad}.é\u{200e}".to_owned(), String::new()),
    ] {
        let told = ask(&format!("[{name}]")).told(zones);
        let wanted = if why.is_empty() {
            format!("failed: Name service error for {name}: invalid host or domain name")
        } else {
            format!(
                "failed: Host or domain name not found. Name service error for name={name} type=AAAA: {why}"
            )
        };
        assert_eq!(told, [wanted]);
    }
}

#[test]
fn native_lookups() {
    let zones = "
        @secure .
        in-dns.test   A 192.0.2.1
        _25._tcp.in-dns.test TLSA 3 1 1 aa
        @fault broken.test * servfail
        txt.test      TYPE16 00
        mx.test       MX 10 hosts.test
    ";
    let lookup = |destination: &str, dns, native| {
        let ask = ask(destination).lookup(|lookup| lookup.hosts = HostLookup { dns, native });
        let mut world = World::new(zones);
        for (host, addresses) in [
            ("in-dns.test", vec!["192.0.2.11"]),
            ("broken.test", vec!["192.0.2.12"]),
            ("hosts.test", vec!["192.0.2.13", "2001:db8::13", "192.0.2.13"]),
            ("txt.test", vec!["192.0.2.14"]),
            ("empty.test", vec![]),
        ] {
            let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
            world.hosts.insert(host.to_owned(), addresses);
        }
        ask.run(&mut world);
        world.told.iter().map(|(_, event)| text(event)).collect::<Vec<_>>()
    };
    let dns = [
        "tlsa: _25._tcp.in-dns.test usable 3 1 1 AA",
        "in-dns.test[192.0.2.1]:25 secure Dane in-dns.test",
    ];
    assert_eq!(lookup("[in-dns.test]", true, false), dns);
    assert_eq!(lookup("[in-dns.test]", true, true), dns);
    assert_eq!(lookup("[in-dns.test]", false, true)[1], "in-dns.test[192.0.2.11]:25 Secure");
    assert_eq!(lookup("[txt.test]", true, true)[1], "txt.test[192.0.2.14]:25 Secure");
    let both = lookup("[hosts.test]", true, true);
    assert_eq!(both[1], "hosts.test[192.0.2.13]:25 Secure");
    assert_eq!(both[3], "hosts.test[2001:db8::13]:25 Secure");
    assert_eq!(both.len(), 4, "equal addresses are one");
    assert_eq!(lookup("mx.test", false, true)[1], "hosts.test[192.0.2.13]:25 mx-secure Secure");
    assert!(lookup("[broken.test]", true, true)[0].ends_with("try again"), "it may be there");
    assert_eq!(
        lookup("[none.test]", true, true),
        ["failed: unable to look up host none.test: Name or service not known"]
    );
    assert_eq!(lookup("[empty.test]", false, true), ["failed: empty.test: host not found"]);
    assert_eq!(
        lookup("[in-dns.test]", false, false),
        ["failed: in-dns.test: host lookups are disabled"]
    );
}

#[test]
fn srv_records_bring_their_port() {
    let zones = "
        @secure .
        _smtp._tcp.srv.test        SRV 10 0 2525 one.test
        _smtp._tcp.srv.test        SRV 20 0 26 two.test
        one.test                   A 192.0.2.1
        one.test                   AAAA 2001:db8::1
        two.test                   A 192.0.2.2
        _2525._tcp.one.test        TLSA 3 1 1 aa
        _26._tcp.two.test          TLSA 3 1 1 bb
        _submission._tcp.srv.test  SRV 0 0 0 .
        _smtp._tcp.lost.test       SRV 0 0 25 nowhere.test
    ";
    let ask = |domain: &str, service: Option<&str>| {
        let mut ask = ask(domain).lookup(|lookup| lookup.srv = true);
        if let Place::Inet { service: place, .. } = &mut ask.config.destination.place {
            *place = service.map(str::to_owned);
        }
        ask
    };
    assert_eq!(
        ask("srv.test", None).told(zones),
        [
            "tlsa: _2525._tcp.one.test usable 3 1 1 AA",
            "one.test[192.0.2.1]:2525 mx-secure secure Dane one.test,_smtp._tcp.srv.test",
            "one.test[2001:db8::1]:2525 mx-secure secure Dane one.test,_smtp._tcp.srv.test",
            "tlsa: _26._tcp.two.test usable 3 1 1 BB",
            "two.test[192.0.2.2]:26 mx-secure secure Dane two.test,_smtp._tcp.srv.test",
        ]
    );
    assert_eq!(
        ask("srv.test", Some("submission")).told(zones),
        ["failed: Domain _submission._tcp.srv.test does not support SRV requests"]
    );
    assert_eq!(
        ask("srv.test", Some("2525")).told(zones),
        [
            "failed: Host or domain name not found. Name service error for name=_2525._tcp.srv.test type=SRV: Host not found"
        ]
    );
    assert_eq!(
        ask("lost.test", None).told(zones)[0],
        "no SRV host for _smtp._tcp.lost.test has an address"
    );
}

#[test]
fn lmtp_asks_for_no_mx() {
    let mut ask = ask("example.test");
    ask.config.dialect = Dialect::Lmtp;
    let mut world = World::new(&format!("{SIGNED} example.test A 192.0.2.8"));
    ask.run(&mut world);
    assert_eq!(text(&world.told[1].1), "example.test[192.0.2.8]:25 secure Secure");
    assert!(world.asked.iter().all(|(_, asked)| !asked.ends_with(" MX")));
}
