//! Peers on real sockets of the loopback interface, for drivers and for the program itself.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::sockopt;
use tlsfinger_core::limits;
use tlsfinger_core::machine::Endpoint;

use crate::peer::{Act, Host, Peer};

/// A host that listens on a socket until it is dropped.
///
/// Each connection has a thread of its own. Dropping waits for all of them.
#[derive(Debug)]
pub struct Loopback {
    endpoint: Endpoint,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// After this long without a word from the other side a peer hangs up, so that no test hangs.
const PATIENCE: Duration = Duration::from_secs(20);

impl Loopback {
    /// Listens on 127.0.0.1, at a port that the system chooses.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn tcp(host: impl Host + 'static) -> io::Result<Self> {
        Self::tcp_at((Ipv4Addr::LOCALHOST, 0).into(), host)
    }

    /// Listens at a TCP address.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn tcp_at(at: SocketAddr, host: impl Host + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind(at)?;
        let endpoint = Endpoint::Tcp(listener.local_addr()?.into());
        Self::start(endpoint, host, move || listener.accept().map(|(socket, _)| socket))
    }

    /// Listens at a UNIX socket, which is removed in the end.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn unix(path: &Path, host: impl Host + 'static) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let endpoint = Endpoint::Unix(path.to_owned());
        Self::start(endpoint, host, move || listener.accept().map(|(socket, _)| socket))
    }

    /// Tells where the host listens.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    /// Tells the TCP port; 0 for UNIX sockets.
    pub fn port(&self) -> u16 {
        match &self.endpoint {
            Endpoint::Tcp(remote) | Endpoint::Udp(remote) => remote.address.port(),
            Endpoint::Unix(_) => 0,
        }
    }

    fn start<S: Socket>(
        endpoint: Endpoint,
        host: impl Host + 'static,
        accept: impl Fn() -> io::Result<S> + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let serve = move || {
            let mut connections = vec![];
            while let Ok(socket) = accept() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let peer = host.accept();
                // Whatever goes wrong on a connection is seen at its other end.
                connections.push(thread::spawn(move || converse(socket, peer)));
            }
            for connection in connections {
                let _ = connection.join();
            }
        };
        let thread = Some(thread::Builder::new().name("loopback".to_owned()).spawn(serve)?);
        Ok(Self { endpoint, stop, thread })
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // A last connection wakes the thread that accepts.
        let _ = match &self.endpoint {
            Endpoint::Tcp(at) | Endpoint::Udp(at) => TcpStream::connect(at.address).map(drop),
            Endpoint::Unix(path) => UnixStream::connect(path).map(drop),
        };
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Endpoint::Unix(path) = &self.endpoint {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A fresh folder for sockets and files, removed in the end.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes a folder with a short path: socket paths may have a hundred octets.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn new() -> io::Result<Self> {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let path = std::env::temp_dir().join(format!("tlsfinger-{}-{number}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// Tells the folder's path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Tells the path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What TCP and UNIX streams have in common here.
trait Socket: Read + Write + Send + 'static {
    fn hang_up(&self) -> io::Result<()>;
    fn break_off(&self) -> io::Result<()>;
    fn be_patient(&self) -> io::Result<()>;
}

impl Socket for TcpStream {
    fn hang_up(&self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }

    fn break_off(&self) -> io::Result<()> {
        // Closing a socket that shall not linger sends a reset.
        Ok(sockopt::set_socket_linger(self, Some(Duration::ZERO))?)
    }

    fn be_patient(&self) -> io::Result<()> {
        self.set_nodelay(true)?;
        self.set_write_timeout(Some(PATIENCE))?;
        self.set_read_timeout(Some(PATIENCE))
    }
}

impl Socket for UnixStream {
    fn hang_up(&self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }

    fn break_off(&self) -> io::Result<()> {
        // There is no reset; an end must do.
        self.shutdown(std::net::Shutdown::Both)
    }

    fn be_patient(&self) -> io::Result<()> {
        self.set_write_timeout(Some(PATIENCE))?;
        self.set_read_timeout(Some(PATIENCE))
    }
}

/// Lets a peer talk over a socket until both sides have hung up.
fn converse(mut socket: impl Socket, mut peer: Box<dyn Peer>) -> io::Result<()> {
    socket.be_patient()?;
    let mut buffer = vec![0; limits::READ];
    let mut ended = false;
    peer.opened();
    loop {
        while let Some(act) = peer.act() {
            match act {
                Act::Pause(pause) => thread::sleep(pause),
                Act::Send(bytes) if !ended => {
                    if let Err(error) = socket.write_all(&bytes) {
                        peer.ended();
                        return Err(error);
                    }
                }
                Act::Send(_) => {}
                Act::End => {
                    // Fails if the other side broke off; what it sent before can still be read.
                    let _ = socket.hang_up();
                }
                Act::Reset => {
                    peer.ended();
                    return socket.break_off();
                }
            }
        }
        if ended {
            return Ok(());
        }
        match socket.read(&mut buffer) {
            Ok(0) => {
                ended = true;
                peer.ended();
            }
            Ok(size) => peer.received(&buffer[..size]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                peer.ended();
                return Err(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Script;

    fn visit(mut socket: impl Socket) -> io::Result<String> {
        let mut text = String::new();
        socket.write_all(b"EHLO me\r\nQUIT\r\n")?;
        socket.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn a_conversation() -> io::Result<()> {
        let script = Script::smtp().greeting("220 hi\r\n");
        let scratch = Scratch::new()?;
        let tcp = Loopback::tcp(script.clone())?;
        let unix = Loopback::unix(&scratch.file("socket"), script.clone())?;
        let texts = [
            visit(TcpStream::connect((Ipv4Addr::LOCALHOST, tcp.port()))?)?,
            visit(UnixStream::connect(scratch.file("socket"))?)?,
        ];
        drop((tcp, unix));
        let expected = "220 hi\r\n250-mx.example.org\r\n250 STARTTLS\r\n221 bye\r\n";
        assert_eq!(texts, [expected; 2]);
        let once = ["open", "EHLO me", "QUIT", "end"];
        let mut lines = script.journal().lines();
        // The second may begin before the first hears the end.
        assert_eq!(lines.len(), 8);
        lines.sort();
        let mut twice = [once, once].concat();
        twice.sort_unstable();
        assert_eq!(lines, twice);
        assert!(!scratch.file("socket").exists());
        Ok(())
    }
}
