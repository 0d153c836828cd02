//! Peers on the loopback interface and in the file system.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket, sockopt};
use tlsfinger_core::machine::Endpoint;

/// Serves one connection with `serve`.
pub(crate) fn tcp(serve: impl FnOnce(TcpStream) + Send + 'static) -> Endpoint {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || serve(listener.accept().expect("a client").0));
    Endpoint::Tcp(address.into())
}

/// Serves one connection with `serve`, at a path of its own.
pub(crate) fn unix(serve: impl FnOnce(UnixStream) + Send + 'static) -> Endpoint {
    let path = fresh_path();
    let listener = UnixListener::bind(&path).expect("a listener");
    let own = path.clone();
    thread::spawn(move || {
        let client = listener.accept().expect("a client").0;
        std::fs::remove_file(own).ok();
        serve(client);
    });
    Endpoint::Unix(path)
}

/// A path in the file system that nobody uses.
pub(crate) fn fresh_path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("tlsfinger-{}-{number}", std::process::id()))
}

/// An address where nobody listens.
pub(crate) fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    listener.local_addr().expect("its address")
}

/// A listener with a full backlog: connecting to it takes for ever.
pub(crate) struct Full {
    pub(crate) address: SocketAddr,
    _held: Vec<TcpStream>,
    _listener: std::os::fd::OwnedFd,
}

impl Full {
    pub(crate) fn new() -> Self {
        let listener = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        bind(&listener, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        listen(&listener, 0).expect("a listener");
        let address = getsockname(&listener).expect("its address").try_into().expect("IPv4");
        let patience = Duration::from_millis(200);
        let mut held = Vec::new();
        while let Ok(client) = TcpStream::connect_timeout(&address, patience) {
            held.push(client);
        }
        Self { address, _held: held, _listener: listener }
    }
}

/// Sends back what comes until the client ends the stream; tells how much that was.
pub(crate) fn echo(mut client: impl Read + Write) -> usize {
    let mut buffer = [0; 4096];
    let mut total = 0;
    loop {
        match client.read(&mut buffer) {
            Ok(0) | Err(_) => return total,
            Ok(octets) => {
                total += octets;
                // A client that closes may reset what it no longer wants.
                client.write_all(&buffer[..octets]).ok();
            }
        }
    }
}

/// Reads in small portions until the client ends the stream; tells how much that was.
pub(crate) fn count_slowly(mut client: TcpStream) -> usize {
    let mut buffer = vec![0; 256 * 1024];
    let mut total = 0;
    while let Ok(octets @ 1..) = client.read(&mut buffer) {
        total += octets;
        thread::sleep(Duration::from_millis(1));
    }
    total
}

/// Breaks the connection off.
pub(crate) fn reset(client: TcpStream) {
    sockopt::set_socket_linger(&client, Some(Duration::ZERO)).expect("SO_LINGER");
}
