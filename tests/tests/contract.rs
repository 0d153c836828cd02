//! The contract of the border, rule by rule. Every other run of the virtual world holds it too:
//! see `tlsfinger_tests::referee`.

use std::time::Duration;

use bytes::Bytes;
use tlsfinger_core::config::{Config, Groups, Policy, Reuse, ScanConfig, ScanLimits};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::machine::{Job, LookupId, Stop, TransportId};
use tlsfinger_core::report::Group;
use tlsfinger_core::{Input, Instant, Machine, Output, Probe, Scan, Seed, WallTime, limits};
use tlsfinger_tests::peer::{Answer, Script, TlsSetup};
use tlsfinger_tests::playbook::*;
use tlsfinger_tests::referee::Referee;
use tlsfinger_tests::setting;
use tlsfinger_tests::world::Link;

/// Takes all outputs up to and with the first `Wait` or `Done`.
fn drain(machine: &mut impl Machine) -> Vec<Output> {
    let mut outputs = vec![];
    loop {
        outputs.push(machine.poll_output());
        if let Some(Output::Wait(..) | Output::Done) = outputs.last() {
            return outputs;
        }
    }
}

/// A probe whose connection is open and waits for the greeting, at 20 ms.
fn greeted_soon() -> Probe {
    let mut probe = setting::probe(&setting::config());
    let found = Input::HostFound(LookupId(0), Ok(vec![[192, 0, 2, 1].into()]));
    probe.handle_input(Instant::from_micros(0), found);
    probe.handle_input(Instant::from_micros(20_000), opened(0));
    probe
}

#[test]
fn what_a_probe_holds_is_counted() {
    let mut probe = greeted_soon();
    let mut after = |bytes: &[u8]| {
        let input = Input::Received(TransportId(0), Bytes::copy_from_slice(bytes));
        probe.handle_input(Instant::from_micros(30_000), input);
        probe.buffered()
    };
    assert_eq!(after(b""), 0);
    // The text of a line, and a line under way.
    assert_eq!(after(b"220-mx\r\n220 h"), 2 + 5);
    assert_eq!(after(b"i\r\n250-mx\r\n250-STARTTLS\r\n"), 2 + 9 + 8 + 2);
    assert_eq!(after(b"250 x\r\n220 go\r\n"), 0);
    // A record under way.
    assert_eq!(after(&[22, 3, 3, 0, 99, 2, 0]), 7);
    // What is no TLS ends it.
    assert_eq!(after(&[0; 200]), 0);
}

/// A session that waits before its handshake counts what a server says meanwhile, and holds none of it.
#[test]
fn a_session_that_waits_holds_nothing() {
    let limits = ScanLimits { both_keys: true, connections: 2, ..ScanLimits::default() };
    let config = ScanConfig { probe: setting::config(), limits, ..ScanConfig::default() };
    let mut scan = Scan::new(config, [1; 32], WallTime(1_800_000_000));
    let host = "192.0.2.1".to_owned();
    let place = Place::Inet { host: host.clone(), literal: true, service: None, port: 25 };
    let destination = Destination { text: host, place };
    let job = Job { number: 1, destination, matches: Vec::new(), pins: Vec::new() };
    let now = Instant::from_micros(1);
    scan.handle_input(now, Input::Add(Box::new(job)));
    let mut hellos = vec![];
    for id in 0..2 {
        let words = ["220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n"];
        scan.handle_input(now, opened(id));
        for word in words {
            scan.handle_input(now, received(id, word));
        }
        let hello = |output: &Output| matches!(output, Output::Send(_, it) if it[0] == 22);
        hellos.push(drain(&mut scan).iter().any(hello));
    }
    assert_eq!(hellos, [true, false], "the second waits");
    for _ in 0..100 {
        scan.handle_input(now, received(1, "x".repeat(limits::READ)));
    }
    assert_eq!(scan.buffered(), 0);
}

