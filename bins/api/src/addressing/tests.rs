use axum::body::Body;

use super::*;

const PROXY: &str = "127.0.0.1:50000";
const OTHER: &str = "127.0.0.9:50000";

fn settings(proxies: &str, public_url: Option<&str>) -> AccessSettings {
    AccessSettings {
        trusted_proxies: proxies.parse().unwrap(),
        public_url: public_url.map(|text| text.parse().unwrap()),
        ..AccessSettings::default()
    }
}

/// A site behind two proxies, of which the nearer one is on this machine.
fn behind_proxies() -> AccessSettings {
    settings("127.0.0.1,10.1.0.0/16", Some("https://backup.example.org"))
}

fn request(peer: &str, headers: &[(&str, &str)]) -> Request {
    let mut request = Request::builder().uri("/api/engines");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let peer: SocketAddr = peer.parse().unwrap();
    let request = request.extension(ConnectInfo(peer));
    request.body(Body::empty()).unwrap()
}

/// Who the client is, by these values of `X-Forwarded-For`.
fn client(peer: &str, hops: &[&str]) -> Result<String, Refusal> {
    let mut headers = vec![("host", "localhost")];
    headers.extend(hops.iter().map(|hops| ("x-forwarded-for", *hops)));
    let addressing = Addressing::of(&request(peer, &headers), &behind_proxies())?;
    Ok(addressing.client().unwrap().to_string())
}

/// Whether a page of `origin` is our own for a request with these headers.
fn is_own(headers: &[(&str, &str)], origin: &str) -> bool {
    let addressing = Addressing::of(&request(PROXY, headers), &behind_proxies()).unwrap();
    addressing.is_own(&HeaderValue::from_str(origin).unwrap())
}

fn is_foreign(peer: &str, settings: &AccessSettings, headers: &[(&str, &str)]) -> bool {
    let addressing = Addressing::of(&request(peer, headers), settings);
    matches!(addressing, Err(Refusal::ForeignHost))
}

