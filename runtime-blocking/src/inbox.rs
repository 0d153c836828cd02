//! The way into a run: inputs from outside, which wake the driver.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::net::SendFlags;
use tlsfinger_core::Input;
use tlsfinger_transport::Interest;

use crate::poll::Poll;

/// Where a run takes inputs from that do not come from its transports.
#[derive(Debug)]
pub struct Inbox {
    inputs: Receiver<Input>,
    alarm: UnixStream,
    handle: Handle,
    /// Where the alarm is heard; the number is no transport's.
    pub(crate) poll: Poll,
}

/// The number of the alarm.
pub(crate) const ALARM: u64 = u64::MAX;

/// Gives inputs to a run from any thread.
#[derive(Clone, Debug)]
pub struct Handle {
    inputs: Sender<Input>,
    bell: Arc<UnixStream>,
}

impl Inbox {
    /// Makes an empty inbox.
    ///
    /// # Errors
    ///
    /// Fails if descriptors have run out.
    pub fn new() -> io::Result<Self> {
        let (sender, inputs) = channel();
        let (alarm, bell) = UnixStream::pair()?;
        alarm.set_nonblocking(true)?;
        bell.set_nonblocking(true)?;
        let poll = Poll::new()?;
        poll.add(&alarm, ALARM, Interest::Read)?;
        let handle = Handle { inputs: sender, bell: Arc::new(bell) };
        Ok(Self { inputs, alarm, handle, poll })
    }

    /// Makes one more handle.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    pub(crate) fn give(&self, input: Input) {
        self.handle.give(input);
    }

    /// Takes the next input.
    pub(crate) fn take(&self) -> Option<Input> {
        self.inputs.try_recv().ok()
    }

    /// Stops the alarm; what has been given by now is still to be taken.
    pub(crate) fn silence(&self) {
        while matches!((&self.alarm).read(&mut [0; 64]), Ok(1..)) {}
    }
}

impl Handle {
    /// Gives an input; lost if the run is over.
    pub fn give(&self, input: Input) {
        if self.inputs.send(input).is_ok() {
            // If there is no room, the alarm rings already.
            rustix::net::send(&self.bell, &[0], SendFlags::NOSIGNAL).ok();
        }
    }
}