#[test]
fn rule_1_inputs_are_handled_completely_and_polling_only_hands_out() {
    // Outputs that are not taken change nothing: one machine is polled after each input, the
    // other at the very end.
    let inputs = [
        (30, received(0, "220-mx.example.org\r\n")),
        (40, received(0, "220 hi\r\n250 mx.example.org\r\n")),
        (30_040, received(0, "221 bye\r\n")),
        (30_050, ended(0)),
    ];
    let (mut polled, mut left_alone) = (greeted_soon(), greeted_soon());
    let mut outputs = vec![];
    for (millis, input) in inputs {
        let now = Instant::from_micros(millis * 1000);
        outputs.extend(drain(&mut polled));
        polled.handle_input(now, input.clone());
        left_alone.handle_input(now, input);
    }
    outputs.extend(drain(&mut polled));
    outputs.retain(|output| !matches!(output, Output::Wait(..)));
    assert_eq!(drain(&mut left_alone), outputs);
    assert_eq!(outputs.last(), Some(&Output::Done));

    // What arrives is looked at before the deadline that passed meanwhile, and what else is due
    // at that time expires in the same call.
    let lines = |machine: &mut Probe| -> Vec<String> {
        let outputs = drain(machine);
        outputs.iter().map(tlsfinger_tests::concise::output).collect()
    };
    let mut probe = greeted_soon();
    drain(&mut probe);
    probe.handle_input(Instant::from_micros(60_000_000), received(0, "220 hi\r\n"));
    assert!(lines(&mut probe).contains(&"tell > EHLO client.example".to_owned()));
    let mut probe = greeted_soon();
    drain(&mut probe);
    probe.handle_input(Instant::from_micros(60_000_000), received(0, "220 h"));
    assert_eq!(lines(&mut probe)[0], "tell Greeting timed out");
}

#[test]
fn rule_2_ids_come_in_order_and_last_words_are_last() {
    // Two addresses refuse, the third takes the connection: the transports are t0, t1, t2. The
    // ghosts of each come back after its last word, and the referee sees that nothing moves.
    let run = setting::world(&setting::config())
        .host(setting::HOST, ["192.0.2.1", "192.0.2.2", "192.0.2.3"])
        .listen(tcp("192.0.2.1:25"), Link::refused(), Script::smtp())
        .listen(tcp("192.0.2.2:25"), Link::refused(), Script::smtp())
        .listen(tcp("192.0.2.3:25"), Link::default(), Script::smtp())
        .with_ghosts()
        .run();
    assert!(run.transcript().contains(&"> QUIT".to_owned()));

    // Any input, in any order, for any id.
    let mut random = tlsfinger_core::Random::from_seed([1; 32]);
    for _ in 0..300 {
        let mut probe = Referee::new(setting::probe(&setting::config()));
        drain(&mut probe);
        for step in 0..60 {
            let id = u64::from(random.below(2));
            let input = match random.below(10) {
                0 => tick(),
                1 | 2 => opened(id),
                3 => received(id, "220 hi\r\n"),
                4 => received(id, "250-mx\r\n250 STARTTLS\r\n"),
                5 => received(id, [22, 3, 3, 0, 4, 2, 0, 0, 0]),
                6 if step > 30 => ended(id),
                7 if step > 30 => failed(id, reset()),
                8 => found(id, ["192.0.2.1", "192.0.2.2"]),
                _ => {
                    let destination = setting::config().destination;
                    Input::Add(Box::new(Job {
                        number: 1,
                        destination,
                        matches: vec![],
                        pins: vec![],
                    }))
                }
            };
            let now = Instant::from_micros(u64::from(random.below(40_000_000)));
            probe.handle_input(now, input);
            drain(&mut probe);
        }
    }
}

#[test]
fn rule_3_close_comes_behind_everything_that_was_sent() {
    // QUIT was answered: close_notify goes out, then the transport is closed, and the server
    // hears both. The referee sees that nothing is sent behind a Close.
    let script = Script::smtp();
    let run = setting::run(&setting::config(), script.clone(), Link::default());
    let heard = script.journal().lines();
    assert!(heard.ends_with(&["* QUIT", "close_notify", "end"].map(String::from)), "{heard:?}");
    let outputs: Vec<_> = run.outputs().map(|(_, output)| output).collect();
    let close = outputs.iter().position(|it| matches!(it, Output::Close(_))).unwrap();
    assert!(matches!(outputs[close - 1], Output::Send(..)), "{:?}", outputs[close - 1]);
}

