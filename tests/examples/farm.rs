//! Runs a load farm until its standard input ends:
//!
//! `cargo run --release -p tlsfinger-tests --example farm -- [--servers N] [--hosts N] [--threads N]
//! [--port PORT] [--names PORT] [--prepare KIND] [--root FILE] [--anchor FILE]`
//!
//! It tells its port, one that is free if none is asked for, and its name server on one line; then
//! each line that it reads makes it tell what its servers saw.

use std::error::Error;
use std::io::{self, BufRead as _, Write as _};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tlsfinger_tests::farm::{Farm, Kind, Size};

fn main() -> Result<(), Box<dyn Error>> {
    let mut size = Size { threads: 2, ..Size::default() };
    let (mut prepared, mut root, mut anchor) = (Vec::new(), None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or(format!("{option} needs a value"))?;
        match option.as_str() {
            "--servers" => size.servers = value.parse()?,
            "--hosts" => size.hosts = value.parse()?,
            "--threads" => size.threads = value.parse()?,
            "--port" => size.port = value.parse()?,
            "--names" => size.names_port = value.parse()?,
            "--anchor" => anchor = Some(value),
            "--prepare" => prepared.push(Kind::from_word(&value).ok_or("no such kind")?),
            "--root" => root = Some(value),
            _ => return Err(format!("unknown option {option}").into()),
        }
    }
    // As many connections as the system allows.
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
    let farm = Farm::start(size)?;
    for kind in prepared {
        farm.prepare(kind);
    }
    if let Some(path) = root {
        std::fs::write(path, farm.root_pem())?;
    }
    if let Some(path) = anchor {
        std::fs::write(path, farm.trust_anchor())?;
    }
    let mut out = io::stdout();
    writeln!(out, "port={} resolver={}", farm.port(), farm.resolver())?;
    out.flush()?;
    for line in io::stdin().lock().lines() {
        line?;
        let counts = farm.counts();
        let (seen, most) = (counts.of_host.len(), counts.of_host.values().map(|of| of.most_open));
        writeln!(
            out,
            "connections={} handshakes={} questions={} open={} most_open={} servers={seen} \
             most_open_of_one={}",
            counts.connections,
            counts.handshakes,
            counts.questions,
            counts.open,
            counts.most_open,
            most.max().unwrap_or_default(),
        )?;
        out.flush()?;
    }
    Ok(())
}
