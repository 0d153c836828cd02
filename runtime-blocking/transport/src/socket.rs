//! A socket that never blocks: the system calls, each with its flags and its pitfalls.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bytes::Bytes;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, addr::SocketAddrArg, netdevice, sockopt,
};
use tlsfinger_core::limits;
use tlsfinger_core::machine::{Endpoint, Remote};

/// A socket of a [`Transport`](crate::Transport); it is closed when the last holder drops it.
#[derive(Debug)]
pub struct Socket {
    descriptor: OwnedFd,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tcp,
    Udp,
    Unix,
}

/// Whether a socket is connected yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Connected,
    Connecting,
}

impl Socket {
    /// Opens a socket and begins to connect it.
    ///
    /// UDP sockets get a port of their own, which the system chooses at random. A UNIX socket is
    /// connected at once or never: if its server's backlog is full, it cannot be waited for.
    pub(crate) fn connect(endpoint: &Endpoint) -> io::Result<(Self, Progress)> {
        match endpoint {
            Endpoint::Tcp(remote) => {
                let socket = Self::new(Kind::Tcp, family(remote))?;
                sockopt::set_tcp_nodelay(&socket, true)?;
                let address = socket.scoped(remote)?;
                let progress = socket.begin(&address)?;
                Ok((socket, progress))
            }
            Endpoint::Udp(remote) => {
                let socket = Self::new(Kind::Udp, family(remote))?;
                let address = socket.scoped(remote)?;
                let progress = socket.begin(&address)?;
                Ok((socket, progress))
            }
            Endpoint::Unix(path) => {
                let address = SocketAddrUnix::new(path)?;
                let socket = Self::new(Kind::Unix, AddressFamily::UNIX)?;
                let progress = socket.begin(&address)?;
                Ok((socket, progress))
            }
        }
    }

    fn new(kind: Kind, family: AddressFamily) -> io::Result<Self> {
        let kind_of_data = if kind == Kind::Udp { SocketType::DGRAM } else { SocketType::STREAM };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let descriptor = rustix::net::socket_with(family, kind_of_data, flags, None)?;
        Ok(Self { descriptor, kind })
    }

    fn begin(&self, address: &impl SocketAddrArg) -> io::Result<Progress> {
        match rustix::net::connect(self, address) {
            Ok(()) => Ok(Progress::Connected),
            // Interrupted or not, the attempt goes on.
            Err(Errno::INPROGRESS | Errno::INTR) => Ok(Progress::Connecting),
            Err(error) => Err(error.into()),
        }
    }

    /// Fills in the scope of a link-local address from its interface's name or number.
    fn scoped(&self, remote: &Remote) -> io::Result<SocketAddr> {
        let mut address = remote.address;
        if let (SocketAddr::V6(address), Some(interface)) = (&mut address, &remote.interface) {
            address.set_scope_id(match interface.parse() {
                Ok(number) => number,
                Err(_) => netdevice::name_to_index(self, interface)?,
            });
        }
        Ok(address)
    }

    /// Tells how the attempt to connect goes; fails if it has failed.
    pub(crate) fn progress(&self) -> io::Result<Progress> {
        sockopt::socket_error(self)??;
        match rustix::net::getpeername(self) {
            Ok(_) => Ok(Progress::Connected),
            Err(Errno::NOTCONN) => Ok(Progress::Connecting),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes what has arrived: a datagram, or at most [`limits::READ`] octets of a stream;
    /// `None` at its end.
    pub(crate) fn receive(&self) -> io::Result<Option<Bytes>> {
        let mut space = [MaybeUninit::uninit(); limits::READ];
        let ((bytes, _), _) = rustix::net::recv(self, &mut space, RecvFlags::empty())?;
        let end = bytes.is_empty() && self.kind != Kind::Udp;
        Ok((!end).then(|| Bytes::copy_from_slice(bytes)))
    }

    /// Acknowledges at once what was received, if nothing did yet.
    pub(crate) fn acknowledge(&self) {
        if self.kind == Kind::Tcp {
            sockopt::set_tcp_quickack(self, true).ok();
        }
    }

    /// Writes a datagram, or as much as possible of a piece of a stream; tells how many octets.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(self, bytes, SendFlags::NOSIGNAL)?)
    }

    /// Hands a descriptor to the peer of this UNIX socket, with one zero octet to carry it.
    pub(crate) fn pass(&self, passed: &Self) -> io::Result<()> {
        if self.kind != Kind::Unix {
            return Err(Errno::OPNOTSUPP.into());
        }
        let descriptors = [passed.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(Errno::NOBUFS.into());
        }
        let carrier = [IoSlice::new(&[0])];
        rustix::net::sendmsg(self, &carrier, &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn family(remote: &Remote) -> AddressFamily {
    if remote.address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 }
}
