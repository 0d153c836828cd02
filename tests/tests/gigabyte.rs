//! A reply line of a gigabyte: alone in its process, because it looks at the process's memory.

use std::time::Duration;

use tlsfinger_core::report::{Step, StepProblem};
use tlsfinger_tests::peer::{Answer, Script};
use tlsfinger_tests::setting;
use tlsfinger_tests::world::Link;

const GIGABYTE: u64 = 1 << 30;

#[test]
fn a_reply_line_of_a_gigabyte_holds_no_memory_and_no_one_up() {
    let chunk = vec![b'x'; 64 * 1024];
    let script = || Script::smtp().greeting("220 hi\r\n");
    let before = peak_memory();
    for (step, script) in [
        (Step::Greeting, script().greeting(Answer::from("220 ").repeat(&chunk, GIGABYTE >> 16))),
        (Step::Hello, script().on("EHLO", Answer::from("250-").repeat(&chunk, GIGABYTE >> 16))),
    ] {
        let run = setting::run(&setting::config(), script, Link::latency(50));
        let observation = &run.report().sessions[0].observation;
        assert_eq!(observation.problems, [(step, StepProblem::TimedOut)]);
        let [.., (_, began), (_, ended)] = observation.times[..] else { panic!() };
        assert_eq!(ended.since(began), Duration::from_secs(30));
        // 64 KiB each 50 ms.
        let octets = run.received_octets(0);
        assert!(octets > 10_000_000, "{octets}");
    }
    let grown = peak_memory() - before;
    assert!(grown < 20_000, "{grown} kB");
}

/// Tells the most memory that this process ever held, in kB, as far as the system tells.
fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
