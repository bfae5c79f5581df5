//! Certificates for servers of tests, and the authority that signs them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::azurite::TlsFiles;
use crate::mariadb::MariaDbServer;
use crate::postgres::PostgresServer;

static AUTHORITIES: AtomicUsize = AtomicUsize::new(0);

type Authority = Issuer<'static, KeyPair>;

/// An authority, and a certificate that it signed.
#[derive(Debug)]
pub struct Certificates {
    directory: TempDir,
    authority: Arc<Authority>,
}

impl Certificates {
    /// A new authority, and its certificate for `host`.
    pub fn for_host(host: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut authority = CertificateParams::new(Vec::new())?;
        // Names of their own: one with the name of what it signs looks self-signed, and one with the
        // name of another authority looks like a forgery of that.
        let number = AUTHORITIES.fetch_add(1, Ordering::Relaxed);
        let name = format!("authority {number} of {}", std::process::id());
        authority.distinguished_name.push(DnType::CommonName, name);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = authority.self_signed(&key)?.pem();
        Self::signed(&Arc::new(Issuer::new(authority, key)), &pem, host)
    }

    /// A certificate of the same authority for another host.
    pub fn of_host(&self, host: &str) -> Result<Self> {
        let pem = std::fs::read_to_string(self.path("authority.pem"))?;
        Self::signed(&self.authority, &pem, host)
    }

    fn signed(authority: &Arc<Authority>, authority_pem: &str, host: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let leaf = CertificateParams::new(vec![host.to_owned()])?;
        let leaf_pem = leaf.signed_by(&key, authority)?.pem();
        let certificates = Self {
            directory: TempDir::new()?,
            authority: Arc::clone(authority),
        };
        std::fs::write(certificates.path("authority.pem"), authority_pem)?;
        std::fs::write(certificates.path("leaf.pem"), leaf_pem)?;
        std::fs::write(certificates.path("key.pem"), key.serialize_pem())?;
        Ok(certificates)
    }

    /// Where one of the files is: `authority.pem`, `leaf.pem`, `key.pem`.
    pub fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    /// A PostgreSQL server with the certificate.
    pub fn postgres(&self) -> Result<PostgresServer> {
        let (certificate, key) = (self.path("leaf.pem"), self.path("key.pem"));
        PostgresServer::start_with_tls(TlsFiles {
            certificate: &certificate,
            key: &key,
        })
    }

    /// A MariaDB server with the certificate.
    pub fn mariadb(&self) -> Result<MariaDbServer> {
        let (certificate, key) = (self.path("leaf.pem"), self.path("key.pem"));
        MariaDbServer::start_with_tls(TlsFiles {
            certificate: &certificate,
            key: &key,
        })
    }
}
