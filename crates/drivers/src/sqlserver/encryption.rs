//! TLS for a connection whose server has offered it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use dilux_core::model::TlsMode;
use dilux_core::transfer::{Failure, FailureKind};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::words::Words;
use super::wrapping::Wrapping;
use crate::driver::Target;
use crate::guard::bare;

/// A connection that is encrypted.
pub(super) type Encrypted = TlsStream<Wrapping<TcpStream>>;

/// Encrypts `stream` as the target's mode demands.
pub(super) async fn encrypted(
    stream: TcpStream,
    target: &Target,
    authorities: &Path,
) -> Result<Encrypted, Failure> {
    let config = match target.tls_mode {
        TlsMode::VerifyFull => verifying(authorities).await?,
        TlsMode::Prefer | TlsMode::Require => trusting()?,
    };
    let connector = TlsConnector::from(Arc::new(config));
    let name = server_name(target)?;
    let handshake = connector.connect(name, Wrapping::new(stream));
    let mut encrypted = handshake
        .await
        .map_err(|error| explained(&error, &Words::of(target)))?;
    encrypted.get_mut().0.end();
    Ok(encrypted)
}

/// TDS 7 and TLS 1.3 do not go together: nobody says whether what comes after the handshake is in
/// packets. Servers keep TLS 1.3 for TDS 8.
const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, Failure> {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .map_err(|error| {
            let message = format!("TLS cannot be set up: {error}");
            Failure::new(FailureKind::Internal, message)
        })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The certificate has to be of an authority of this machine, and for the host.
async fn verifying(authorities: &Path) -> Result<ClientConfig, Failure> {
    let unreadable = |error: String| {
        let place = authorities.display();
        let message = format!("the certificates of authorities in {place} cannot be read: {error}");
        Failure::new(FailureKind::Configuration, message)
    };
    let pem = tokio::fs::read(authorities)
        .await
        .map_err(|error| unreadable(error.to_string()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| unreadable(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    Ok(builder()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Any certificate will do.
fn trusting() -> Result<ClientConfig, Failure> {
    Ok(builder()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth())
}

/// The host as certificates name it. Where nothing is verified, an odd name is no obstacle.
fn server_name(target: &Target) -> Result<ServerName<'static>, Failure> {
    let host = bare(&target.host);
    if let Ok(name) = ServerName::try_from(host) {
        return Ok(name.to_owned());
    }
    if target.tls_mode != TlsMode::VerifyFull
        && let Some(address) = target.addresses.first()
    {
        return Ok(ServerName::IpAddress((*address).into()));
    }
    let message = format!("no certificate can be made for a host called '{host}'");
    Err(Failure::new(FailureKind::Configuration, message))
}

/// Why the handshake failed.
fn explained(error: &io::Error, words: &Words) -> Failure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    let Some(error) = inner else {
        return words.of_io(error.kind(), &error.to_string());
    };
    match error {
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => words.other_name(&error.to_string()),
        Error::InvalidCertificate(_) => words.not_trusted(&error.to_string()),
        _ => words.not_encrypted(&error.to_string()),
    }
}

/// Takes every certificate, also those that no library reads: servers make their own, and old ones
/// make odd ones.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
