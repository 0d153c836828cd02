//! What a scan costs, beside bare handshakes of the same library.
//!
//! `cargo bench -p tlsfinger-tests --bench scan -- [cpu] [same] [shared] [silent] [queue]`
//!
//! The servers are a farm in a process of its own. CPU is that of the thread that runs the scan,
//! driver and DNS included; a floor is the CPU of the client's side of a handshake in memory,
//! without any I/O. Both are taken in turns, in the same run.
#![expect(clippy::print_stdout, reason = "figures are for whoever runs it")]

mod figures;
mod floors;

use std::error::Error;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tlsfinger_blocking::{Inbox, raise_descriptor_limit, run_with, seed, wall_time};
use tlsfinger_core::cert::Certificate;
use tlsfinger_core::config::{
    Config, DnssecTrust, Groups, Level, Lookup, Policy, ScanConfig, ScanLimits, TrustStore,
};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::machine::{Job, Stop};
use tlsfinger_core::report::{Group, Outcome, Report, Status};
use tlsfinger_core::resolve::ResolvConf;
use tlsfinger_core::{Input, Notice, Scan};
use tlsfinger_tests::farm::{Farm, Kind, Size};

use figures::{Cpu, Memory, Spread};
use floors::{Floor, FloorThread};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// That of the command line program; for the floors too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match &words[..] {
        [word, servers] if word == "--farm" => return serve(servers.parse()?),
        [word, part] if word == "--part" => return measure(part),
        _ => {}
    }
    // Each in a process of its own: memory that one gave back counts for the next, and one keeps to
    // a processor.
    for part in PARTS {
        let name = part.split('-').next().unwrap_or_default();
        if words.is_empty() || words.iter().any(|word| word == name) {
            let status = Command::new(std::env::current_exe()?).args(["--part", part]).status()?;
            if !status.success() {
                return Err(format!("{part}: {status}").into());
            }
        }
    }
    Ok(())
}

/// What there is to measure.
const PARTS: &[&str] =
    &["cpu", "same", "shared", "silent-hybrid", "silent-classic", "queue-10000", "queue-100000"];

fn measure(part: &str) -> Result<()> {
    raise_descriptor_limit();
    match part {
        "cpu" => cpu(),
        "same" => same_server(),
        "shared" => shared(),
        "silent-hybrid" => silent("post-quantum", Group::ALL.to_vec()),
        "silent-classic" => silent("classic", vec![Group::X25519, Group::Secp256r1]),
        "queue-10000" => queue(10_000),
        "queue-100000" => queue(100_000),
        _ => Err("no such part".into()),
    }
}

/// Connections at once, as many as keep this machine busy: servers on loopback answer at once.
const CONNECTIONS: usize = 32;

/// CPU for each probe of distinct servers, beside the floors.
///
/// The speed of a processor may change within seconds. So the servers come in parts, and behind each
/// part as many bare handshakes are made, on the same processor but by a thread of their own: the
/// kernel counts user time in hundredths of a second, and those of the scan's thread are to be the
/// scan's alone.
fn cpu() -> Result<()> {
    const SERVERS: u32 = 1000;
    const ROUNDS: usize = 9;
    let farm = FarmProcess::start(SERVERS)?;
    stay_here()?;
    let floors = FloorThread::start();
    let (mut rows, mut dane) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        rows.push(passes(&farm, &floors, SERVERS)?);
        let before = Cpu::now();
        let mut scan = farm.scan(Level::Dane, unlimited());
        (scan.limits.share, scan.limits.connections) = (None, CONNECTIONS);
        let names = (0..SERVERS).map(|number| domain(number, Kind::Good, farm.port));
        run(scan, names, expect_verified)?;
        dane.push(Cpu::now().since(&before).divided_by(SERVERS));
    }
    let column = |pick: &dyn Fn(&[Pass; 2]) -> f64| Spread::of(rows.iter().map(pick));
    println!("cpu: {SERVERS} distinct servers, {ROUNDS} rounds; microseconds of CPU each");
    println!("  floor, chain verified        {}", column(&|row| row[0].floor_each()));
    println!("  floor, signature only        {}", column(&|row| row[1].floor_each()));
    println!("  scan, level verify: user     {}", column(&|row| row[0].cpu_each().user));
    println!("                      user+sys {}", column(&|row| row[0].cpu_each().all));
    println!("  again, links known: user     {}", column(&|row| row[1].cpu_each().user));
    println!("                      user+sys {}", column(&|row| row[1].cpu_each().all));
    println!("  scan, level dane:   user     {}", Spread::of(dane.iter().map(|cpu| cpu.user)));
    println!("  ratio user / chain floor     {}", column(&|row| row[0].ratio()));
    println!("  ratio again / signature      {}", column(&|row| row[1].ratio()));
    let sum = |at: usize| rows.iter().map(|row| row[at]).fold(Pass::default(), Pass::and);
    println!("  both over all rounds         {:9.2}  {:.2}", sum(0).ratio(), sum(1).ratio());
    let both = |row: &[Pass; 2]| row[0].and(row[1]);
    println!("  probes a second              {}", column(&|row| both(row).rate()));
    println!("  of what the CPU allows       {}", column(&|row| both(row).of_allowed()));
    Ok(())
}

