//! Name servers on loopback that answer from [`Zones`], over UDP and TCP.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, mem};

use crate::zones::{Reply, Zones};

/// A name server that runs until it is dropped.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    zones: Mutex<Zones>,
    stopping: AtomicBool,
    /// The address that `@server` lines of the zones mean.
    server: IpAddr,
}

/// How long a thread waits before it looks whether it is to stop.
const PAUSE: Duration = Duration::from_millis(20);

impl DnsServer {
    /// Starts a server on a free port of 127.0.0.1.
    pub fn start(zones: &str) -> io::Result<Self> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), zones)
    }

    /// Starts a server on this address; port 0 is any that is free.
    pub fn start_at(address: SocketAddr, zones: &str) -> io::Result<Self> {
        let (udp, tcp) = bind(address)?;
        let address = udp.local_addr()?;
        let shared = Arc::new(Shared {
            zones: Mutex::new(Zones::parse(zones)),
            stopping: AtomicBool::new(false),
            server: address.ip(),
        });
        udp.set_read_timeout(Some(PAUSE))?;
        tcp.set_nonblocking(true)?;
        let (over_udp, over_tcp) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads = vec![
            thread::spawn(move || serve_udp(&udp, &over_udp)),
            thread::spawn(move || serve_tcp(&tcp, &over_tcp)),
        ];
        Ok(Self { address, shared, threads })
    }

    /// The key of the zone that was signed first, as a trust anchor.
    ///
    /// # Panics
    /// If no zone is signed.
    pub fn anchor(&self) -> String {
        self.shared.zones.lock().unwrap_or_else(PoisonError::into_inner).anchor()
    }

    /// The address it answers on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        for thread in mem::take(&mut self.threads) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn answer(&self, query: &[u8], tcp: bool) -> Vec<Reply> {
        let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        if zones.is_dead(self.server, tcp) {
            return Vec::new();
        }
        zones.answer(self.server, query, tcp)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// Binds the same port for both protocols.
fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = 0;
    loop {
        let tcp = TcpListener::bind(address)?;
        match UdpSocket::bind(tcp.local_addr()?) {
            Ok(udp) => return Ok((udp, tcp)),
            // A free TCP port may be taken for UDP.
            Err(_) if address.port() == 0 && tries < 20 => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

fn serve_udp(socket: &UdpSocket, shared: &Arc<Shared>) {
    let mut buffer = [0; 4096];
    while !shared.is_stopping() {
        let Ok((length, peer)) = socket.recv_from(&mut buffer) else { continue };
        for reply in shared.answer(&buffer[..length], false) {
            if reply.after.is_zero() {
                let _ = socket.send_to(&reply.message, peer);
            } else if let Ok(socket) = socket.try_clone() {
                thread::spawn(move || {
                    thread::sleep(reply.after);
                    let _ = socket.send_to(&reply.message, peer);
                });
            }
        }
    }
}

fn serve_tcp(listener: &TcpListener, shared: &Arc<Shared>) {
    while !shared.is_stopping() {
        match listener.accept() {
            Ok((stream, _)) => {
                let shared = Arc::clone(shared);
                thread::spawn(move || serve_stream(stream, &shared));
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

fn serve_stream(mut stream: TcpStream, shared: &Shared) -> Option<()> {
    stream.set_nonblocking(false).ok()?;
    stream.set_nodelay(true).ok()?;
    // Whoever keeps a connection without use for this long does not come back.
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length).ok()?;
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut query).ok()?;
        for reply in shared.answer(&query, true) {
            thread::sleep(reply.after);
            let length = u16::try_from(reply.message.len()).ok()?;
            let message = [&length.to_be_bytes()[..], &reply.message].concat();
            stream.write_all(&message).ok()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::base::iana::Rtype;
    use domain::base::{Message, MessageBuilder, Name};

    #[test]
    fn both_protocols_answer() {
        let server =
            DnsServer::start("@secure .\nlong.test TYPE16 00\na.test A 192.0.2.1").unwrap();
        let mut query = MessageBuilder::new_vec();
        query.header_mut().set_id(7);
        query.header_mut().set_ad(true);
        let mut query = query.question();
        query.push((Name::vec_from_str("a.test").unwrap(), Rtype::A)).unwrap();
        let query = query.finish();

        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.send_to(&query, server.address()).unwrap();
        let mut over_udp = [0; 512];
        let length = socket.recv(&mut over_udp).unwrap();

        let mut stream = TcpStream::connect(server.address()).unwrap();
        let length_of_query = u16::try_from(query.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length_of_query[..], &query].concat()).unwrap();
        let mut prefix = [0; 2];
        stream.read_exact(&mut prefix).unwrap();
        let mut over_tcp = vec![0; usize::from(u16::from_be_bytes(prefix))];
        stream.read_exact(&mut over_tcp).unwrap();

        assert_eq!(over_udp[..length], over_tcp);
        let message = Message::from_octets(over_tcp).unwrap();
        assert!(message.header().ad() && message.header_counts().ancount() == 1);
    }
}
