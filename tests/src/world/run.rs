//! What came of a run.

use tlsfinger_core::machine::TransportId;
use tlsfinger_core::report::{Event, Report};
use tlsfinger_core::trace::{self, ReplayError};
use tlsfinger_core::{Input, Instant, Machine, Output};

use crate::concise;

/// A run that came to its end.
#[derive(Debug)]
pub struct Run<M> {
    /// The machine, which is done.
    pub machine: M,
    /// Everything that crossed the border.
    pub log: Vec<(Instant, Word)>,
}

/// Something that crossed the border.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// The machine was told.
    In(Input),
    /// The machine decided.
    Out(Output),
}

impl<M: Machine> Run<M> {
    /// Tells the events in order.
    pub fn events(&self) -> Vec<&Event> {
        self.outputs()
            .filter_map(|(_, it)| if let Output::Tell(it) = it { Some(it) } else { None })
            .collect()
    }

    /// Tells the events as one line each.
    pub fn transcript(&self) -> Vec<String> {
        self.events().into_iter().map(concise::event).collect()
    }

    /// Tells the events as one line each, with the milliseconds since the start.
    pub fn timeline(&self) -> Vec<(u64, String)> {
        self.outputs()
            .filter_map(|(at, output)| match output {
                Output::Tell(event) => Some((at.as_micros() / 1000, concise::event(event))),
                _ => None,
            })
            .collect()
    }

    /// Tells the one report.
    ///
    /// # Panics
    ///
    /// When there are none or several.
    #[track_caller]
    pub fn report(&self) -> &Report {
        let reports = self.reports();
        assert_eq!(reports.len(), 1, "a run has one report");
        reports[0]
    }

    /// Tells all reports, in the order in which they came.
    pub fn reports(&self) -> Vec<&Report> {
        self.outputs()
            .filter_map(|(_, it)| if let Output::Finished(it) = it { Some(&**it) } else { None })
            .collect()
    }

    /// Tells what was sent over a transport.
    pub fn sent(&self, id: u64) -> Vec<u8> {
        self.outputs()
            .filter_map(|(_, output)| match output {
                Output::Send(to, bytes) if *to == TransportId(id) => Some(&bytes[..]),
                _ => None,
            })
            .collect::<Vec<_>>()
            .concat()
    }

    /// Tells how often something was sent over a transport.
    pub fn writes(&self, id: u64) -> usize {
        let sends =
            |output: &Output| matches!(output, Output::Send(to, _) if *to == TransportId(id));
        self.outputs().filter(|(_, output)| sends(output)).count()
    }

    /// Tells what was received over a transport.
    pub fn received(&self, id: u64) -> Vec<u8> {
        self.log
            .iter()
            .filter_map(|(_, word)| match word {
                Word::In(Input::Received(from, bytes)) if *from == TransportId(id) => {
                    Some(&bytes[..])
                }
                _ => None,
            })
            .collect::<Vec<_>>()
            .concat()
    }

    /// Tells how many octets were received over a transport.
    pub fn received_octets(&self, id: u64) -> usize {
        let octets = |word: &Word| match word {
            Word::In(Input::Received(from, bytes)) if *from == TransportId(id) => bytes.len(),
            _ => 0,
        };
        self.log.iter().map(|(_, word)| octets(word)).sum()
    }

    /// Tells when the machine was done.
    pub fn ended_at(&self) -> Instant {
        self.log.last().map_or(Instant::START, |(at, _)| *at)
    }

    /// Writes the run down in the trace format.
    pub fn trace(&self) -> String {
        let mut writer = trace::Writer::default();
        let line = |(at, word): &(Instant, Word)| match word {
            Word::In(input) => writer.input(*at, input),
            Word::Out(output) => writer.output(*at, output),
        };
        self.log.iter().map(line).collect()
    }

    /// Gives the inputs to a fresh machine, made like the first, and compares all its outputs.
    ///
    /// # Errors
    ///
    /// The first output that differs.
    pub fn replay(&self, mut fresh: impl Machine) -> Result<(), ReplayError> {
        trace::replay(&mut fresh, &self.trace())
    }

    /// Tells the outputs in order.
    pub fn outputs(&self) -> impl Iterator<Item = (Instant, &Output)> {
        self.log.iter().filter_map(|(at, word)| match word {
            Word::Out(output) => Some((*at, output)),
            Word::In(_) => None,
        })
    }
}
