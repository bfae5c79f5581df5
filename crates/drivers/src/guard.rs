//! The guard before every driver: the host of a target is resolved once, every address that it has
//! is judged, and the driver connects to those addresses and no others.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dilux_core::model::{CredentialKind, DatabaseName, EngineType, Fingerprint, Host, TlsMode};
use dilux_core::network::AllowedNetworks;
use dilux_core::transfer::{Failure, FailureKind, RestoreSink};

use crate::driver::{
    Connector, DiscoveredDatabase, Driver, Probe, RestorePlan, RunningDump, Target,
};
use crate::drivers::DriverSettings;

/// Finds the addresses of a host.
#[async_trait]
pub trait Resolver: Send + Sync + std::fmt::Debug {
    /// All addresses of `host`, which may be a name or an address in any form.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's own way: hosts file, name servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// What judges the addresses of hosts.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    networks: AllowedNetworks,
    resolver: Arc<dyn Resolver>,
    patience: Duration,
}

impl Guard {
    /// The guard of these settings. A name must be resolved within the time for connecting.
    pub(crate) fn new(settings: &DriverSettings) -> Self {
        Self {
            networks: settings.networks.clone(),
            resolver: Arc::clone(&settings.resolver),
            patience: settings.deadlines.connect,
        }
    }

    /// The same target, with the addresses that may be connected to.
    pub(crate) async fn judged(&self, target: &Target) -> Result<Target, Failure> {
        require_proof(target)?;
        let host = &target.host;
        let mut addresses = self.resolve(host).await?;
        addresses.dedup();
        for address in &addresses {
            self.networks.judge(*address).map_err(|refusal| {
                let message = format!("the host '{host}' has the address {address}, {refusal}");
                Failure::new(FailureKind::Configuration, message)
            })?;
        }
        Ok(Target {
            addresses,
            ..target.clone()
        })
    }

    async fn resolve(&self, host: &Host) -> Result<Vec<IpAddr>, Failure> {
        let bare = bare(host);
        if let Ok(address) = bare.parse() {
            return Ok(vec![address]);
        }
        let unknown = |why: &str| {
            let message = format!("the host '{host}' is not known here: {why}");
            Failure::new(FailureKind::Unreachable, message)
        };
        let resolving = tokio::time::timeout(self.patience, self.resolver.addresses(bare)).await;
        match resolving {
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            Ok(Ok(_)) => Err(unknown("it has no address")),
            Ok(Err(error)) => Err(unknown(&error.to_string())),
            Err(_) => Err(unknown("the name servers do not answer")),
        }
    }
}

/// A driver or connector that sees targets only once their addresses are judged.
pub(crate) struct Guarded<T: ?Sized> {
    inner: Arc<T>,
    guard: Guard,
}

impl<T: ?Sized> Guarded<T> {
    /// `guard` before `inner`.
    pub(crate) fn new(inner: Arc<T>, guard: Guard) -> Self {
        Self { inner, guard }
    }

    async fn judged(&self, target: &Target) -> Result<Target, Failure> {
        self.guard.judged(target).await
    }
}

/// A token opens more than this server: it is sent to none that has not proved its name.
fn require_proof(target: &Target) -> Result<(), Failure> {
    if target.credentials.kind == CredentialKind::Token && target.tls_mode != TlsMode::VerifyFull {
        let message = "a token is only sent over an encrypted connection to a server whose \
                       certificate was verified";
        return Err(Failure::new(FailureKind::Configuration, message));
    }
    Ok(())
}

/// A host without the brackets that addresses of IPv6 may be given in.
pub(crate) fn bare(host: &Host) -> &str {
    host.as_str().trim_start_matches('[').trim_end_matches(']')
}

#[async_trait]
impl<T: Connector + ?Sized> Connector for Guarded<T> {
    fn engine_type(&self) -> EngineType {
        self.inner.engine_type()
    }

    async fn probe(
        &self,
        target: &Target,
        database: Option<&DatabaseName>,
    ) -> Result<Probe, Failure> {
        self.inner
            .probe(&self.judged(target).await?, database)
            .await
    }

    async fn discover(&self, target: &Target) -> Result<Vec<DiscoveredDatabase>, Failure> {
        self.inner.discover(&self.judged(target).await?).await
    }
}

#[async_trait]
impl<T: Driver + ?Sized> Driver for Guarded<T> {
    async fn dump(&self, target: &Target, database: &DatabaseName) -> Result<RunningDump, Failure> {
        self.inner.dump(&self.judged(target).await?, database).await
    }

    async fn restore(
        &self,
        target: &Target,
        plan: &RestorePlan,
    ) -> Result<Box<dyn RestoreSink>, Failure> {
        self.inner.restore(&self.judged(target).await?, plan).await
    }

    async fn drop_rehearsal(
        &self,
        target: &Target,
        database: &DatabaseName,
    ) -> Result<(), Failure> {
        self.inner
            .drop_rehearsal(&self.judged(target).await?, database)
            .await
    }

    async fn fingerprint(
        &self,
        target: &Target,
        database: &DatabaseName,
    ) -> Result<Fingerprint, Failure> {
        self.inner
            .fingerprint(&self.judged(target).await?, database)
            .await
    }
}