#[test]
fn rule_4_done_waits_for_last_words_but_not_for_ever() {
    let turned_away = |playbook: Playbook<Probe>| {
        playbook.at(
            30,
            received(0, "554 no\r\n"),
            [tell("< 554 no"), tell("Greeting refused: 554 no"), close(0), finished(), wait(2_030)],
        )
    };
    let opening = || {
        Playbook::new(setting::probe(&setting::config()))
            .start([find(0, setting::HOST), wait_for_ever()])
            .at(0, found(0, ["192.0.2.1"]), [open(0, tcp("192.0.2.1:25")), wait(30_000)])
            .at(20, opened(0), [tell("connected to mx.example.org[192.0.2.1]:25"), wait(30_020)])
    };
    turned_away(opening()).at(40, ended(0), [done()]).finish();
    turned_away(opening()).at(40, failed(0, reset()), [done()]).finish();
    // What still comes behind a Close is not looked at.
    turned_away(opening())
        .at(40, received(0, "250 sorry\r\n"), [wait(2_030)])
        .at(2_029, tick(), [wait(2_030)])
        .at(2_030, tick(), [done()])
        .at(2_031, ended(0), [done()])
        .finish();
    assert_eq!(limits::LINGER, Duration::from_secs(2));
    // A connection that is given up while it opens.
    Playbook::new(setting::probe(&setting::config()))
        .start([find(0, setting::HOST), wait_for_ever()])
        .at(0, found(0, ["192.0.2.1"]), [open(0, tcp("192.0.2.1:25")), wait(30_000)])
        .at(
            30_000,
            tick(),
            [
                close(0),
                tell("no connection to mx.example.org[192.0.2.1]:25: Connection timed out"),
                finished(),
                wait(32_000),
            ],
        )
        .at(30_001, failed(0, refused()), [done()])
        .finish();
}

#[test]
fn rule_5_the_core_gives_up_by_itself() {
    // Whatever step the server is silent at, the run ends without any timer of the world's.
    let silences = [
        Script::smtp().greeting(Answer::silence()),
        Script::smtp().on("EHLO", Answer::silence()),
        Script::smtp().on("STARTTLS", Answer::silence()),
        Script::smtp().tls(TlsSetup::instead(Answer::silence())),
        Script::smtp().inside("EHLO", Answer::silence()),
        Script::smtp().on("QUIT", Answer::silence()),
    ];
    for script in silences {
        let run = setting::run(&setting::config(), script, Link::default());
        assert!(run.transcript().iter().any(|line| line.to_lowercase().contains("timed")));
        let end = run.ended_at().as_micros();
        assert!((30_000_000..61_000_000).contains(&end), "{end}");
    }
    let run = setting::run(&setting::config(), Script::smtp(), Link::black_hole());
    assert_eq!(run.ended_at().as_micros(), 30_000_000);
}

#[test]
fn rule_6_time_only_goes_forward() {
    // The referee checks each Wait of each run; here the clock of the driver stumbles.
    let mut probe = greeted_soon();
    drain(&mut probe);
    probe.handle_input(Instant::from_micros(10_000), received(0, "220 hi\r\n"));
    let expected = Instant::from_micros(30_020_000);
    assert!(matches!(drain(&mut probe).last(), Some(Output::Wait(until, _)) if *until == expected));
    probe.handle_input(Instant::START, tick());
    assert!(matches!(drain(&mut probe).last(), Some(Output::Wait(until, _)) if *until == expected));
    // A timeout of nothing is over at once, and a very long one never.
    for (timeout, waits) in [(Duration::ZERO, false), (Duration::MAX, true)] {
        let config = Config { connect_timeout: timeout, ..setting::config() };
        let mut probe = setting::probe(&config);
        drain(&mut probe);
        let found = Input::HostFound(LookupId(0), Ok(vec![[192, 0, 2, 1].into()]));
        probe.handle_input(Instant::from_micros(1_000), found);
        let last = drain(&mut probe).pop().unwrap();
        let never = Output::Wait(Instant::NEVER, "for the connection");
        assert_eq!(last == never, waits, "{last:?}");
    }
}

#[test]
fn rule_7_all_randomness_and_wall_time_enter_in_new() {
    let config = setting::config();
    for tls in [TlsSetup::only_12(), TlsSetup::only_13()] {
        let run = setting::run(&config, Script::smtp().tls(tls), Link::default());
        assert_eq!(run.replay(setting::probe(&config)), Ok(()));
        let other = Probe::new(config.clone(), [8; 32], setting::WALL_TIME);
        assert!(run.replay(other).is_err(), "the seed makes a difference");
    }
}

