use proptest::prelude::*;

use super::*;

fn judge(networks: &AllowedNetworks, address: &str) -> Result<(), AddressRefusal> {
    networks.judge(address.parse().unwrap())
}

fn only(text: &str) -> AllowedNetworks {
    text.parse().unwrap()
}

/// Every way to write an IPv4 address as an IPv6 one.
fn forms(address: Ipv4Addr) -> Vec<Ipv6Addr> {
    let [a, b, c, d] = address.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let mut forms = vec![
        address.to_ipv6_mapped(),
        Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
        Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
    ];
    // These two are addresses of IPv6 itself.
    if address.to_bits() > 1 {
        forms.push(Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low));
    }
    forms
}

/// Every way to name an address whose packets are taken to an IPv4 address.
fn tunnels(address: Ipv4Addr) -> [Ipv6Addr; 2] {
    let [a, b, c, d] = address.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    [0, 0x200].map(|mark| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, mark, 0x5efe, high, low))
}

/// Addresses that nobody may allow, as ranges.
const NEVER: &[(&str, &str)] = &[
    ("0.0.0.0", "0.255.255.255"),
    ("169.254.0.0", "169.254.255.255"),
    ("168.63.129.16", "168.63.129.16"),
    ("100.100.100.200", "100.100.100.200"),
    ("192.0.0.0", "192.0.0.255"),
    ("224.0.0.0", "255.255.255.255"),
];

const EVERYTHING: &str = "public,private,loopback,0.0.0.0/0,::/0";

fn never() -> impl Strategy<Value = Ipv4Addr> {
    let bits = |text: &str| text.parse::<Ipv4Addr>().unwrap().to_bits();
    (0..NEVER.len(), any::<u32>()).prop_map(move |(row, offset)| {
        let (first, last) = (bits(NEVER[row].0), bits(NEVER[row].1));
        Ipv4Addr::from_bits(first + offset % (last - first + 1))
    })
}

proptest! {
    #[test]
    fn an_ipv4_address_is_judged_alike_in_every_form(bits: u32) {
        let address = Ipv4Addr::from_bits(bits);
        for networks in ["public", "private", "loopback", "10.0.0.0/8", "private,loopback"] {
            let networks = only(networks);
            let plain = networks.judge(address.into());
            for form in forms(address) {
                prop_assert_eq!(networks.judge(form.into()), plain, "{}", form);
            }
        }
    }

    #[test]
    fn what_is_never_connected_to_can_be_allowed_by_nobody(address in never()) {
        let networks = only(EVERYTHING);
        let refused = |address| matches!(networks.judge(address), Err(AddressRefusal::Never(_)));
        prop_assert!(refused(address.into()), "{}", address);
        for form in forms(address).into_iter().chain(tunnels(address)) {
            prop_assert!(refused(form.into()), "{}", form);
        }
    }

    #[test]
    fn link_local_and_multicast_addresses_of_ipv6_can_be_allowed_by_nobody(bits: u128) {
        let networks = only(EVERYTHING);
        for (prefix, length) in [(0xfe80_u128 << 112, 10), (0xff00 << 112, 8)] {
            let address = Ipv6Addr::from_bits(prefix | (bits >> length));
            prop_assert!(networks.judge(address.into()).is_err(), "{}", address);
        }
    }

    #[test]
    fn a_network_holds_the_addresses_that_begin_as_it_does(bits: u32, length in 0_u32..=32) {
        let inside = Ipv4Addr::from_bits(bits);
        let network = only(&format!("{inside}/{length}"));
        let plain = only("public,private,loopback");
        if plain.judge(inside.into()).is_ok() {
            prop_assert!(network.judge(inside.into()).is_ok());
        }
        if length > 0 {
            let outside = Ipv4Addr::from_bits(bits ^ (1 << (32 - length)));
            prop_assert!(network.judge(outside.into()).is_err(), "{}", outside);
        }
    }

    #[test]
    fn no_text_is_read_with_a_panic(text: String) {
        text.parse::<AllowedNetworks>().ok();
    }
}

#[test]
fn databases_beside_the_service_and_in_private_networks_are_allowed_by_default() {
    let networks = AllowedNetworks::default();
    assert_eq!(only("public,private,loopback"), networks);
    for address in [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "fd12::1",
        "20.1.2.3",
        "2603:1000::1",
    ] {
        assert_eq!(judge(&networks, address), Ok(()), "{address}");
    }
}

#[test]
fn addresses_of_platforms_are_refused_with_a_sentence() {
    for address in [
        "169.254.169.254",
        "169.254.169.253",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
        "fe80::1",
        "ff02::1",
        "::",
        "0.0.0.0",
        "255.255.255.255",
        "::169.254.169.254",
    ] {
        let refusal = judge(&only(EVERYTHING), address).unwrap_err();
        assert!(
            refusal.to_string().ends_with("never connected to"),
            "{address}: {refusal}"
        );
    }
}

#[test]
fn an_administrator_narrows_what_is_allowed() {
    let networks = only("10.1.0.0/16, fd12::/16,192.168.7.7");
    for address in ["10.1.2.3", "fd12::7", "192.168.7.7", "::ffff:10.1.2.3"] {
        assert_eq!(judge(&networks, address), Ok(()), "{address}");
    }
    for (address, kind) in [
        ("10.2.0.1", "private"),
        ("127.0.0.1", "loopback"),
        ("8.8.8.8", "public"),
        ("192.168.7.8", "private"),
        ("::1", "loopback"),
        ("2603::1", "public"),
    ] {
        assert_eq!(
            judge(&networks, address),
            Err(AddressRefusal::NotAllowed(kind)),
            "{address}"
        );
    }
}

#[test]
fn what_is_no_network_is_not_taken() {
    for text in [
        "",
        "everything",
        "10.0.0.0/33",
        "::/129",
        "10.0.0.0/-1",
        "10/8",
        "public,,private",
    ] {
        assert!(text.parse::<AllowedNetworks>().is_err(), "{text}");
    }
}
