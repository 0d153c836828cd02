//! Records the traces of `tests/traces`, which the suite `replay` plays: real handshakes with the
//! OpenSSL of this machine's Python. Needed again whenever rustls changes its order of draws.
//!
//! ```text
//! cargo run -p tlsfinger-tests --example record
//! ```

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tlsfinger_tests::peer::{Act, Peer};
use tlsfinger_tests::world::{Link, World};
use tlsfinger_tests::{playbook, setting, traces};

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    for trace in traces::ALL {
        let mut server = Command::new("python3")
            .arg(folder.join("server.py"))
            .args(trace.server)
            .stdout(Stdio::piped())
            .spawn()?;
        let (port, openssl) = greeting(&mut server)?;
        let connect = move || -> Box<dyn Peer> {
            let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
            Box::new(Bridge { socket, heard: true })
        };
        let config = trace.config();
        let run = World::new(setting::probe(&config))
            .host(setting::HOST, ["192.0.2.1"])
            .listen(playbook::tcp("192.0.2.1:25"), Link::default(), connect)
            .run();
        let head = format!("# {} {}\n", openssl, trace.server.join(" "));
        std::fs::write(folder.join(trace.file), head + &traces::wire(&run.trace()))?;
        server.wait()?;
    }
    Ok(())
}

/// Reads the port and the version of OpenSSL.
fn greeting(server: &mut Child) -> std::io::Result<(u16, String)> {
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("it is piped")).read_line(&mut line)?;
    let (port, version) = line.trim().split_once(' ').expect("a port and a version");
    Ok((port.parse().expect("a port"), version.to_owned()))
}

/// A peer that is somewhere else.
struct Bridge {
    socket: TcpStream,
    /// Something was said, and the answer is to be waited for.
    heard: bool,
}

impl Peer for Bridge {
    fn received(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the server listens");
        self.heard = true;
    }

    fn ended(&mut self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }

    fn act(&mut self) -> Option<Act> {
        if !std::mem::take(&mut self.heard) {
            return None;
        }
        let mut bytes = vec![];
        let quiet = Some(Duration::from_millis(300));
        self.socket.set_read_timeout(quiet).expect("it is not zero");
        // Until it is quiet, or the stream ends.
        let ended = self.socket.read_to_end(&mut bytes).is_ok();
        match (bytes.is_empty(), ended) {
            (false, _) => {
                self.heard = ended;
                Some(Act::Send(bytes.into()))
            }
            (true, true) => Some(Act::End),
            (true, false) => None,
        }
    }
}
