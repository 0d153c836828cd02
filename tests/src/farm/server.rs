//! The sockets of a farm: a few threads, each waiting for many connections.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::connection::{Connection, Reaction};
use super::{Host, Size, World};

/// The threads that serve mail, until dropped.
#[derive(Debug)]
pub struct Servers {
    stopping: Arc<AtomicBool>,
    port: u16,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Servers {
    /// Tells how many threads there are.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    pub(super) fn start(listeners: Vec<TcpListener>, world: &Arc<World>) -> io::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        let spawn = |listener| {
            let (world, stopping) = (Arc::clone(world), Arc::clone(&stopping));
            let serve = move || Thread::new(listener, world)?.serve(&stopping);
            thread::Builder::new().name("farm".to_owned()).spawn(serve)
        };
        let threads = listeners.into_iter().map(spawn).collect::<io::Result<_>>()?;
        Ok(Self { stopping, port: world.size.port, threads })
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        while let Some(thread) = self.threads.pop() {
            // Connections wake the threads; the system chooses whose turn it is.
            while !thread.is_finished() {
                let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
                thread::yield_now();
            }
            let _ = thread.join();
        }
    }
}

/// Listens on all addresses of one port, once for each thread; on those of IPv6 too, if the system
/// has them.
pub(super) fn listen(size: Size) -> io::Result<Vec<TcpListener>> {
    let (family, all) = match has_ipv6() {
        true => (AddressFamily::INET6, IpAddr::from(Ipv6Addr::UNSPECIFIED)),
        false => (AddressFamily::INET, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
    };
    let mut port = size.port;
    let mut listeners = Vec::new();
    for _ in 0..size.threads.max(1) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        if family == AddressFamily::INET6 {
            sockopt::set_ipv6_v6only(&socket, false)?;
        }
        sockopt::set_socket_reuseaddr(&socket, true)?;
        sockopt::set_socket_reuseport(&socket, true)?;
        // Connections inherit it.
        sockopt::set_tcp_nodelay(&socket, true)?;
        rustix::net::bind(&socket, &SocketAddr::new(all, port))?;
        rustix::net::listen(&socket, 4096)?;
        let listener = TcpListener::from(socket);
        port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Tells whether the system has ::1.
pub fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// The number that stands for the listener.
const LISTENER: u64 = 0;

/// Connections taken before others have their turn.
const TAKEN: usize = 64;

struct Thread {
    epoll: OwnedFd,
    listener: TcpListener,
    world: Arc<World>,
    connections: HashMap<u64, (TcpStream, Connection)>,
    next: u64,
}

impl Thread {
    fn new(listener: TcpListener, world: Arc<World>) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        Ok(Self { epoll, listener, world, connections: HashMap::new(), next: LISTENER + 1 })
    }

    fn serve(mut self, stopping: &AtomicBool) -> io::Result<()> {
        let mut events = Vec::with_capacity(256);
        let mut buffer = vec![0; 16 * 1024];
        while !stopping.load(Ordering::SeqCst) {
            match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept(&mut buffer)?,
                    id => _ = self.read(id, &mut buffer),
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        for _ in 0..TAKEN {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            // Whatever prevents it, the next event tries again.
            let Ok(socket) = rustix::net::accept_with(&self.listener, flags) else { break };
            let socket = TcpStream::from(socket);
            let (Ok(ours), Ok(theirs)) = (socket.local_addr(), socket.peer_addr()) else {
                continue;
            };
            let is_near = theirs.ip().to_canonical().is_loopback();
            let Some(host) = host_at(ours.ip(), self.world.size).filter(|_| is_near) else {
                continue;
            };
            self.catch_up(host, buffer);
            let earlier = self.world.counts().opened(host);
            let connection = Connection::new(&self.world, host, earlier);
            let greeting = connection.greet();
            let id = self.next;
            self.next += 1;
            epoll::add(&self.epoll, &socket, EventData::new_u64(id), EventFlags::IN)?;
            self.connections.insert(id, (socket, connection));
            self.react(id, &greeting);
        }
        Ok(())
    }

    /// Reads from the connections to a host, if one more would be the most there ever were: who hung up
    /// before is not counted, however late this thread is.
    fn catch_up(&mut self, host: Host, buffer: &mut [u8]) {
        let counts = self.world.counts().of_host.get(&host).copied().unwrap_or_default();
        if counts.open > 0 && counts.open == counts.most_open {
            let to_host = self.connections.iter().filter(|(_, (_, it))| it.host() == host);
            for id in to_host.map(|(id, _)| *id).collect::<Vec<_>>() {
                while self.read(id, buffer) {}
            }
        }
    }

    /// Reads from a connection; `false` if there is no more for now.
    fn read(&mut self, id: u64, buffer: &mut [u8]) -> bool {
        let Some((socket, connection)) = self.connections.get_mut(&id) else { return false };
        match socket.read(buffer) {
            Ok(size @ 1..) => {
                let reaction = connection.receive(&self.world, &buffer[..size]);
                self.react(id, &reaction);
                true
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Ok(_) | Err(_) => {
                self.close(id);
                false
            }
        }
    }

    fn react(&mut self, id: u64, reaction: &Reaction) {
        let Some((socket, _)) = self.connections.get_mut(&id) else { return };
        if reaction.secured {
            self.world.counts().handshakes += 1;
        }
        // What a server says fits into the buffers of the system, else the client does not read.
        let written = reaction.bytes.is_empty() || socket.write_all(&reaction.bytes).is_ok();
        if reaction.ends || !written {
            self.close(id);
        }
    }

    fn close(&mut self, id: u64) {
        if let Some((_, connection)) = self.connections.remove(&id) {
            self.world.counts().closed(connection.host());
        }
    }
}

fn host_at(address: IpAddr, size: Size) -> Option<Host> {
    Host::at(address).filter(|host| host.number < size.servers)
}