/// Keeps this thread, and those that it begins, on one processor.
fn stay_here() -> Result<()> {
    let mut here = CpuSet::new();
    here.set(sched_getcpu());
    Ok(sched_setaffinity(None, &here)?)
}

/// Probes all servers, and then, with all links and all answers known, some times more.
fn passes(farm: &FarmProcess, floors: &FloorThread, servers: u32) -> Result<[Pass; 2]> {
    const PARTS: u32 = 5;
    const PASSES: u32 = 4;
    let part = servers / PARTS;
    let batch = |number| {
        let from = number % PARTS * part;
        (from..from + part).map(|number| domain(number, Kind::Good, farm.port))
    };
    // To make them is not the scan's work.
    let batches: Vec<Vec<_>> = (0..PASSES * PARTS).map(|number| batch(number).collect()).collect();
    let mut scan = farm.scan(Level::Verify, unlimited());
    (scan.limits.share, scan.limits.connections) = (None, CONNECTIONS);
    let mut passes = [Pass::default(); 2];
    let (mut count, mut cpu, mut began) = (0, Cpu::now(), Instant::now());
    run_batches(scan, batches.into_iter().map(Vec::into_iter), |report| {
        expect_verified(report);
        count += 1;
        if count % part == 0 {
            let (floor, pass) = match count <= servers {
                true => (Floor::Chain, &mut passes[0]),
                false => (Floor::Signature, &mut passes[1]),
            };
            *pass = pass.and(Pass {
                probes: part,
                cpu: Cpu::now().since(&cpu),
                seconds: began.elapsed().as_secs_f64(),
                floor: floors.handshakes(floor) * f64::from(part),
            });
            (cpu, began) = (Cpu::now(), Instant::now());
        }
    })?;
    Ok(passes)
}

/// What a number of probes took, and what as many bare handshakes did.
#[derive(Clone, Copy, Debug, Default)]
struct Pass {
    probes: u32,
    cpu: Cpu,
    seconds: f64,
    /// In microseconds.
    floor: f64,
}

impl Pass {
    fn and(self, other: Self) -> Self {
        Self {
            probes: self.probes + other.probes,
            cpu: Cpu { user: self.cpu.user + other.cpu.user, all: self.cpu.all + other.cpu.all },
            seconds: self.seconds + other.seconds,
            floor: self.floor + other.floor,
        }
    }

    fn floor_each(&self) -> f64 {
        self.floor / f64::from(self.probes)
    }

    fn cpu_each(&self) -> Cpu {
        self.cpu.divided_by(self.probes)
    }

    fn ratio(&self) -> f64 {
        self.cpu.user / self.floor
    }

    /// Probes a second.
    fn rate(&self) -> f64 {
        f64::from(self.probes) / self.seconds
    }

    /// Tells which part of the time the processor was busy.
    fn of_allowed(&self) -> f64 {
        self.cpu.all / 1e6 / self.seconds
    }
}

/// The same server again and again.
fn same_server() -> Result<()> {
    const PROBES: u32 = 2000;
    let farm = FarmProcess::start(1)?;
    let mut rows = Vec::new();
    for _ in 0..5 {
        let mut scan = farm.scan(Level::Dane, unlimited());
        scan.limits.share = None;
        // Neither a flood of connections nor a queue in front of the server.
        scan.limits.connections = 50;
        let (before, began) = (Cpu::now(), Instant::now());
        let names = (0..PROBES).map(|_| domain(0, Kind::Good, farm.port));
        run(scan, names, expect_verified)?;
        let cpu = Cpu::now().since(&before).divided_by(PROBES);
        rows.push((cpu, f64::from(PROBES) / began.elapsed().as_secs_f64()));
    }
    println!("same: one server {PROBES} times, nothing shared");
    println!("  CPU each, microseconds       {}", Spread::of(rows.iter().map(|row| row.0.all)));
    println!("  probes a second              {}", Spread::of(rows.iter().map(|row| row.1)));
    Ok(())
}

