//! A machine that says why it waits.

use std::time::Duration;

use tlsfinger_core::{Input, Instant, Machine, Output};

/// Passes everything on, and tells each new reason to wait with the time left.
#[derive(Debug)]
pub(crate) struct Waits<M, F> {
    machine: M,
    tell: F,
    now: Instant,
    told: Option<&'static str>,
}

impl<M: Machine, F: FnMut(Duration, &str)> Waits<M, F> {
    pub(crate) fn of(machine: M, tell: F) -> Self {
        Self { machine, tell, now: Instant::START, told: None }
    }
}

impl<M: Machine, F: FnMut(Duration, &str)> Machine for Waits<M, F> {
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = now;
        self.machine.handle_input(now, input);
    }

    fn poll_output(&mut self) -> Output {
        let output = self.machine.poll_output();
        if let Output::Wait(until, why) = output
            && self.told.replace(why) != Some(why)
        {
            (self.tell)(until.since(self.now), why);
        }
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Patient(Vec<(u64, &'static str)>);

    impl Machine for Patient {
        fn handle_input(&mut self, _: Instant, _: Input) {}

        fn poll_output(&mut self) -> Output {
            let (until, why) = self.0.remove(0);
            Output::Wait(Instant::from_micros(until), why)
        }
    }

    #[test]
    fn each_reason_is_told_when_it_is_new() {
        let mut told = Vec::new();
        let patient = Patient(vec![(5, "for a"), (6, "for a"), (9, "for b"), (10, "for a")]);
        let mut waits = Waits::of(patient, |left, why: &str| {
            told.push((left.as_micros(), why.to_owned()));
        });
        for now in [0, 1, 2, 3] {
            waits.handle_input(Instant::from_micros(now), Input::Tick);
            waits.poll_output();
        }
        let told: Vec<_> = told.iter().map(|(left, why)| (*left, why.as_str())).collect();
        assert_eq!(told, [(5, "for a"), (7, "for b"), (7, "for a")]);
    }
}
