//! Every file in `tests/traces` as a test by its name: a recorded run is given its inputs again, and
//! every output must be the recorded one, octet by octet. See `tests/examples/record.rs`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use tlsfinger_core::Notice;
use tlsfinger_core::report::{Event, TlsNote};
use tlsfinger_core::trace::{Fidelity, Trace};

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("there are traces")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "trace"))
        .collect();
    files.sort();
    let name = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let wire = |path: PathBuf| Trial::test(name(&path), move || replay(&path));
    let tunnel = |path: PathBuf| {
        let name = format!("{}_by_another_library", name(&path));
        Trial::test(name, move || another_library(&path))
    };
    let mut trials: Vec<_> = files.iter().cloned().map(wire).collect();
    trials.extend(files.into_iter().map(tunnel));
    trials.push(Trial::test("another_seed_makes_a_difference", another_seed));
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Plays a trace. `TLSFINGER_BLESS=1` writes today's outputs into it.
fn replay(path: &Path) -> Result<(), Failed> {
    let text = std::fs::read_to_string(path)?;
    let played = Trace::parse(&text)?.play(|_| {});
    match played.difference {
        None if played.text == text => Ok(()),
        None => Err("it would be written in another form".into()),
        Some(_) if std::env::var_os("TLSFINGER_BLESS").is_some() => {
            Ok(std::fs::write(path, played.text)?)
        }
        Some(difference) => Err(difference.to_string().into()),
    }
}

/// As if another version of rustls had recorded, of whose octets this one understands nothing: the
/// same is told, and the report is the same.
fn another_library(path: &Path) -> Result<(), Failed> {
    let text = std::fs::read_to_string(path)?;
    let trace = Trace::parse(&text)?;
    let (mut told, mut again) = (Vec::new(), Vec::new());
    trace.play(|notice| told.push(notice));
    let (other, garbled) = garble(&text);
    let trace = Trace::parse(&other)?;
    let fidelity = if garbled { Fidelity::Tunnel } else { Fidelity::Wire };
    assert_eq!(trace.fidelity(), fidelity);
    let played = trace.play(|notice| again.push(notice));
    assert_eq!(played.difference, None);
    // What is seen of the octets from outside is garbled too.
    let inside = |notice: &Notice| {
        !matches!(
            notice,
            Notice::Event(Event::Tls(
                TlsNote::Record(..) | TlsNote::Wire(..) | TlsNote::Message(..) | TlsNote::Alert(..)
            ))
        )
    };
    told.retain(inside);
    again.retain(inside);
    assert_eq!(again, told);
    Ok(())
}

/// Changes the version of rustls, and all octets that the steps of TLS stand for.
fn garble(text: &str) -> (String, bool) {
    let mut secured = BTreeSet::new();
    let garbled = text.lines().map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["rustls", _] => "rustls \"0.0.0\"".to_owned(),
            [_, ">", "tell", "tunnel", id, ..] => {
                secured.insert(id.to_owned());
                line.to_owned()
            }
            [time, way, verb @ ("send" | "received"), id, ref octets @ ..]
                if secured.contains(id) =>
            {
                let size = octets.join(" ").len() / 2;
                // Outputs must have the octets that the steps count.
                let size = if verb == "send" { (octets[0].len() - 1) / 2 } else { size };
                format!("{time} {way} {verb} {id} x{}", "ff".repeat(size))
            }
            _ => line.to_owned(),
        }
    });
    let garbled: String = garbled.map(|line| line + "\n").collect();
    (garbled, !secured.is_empty())
}

fn another_seed() -> Result<(), Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces/openssl-tls13.trace");
    let text = std::fs::read_to_string(path)?;
    let other = text.replacen("\nseed x07", "\nseed x08", 1);
    assert_ne!(text, other);
    let difference = Trace::parse(&other)?.play(|_| {}).difference.ok_or("nothing differs")?;
    // The first that differs is the ClientHello.
    assert!(difference.to_string().contains("\n- 0.060000 > send t0 x160301"), "{difference}");
    Ok(())
}
