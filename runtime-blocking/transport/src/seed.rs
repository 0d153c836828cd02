//! The seed of a run, from the system's source of randomness.

use std::io;

use rustix::io::{Errno, retry_on_intr};
use rustix::rand::{GetRandomFlags, getrandom};
use tlsfinger_core::Seed;

/// Draws a seed from the operating system.
///
/// # Errors
///
/// Fails only where the system call is forbidden or unknown.
pub fn seed() -> io::Result<Seed> {
    let mut seed = Seed::default();
    let drawn = retry_on_intr(|| getrandom(&mut seed, GetRandomFlags::empty()))?;
    // The system never draws fewer than asked for when it is asked for at most 256 octets.
    if drawn == seed.len() { Ok(seed) } else { Err(Errno::IO.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ() {
        let seeds = [seed().expect("a seed"), seed().expect("a seed"), Seed::default()];
        assert!(seeds[0] != seeds[1] && !seeds[..2].contains(&seeds[2]));
    }
}