/// Many domains behind few servers.
fn shared() -> Result<()> {
    const DOMAINS: u32 = 100_000;
    let farm = FarmProcess::start(100)?;
    let scan = farm.scan(Level::Dane, ScanLimits::default());
    let (before, began, base) = (Cpu::now(), Instant::now(), Memory::now()?);
    let (mut connections, mut most) = (0, base);
    let names = (0..DOMAINS).map(|number| domain(number, Kind::Good, farm.port));
    let mut count = 0_u32;
    run(scan, names, |report| {
        expect_verified(report);
        connections += u32::from(!report.sessions[0].shared);
        count += 1;
        if count.is_multiple_of(1000) {
            most = most.max(Memory::now().unwrap_or(base));
        }
    })?;
    let (time, cpu) = (began.elapsed().as_secs_f64(), Cpu::now().since(&before));
    println!("shared: {DOMAINS} domains behind 100 servers");
    println!("  connections                  {connections}");
    println!("  domains a minute             {:.0}", f64::from(DOMAINS) / time * 60.0);
    println!("  CPU each, microseconds       {:.1}", cpu.divided_by(DOMAINS).all);
    println!("  memory beyond the base       {} KiB", most.0 - base.0);
    Ok(())
}

/// Memory of probes whose servers fall silent after the ClientHello.
fn silent(what: &str, groups: Vec<Group>) -> Result<()> {
    let probes = u32::try_from(raise_descriptor_limit().saturating_sub(100)).unwrap_or(10_000);
    let probes = probes.min(10_000);
    let farm = FarmProcess::start(probes)?;
    let mut scan = farm.scan(Level::Dane, unlimited());
    scan.probe.policy.groups = Groups(groups);
    // What one probe needs all need together: code, tables.
    run(scan.clone(), [domain(0, Kind::Good, farm.port)].into_iter(), |_| {})?;
    scan.probe.command_timeout = Duration::from_secs(600);
    let base = Memory::now()?;
    let names = (0..probes).map(|number| domain(number, Kind::Silent, farm.port));
    // When nothing more happens, all wait for their servers.
    let (sender, memory) = channel();
    let watch = move |handle: tlsfinger_blocking::Handle| {
        let mut before = Memory(0);
        loop {
            std::thread::sleep(Duration::from_secs(2));
            let now = Memory::now().unwrap_or(before);
            if now.0 > base.0 + 1000 && now.0.abs_diff(before.0) < 64 {
                handle.give(Input::Stop(Stop::Now));
                return sender.send(now).unwrap_or_default();
            }
            before = now;
        }
    };
    run_watched(scan, names, |_| {}, watch)?;
    let each = (memory.recv()?.0 - base.0) as f64 / f64::from(probes);
    println!("silent: {probes} at once, {what}: {each:.1} KiB resident each");
    Ok(())
}

/// Memory while a long list waits.
fn queue(domains: u32) -> Result<()> {
    let farm = FarmProcess::start(100)?;
    let scan = farm.scan(Level::Dane, ScanLimits::default());
    let base = Memory::now()?;
    let mut most = base;
    let names = (0..domains).map(|number| domain(number, Kind::Good, farm.port));
    let mut count = 0_u32;
    run(scan, names, |_| {
        count += 1;
        if count.is_multiple_of(500) {
            most = most.max(Memory::now().unwrap_or(base));
        }
    })?;
    println!("queue: {domains} destinations: {} KiB beyond the base", most.0 - base.0);
    Ok(())
}

fn domain(number: u32, kind: Kind, port: u16) -> Job {
    let host = format!("d{number}.{}.farm.test", kind.word());
    let place = Place::Inet { host: host.clone(), literal: false, service: None, port };
    let destination = Destination { text: host, place };
    Job { number: number.into(), destination, matches: Vec::new(), pins: Vec::new() }
}

fn expect_verified(report: &Report) {
    assert_eq!(report.outcome, Outcome::Session, "{report:?}");
    let verdict = report.sessions[0].verdict.as_ref().expect("TLS came about");
    assert_eq!(verdict.status, Status::Verified, "{report:?}");
}

