//! Addresses that an identity provider never has: its documents name addresses to call, and none of
//! them leads to the platform underneath. Connections go to the addresses that were judged.

use std::net::{IpAddr, SocketAddr};

use dilux_core::network::{AddressRefusal, AllowedNetworks};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// What is never connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the identity provider is said to be at {address}, {refusal}")]
pub(super) struct Refused {
    address: IpAddr,
    refusal: AddressRefusal,
}

/// Judges an address that needs no look-up.
pub(super) fn check(url: &Url) -> Result<(), Refused> {
    match url.host() {
        Some(Host::Ipv4(address)) => judge(address.into()),
        Some(Host::Ipv6(address)) => judge(address.into()),
        Some(Host::Domain(_)) | None => Ok(()),
    }
}

/// Looks names up, once for each connection, and judges every address that they lead to.
#[derive(Debug)]
pub(super) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found = all(found)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// All of them, or none when one is refused.
fn all(addresses: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, Refused> {
    addresses
        .map(|address| judge(address.ip()).map(|()| address))
        .collect()
}

fn judge(address: IpAddr) -> Result<(), Refused> {
    AllowedNetworks::default()
        .judge(address)
        .map_err(|refusal| Refused { address, refusal })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platform_underneath_is_no_identity_provider() {
        for url in [
            "http://169.254.169.254/metadata/identity/oauth2/token",
            "http://[fd00:ec2::254]/",
            "http://[::ffff:169.254.169.254]/",
            "http://168.63.129.16/",
            "http://0.0.0.0/",
        ] {
            let refused = check(&url.parse().unwrap()).unwrap_err();
            assert!(refused.to_string().contains("never connected to"), "{url}");
        }
        for url in [
            "https://login.microsoftonline.com/x",
            "https://10.1.2.3/realms/x",
            "http://127.0.0.1:8080/",
        ] {
            assert_eq!(check(&url.parse().unwrap()), Ok(()), "{url}");
        }
    }

    #[test]
    fn a_name_that_leads_there_too_is_refused_whole() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (good, bad) = (address("203.0.113.7:0"), address("169.254.169.254:0"));
        assert_eq!(all([good].into_iter()), Ok(vec![good]));
        assert!(all([good, bad].into_iter()).is_err());
    }

    #[tokio::test]
    async fn names_are_looked_up() {
        let name = "localhost".parse().unwrap();
        let found = Resolver.resolve(name).await.unwrap();
        assert!(found.map(|address| address.ip()).all(|ip| ip.is_loopback()));
    }
}
