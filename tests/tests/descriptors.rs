//! A driver that runs out of descriptors goes on; a process of its own, because the limit is.

use std::collections::VecDeque;
use std::fs::File;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tlsfinger_core::machine::{Endpoint, TransportId};
use tlsfinger_core::{Input, Instant, IoErrorKind, Machine, Output};

/// Hands out its outputs and keeps the kinds of error that come of them.
struct Outputs(VecDeque<Output>, Vec<IoErrorKind>);

impl Machine for Outputs {
    fn handle_input(&mut self, _: Instant, input: Input) {
        if let Input::Failed(_, error) = input {
            self.1.push(error.kind);
        }
        self.0.push_back(Output::Done);
    }

    fn poll_output(&mut self) -> Output {
        self.0.pop_front().unwrap_or(Output::Wait(Instant::NEVER, "an input"))
    }
}

#[test]
fn exhausted_descriptors_fail_a_transport() {
    let address = "127.0.0.1:1".parse::<std::net::SocketAddr>().expect("an address");
    let open = Output::Open(TransportId(0), Endpoint::Tcp(address.into()));
    let machine = || Outputs([open.clone()].into(), Vec::new());

    let inbox = tlsfinger_blocking::Inbox::new().expect("descriptors");
    // The reactor of async-io has descriptors of its own, once for all.
    smol::block_on(smol::Timer::after(Duration::from_millis(1)));

    let highest = File::open("/dev/null").expect("a descriptor");
    let current = std::os::fd::AsRawFd::as_raw_fd(&highest) as u64;
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum }).expect("a limit");

    let mut smol = machine();
    smol::block_on(tlsfinger_smol::run(&mut smol, |_| {}));
    // Last, because it gives the descriptors of its inbox back.
    let mut blocking = machine();
    tlsfinger_blocking::run_with(&mut blocking, inbox, |_| {}).expect("the driver goes on");
    assert_eq!((blocking.1, smol.1), (vec![IoErrorKind::Exhausted], vec![IoErrorKind::Exhausted]));
}
