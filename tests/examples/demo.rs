//! Shows tlsfinger at work with nothing but loopback: a signed zone, a mail server, and the program.
//!
//! `cargo run -p tlsfinger-tests --example demo -- [option ...]`; the options are the program's.

use std::io::{self, Write as _};
use std::process::{Command, ExitCode};

use tlsfinger_tests::certs::{self, KeyType};
use tlsfinger_tests::dns_server::DnsServer;
use tlsfinger_tests::loopback::Loopback;
use tlsfinger_tests::peer::Script;
use tlsfinger_tests::program;

fn main() -> io::Result<ExitCode> {
    let program = program::path();
    let server = Loopback::tcp(Script::smtp())?;
    let port = server.port();
    let zones = format!(
        "@secure .\n\
         example.org               MX 10 mx.example.org\n\
         mx.example.org            A 127.0.0.1\n\
         _{port}._tcp.mx.example.org TLSA {tlsa}\n",
        tlsa = certs::tlsa(KeyType::P256),
    );
    let names = DnsServer::start(&zones)?;
    let mut arguments = vec!["--resolver".to_owned(), names.address().to_string()];
    arguments.extend(std::env::args().skip(1));
    arguments.push(format!("example.org:{port}"));
    let mut out = io::stdout();
    writeln!(out, "The zone, served by a name server on {}:\n\n{zones}", names.address())?;
    writeln!(out, "$ tlsfinger {}\n", arguments.join(" "))?;
    let status = Command::new(program).args(&arguments).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
