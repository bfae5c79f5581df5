//! The only door to randomness, so that simulations can be replayed from a seed.

use std::fmt::Debug;
use std::sync::Arc;

/// A source of random bytes.
pub trait Random: Send + Sync + Debug {
    /// Fills `buffer` with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}

/// A shared source of randomness.
pub type SharedRandom = Arc<dyn Random>;

/// The operating system's generator; fit for keys and tokens.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(
        clippy::expect_used,
        clippy::disallowed_methods,
        reason = "the one source of entropy; without it no key, token or id is safe to make"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system provides random bytes");
    }
}

/// A random version 4 UUID as lower-case text.
pub fn uuid_text(random: &dyn Random) -> String {
    let mut bytes = [0_u8; 16];
    random.fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}

/// `length` random bytes as lower-case hexadecimal text.
pub fn hex_text(random: &dyn Random, length: usize) -> String {
    let mut bytes = vec![0_u8; length];
    random.fill(&mut bytes);
    data_encoding::HEXLOWER.encode(&bytes)
}
