//! How fast traces are played: all of `tests/traces`, read and played, by the octets of TLS and by the
//! recorded steps of it.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tlsfinger_core::trace::{Fidelity, Trace};

fn replay(criterion: &mut Criterion) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let files = std::fs::read_dir(folder).expect("there are traces");
    let texts: Vec<String> = files
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "trace"))
        .map(|path| std::fs::read_to_string(path).expect("it is text"))
        .collect();
    let mut group = criterion.benchmark_group("replay");
    group.sample_size(20).throughput(Throughput::Elements(texts.len() as u64));
    for (name, fidelity) in [("wire", Fidelity::Wire), ("tunnel", Fidelity::Tunnel)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for text in &texts {
                    let trace = Trace::parse(text).expect("it is a trace");
                    let played = trace.play_with(fidelity, |probe| probe, |_| {});
                    assert_eq!(black_box(played).difference, None);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, replay);
criterion_main!(benches);
