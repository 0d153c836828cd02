//! Shows the program at work without any network: a mail server with a TLSA record, and the name
//! server that says so, run inside this process for as long as the program takes.
//!
//! ```text
//! cargo run -p tlsfinger-tests --example demo -- [option ...]
//! ```

use std::io::{self, Write as _};
use std::process::{Command, ExitCode};

use tlsfinger_tests::certs::{self, KeyType};
use tlsfinger_tests::dns_server::DnsServer;
use tlsfinger_tests::loopback::Loopback;
use tlsfinger_tests::peer::{Script, TlsSetup};
use tlsfinger_tests::program;

fn main() -> io::Result<ExitCode> {
    let program = program::path();
    let script = Script::smtp().tls(TlsSetup::default().identity(certs::server(KeyType::P256)));
    let mail = Loopback::tcp(script)?;
    let port = mail.port();
    let names = DnsServer::start(&format!(
        "@secure .
         example.org                 MX 10 mx.example.org
         mx.example.org              A 127.0.0.1
         _{port}._tcp.mx.example.org TLSA {}",
        certs::tlsa(KeyType::P256)
    ))?;
    let mut arguments = vec![format!("--resolver={}", names.address())];
    arguments.extend(std::env::args().skip(1));
    arguments.push(format!("example.org:{port}"));
    writeln!(io::stdout(), "$ tlsfinger {}", arguments.join(" "))?;
    let status = Command::new(program).args(&arguments).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
