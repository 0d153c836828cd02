//! OpenSSL's and GnuTLS's own servers with what nobody should have any more, as far as they still
//! speak it: what is told of each, and the exit status.

use std::io::{self, BufRead, BufReader, Write};
use std::iter;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::servers::Servers;

/// A server on a port of its own, with SMTP up to STARTTLS in front of it.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts a server by a command line in which `PORT` stands for its port.
    fn start(folder: &Path, words: &str) -> Self {
        let own = free_port();
        let words = words.replace("PORT", &own.to_string());
        let mut words = words.split(' ').filter(|word| !word.is_empty());
        let child = Command::new(words.next().expect("a program"))
            .args(words)
            .current_dir(folder)
            // They end with their input.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it is installed");
        let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, own));
        let began = Instant::now();
        while TcpStream::connect(upstream).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "it does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Whoever hangs up early is no fault.
                thread::spawn(move || drop(front(client, upstream)));
            }
        });
        Self { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Finds a port that nobody has and that nobody gets by accident: each is handed out once, and they lie
/// below those that the system chooses.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let mut ports = iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed));
    ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).expect("a port")
}

/// Speaks SMTP up to STARTTLS, and passes on what follows.
fn front(mut client: TcpStream, upstream: SocketAddr) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    for reply in ["220 old.test", "250-old.test\r\n250 STARTTLS", "220 go ahead"] {
        client.write_all(format!("{reply}\r\n").as_bytes())?;
        if !reply.ends_with("ahead") {
            reader.read_line(&mut String::new())?;
        }
    }
    let mut server = TcpStream::connect(upstream)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let pump = thread::spawn(move || {
        drop(io::copy(&mut from_client, &mut to_server));
        drop(to_server.shutdown(std::net::Shutdown::Both));
    });
    drop(io::copy(&mut server, &mut client));
    drop(client.shutdown(std::net::Shutdown::Both));
    drop(pump.join());
    Ok(())
}

/// What is offered in old TLS, and by which server.
struct Case {
    server: &'static str,
    /// Options of the program besides those of [`probe`].
    options: &'static str,
    /// All of the line behind the server's name; empty if there is no such line.
    offered: &'static str,
    /// Lines that must be there, without the server's name, each followed by anything.
    judged: &'static [&'static str],
}

const fn case(
    server: &'static str,
    offered: &'static str,
    judged: &'static [&'static str],
) -> Case {
    Case { server, options: "-l verify", offered, judged }
}

const RSA: &str = "-cert legacy.test.crt.pem -key legacy.test.key.pem -cert_chain issuer.crt.pem";
const EC: &str =
    "-cert postfix-ec.test.crt.pem -key postfix-ec.test.key.pem -cert_chain issuer.crt.pem";
const GNUTLS: &str = "gnutls-serv --quiet --echo --port PORT --x509certfile legacy.test.chain.pem \
                      --x509keyfile legacy.test.key.pem --priority NORMAL:-VERS-ALL:";

/// The certificate of `legacy.test`, of which everything is right.
const GOOD: &[&str] =
    &[": matched peername: legacy.test", ": subject_CN=legacy.test, issuer=Interop Issuer, "];

/// One of a kind of key that nothing can be verified by.
const UNUSED: &[&str] =
    &["num=76:Cannot find certificate signature algorithm", ": subject_CN=odd, "];

/// No certificate.
const NOBODY: &[&str] = &["Server is anonymous"];

fn run(cases: &[Case]) {
    let Some(servers) = Servers::find() else { return };
    let folder = PathBuf::from(servers.file("pki"));
    for case in cases {
        let words = match case.server.split_once(' ') {
            Some(("gnutls", priority)) => format!("{GNUTLS}{priority}"),
            _ => format!("openssl s_server -quiet -port PORT {}", case.server)
                .replace("+RSA", RSA)
                .replace("+EC", EC),
        };
        let server = Server::start(&folder, &words);
        let nap = format!("127.0.0.1[127.0.0.1]:{}", server.port);
        let ca = servers.file("pki/ca.pem");
        let Case { options, offered, judged, .. } = case;
        let arguments = format!("{options} -F {ca} [127.0.0.1]:{} legacy.test", server.port);
        let lines = servers.probe(&arguments);
        let shown = format!("{words}: {lines:#?}");
        let prefix = format!("TLS offered by {nap}: ");
        let line = lines.iter().find_map(|line| line.strip_prefix(&prefix));
        let expected = Some(*offered).filter(|offered| !offered.is_empty());
        assert_eq!(line, expected, "{shown}");
        for words in *judged {
            assert!(lines.iter().any(|line| line.contains(words)), "{words}: {shown}");
        }
        assert!(lines.iter().all(|line| !line.contains(" TLS connection established ")), "{shown}");
        assert_eq!(servers.status(&format!("--exit-code {arguments}")), Some(4), "{shown}");
    }
}

