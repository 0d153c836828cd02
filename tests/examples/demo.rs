//! Shows tlsfinger at work with nothing but loopback: a signed zone, a mail server, and the program.
//!
//! `cargo run -p tlsfinger-tests --example demo`

use std::process::{Command, ExitCode};

use tlsfinger_tests::certs::{self, KeyType};
use tlsfinger_tests::dns_server::DnsServer;
use tlsfinger_tests::loopback::Loopback;
use tlsfinger_tests::peer::Script;

#[expect(clippy::print_stdout, reason = "it is there to be read")]
fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
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
    let (resolver, destination) = (names.address().to_string(), format!("example.org:{port}"));
    println!("The zone, served by a name server on {resolver}:\n\n{zones}");
    println!("$ tlsfinger --resolver {resolver} {destination}\n");
    let status = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "tlsfinger", "--", "--resolver"])
        .args([resolver, destination])
        .status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
