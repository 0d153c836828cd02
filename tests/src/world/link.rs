//! What happens to bytes between a machine and a peer.

use std::time::Duration;

use bytes::Bytes;
use tlsfinger_core::{IoError, limits};

use crate::playbook;

/// A link between a machine and a peer. `in` is towards the machine, `out` away from it.
#[derive(Clone, Debug)]
pub struct Link {
    pub(super) connect: Connect,
    pub(super) latency_in: Duration,
    pub(super) latency_out: Duration,
    pub(super) pieces_in: Pieces,
    pub(super) pieces_out: Pieces,
    pub(super) cut_in: Cut,
    pub(super) cut_out: Cut,
    pub(super) fate_in: Fate,
    pub(super) fate_out: Fate,
}

/// How a connection comes about.
#[derive(Clone, Debug)]
pub enum Connect {
    /// After one round trip.
    Accept,
    /// After one round trip and this time.
    AcceptAfter(Duration),
    /// Not at all: after one round trip there is this error.
    Refuse(IoError),
    /// Not at all, and nothing is heard of it.
    BlackHole,
}

/// How a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The stream ends.
    End,
    /// The stream breaks off.
    Reset,
    /// Nothing is heard any more.
    BlackHole,
}

impl Default for Link {
    /// 10 ms each way, nothing lost, everything as it was written.
    fn default() -> Self {
        Self {
            connect: Connect::Accept,
            latency_in: Duration::from_millis(10),
            latency_out: Duration::from_millis(10),
            pieces_in: Pieces::default(),
            pieces_out: Pieces::default(),
            cut_in: Cut::default(),
            cut_out: Cut::default(),
            fate_in: Fate::default(),
            fate_out: Fate::default(),
        }
    }
}

impl Link {
    /// Makes a link with so many milliseconds each way.
    pub fn latency(millis: u64) -> Self {
        Self::symmetric(Duration::from_millis(millis))
    }

    /// Makes a link with this latency each way.
    pub fn symmetric(latency: Duration) -> Self {
        Self { latency_in: latency, latency_out: latency, ..Self::default() }
    }

    /// Makes a link whose connections are refused.
    pub fn refused() -> Self {
        Self { connect: Connect::Refuse(playbook::refused()), ..Self::default() }
    }

    /// Makes a link that swallows connections.
    pub fn black_hole() -> Self {
        Self { connect: Connect::BlackHole, ..Self::default() }
    }

    /// Changes how the connection comes about.
    pub fn connect(mut self, connect: Connect) -> Self {
        self.connect = connect;
        self
    }

    /// Lets both sides read pieces of at most so many octets.
    pub fn pieces_of(self, octets: usize) -> Self {
        self.pieces_in([octets]).pieces_out([octets])
    }

    /// Lets the machine read pieces of these sizes, again and again.
    pub fn pieces_in(mut self, sizes: impl Into<Vec<usize>>) -> Self {
        self.pieces_in = Pieces::new(sizes.into());
        self
    }

    /// Lets some time pass between the pieces that the machine reads.
    pub fn gap_in(mut self, gap: Duration) -> Self {
        self.pieces_in.gap = gap;
        self
    }

    /// Lets the peer read pieces of these sizes, again and again.
    pub fn pieces_out(mut self, sizes: impl Into<Vec<usize>>) -> Self {
        self.pieces_out = Pieces::new(sizes.into());
        self
    }

    /// Breaks the connection once the machine got so many octets.
    pub fn cut_in(mut self, octets: u64, how: How) -> Self {
        self.cut_in = Cut(Some((octets, how)));
        self
    }

    /// Breaks the connection once the peer got so many octets.
    pub fn cut_out(mut self, octets: u64, how: How) -> Self {
        self.cut_out = Cut(Some((octets, how)));
        self
    }

    /// Loses the datagrams that come from the endpoint with these numbers, from 0.
    pub fn lose_in(mut self, numbers: impl Into<Vec<u64>>) -> Self {
        self.fate_in.lost = numbers.into();
        self
    }

    /// Loses the datagrams that go to the endpoint with these numbers, from 0.
    pub fn lose_out(mut self, numbers: impl Into<Vec<u64>>) -> Self {
        self.fate_out.lost = numbers.into();
        self
    }

    /// Delivers the datagram that comes from the endpoint with this number twice, then so much later.
    pub fn repeat_in(mut self, number: u64, later: Duration) -> Self {
        self.fate_in.repeated.push((number, later));
        self
    }

    /// Delivers the datagram that comes from the endpoint with this number late.
    pub fn delay_in(mut self, number: u64, by: Duration) -> Self {
        self.fate_in.delayed.push((number, by));
        self
    }
}

/// A place in a stream where the connection breaks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cut(Option<(u64, How)>);

impl Cut {
    /// Tells what happens before any octet.
    pub(super) fn at_start(self) -> Option<How> {
        self.0.and_then(|(octets, how)| (octets == 0).then_some(how))
    }

    /// Counts bytes that pass; returns those before the cut, and the cut if they reach it.
    pub(super) fn take(self, count: &mut u64, bytes: Bytes) -> (Bytes, Option<How>) {
        let before = *count;
        *count += bytes.len() as u64;
        match self.0 {
            Some((octets, how)) if octets > 0 && (before..*count).contains(&(octets - 1)) => {
                let left = usize::try_from(octets - before).expect("it is a part of them");
                (bytes.slice(..left), Some(how))
            }
            Some((octets, _)) if octets <= before => (Bytes::new(), None),
            _ => (bytes, None),
        }
    }
}

/// The sizes of the pieces in which a stream is read.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    sizes: Vec<usize>,
    next: usize,
    pub(super) gap: Duration,
}

impl Default for Pieces {
    fn default() -> Self {
        Self::new(vec![limits::READ])
    }
}

impl Pieces {
    fn new(sizes: Vec<usize>) -> Self {
        assert!(!sizes.is_empty() && !sizes.contains(&0), "a read brings something");
        Self { sizes, next: 0, gap: Duration::ZERO }
    }

    pub(super) fn split(&mut self, mut bytes: Bytes) -> Vec<Bytes> {
        let mut pieces = vec![];
        while !bytes.is_empty() {
            let size = self.sizes[self.next % self.sizes.len()];
            self.next += 1;
            pieces.push(bytes.split_to(size.min(bytes.len())));
        }
        pieces
    }
}

/// What happens to datagrams.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate {
    lost: Vec<u64>,
    repeated: Vec<(u64, Duration)>,
    delayed: Vec<(u64, Duration)>,
}

impl Fate {
    /// Tells how much later than usual a datagram arrives, once for each time it does.
    pub(super) fn of(&self, number: u64) -> Vec<Duration> {
        let of = |list: &[(u64, Duration)]| -> Vec<Duration> {
            list.iter().filter(|(it, _)| *it == number).map(|(_, by)| *by).collect()
        };
        if self.lost.contains(&number) {
            return vec![];
        }
        let first = of(&self.delayed).first().copied().unwrap_or_default();
        let mut times = vec![first];
        times.extend(of(&self.repeated));
        times
    }
}
