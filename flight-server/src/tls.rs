//! TLS of the Flight and HTTP ports: from PEM files, or with a certificate of the server's own making.
//!
//! The server's own certificate is made once and kept in the data folder with its key; the certificate alone is also
//! written beside it for clients to trust. Its fingerprint is SHA-256 over the DER form, as `openssl x509 -fingerprint`
//! prints it.
//! With a client CA, a client may show a certificate that the CA signed; the common name of its subject is then who it
//! is. A client without one needs other credentials.
//! Errors: those of an operator's files, with the path; failed handshakes only concern their connection.

mod key;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use catalog::PrivateFiles;
use rcgen::generate_simple_self_signed;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use tokio::io::{self, AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring as provider,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    },
    server::TlsStream,
};
use x509_cert::{
    Certificate,
    der::{
        Decode,
        asn1::{PrintableStringRef, Utf8StringRef},
        oid::db::rfc4519::CN,
    },
};

/// What a connection begins with that speaks TLS: a record of type handshake.
pub(crate) const TLS_HANDSHAKE: u8 = 0x16;
/// A client must finish its handshake within this time.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// The name of the generated pair among the server's private files.
const GENERATED_NAME: &str = "tls";

/// What an operator chooses.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    pub certificate: CertificateSource,
    /// PEM file of the authorities whose client certificates are believed.
    pub client_ca: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub enum CertificateSource {
    /// PEM files: the certificate with its chain, and its key.
    Files {
        certificate: PathBuf,
        key: PathBuf,
    },
    SelfSigned,
}

/// Ready to accept connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls {
    flight: TlsAcceptor,
    http: TlsAcceptor,
    /// Of a certificate that this server made: where clients find it, and its fingerprint.
    pub(crate) self_signed: Option<SelfSigned>,
}

#[derive(Clone)]
pub(crate) struct SelfSigned {
    pub(crate) path: PathBuf,
    pub(crate) fingerprint: String,
}

#[derive(Serialize, Deserialize)]
struct Generated {
    certificate: String,
    key: String,
}

impl Tls {
    /// `files` keeps the generated key, `folder` takes the certificate that clients may read.
    pub(crate) fn open(
        config: &TlsConfig,
        files: &PrivateFiles,
        folder: &Path,
        listen: IpAddr,
    ) -> anyhow::Result<Self> {
        let mut self_signed = None;
        let (chain, key) = match &config.certificate {
            CertificateSource::Files { certificate, key } => {
                let (chain, key) = (chain(certificate)?, read_key(key)?);
                let key = key::usable(key, &chain[0]);
                (chain, key)
            }
            CertificateSource::SelfSigned => {
                let pair = generated(files, listen)?;
                let path = folder.join("tls-certificate.pem");
                std::fs::write(&path, &pair.certificate)
                    .with_context(|| format!("cannot write {}", path.display()))?;
                let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes())?;
                let fingerprint = fingerprint(&certificate);
                self_signed = Some(SelfSigned { path, fingerprint });
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes())?;
                (vec![certificate], key)
            }
        };
        let verifier = match &config.client_ca {
            Some(path) => client_verifier(path)?,
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let mut server =
            ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_client_cert_verifier(verifier)
                .with_single_cert(chain, key)
                .context("the TLS certificate and its key cannot be used")?;
        let mut http = server.clone();
        server.alpn_protocols = vec![b"h2".to_vec()];
        http.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            flight: TlsAcceptor::from(Arc::new(server)),
            http: TlsAcceptor::from(Arc::new(http)),
            self_signed,
        })
    }

    /// The encrypted connection of a Flight client over a plain one.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<TlsStream<S>> {
        accept(&self.flight, stream).await
    }

    /// The same for the HTTP port.
    pub(crate) async fn accept_http<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<TlsStream<S>> {
        accept(&self.http, stream).await
    }
}

async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    acceptor: &TlsAcceptor,
    stream: S,
) -> io::Result<TlsStream<S>> {
    let accepted = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await;
    accepted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Who the client is by its certificate, which rustls has checked.
pub(crate) fn client_name<S>(stream: &TlsStream<S>) -> Option<String> {
    common_name(stream.get_ref().1.peer_certificates()?.first()?)
}

/// The common name of a certificate's subject; `None` where it has none, or several.
fn common_name(certificate: &[u8]) -> Option<String> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let subject = certificate.tbs_certificate.subject;
    let mut names = subject
        .0
        .iter()
        .flat_map(|part| part.0.iter())
        .filter(|part| part.oid == CN);
    let (first, second) = (names.next()?, names.next());
    let value = &first.value;
    let utf8 = value.decode_as::<Utf8StringRef<'_>>();
    let printable = value.decode_as::<PrintableStringRef<'_>>();
    let name = utf8
        .map(|name| name.as_str().to_owned())
        .or_else(|_| printable.map(|name| name.as_str().to_owned()))
        .ok()?;
    let plain = !name.is_empty() && !name.chars().any(char::is_control);
    (second.is_none() && plain).then_some(name)
}

fn chain(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    let chain =
        read().with_context(|| format!("cannot read certificates in {}", path.display()))?;
    anyhow::ensure!(!chain.is_empty(), "{} holds no certificate", path.display());
    Ok(chain)
}

fn read_key(path: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path)
        .with_context(|| format!("cannot read a private key in {}", path.display()))
}