#[test]
fn rule_7_holds_for_ml_kem_in_repeatable_runs() {
    let reuse = Reuse { delay: Duration::from_secs(1), limit: 1 };
    let policy = Policy { groups: Groups(Group::ALL.to_vec()), ..Policy::default() };
    let config = Config { policy, reuse: Some(reuse), ..setting::config() };
    for repeatable in [true, false] {
        let config = Config { repeatable, ..config.clone() };
        let run = setting::run(&config, Script::smtp().tls(TlsSetup::only_13()), Link::default());
        let facts = |at: usize| run.report().sessions[at].observation.tls.clone().unwrap();
        assert_eq!((facts(0).resumed, facts(1).resumed), (false, true));
        assert_eq!([facts(0).group, facts(1).group], [Some(Group::X25519MlKem768); 2]);
        assert_eq!(run.replay(setting::probe(&config)).is_ok(), repeatable);
    }
}

#[test]
fn rule_7_neighbours_do_not_disturb_each_other() {
    // Two probes take turns, an octet at a time; each behaves as if it were alone.
    let config = setting::config();
    let alone = |seed: Seed, tls: TlsSetup| {
        let probe = Probe::new(config.clone(), seed, setting::WALL_TIME);
        tlsfinger_tests::world::World::new(probe).host(setting::HOST, ["192.0.2.1"]).listen(
            setting::place(&config),
            Link::default().pieces_of(1),
            Script::smtp().tls(tls),
        )
    };
    let mut first = alone([1; 32], TlsSetup::only_13());
    let mut second = alone([2; 32], TlsSetup::only_12());
    while first.step() | second.step() {}
    for (world, seed) in [(first, [1; 32]), (second, [2; 32])] {
        let run = world.run();
        assert!(run.transcript().contains(&"> QUIT".to_owned()));
        let fresh = Probe::new(config.clone(), seed, setting::WALL_TIME);
        assert_eq!(run.replay(fresh), Ok(()));
    }
}

#[test]
fn stop_ends_everything_at_once() {
    for millis in [0, 15, 25, 35, 45, 55, 65, 75, 85] {
        let script = Script::smtp();
        let run = setting::world(&setting::config())
            .listen(setting::place(&setting::config()), Link::latency(10), script)
            .at(millis, Input::Stop(Stop::Now))
            .run();
        assert_eq!(run.report().outcome, tlsfinger_core::report::Outcome::Stopped, "{millis}");
        assert!(run.ended_at() <= Instant::from_micros(millis * 1000));
    }
}

#[test]
fn a_machine_can_be_stopped_before_and_after_its_life() {
    let mut probe = setting::probe(&setting::config());
    probe.handle_input(Instant::START, Input::Stop(Stop::Drain));
    probe.handle_input(Instant::START, stop());
    probe.handle_input(Instant::START, stop());
    let outputs = drain(&mut probe);
    assert_eq!(outputs.last(), Some(&Output::Done));
    let finished = outputs.iter().filter(|it| matches!(it, Output::Finished(_))).count();
    assert_eq!(finished, 1);
    let bytes = Bytes::from_static(b"220 hi\r\n");
    probe.handle_input(Instant::START, Input::Received(TransportId(0), bytes));
    assert_eq!(drain(&mut probe), [Output::Done]);
}

#[test]
fn draining_ends_what_runs_and_begins_nothing() {
    let reuse = Some(Reuse { delay: Duration::from_secs(60), limit: 5 });
    let config = Config { reuse, ..setting::config() };
    let session = |at: u64| {
        let run = setting::world(&config)
            .listen(setting::place(&config), Link::latency(10), Script::smtp())
            .at(at, Input::Stop(Stop::Drain))
            .run();
        let told = run.transcript().iter().any(|line| line == "< 221 bye");
        (told, run.report().sessions.len(), run.ended_at() < Instant::from_micros(50_000_000))
    };
    // In the middle of the first session, and in the pause behind it.
    assert_eq!(session(50), (true, 1, true));
    assert_eq!(session(40_000), (true, 1, true));
}
