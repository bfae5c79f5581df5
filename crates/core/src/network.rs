//! Which addresses the service connects to on behalf of people. Pure: names are resolved elsewhere,
//! and every address that they lead to is judged here.

mod proxies;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

pub use proxies::TrustedProxies;

use crate::model::InvalidName;

/// The networks that database servers may be in: what an administrator allows. What belongs to the
/// platform underneath or to no host at all is never allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedNetworks {
    public: bool,
    private: bool,
    loopback: bool,
    named: Vec<IpNet>,
}

impl Default for AllowedNetworks {
    /// Everything that may be allowed: databases live in private networks and beside the service.
    fn default() -> Self {
        Self {
            public: true,
            private: true,
            loopback: true,
            named: Vec::new(),
        }
    }
}

/// Why an address is not connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefusal {
    /// Nobody may allow it.
    #[error("which is {0} and never connected to")]
    Never(&'static str),
    /// The administrator has not allowed it.
    #[error("which is in a {0} network that DILUX_ALLOWED_NETWORKS does not name")]
    NotAllowed(&'static str),
}

impl AllowedNetworks {
    /// Whether a server may have this address, in whichever form it is written.
    pub fn judge(&self, address: IpAddr) -> Result<(), AddressRefusal> {
        self.judge_one(unwrapped(address))?;
        // An address of its own that leads on to another one.
        tunnelled(address).map_or(Ok(()), |inner| self.judge_one(inner.into()))
    }

    fn judge_one(&self, address: IpAddr) -> Result<(), AddressRefusal> {
        let (is_allowed, kind) = match reach(address) {
            Reach::Never(what) => return Err(AddressRefusal::Never(what)),
            Reach::Loopback => (self.loopback, "loopback"),
            Reach::Private => (self.private, "private"),
            Reach::Public => (self.public, "public"),
        };
        if is_allowed || self.named.iter().any(|network| network.contains(&address)) {
            Ok(())
        } else {
            Err(AddressRefusal::NotAllowed(kind))
        }
    }
}

impl FromStr for AllowedNetworks {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let mut networks = Self {
            public: false,
            private: false,
            loopback: false,
            named: Vec::new(),
        };
        for word in text.split(',').map(str::trim) {
            match word {
                "public" => networks.public = true,
                "private" => networks.private = true,
                "loopback" => networks.loopback = true,
                text => networks.named.push(network(text)?),
            }
        }
        Ok(networks)
    }
}

/// A network, or the network of one address.
fn network(text: &str) -> Result<IpNet, InvalidName> {
    let one = text.parse::<IpAddr>().map(IpNet::from);
    one.or_else(|_| text.parse()).map_err(|_| {
        InvalidName(
            "must name public, private, loopback or networks such as 10.1.0.0/16, with commas between"
                .to_owned(),
        )
    })
}

/// What is behind an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Never(&'static str),
    Loopback,
    Private,
    Public,
}

/// The IPv4 address that an IPv6 address leads to, where it is only a form of one.
fn unwrapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => embedded(v6).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        // Mapped, translated (RFC 2765), NAT64 (RFC 6052), 6to4 (RFC 3056).
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(v4(high, low)),
        // Compatible (RFC 4291), which :: and ::1 are not.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => Some(v4(high, low)),
        _ => None,
    }
}

/// The IPv4 address to which ISATAP (RFC 5214) takes packets for an address.
fn tunnelled(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V6(v6) => match v6.segments() {
            [_, _, _, _, 0 | 0x200, 0x5efe, ..] => {
                let [.., a, b, c, d] = v6.octets();
                Some(Ipv4Addr::new(a, b, c, d))
            }
            _ => None,
        },
        IpAddr::V4(_) => None,
    }
}

fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => reach_v6(v6),
    }
}

/// Registries: RFC 6890 and its successors; addresses of metadata services as the platforms'
/// documentation names them (Azure, AWS, Google and others use 169.254.169.254).
fn reach_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        [0, ..] => Reach::Never("no host's address"),
        [169, 254, ..] => Reach::Never("a link-local address, where platforms keep their metadata"),
        [168, 63, 129, 16] => Reach::Never("an address of the Azure platform"),
        [100, 100, 100, 200] | [192, 0, 0, _] => Reach::Never("an address of the platform"),
        [224..=239, ..] => Reach::Never("a multicast address"),
        [240..=255, ..] => Reach::Never("a reserved or broadcast address"),
        [127, ..] => Reach::Loopback,
        [10, ..]
        | [172, 16..=31, ..]
        | [192, 168, ..]
        | [100, 64..=127, ..]
        | [198, 18..=19, ..] => Reach::Private,
        _ => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Reach::Never("no host's address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Loopback,
        [0xfe80..=0xfebf, ..] => Reach::Never("a link-local address"),
        [0xff00..=0xffff, ..] => Reach::Never("a multicast address"),
        [0xfd00, 0xec2, ..] | [0xfd20, 0xce, ..] => {
            Reach::Never("an address of the platform, where it keeps its metadata")
        }
        // Teredo and the local form of NAT64 lead to IPv4 addresses that cannot be told from them.
        [0x2001, 0, ..] | [0x64, 0xff9b, 1, ..] => {
            Reach::Never("a form that hides an IPv4 address")
        }
        [0x100, 0, 0, 0, ..] => Reach::Never("an address that discards everything"),
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Reach::Private,
        _ => Reach::Public,
    }
}

#[cfg(test)]
mod tests;
