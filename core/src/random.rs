//! The only source of randomness: one generator that grows from the seed of the run.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest as _, Sha256};

/// What all randomness of a run grows from. Drivers draw it from the operating system.
pub type Seed = [u8; 32];

/// A seeded generator (ChaCha20) for ids, shuffles, TLS randoms and key shares.
///
/// It is cryptographically strong as long as the seed is secret. The same seed gives the same
/// sequence on every machine; replays rely on it, so the crate is pinned.
#[derive(Clone, PartialEq, Eq)]
pub struct Random(ChaCha20Rng);

impl Random {
    /// Starts the sequence of `seed`.
    pub fn from_seed(seed: Seed) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// Starts the sequence of the same seed for one connection. Sequences of different numbers have
    /// nothing to do with each other, nor with this one, wherever it stands.
    pub(crate) fn of_connection(&self, number: u64) -> Self {
        let mut sequence = ChaCha20Rng::from_seed(self.0.get_seed());
        sequence.set_stream(number.wrapping_add(1));
        Self(sequence)
    }

    /// Starts a sequence of the same seed for what has this name.
    pub(crate) fn of_name(&self, name: &str) -> Self {
        let mut digest = Sha256::new();
        digest.update(self.0.get_seed());
        digest.update(name);
        Self::from_seed(digest.finalize().into())
    }

    /// Fills `bytes` with random ones.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// Draws a uniformly distributed 16-bit number, such as a DNS message id.
    pub fn u16(&mut self) -> u16 {
        let mut bytes = [0; 2];
        self.fill(&mut bytes);
        u16::from_be_bytes(bytes)
    }

    /// Draws a uniformly distributed number below `bound`; 0 if the bound is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        if bound == 0 {
            return 0;
        }
        // Rejection keeps the distribution uniform (Lemire's threshold).
        let reject = bound.wrapping_neg() % bound;
        loop {
            let drawn = self.0.next_u32();
            if drawn >= reject {
                return drawn % bound;
            }
        }
    }

    /// Puts `items` into a random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let bound = u32::try_from(last + 1).unwrap_or(u32::MAX);
            items.swap(last, self.below(bound) as usize);
        }
    }
}

/// A generator at rest, without the numbers that [`Random`] keeps ready.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RestingRandom {
    seed: Seed,
    stream: u64,
    position: u128,
}

impl From<&Random> for RestingRandom {
    fn from(Random(sequence): &Random) -> Self {
        let (seed, stream) = (sequence.get_seed(), sequence.get_stream());
        Self { seed, stream, position: sequence.get_word_pos() }
    }
}

impl RestingRandom {
    /// Makes the generator that goes on where this one rests.
    pub(crate) fn wake(&self) -> Random {
        let mut sequence = ChaCha20Rng::from_seed(self.seed);
        sequence.set_stream(self.stream);
        sequence.set_word_pos(self.position);
        Random(sequence)
    }
}

/// Shows nothing either.
impl std::fmt::Debug for RestingRandom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random(..)")
    }
}

/// Shows nothing of the state: whoever knows it can decrypt the run's TLS.
impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_is_pinned() {
        let mut random = Random::from_seed([7; 32]);
        let mut order: Vec<u8> = (0..8).collect();
        random.shuffle(&mut order);
        assert_eq!((random.u16(), order), (PINNED.0, PINNED.1.to_vec()));
    }

    /// Replays of recorded runs depend on these values: they change only on purpose.
    const PINNED: (u16, [u8; 8]) = (1892, [6, 5, 3, 0, 7, 2, 1, 4]);

    #[test]
    fn resting_is_the_same_sequence() {
        let mut awake = Random::from_seed([3; 32]).of_connection(5);
        let mut draw = [0; 7];
        awake.fill(&mut draw);
        let mut resting = RestingRandom::from(&awake);
        for octets in [1, 4, 32, 7, 300, 2] {
            let (mut expected, mut drawn) = (vec![0; octets], vec![0; octets]);
            awake.fill(&mut expected);
            let mut woken = resting.wake();
            woken.fill(&mut drawn);
            resting = RestingRandom::from(&woken);
            assert_eq!(drawn, expected);
        }
    }

    #[test]
    fn below_is_uniform_enough_and_bounded() {
        let mut random = Random::from_seed([1; 32]);
        let mut seen = [0_u32; 3];
        for _ in 0..3000 {
            seen[random.below(3) as usize] += 1;
        }
        assert!(seen.iter().all(|count| (800..1200).contains(count)), "{seen:?}");
        assert_eq!(random.below(0), 0);
    }
}
