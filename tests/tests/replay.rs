//! Every file in `tests/traces` as a test by its name: a recorded run is given its inputs again, and
//! every output must be the recorded one, octet by octet. See `tests/examples/record.rs`.

use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use tlsfinger_core::trace::Trace;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("there are traces")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "trace"))
        .collect();
    files.sort();
    let trial = |path: PathBuf| {
        let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        Trial::test(name, move || replay(&path))
    };
    let mut trials: Vec<_> = files.into_iter().map(trial).collect();
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