/// As many connections as the machine bears.
fn unlimited() -> ScanLimits {
    ScanLimits {
        destinations: 20_000,
        transports: 19_000,
        connections: 10_000,
        per_address: 10_000,
        per_host: 10_000,
        pause: Duration::ZERO,
        ..ScanLimits::default()
    }
}

fn run(
    config: ScanConfig,
    jobs: impl Iterator<Item = Job>,
    report: impl FnMut(&Report),
) -> Result<()> {
    run_watched(config, jobs, report, |_| {})
}

fn run_watched(
    config: ScanConfig,
    jobs: impl Iterator<Item = Job>,
    report: impl FnMut(&Report),
    watch: impl FnOnce(tlsfinger_blocking::Handle) + Send + 'static,
) -> Result<()> {
    run_all(config, std::iter::once(jobs), report, watch)
}

/// Begins a batch when the one before is finished.
fn run_batches(
    config: ScanConfig,
    batches: impl Iterator<Item = impl Iterator<Item = Job>>,
    report: impl FnMut(&Report),
) -> Result<()> {
    run_all(config, batches, report, |_| {})
}

fn run_all(
    config: ScanConfig,
    mut batches: impl Iterator<Item = impl Iterator<Item = Job>>,
    mut report: impl FnMut(&Report),
    watch: impl FnOnce(tlsfinger_blocking::Handle) + Send + 'static,
) -> Result<()> {
    let inbox = Inbox::new()?;
    let handle = inbox.handle();
    let watched = handle.clone();
    std::thread::spawn(move || watch(watched));
    let mut scan = Scan::new(config, seed()?, wall_time());
    let mut jobs = batches.next();
    // Destinations that there is room for, and that are under way.
    let (mut room, mut under_way) = (0, 0_usize);
    run_with(&mut scan, inbox, |notice| {
        match notice {
            Notice::Event(_) => {}
            Notice::Report(finished) => {
                report(&finished);
                under_way -= 1;
            }
            Notice::Want(count) => room += count,
        }
        while room > 0 {
            match jobs.as_mut().and_then(Iterator::next) {
                Some(job) => handle.give(Input::Add(Box::new(job))),
                None if under_way > 0 => return,
                None => {
                    jobs = batches.next();
                    if jobs.is_none() {
                        return handle.give(Input::Stop(Stop::End));
                    }
                    continue;
                }
            }
            room -= 1;
            under_way += 1;
        }
    })?;
    Ok(())
}

/// A farm in a process of its own.
struct FarmProcess {
    child: Child,
    /// Kept open as long as it may write.
    _output: Lines<BufReader<ChildStdout>>,
    port: u16,
    resolver: SocketAddr,
    root: Certificate,
}

impl FarmProcess {
    fn start(servers: u32) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--farm", &servers.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let mut line = || lines.next().ok_or("no farm")?.map_err(Box::<dyn Error>::from);
        let (port, resolver) = (line()?.parse()?, line()?.parse()?);
        let mut pem = String::new();
        while !pem.contains("-----END") {
            pem += &line()?;
            pem.push('\n');
        }
        let root = CertificateDer::from_pem_slice(pem.as_bytes())?.to_vec();
        let root = Certificate::parse(root.into()).map_err(|error| format!("{error:?}"))?;
        Ok(Self { child, _output: lines, port, resolver, root })
    }

    fn scan(&self, level: Level, limits: ScanLimits) -> ScanConfig {
        let mut trust = TrustStore::default();
        trust.add(self.root.clone());
        let resolvers = ResolvConf { servers: vec![self.resolver.into()], ..Default::default() };
        let lookup = Lookup { resolvers, dnssec: DnssecTrust::Trust, ..Lookup::default() };
        let policy = Policy { trust, ..Policy::default() };
        let probe = Config { level, lookup, policy, ..Config::default() };
        ScanConfig { probe, limits, ..ScanConfig::default() }
    }
}

impl Drop for FarmProcess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Is a farm until the standard input ends.
fn serve(servers: u32) -> Result<()> {
    raise_descriptor_limit();
    let farm = Farm::start(Size { servers, threads: 1, ..Size::default() })?;
    farm.prepare(Kind::Good);
    let mut out = std::io::stdout();
    writeln!(out, "{}\n{}\n{}", farm.port(), farm.resolver(), farm.root_pem())?;
    out.flush()?;
    std::io::stdin().lines().for_each(drop);
    Ok(())
}