#[test]
fn the_client_is_the_last_stranger_on_the_way_here() {
    for (hops, expected) in [
        (&[][..], "127.0.0.1"),
        (&["203.0.113.7"], "203.0.113.7"),
        (&["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        (&["203.0.113.7, 10.1.2.3"], "203.0.113.7"),
        (&["203.0.113.7", "10.1.2.3"], "203.0.113.7"),
        (&["203.0.113.7 ,10.1.2.3, 127.0.0.1"], "203.0.113.7"),
        (&["10.1.9.9, 10.1.2.3"], "10.1.9.9"),
        (&["203.0.113.7:4711"], "203.0.113.7"),
        (&["2001:db8::7"], "2001:db8::7"),
        (&["[2001:db8::7]"], "2001:db8::7"),
        (&["[2001:db8::7]:4711"], "2001:db8::7"),
        (&["::ffff:203.0.113.7"], "203.0.113.7"),
        (&["203.0.113.7, ::ffff:10.1.2.3"], "203.0.113.7"),
        // What the client wrote itself is not read.
        (&["nonsense, 203.0.113.7"], "203.0.113.7"),
    ] {
        let found = client(PROXY, hops).map_err(|refusal| format!("{refusal:?}"));
        assert_eq!(found.as_deref(), Ok(expected), "{hops:?}");
    }
}

#[test]
fn what_a_trusted_proxy_says_must_be_addresses() {
    for hops in [
        &[""][..],
        &["unknown"],
        &["203.0.113.7,"],
        &["203.0.113.7, unknown"],
        &["203.0.113.7", ""],
        &["203.0.113.7 10.1.2.3"],
        &["203.0.113.7.8"],
        &["[203.0.113.7]"],
        &["2001:db8::7]"],
        &["fe80::1%eth0"],
    ] {
        let refused = matches!(client(PROXY, hops), Err(Refusal::MalformedForwarding(_)));
        assert!(refused, "{hops:?}");
    }
}

#[test]
fn nobody_but_a_trusted_proxy_says_who_calls() {
    for hops in [&["203.0.113.7"][..], &["nonsense"], &["127.0.0.1"], &[""]] {
        let found = client(OTHER, hops).map_err(|refusal| format!("{refusal:?}"));
        assert_eq!(found.as_deref(), Ok("127.0.0.9"), "{hops:?}");
    }
    let headers = [("host", "localhost"), ("x-forwarded-for", "203.0.113.7")];
    let nobody = AccessSettings::default();
    let addressing = Addressing::of(&request(PROXY, &headers), &nobody).unwrap();
    assert_eq!(addressing.client(), "127.0.0.1".parse().ok());
}

#[test]
fn only_names_of_this_machine_are_loopback() {
    for name in [
        "localhost",
        "LOCALHOST:7071",
        "127.0.0.1",
        "127.8.8.8:1",
        "[::1]",
        "[::1]:7071",
    ] {
        assert!(is_loopback_name(name), "{name}");
    }
    for name in [
        "",
        "example.org",
        "localhost.example.org",
        "127.0.0.1.example.org:7071",
        "10.0.0.1",
        "[::2]",
        "user@localhost",
        "localhost:7071@example.org",
        "0.0.0.0",
    ] {
        assert!(!is_loopback_name(name), "{name}");
    }
}

#[test]
fn a_trusted_proxy_may_call_by_the_public_name() {
    let ours = behind_proxies();
    for headers in [
        &[("host", "backup.example.org")][..],
        &[("host", "BACKUP.example.org:443")],
        &[
            ("host", "127.0.0.1:7071"),
            ("x-forwarded-host", "backup.example.org"),
        ],
    ] {
        assert!(!is_foreign(PROXY, &ours, headers), "{headers:?}");
    }
    let direct = [("host", "backup.example.org")];
    assert!(is_foreign(OTHER, &ours, &direct), "not a proxy");
    let unnamed = settings("127.0.0.1", None);
    assert!(is_foreign(PROXY, &unnamed, &direct), "no public name");
}

#[test]
fn every_name_must_be_ours_whatever_another_header_says() {
    let ours = behind_proxies();
    for headers in [
        &[("host", "evil.example"), ("x-forwarded-host", "localhost")][..],
        &[
            ("host", "evil.example"),
            ("x-forwarded-host", "backup.example.org"),
        ],
        &[("host", "localhost"), ("x-forwarded-host", "evil.example")],
        &[("host", "backup.example.org.evil.example")],
        &[("host", "evil.example@backup.example.org")],
        &[("host", "backup.example.org"), ("host", "localhost")],
        &[("x-forwarded-host", "localhost")],
    ] {
        assert!(is_foreign(PROXY, &ours, headers), "{headers:?}");
    }
    let ignored = [("host", "localhost"), ("x-forwarded-host", "evil.example")];
    assert!(!is_foreign(OTHER, &ours, &ignored), "nobody said so");
}

#[test]
fn a_trusted_proxy_says_one_host_and_one_scheme_or_none() {
    for wrong in [
        &[("x-forwarded-host", "")][..],
        &[("x-forwarded-host", "localhost, localhost")],
        &[
            ("x-forwarded-host", "localhost"),
            ("x-forwarded-host", "localhost"),
        ],
        &[("x-forwarded-proto", "ftp")],
        &[("x-forwarded-proto", "https,http")],
        &[
            ("x-forwarded-proto", "https"),
            ("x-forwarded-proto", "https"),
        ],
    ] {
        let headers = [&[("host", "localhost")][..], wrong].concat();
        let addressing = Addressing::of(&request(PROXY, &headers), &behind_proxies());
        let refused = matches!(addressing, Err(Refusal::MalformedForwarding(_)));
        assert!(refused, "{wrong:?}");
        let addressing = Addressing::of(&request(OTHER, &headers), &behind_proxies());
        assert!(addressing.is_ok(), "ignored: {wrong:?}");
    }
}

#[test]
fn pages_of_the_public_url_and_of_the_called_name_are_our_own() {
    let local = [("host", "localhost:7071")];
    for own in [
        "https://backup.example.org",
        "http://localhost:7071",
        "https://localhost:7071",
    ] {
        assert!(is_own(&local, own), "{own}");
    }
    for foreign in [
        "null",
        "",
        "http://backup.example.org",
        "https://backup.example.org:8443",
        "http://localhost:8080",
        "http://127.0.0.1:7071",
        "http://localhost:7071.evil.example",
        "https://evil.example",
    ] {
        assert!(!is_own(&local, foreign), "{foreign}");
    }
    let tls = [("host", "localhost:7071"), ("x-forwarded-proto", "HTTPS")];
    assert!(is_own(&tls, "https://localhost:7071"));
    assert!(!is_own(&tls, "http://localhost:7071"), "loaded without TLS");
    let renamed = [
        ("host", "127.0.0.1:7071"),
        ("x-forwarded-host", "backup.example.org"),
        ("x-forwarded-proto", "http"),
    ];
    assert!(is_own(&renamed, "https://backup.example.org"));
    assert!(!is_own(&renamed, "http://backup.example.org"));
    assert!(!is_own(&renamed, "http://127.0.0.1:7071"), "not called so");
}
