//! Recorded handshakes with OpenSSL, played again from their inputs alone: every octet must come
//! out as it did. See `tests/examples/record.rs`.

use tlsfinger_core::report::Report;
use tlsfinger_core::trace::Recorder;
use tlsfinger_core::{Input, Instant, Machine, Output, Probe, Seed};
use tlsfinger_tests::setting;
use tlsfinger_tests::traces::{self, Trace};

/// Gives the inputs of a trace to a probe; returns what crossed the wire, and the report.
fn play(trace: &Trace, seed: Seed, recorded: &str) -> (String, Option<Report>) {
    let (mut written, mut report) = (String::new(), None);
    let mut probe =
        Recorder::new(Probe::new(trace.config(), seed, setting::WALL_TIME), |line: &str| {
            written += &format!("{line}\n")
        });
    let mut drain = |probe: &mut dyn Machine| {
        loop {
            match probe.poll_output() {
                Output::Finished(finished) => report = Some(*finished),
                Output::Wait(..) | Output::Done => break,
                _ => {}
            }
        }
    };
    drain(&mut probe);
    for (time, input) in recorded.lines().filter_map(|line| line.split_once(" < ")) {
        let now: Instant = time.parse().expect("a time");
        let input: Input = input.parse().expect("an input");
        probe.handle_input(now, input);
        drain(&mut probe);
    }
    drop(probe);
    (traces::wire(&written), report)
}

fn read(trace: &Trace) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let text = std::fs::read_to_string(folder.join(trace.file)).expect(trace.file);
    text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

#[test]
fn recorded_handshakes_come_out_the_same() {
    for trace in traces::ALL {
        let recorded = read(&trace);
        let (played, report) = play(&trace, setting::SEED, &recorded);
        for (played, recorded) in played.lines().zip(recorded.lines()) {
            assert_eq!(played, recorded, "{}", trace.file);
        }
        assert_eq!(played.len(), recorded.len(), "{}", trace.file);
        // The recording holds what its name says.
        let report = report.expect(trace.file);
        let [version, curve, _, connections] = trace.server;
        assert_eq!(report.sessions.len().to_string(), connections);
        for (number, session) in report.sessions.iter().enumerate() {
            let facts = session.observation.tls.clone().expect("there was TLS");
            assert_eq!(facts.version.to_string(), format!("TLSv{version}"));
            assert_eq!(facts.hello_retry, trace.file.contains("retry"));
            assert_eq!(facts.resumed, number == 1);
            let same = |group: &str| group == curve.to_lowercase() || curve == "prime256v1";
            assert!(facts.group.is_none_or(|group| same(&group.to_string())));
            assert!(session.observation.quit.is_some());
        }
    }
}

#[test]
fn another_seed_gives_another_hello() {
    let trace = traces::ALL[1];
    let recorded = read(&trace);
    let (played, report) = play(&trace, [8; 32], &recorded);
    let hello = recorded.lines().position(|line| line.contains("> send t0 x160301")).expect("TLS");
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (played, recorded) = (lines(&played), lines(&recorded));
    assert_eq!(played[..hello], recorded[..hello]);
    assert_ne!(played[hello], recorded[hello]);
    assert_eq!(played[hello].len(), recorded[hello].len());
    assert!(report.expect("it fails").sessions[0].observation.handshake_error.is_some());
}
