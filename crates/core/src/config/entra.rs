//! Entra ID as database servers of Azure know it: which cloud, as whom the service signs in by
//! itself, and which servers may be sent a token.

use std::str::FromStr;

use super::IdentitySetting;
use crate::model::{EngineType, Host, InvalidName};

/// One of Azure's clouds, told by its authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AzureCloud {
    /// The public one.
    #[default]
    Public,
    /// That of the government of the United States.
    UsGovernment,
    /// That of 21Vianet in China.
    China,
}

impl AzureCloud {
    /// What a token has to be made for, so that a server of this type takes it.
    /// <https://learn.microsoft.com/azure/postgresql/security/security-entra-configure>
    pub fn database_scope(self, engine_type: EngineType) -> &'static str {
        let is_sql_server = engine_type == EngineType::SqlServer;
        match (self, is_sql_server) {
            (Self::Public, true) => "https://database.windows.net/.default",
            (Self::Public, false) => "https://ossrdbms-aad.database.windows.net/.default",
            (Self::UsGovernment, true) => "https://database.usgovcloudapi.net/.default",
            (Self::UsGovernment, false) => {
                "https://ossrdbms-aad.database.usgovcloudapi.net/.default"
            }
            (Self::China, true) => "https://database.chinacloudapi.cn/.default",
            (Self::China, false) => "https://ossrdbms-aad.database.chinacloudapi.cn/.default",
        }
    }
}

impl FromStr for AzureCloud {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.trim().trim_end_matches('/') {
            "https://login.microsoftonline.com" => Ok(Self::Public),
            "https://login.microsoftonline.us" => Ok(Self::UsGovernment),
            "https://login.chinacloudapi.cn" | "https://login.partner.microsoftonline.cn" => {
                Ok(Self::China)
            }
            _ => Err(InvalidName(
                "must be https://login.microsoftonline.com, https://login.microsoftonline.us or \
                 https://login.partner.microsoftonline.cn"
                    .to_owned(),
            )),
        }
    }
}

/// The hosts that may be sent tokens, by name, or by all names that end with a text such as
/// `.database.azure.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHosts(Vec<String>);

impl TokenHosts {
    /// The database servers of Azure, in each of its clouds.
    pub const AZURE: &str = ".database.azure.com,.database.windows.net,\
                             .database.usgovcloudapi.net,.database.chinacloudapi.cn";

    /// Whether `host` may be sent a token.
    pub fn may_receive(&self, host: &Host) -> bool {
        let host = host.as_str().to_ascii_lowercase();
        let host = host.trim_end_matches('.');
        self.0.iter().any(|allowed| {
            if allowed.starts_with('.') {
                host.ends_with(allowed)
            } else {
                host == allowed
            }
        })
    }
}

impl FromStr for TokenHosts {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let hosts = text.split(',').map(|host| {
            let host = host.trim().to_ascii_lowercase();
            let name = host.strip_prefix('.').unwrap_or(&host);
            Host::from_str(name)?;
            Ok(host)
        });
        hosts
            .collect::<Result<_, _>>()
            .map(Self)
            .map_err(|InvalidName(_): InvalidName| {
                InvalidName(
                    "must be host names with commas between; one that begins with a dot stands \
                     for all names that end with it"
                        .to_owned(),
                )
            })
    }
}

impl Default for TokenHosts {
    fn default() -> Self {
        Self(Self::AZURE.split(',').map(str::to_owned).collect())
    }
}

/// How tokens for database servers are come by.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntraSettings {
    /// The cloud.
    pub cloud: AzureCloud,
    /// Client id of the user-assigned identity that `managed_identity` means where it names none.
    pub managed_client_id: Option<String>,
    /// The app that `azure_ad` means where it names none.
    pub own_app: Option<IdentitySetting>,
    /// Who may be sent one.
    pub hosts: TokenHosts,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(hosts: &str, host: &str) -> bool {
        let hosts: TokenHosts = hosts.parse().unwrap();
        hosts.may_receive(&host.parse().unwrap())
    }

    #[test]
    fn tokens_go_to_servers_of_azure_and_to_nobody_who_only_sounds_like_it() {
        for host in [
            "shop.postgres.database.azure.com",
            "SHOP.MySQL.Database.Azure.com.",
            "shop.database.windows.net",
            "shop.postgres.database.chinacloudapi.cn",
        ] {
            assert!(may(TokenHosts::AZURE, host), "{host}");
        }
        for host in [
            "database.azure.com",
            "shopdatabase.azure.com",
            "shop.postgres.database.azure.com.evil.example",
            "evil.example",
            "169.254.169.254",
            "127.0.0.1",
        ] {
            assert!(!may(TokenHosts::AZURE, host), "{host}");
        }
        assert!(may("db.example, 127.0.0.1", "127.0.0.1"));
        assert!(!may("db.example", "shop.db.example"));
    }

    #[test]
    fn a_list_that_would_allow_everybody_is_refused() {
        for text in [".", "a,,b", "a b", "*", ".a/b"] {
            assert!(text.parse::<TokenHosts>().is_err(), "{text}");
        }
    }

    #[test]
    fn each_cloud_has_scopes_of_its_own() {
        let cloud: AzureCloud = "https://login.microsoftonline.us/".parse().unwrap();
        assert_eq!(
            cloud.database_scope(EngineType::MySql),
            "https://ossrdbms-aad.database.usgovcloudapi.net/.default"
        );
        assert_eq!(
            AzureCloud::default().database_scope(EngineType::SqlServer),
            "https://database.windows.net/.default"
        );
        for text in ["http://login.microsoftonline.com", "https://evil.example"] {
            assert!(text.parse::<AzureCloud>().is_err(), "{text}");
        }
    }
}