fn client_verifier(path: &Path) -> anyhow::Result<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(path)? {
        roots
            .add(certificate)
            .with_context(|| format!("cannot use an authority in {}", path.display()))?;
    }
    let provider = Arc::new(provider::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        // Users and tokens come without a certificate.
        .allow_unauthenticated()
        .build()
        .with_context(|| format!("cannot use the authorities in {}", path.display()))
}

/// The pair made earlier, or a new one for the names this machine is reached by.
fn generated(files: &PrivateFiles, listen: IpAddr) -> anyhow::Result<Generated> {
    if let Some(pair) = files.get(GENERATED_NAME, "a TLS certificate")? {
        return Ok(pair);
    }
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".into(), "::1".into()];
    if !listen.is_unspecified() && !listen.is_loopback() {
        names.push(listen.to_string());
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    names.extend(Some(host.trim().to_owned()).filter(|host| !host.is_empty()));
    let made = generate_simple_self_signed(names).context("cannot make a TLS certificate")?;
    let pair = Generated {
        certificate: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
    };
    files.store(GENERATED_NAME, &pair)?;
    Ok(pair)
}

fn fingerprint(certificate: &[u8]) -> String {
    let hash = digest(&SHA256, certificate);
    let bytes: Vec<String> = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    bytes.join(":")
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};

    use tokio::net::TcpStream;

    use super::*;

    fn certificate_of(names: &[DnValue]) -> Vec<u8> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "an organisation");
        for name in names {
            params
                .distinguished_name
                .push(DnType::CommonName, name.clone());
        }
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_common_name_is_read_in_its_usual_encodings() {
        let printable = DnValue::PrintableString("ada".try_into().unwrap());
        for (name, read) in [
            (DnValue::Utf8String("Ädä".into()), Some("Ädä")),
            (printable, Some("ada")),
            (DnValue::Utf8String("a\nb".into()), None),
            (DnValue::Utf8String(String::new()), None),
        ] {
            let certificate = certificate_of(std::slice::from_ref(&name));
            assert_eq!(common_name(&certificate).as_deref(), read, "{name:?}");
        }
        assert_eq!(common_name(&certificate_of(&[])), None);
        assert_eq!(common_name(b"no certificate"), None);
    }

    #[test]
    fn a_generated_certificate_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let files = PrivateFiles::open(&dir.path().join("server")).unwrap();
        let config = TlsConfig {
            certificate: CertificateSource::SelfSigned,
            client_ca: None,
        };
        let open = || {
            let tls = Tls::open(&config, &files, dir.path(), IpAddr::from([10, 0, 0, 1])).unwrap();
            tls.self_signed.unwrap()
        };
        let (first, second) = (open(), open());
        assert_eq!(first.fingerprint, second.fingerprint);
        assert_eq!(first.fingerprint.len(), 32 * 3 - 1);
        let pem = std::fs::read_to_string(first.path).unwrap();
        assert!(pem.contains("BEGIN CERTIFICATE") && !pem.contains("PRIVATE"));
    }

    /// Two ends of a handshake over a real connection: what the server calls the client, or why it refuses.
    async fn name_of_client(
        tls: &Tls,
        client: tokio_rustls::rustls::ClientConfig,
    ) -> io::Result<Option<String>> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
        let stream = TcpStream::connect(listener.local_addr()?).await?;
        let name = "localhost".try_into().unwrap();
        let (accepted, _) = listener.accept().await?;
        // The client may fail first, or only learn later that it was refused: the server decides.
        let (server, _client) = tokio::join!(tls.accept(accepted), connector.connect(name, stream));
        Ok(client_name(&server?))
    }

    #[tokio::test]
    async fn a_client_is_who_its_certificate_says_if_the_authority_signed_it() {
        let dir = tempfile::tempdir().unwrap();
        let authority = || {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            rcgen::CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
        };
        let (ours, other) = (authority(), authority());
        let ca = dir.path().join("ca.pem");
        std::fs::write(&ca, ours.pem()).unwrap();
        let config = TlsConfig {
            certificate: CertificateSource::SelfSigned,
            client_ca: Some(ca),
        };
        let files = PrivateFiles::open(&dir.path().join("server")).unwrap();
        let tls = Tls::open(&config, &files, dir.path(), IpAddr::from([127, 0, 0, 1])).unwrap();
        let mut roots = RootCertStore::empty();
        let own = chain(&tls.self_signed.as_ref().unwrap().path).unwrap();
        roots.add(own[0].clone()).unwrap();
        let provider = Arc::new(provider::default_provider());
        let client = tokio_rustls::rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let signed_by = |issuer: &rcgen::CertifiedIssuer<'_, KeyPair>| {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.distinguished_name.push(DnType::CommonName, "loader");
            let certificate = params.signed_by(&key, issuer).unwrap();
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            client
                .clone()
                .with_client_auth_cert(vec![certificate.der().clone()], key)
                .unwrap()
        };
        let shown = name_of_client(&tls, signed_by(&ours)).await.unwrap();
        assert_eq!(shown.as_deref(), Some("loader"));
        let nothing = name_of_client(&tls, client.clone().with_no_client_auth()).await;
        assert_eq!(nothing.unwrap(), None);
        assert!(name_of_client(&tls, signed_by(&other)).await.is_err());
    }
}
