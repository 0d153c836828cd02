//! Records the traces of `tests/traces` that are not there, which the suite `replay` plays: scenes
//! of the virtual world, and real handshakes with the OpenSSL of this machine's Python. All that hold
//! TLS are needed again whenever rustls changes its order of draws.
//!
//! ```text
//! cargo run -p tlsfinger-tests --example record
//! ```

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tlsfinger_core::config::{Config, Reuse};
use tlsfinger_tests::peer::{Act, Peer};
use tlsfinger_tests::traces::Scene;
use tlsfinger_tests::world::{Link, World};
use tlsfinger_tests::{playbook, setting, traces};

/// A server on OpenSSL: name of the trace, then the arguments of `tests/traces/server.py`: version,
/// curve, key, connections.
const SERVERS: [(&str, [&str; 4]); 5] = [
    ("openssl-tls12", ["1.2", "X25519", "prime256v1", "1"]),
    ("openssl-tls13", ["1.3", "X25519", "rsa:2048", "1"]),
    ("openssl-tls13-retry", ["1.3", "secp384r1", "secp384r1", "1"]),
    ("openssl-tls12-reuse", ["1.2", "prime256v1", "prime256v1", "2"]),
    ("openssl-tls13-reuse", ["1.3", "X25519", "prime256v1", "2"]),
];

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let save = |name: &str, text: String| {
        let path = folder.join(name).with_extension("trace");
        // The certificates of a new recording are new: what is there stays.
        if path.exists() { Ok(()) } else { std::fs::write(path, text) }
    };
    for Scene { name, config, world } in traces::scenes() {
        let run = world.run();
        save(name, traces::write("virtual world", &config, &run))?;
    }
    for (name, arguments) in SERVERS {
        let mut server = Command::new("python3")
            .arg(folder.join("server.py"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()?;
        let (port, openssl) = greeting(&mut server)?;
        let connect = move || -> Box<dyn Peer> {
            let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
            Box::new(Bridge { socket, heard: true })
        };
        let reuse = Reuse { delay: Duration::from_secs(1), limit: 1 };
        let reuse = (arguments[3] == "2").then_some(reuse);
        let config = Config { reuse, repeatable: true, ..setting::config() };
        let run = World::new(setting::probe(&config))
            .host(setting::HOST, ["192.0.2.1"])
            .listen(playbook::tcp("192.0.2.1:25"), Link::default(), connect)
            .run();
        save(name, traces::write(&openssl, &config, &run))?;
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
