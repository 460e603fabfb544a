//! TLS 1.3 between ends that know each other's certificate by its SHA-256 fingerprint, and nothing else of it.
//!
//! Names, dates and issuers are not looked at: a fingerprint that came over an authenticated way says more.
//! Invariant: sessions are never resumed, so both certificates are checked on every connection.

use std::{fmt, sync::Arc};

use rcgen::generate_simple_self_signed;
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{self, WebPkiSupportedAlgorithms, ring as provider},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
    server::{
        NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::TLS13,
};

use super::error::IdentityError;

/// Both ends speak this version of what is inside, or the handshake fails.
const PROTOCOL: &[u8] = b"murre-rendezvous/1";

/// SHA-256 over a certificate's DER form. Printed and read as `openssl x509 -fingerprint` prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }

    /// Reads 32 pairs of hexadecimal digits, with or without colons; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u32> = text
            .chars()
            .filter(|char| *char != ':')
            .map(|char| char.to_digit(16))
            .collect::<Option<_>>()?;
        let bytes: Vec<u8> = match digits.len() {
            64 => digits
                .chunks(2)
                .map(|pair| (pair[0] * 16 + pair[1]) as u8)
                .collect(),
            _ => return None,
        };
        Self::from_slice(&bytes)
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

/// A certificate and its key. Cheap to clone; its `Debug` prints the fingerprint only.
#[derive(Clone)]
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: Arc<PrivateKeyDer<'static>>,
}

impl Identity {
    /// A new one, for as long as the process lives.
    pub fn generate() -> Result<Self, IdentityError> {
        let made = generate_simple_self_signed(vec![NAME.to_owned()])
            .map_err(|source| IdentityError::Generate { source })?;
        Self::from_der(made.cert.der(), &made.signing_key.serialize_der())
    }

    /// `key` in PKCS #8, PKCS #1 or SEC1 form.
    pub fn from_der(certificate: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let key = PrivateKeyDer::try_from(key.to_vec())
            .map_err(|detail| IdentityError::Key { detail })?;
        Ok(Self {
            certificate: CertificateDer::from(certificate.to_vec()),
            key: Arc::new(key),
        })
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    /// For the client's end of a connection to the one that has `peer`; shows this identity if it is asked for one.
    pub(super) fn client(&self, peer: Fingerprint) -> Result<ClientConfig, Error> {
        let mut config = client_builder(peer)?
            .with_client_auth_cert(vec![self.certificate.clone()], self.key.clone_key())?;
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(config)
    }

    /// For the server's end; a client must have `peer`, or any certificate or none where that is `None`.
    pub(super) fn server(&self, peer: Option<Fingerprint>) -> Result<ServerConfig, Error> {
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
                .with_protocol_versions(&[&TLS13])?
                .with_client_cert_verifier(Arc::new(Pinned::new(peer)))
                .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(config)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.fingerprint())
    }
}

/// Certificates must carry a name, and clients must ask for one; nobody looks at it.
const NAME: &str = "murre";

pub(super) fn server_name() -> ServerName<'static> {
    ServerName::try_from(NAME).expect("the name is valid")
}

/// For a client without a certificate of its own.
pub(super) fn anonymous_client(peer: Fingerprint) -> Result<ClientConfig, Error> {
    let mut config = client_builder(peer)?.with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}

type ClientBuilder = tokio_rustls::rustls::ConfigBuilder<
    ClientConfig,
    tokio_rustls::rustls::client::WantsClientCert,
>;

fn client_builder(peer: Fingerprint) -> Result<ClientBuilder, Error> {
    let provider = Arc::new(provider::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned::new(Some(peer)))))
}

/// Takes exactly one certificate, or, for clients of the rendezvous, any whose key the other end has.
#[derive(Debug)]
struct Pinned {
    fingerprint: Option<Fingerprint>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    fn new(fingerprint: Option<Fingerprint>) -> Self {
        let algorithms = provider::default_provider().signature_verification_algorithms;
        Self {
            fingerprint,
            algorithms,
        }
    }

    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        match self.fingerprint {
            Some(pinned) if pinned != Fingerprint::of(certificate) => Err(
                Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure),
            ),
            Some(_) | None => Ok(()),
        }
    }

    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }
}

/// TLS 1.2 is not offered.
fn never() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity)
            .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        never()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Pinned {
    fn client_auth_mandatory(&self) -> bool {
        self.fingerprint.is_some()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity)
            .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        never()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_reads_as_it_prints() {
        let fingerprint = Identity::generate().unwrap().fingerprint();
        let printed = fingerprint.to_string();
        assert_eq!(Fingerprint::parse(&printed), Some(fingerprint));
        assert_eq!(
            Fingerprint::parse(&printed.to_lowercase()),
            Some(fingerprint)
        );
        assert_eq!(
            Fingerprint::parse(&printed.replace(':', "")),
            Some(fingerprint)
        );
        assert_eq!(Fingerprint::parse(&printed[1..]), None);
        assert_eq!(Fingerprint::parse("é"), None);
    }
}
