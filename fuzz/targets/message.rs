//! The fuzzer's door to [`tlsfinger_fuzz::message`].
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tlsfinger_fuzz::message(data));

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("built without a fuzzer: see fuzz/README.md");
}
