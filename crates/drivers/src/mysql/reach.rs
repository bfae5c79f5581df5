//! The one address of several that answers: the tools take one host, and no list as libpq does.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::driver::Target;

/// The same target with the first address that takes a connection; with the first one when none
/// does, so that the tool says why.
pub(super) async fn narrowed(target: &Target, patience: Duration) -> Target {
    let addresses = &target.addresses;
    if addresses.len() < 2 {
        return target.clone();
    }
    let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    let share = patience / count;
    let mut chosen = addresses.first();
    for address in addresses {
        let connecting = TcpStream::connect((*address, target.port.get()));
        if matches!(tokio::time::timeout(share, connecting).await, Ok(Ok(_))) {
            chosen = Some(address);
            break;
        }
    }
    Target {
        addresses: chosen.into_iter().copied().collect(),
        ..target.clone()
    }
}