#[test]
fn old_versions() {
    run(&[
        case(
            "-tls1 -cipher AES256-SHA:@SECLEVEL=0 +RSA",
            "TLSv1 with cipher AES256-SHA (256/256 bits) key-exchange RSA, not spoken by this program",
            GOOD,
        ),
        case(
            "-tls1 -cipher ALL:@SECLEVEL=0 +RSA",
            "TLSv1 with cipher ECDHE-RSA-AES256-SHA (256/256 bits) key-exchange ECDHE (x25519), \
             not spoken by this program",
            GOOD,
        ),
        case(
            "-tls1 -cipher DHE-RSA-AES128-SHA:@SECLEVEL=0 -dhparam dh1024.pem +RSA",
            "TLSv1 with cipher DHE-RSA-AES128-SHA (128/128 bits) key-exchange DHE (1024 bits), \
             not spoken by this program",
            GOOD,
        ),
        case(
            "-tls1_1 -cipher CAMELLIA128-SHA:@SECLEVEL=0 +RSA",
            "TLSv1.1 with cipher CAMELLIA128-SHA (128/128 bits) key-exchange RSA, not spoken by \
             this program",
            GOOD,
        ),
        Case {
            server: "-tls1_1 -cipher ALL:!aNULL:@SECLEVEL=0 +EC",
            options: "-l may",
            offered: "TLSv1.1 with cipher ECDHE-ECDSA-AES256-SHA (256/256 bits) key-exchange ECDHE \
                      (x25519), not spoken by this program",
            judged: &[": subject_CN=postfix-ec.test, issuer=Interop Issuer, "],
        },
        case(
            "-tls1 -Verify 1 -cipher AES128-SHA:@SECLEVEL=0 +RSA",
            "TLSv1 with cipher AES128-SHA (128/128 bits) key-exchange RSA, not spoken by this program",
            GOOD,
        ),
    ]);
}

#[test]
fn old_key_exchanges_of_tls12() {
    run(&[
        case(
            "-tls1_2 -cipher kRSA+AESGCM:@SECLEVEL=0 +RSA",
            "TLSv1.2 with cipher AES256-GCM-SHA384 (256/256 bits) key-exchange RSA, not spoken by \
             this program",
            GOOD,
        ),
        case(
            "-no_tls1_3 -cipher DHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0 -dhparam dh1024.pem +RSA",
            "TLSv1.2 with cipher DHE-RSA-AES256-GCM-SHA384 (256/256 bits) key-exchange DHE (1024 \
             bits), not spoken by this program",
            GOOD,
        ),
        case(
            "-no_tls1_3 -cipher DHE-RSA-CHACHA20-POLY1305:@SECLEVEL=0 -dhparam dh8192.pem +RSA",
            "TLSv1.2 with cipher DHE-RSA-CHACHA20-POLY1305 (256/256 bits) key-exchange DHE (8192 \
             bits), not spoken by this program",
            GOOD,
        ),
        case(
            "-no_tls1_3 -cipher DHE-RSA-AES128-SHA256:@SECLEVEL=0 -dhparam ffdhe3072.pem +RSA",
            "TLSv1.2 with cipher DHE-RSA-AES128-SHA256 (128/128 bits) key-exchange DHE \
             (ffdhe3072), not spoken by this program",
            GOOD,
        ),
    ]);
}

#[test]
fn old_ciphers_of_tls12() {
    run(&[
        case(
            "-tls1_2 -cipher ECDHE-RSA-AES256-SHA384:@SECLEVEL=0 +RSA",
            "TLSv1.2 with cipher ECDHE-RSA-AES256-SHA384 (256/256 bits) key-exchange ECDHE \
             (x25519), not spoken by this program",
            GOOD,
        ),
        case(
            "-tls1_2 -cipher ECDHE-ARIA128-GCM-SHA256:@SECLEVEL=0 +RSA",
            "TLSv1.2 with cipher ECDHE-ARIA128-GCM-SHA256 (128/128 bits) key-exchange ECDHE \
             (x25519), not spoken by this program",
            GOOD,
        ),
        case(
            "-tls1_2 -cipher AES128-CCM8:@SECLEVEL=0 +RSA",
            "TLSv1.2 with cipher AES128-CCM8 (128/128 bits) key-exchange RSA, not spoken by this \
             program",
            GOOD,
        ),
        // Not selected by default, and by grade null.
        case(
            "-tls1_2 -cipher ECDHE-RSA-NULL-SHA:@SECLEVEL=0 +RSA",
            "TLSv1.2 with cipher ECDHE-RSA-NULL-SHA (0/0 bits) key-exchange ECDHE (x25519), \
             neither spoken by this program nor selected",
            GOOD,
        ),
        Case {
            server: "-tls1_2 -cipher NULL-SHA256:@SECLEVEL=0 +RSA",
            options: "-l verify -g null",
            offered: "TLSv1.2 with cipher NULL-SHA256 (0/0 bits) key-exchange RSA, not spoken by \
                      this program",
            judged: GOOD,
        },
        // A secret that was shared before.
        case("-tls1_2 -nocert -psk 0102 -cipher PSK:@SECLEVEL=0", "", &["alert number 40"]),
    ]);
}

