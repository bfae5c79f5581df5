//! Proxies whose word about a request is believed.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::model::InvalidName;

/// The proxies that an administrator named, by their addresses. The default is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the host at `address` is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for TrustedProxies {
    type Err = InvalidName;

    /// Addresses and networks, commas between.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let networks = text.split(',').map(|part| network(part.trim()));
        Ok(Self(networks.collect::<Result<_, _>>()?))
    }
}

fn network(text: &str) -> Result<IpNet, InvalidName> {
    let one = text.parse::<IpAddr>();
    let one = one.map(|address| IpNet::from(address.to_canonical()));
    let network = one.or_else(|_| text.parse::<IpNet>()).map_err(|_| {
        let rule =
            "must name addresses and networks such as 127.0.0.1 or 10.1.0.0/16, with commas between";
        InvalidName(rule.to_owned())
    })?;
    if network.prefix_len() == 0 {
        let rule = "must not name every address there is: whoever calls could then call themselves \
                    anybody";
        return Err(InvalidName(rule.to_owned()));
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_named_are_trusted_and_nobody_else() {
        let proxies: TrustedProxies = "127.0.0.1, 10.1.0.0/16,fd00::/8".parse().unwrap();
        for trusted in ["127.0.0.1", "10.1.2.3", "::ffff:10.1.2.3", "fd12::1"] {
            assert!(proxies.contains(trusted.parse().unwrap()), "{trusted}");
        }
        for other in ["127.0.0.2", "10.2.0.1", "::1", "::ffff:10.2.0.1", "fe80::1"] {
            assert!(!proxies.contains(other.parse().unwrap()), "{other}");
        }
        let mapped: TrustedProxies = "::ffff:127.0.0.1".parse().unwrap();
        assert!(mapped.contains("127.0.0.1".parse().unwrap()));
        let none = TrustedProxies::default();
        assert!(none.is_empty() && !none.contains("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_names_nobody_or_everybody_is_refused() {
        for wrong in [
            "",
            "127.0.0.1,",
            "localhost",
            "10.0.0.0/33",
            "127.0.0.1:80",
            "*",
            "0.0.0.0/0",
            "10.0.0.1,::/0",
        ] {
            assert!(wrong.parse::<TrustedProxies>().is_err(), "{wrong}");
        }
    }
}
