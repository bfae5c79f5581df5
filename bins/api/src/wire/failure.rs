//! Failures on the wire. What servers and tools say may name accounts, so viewers are told the kind.

use dilux_core::transfer::{Failure, FailureKind};

use crate::caller::Caller;

/// Why something failed, as the caller may see it.
pub(super) fn message(kind: FailureKind, message: &str, caller: &Caller) -> String {
    // Why a slot was missed is said by the service itself.
    if caller.sees_accounts() || kind == FailureKind::Missed {
        message.to_owned()
    } else {
        kind.sentence().to_owned()
    }
}

/// The tool's last words, where there are some and the caller may see them.
pub(super) fn detail(failure: &Failure, caller: &Caller) -> Option<String> {
    let is_shown = caller.sees_accounts() && !failure.detail.is_empty();
    is_shown.then(|| failure.detail.clone())
}
