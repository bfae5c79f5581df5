//! Where a server may send a client on to. Azure SQL does so: the gateway that a name leads to lets the
//! client in and names the host of the database itself.

use dilux_core::model::{Host, Port, TlsMode};
use dilux_core::transfer::{Failure, FailureKind};

use crate::driver::Target;
use crate::process::escape_controls;

/// How often a client is sent on at most.
pub(super) const MOST: usize = 2;

/// The database servers of Azure, in each of its clouds. Nobody else sends clients on.
const DOMAINS: [&str; 3] = [
    ".database.windows.net",
    ".database.usgovcloudapi.net",
    ".database.chinacloudapi.cn",
];

/// The target with the address that its server names, with no address judged yet. Encryption is
/// insisted on: Azure always encrypts.
pub(super) fn followed(target: &Target, (host, port): (&str, u16)) -> Result<Target, Failure> {
    let refused = || {
        let from = &target.host;
        let message = format!(
            "{from} sends its clients on to '{}', which is not a server of the same domain of Azure; register the engine with the host that is meant",
            escape_controls(host)
        );
        Failure::new(FailureKind::Configuration, message)
    };
    let to: Host = host.parse().map_err(|_| refused())?;
    let domain = domain(&target.host).ok_or_else(refused)?;
    if self::domain(&to) != Some(domain) {
        return Err(refused());
    }
    let port = Port::try_from(i64::from(port)).map_err(|_| refused())?;
    let followed = Target {
        host: to,
        port,
        addresses: Vec::new(),
        ..target.clone()
    };
    Ok(followed.protected(TlsMode::Require))
}

fn domain(host: &Host) -> Option<&'static str> {
    let host = host.as_str().to_ascii_lowercase();
    let host = host.trim_end_matches('.');
    DOMAINS.into_iter().find(|domain| host.ends_with(domain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dilux_core::model::Credentials;
    use dilux_core::secret::SecretValue;

    fn target(host: &str) -> Target {
        let account = "backup".parse().unwrap();
        let credentials = Credentials::with_password(account, SecretValue::new("x"));
        let port = 1433.try_into().unwrap();
        let mut target = Target::at(host.parse().unwrap(), port, credentials);
        target.addresses = vec!["192.0.2.1".parse().unwrap()];
        target
    }

    #[test]
    fn clients_are_sent_on_inside_of_one_domain_of_azure_only() {
        let shop = target("shop.database.windows.net");
        let to = "c1.tr5.westeurope1-a.worker.database.windows.net";
        let followed = followed(&shop, (to, 11_042)).unwrap();
        assert_eq!(followed.host.as_str(), to);
        assert_eq!(followed.port.get(), 11_042);
        assert_eq!(followed.tls_mode, TlsMode::Require);
        assert!(followed.addresses.is_empty(), "they are judged again");
        assert_eq!(followed.credentials, shop.credentials);
        for (from, to) in [
            ("shop.database.windows.net", "evil.example"),
            (
                "shop.database.windows.net",
                "shop.database.windows.net.evil.example",
            ),
            ("shop.database.windows.net", "evildatabase.windows.net"),
            ("shop.database.windows.net", "x.database.chinacloudapi.cn"),
            ("shop.database.windows.net", "169.254.169.254"),
            ("shop.database.windows.net", "a/b.database.windows.net"),
            ("sql.example", "other.example"),
            ("sql.example", "x.database.windows.net"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            let failure = super::followed(&target(from), (to, 1433)).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Configuration);
            assert!(failure.message.contains(to), "{failure}");
        }
        assert!(super::followed(&shop, ("x.database.windows.net", 0)).is_err());
    }
}
