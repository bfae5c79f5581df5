//! Sizes and names of the blocks of one blob.

use dilux_core::random::Random;
use dilux_core::storage::BlockId;

/// Blocks that a blob may have
/// (Azure: "Scalability and performance targets for Blob storage").
pub(crate) const MOST_BLOCKS: usize = 50_000;
/// The largest block. The service takes 4000 MiB; memory does not.
pub(crate) const LARGEST_BLOCK: usize = 256 << 20;
/// Blocks that keep the first size: 302 GB of blocks of 8 MiB.
const STEADY_BLOCKS: usize = 36_000;
/// Blocks after which the size doubles again, up to the largest.
const BLOCKS_PER_SIZE: usize = 500;

/// Size of the block `index`, counted from 0, where the first has `first` bytes; `None` when a
/// blob cannot hold so many. With 8 MiB a blob holds 3.7 TB.
pub(crate) fn block_bytes(first: usize, index: usize) -> Option<usize> {
    if index >= MOST_BLOCKS {
        return None;
    }
    let doublings = match index.checked_sub(STEADY_BLOCKS) {
        None => 0,
        Some(beyond) => 1 + beyond / BLOCKS_PER_SIZE,
    };
    let mut bytes = first;
    for _ in 0..doublings {
        if bytes >= LARGEST_BLOCK {
            break;
        }
        bytes *= 2;
    }
    Some(bytes.min(LARGEST_BLOCK))
}

/// The names of the blocks of one attempt: 8 bytes epoch, 16 random, 8 index, so that no other
/// attempt can ever name the same block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockNames {
    prefix: [u8; 24],
}

impl BlockNames {
    pub(crate) fn new(epoch: u64, random: &dyn Random) -> Self {
        let mut prefix = [0; 24];
        prefix[..8].copy_from_slice(&epoch.to_be_bytes());
        random.fill(&mut prefix[8..]);
        Self { prefix }
    }

    pub(crate) fn id(&self, index: usize) -> BlockId {
        let mut id = [0; 32];
        id[..24].copy_from_slice(&self.prefix);
        id[24..].copy_from_slice(&(index as u64).to_be_bytes());
        BlockId(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dilux_core::random::SystemRandom;

    const FIRST: usize = 8 << 20;

    #[test]
    fn blocks_stay_small_up_to_300_gigabytes() {
        let bytes: usize = (0..MOST_BLOCKS)
            .map_while(|i| block_bytes(FIRST, i).filter(|b| *b == FIRST))
            .sum();
        assert!(bytes >= 300_000_000_000, "{bytes}");
    }

    #[test]
    fn fifty_thousand_blocks_carry_more_than_three_terabytes() {
        let bytes: usize = (0..MOST_BLOCKS).filter_map(|i| block_bytes(FIRST, i)).sum();
        assert!(bytes >= 3_600_000_000_000, "{bytes}");
        assert_eq!(block_bytes(FIRST, MOST_BLOCKS), None);
    }

    #[test]
    fn blocks_never_shrink_and_never_exceed_the_largest() {
        let sizes: Vec<usize> = (0..MOST_BLOCKS)
            .filter_map(|i| block_bytes(FIRST, i))
            .collect();
        assert!(sizes.is_sorted());
        assert_eq!(sizes.last(), Some(&LARGEST_BLOCK));
        assert_eq!(block_bytes(FIRST, STEADY_BLOCKS), Some(2 * FIRST));
    }

    #[test]
    fn names_of_blocks_differ_between_indexes_and_between_attempts() {
        let (one, other) = (
            BlockNames::new(7, &SystemRandom),
            BlockNames::new(7, &SystemRandom),
        );
        assert_ne!(one.id(0), one.id(1));
        assert_ne!(one.id(0), other.id(0));
        assert_eq!(one.id(5).0[..8], 7_u64.to_be_bytes());
        assert_eq!(one.id(5).0[24..], 5_u64.to_be_bytes());
    }
}
