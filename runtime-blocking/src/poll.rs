//! Waiting for many sockets at once: epoll(7), whose cost does not grow with their number.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use tlsfinger_transport::Interest;

/// Sockets by number, and what is awaited of each.
pub(crate) struct Poll {
    epoll: OwnedFd,
    /// Room for what one wait tells.
    events: Vec<Event>,
}

/// Events taken at once; the others come with the next wait.
const EVENTS: usize = 256;

impl Poll {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, events: Vec::with_capacity(EVENTS) })
    }

    /// Watches one more socket, until it is closed everywhere.
    pub(crate) fn add(&self, socket: impl AsFd, number: u64, of: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(number), flags(of))?)
    }

    /// Changes what is awaited of a socket.
    pub(crate) fn change(&self, socket: impl AsFd, number: u64, to: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, socket, EventData::new_u64(number), flags(to))?)
    }

    /// Watches a socket no longer.
    pub(crate) fn remove(&self, socket: impl AsFd) {
        // If it is not being watched, all is well.
        epoll::delete(&self.epoll, socket).ok();
    }

    /// Waits until something awaited has come, or for so long, and tells the numbers of the
    /// sockets it has come to.
    pub(crate) fn wait(&mut self, limit: Duration, tell: impl FnMut(u64)) -> io::Result<()> {
        self.events.clear();
        // A time beyond what the system can count is no limit.
        let limit = Timespec::try_from(limit).ok();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        self.events.iter().map(|event| event.data.u64()).for_each(tell);
        Ok(())
    }
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poll").field("epoll", &self.epoll).finish_non_exhaustive()
    }
}

fn flags(interest: Interest) -> EventFlags {
    match interest {
        Interest::Nothing => EventFlags::empty(),
        Interest::Read => EventFlags::IN,
        Interest::Write => EventFlags::OUT,
        Interest::ReadOrWrite => EventFlags::IN | EventFlags::OUT,
    }
}