#[test]
fn anonymous_servers() {
    let anonymous = |server, offered| Case { server, options: "-l may", offered, judged: NOBODY };
    run(&[
        anonymous(
            "-no_tls1_3 -nocert -cipher ADH:@SECLEVEL=0 -dhparam dh1024.pem",
            "TLSv1.2 with cipher ADH-AES256-GCM-SHA384 (256/256 bits) key-exchange DHE (1024 \
             bits), not spoken by this program",
        ),
        anonymous(
            "-tls1 -nocert -cipher AECDH:@SECLEVEL=0",
            "TLSv1 with cipher AECDH-AES256-SHA (256/256 bits) key-exchange ECDHE (x25519), not \
             spoken by this program",
        ),
        anonymous(
            "gnutls +VERS-TLS1.2:-KX-ALL:+ANON-DH",
            "TLSv1.2 with cipher ADH-AES256-GCM-SHA384 (256/256 bits) key-exchange DHE \
             (ffdhe2048), not spoken by this program",
        ),
        // Nobody who verifies asks for that.
        case("-no_tls1_3 -nocert -cipher aNULL:@SECLEVEL=0", "", &["alert number 40"]),
    ]);
}

#[test]
fn odd_keys() {
    run(&[
        Case {
            server: "-tls1 -cipher AES128-SHA:@SECLEVEL=0 -cert rsa512.crt -key rsa512.key",
            options: "-l verify",
            offered: "TLSv1 with cipher AES128-SHA (128/128 bits) key-exchange RSA, not spoken by \
                      this program",
            judged: &["num=66:EE certificate key too weak", ": subject_CN=odd, issuer=odd, "],
        },
        case(
            "-tls1_2 -cert ed448.crt -key ed448.key",
            "TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits) key-exchange ECDHE \
             (x25519), with a kind of key that this program does not use",
            UNUSED,
        ),
        // The certificate is encrypted.
        case(
            "-tls1_3 -cert ed448.crt -key ed448.key",
            "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange x25519, not \
             completed by this program",
            &["alert number 40"],
        ),
        // What no client has by default.
        case(
            "-tls1_2 -cert secp256k1.crt -key secp256k1.key",
            "TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits) key-exchange ECDHE \
             (x25519), neither spoken by this program nor selected",
            UNUSED,
        ),
        case(
            "-tls1_2 -cipher ALL:@SECLEVEL=0 -dhparam dh1024.pem -cert dsa.crt -key dsa.key",
            "TLSv1.2 with cipher DHE-DSS-AES256-GCM-SHA384 (256/256 bits) key-exchange DHE (1024 \
             bits), neither spoken by this program nor selected",
            UNUSED,
        ),
        // A group that the TLS library does not have.
        case(
            "-tls1_3 -groups X448 +RSA",
            "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange x448, not \
             completed by this program",
            &["alert number 40"],
        ),
    ]);
}

#[test]
fn gnutls() {
    run(&[
        case(
            "gnutls +VERS-TLS1.0:%COMPAT",
            "TLSv1 with cipher ECDHE-RSA-AES256-SHA (256/256 bits) key-exchange ECDHE (x25519), \
             not spoken by this program",
            GOOD,
        ),
        case(
            "gnutls +VERS-TLS1.1:-KX-ALL:+DHE-RSA",
            "TLSv1.1 with cipher DHE-RSA-AES256-SHA (256/256 bits) key-exchange DHE (ffdhe2048), \
             not spoken by this program",
            GOOD,
        ),
        case(
            "gnutls +VERS-TLS1.2:-KX-ALL:+RSA",
            "TLSv1.2 with cipher AES256-GCM-SHA384 (256/256 bits) key-exchange RSA, not spoken by \
             this program",
            GOOD,
        ),
        // OpenSSL speaks neither of these any more.
        case(
            "gnutls +VERS-TLS1.2:-CIPHER-ALL:+3DES-CBC:-KX-ALL:+RSA",
            "TLSv1.2 with cipher DES-CBC3-SHA (112/168 bits) key-exchange RSA, neither spoken by \
             this program nor selected",
            GOOD,
        ),
        case(
            "gnutls +VERS-TLS1.0:-CIPHER-ALL:+ARCFOUR-128:%COMPAT",
            "TLSv1 with cipher RC4-SHA (128/128 bits) key-exchange RSA, neither spoken by this \
             program nor selected",
            GOOD,
        ),
        case(
            "gnutls +VERS-TLS1.2:-CIPHER-ALL:+NULL:-KX-ALL:+RSA",
            "TLSv1.2 with cipher NULL-SHA (0/0 bits) key-exchange RSA, neither spoken by this \
             program nor selected",
            GOOD,
        ),
    ]);
}
