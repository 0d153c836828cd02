//! The fuzzer's door to [`tlsfinger_fuzz::tunnel`].
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tlsfinger_fuzz::tunnel(data));

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("built without a fuzzer: see fuzz/README.md");
}
