//! Deliberate defects, to prove that the simulation notices defects.

/// What a broken store, or a broken product, does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// It says that a row was written and forgets it, now and then.
    LosesRows,
    /// It writes a row whatever version it has.
    IgnoresVersions,
    /// It overwrites a blob that was to be created.
    OverwritesBlobs,
    /// It changes a bit of a block, now and then.
    FlipsBits,
    /// It says that there is nothing where it should say that it does not know.
    ReadsFailureAsEmpty,
    /// It hands out what was written, although that has decayed: whoever verifies it is deceived.
    HidesDecay,
    /// Retention keeps one backup of each tier fewer than people want.
    KeepsTooFew,
}

impl Defect {
    /// Every defect.
    pub const ALL: [Self; 7] = [
        Self::LosesRows,
        Self::IgnoresVersions,
        Self::OverwritesBlobs,
        Self::FlipsBits,
        Self::ReadsFailureAsEmpty,
        Self::HidesDecay,
        Self::KeepsTooFew,
    ];
}
