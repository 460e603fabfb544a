//! Private keys as tools write them, in the form that ring takes.
//!
//! An elliptic key may leave out its public half (RFC 5915, section 3), and Java's keytool does. ring wants it, and the
//! certificate has it.

use tokio_rustls::rustls::{
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, PrivateSec1KeyDer},
};
use x509_cert::{
    Certificate,
    der::{Decode, Reader, Result, SliceReader, asn1::OctetStringRef},
    spki::AlgorithmIdentifierRef,
};

/// Tags of DER.
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const PUBLIC_KEY: u8 = 0xa1;

/// The key, with the public half from its certificate where it is an elliptic one without. What cannot be used either way
/// is left as it is.
pub(super) fn usable(
    key: PrivateKeyDer<'static>,
    certificate: &CertificateDer<'_>,
) -> PrivateKeyDer<'static> {
    match any_supported_type(&key) {
        Ok(_) => key,
        Err(_) => completed(&key, certificate).unwrap_or(key),
    }
}

fn completed(
    key: &PrivateKeyDer<'_>,
    certificate: &CertificateDer<'_>,
) -> Option<PrivateKeyDer<'static>> {
    let private = match key {
        PrivateKeyDer::Sec1(der) => private_of_sec1(der.secret_sec1_der()),
        PrivateKeyDer::Pkcs8(der) => private_of_pkcs8(der.secret_pkcs8_der()),
        _ => return None,
    };
    let certificate = Certificate::from_der(certificate).ok()?;
    let public = &certificate.tbs_certificate.subject_public_key_info;
    let public = public.subject_public_key.raw_bytes();
    // An uncompressed point: a byte, and two coordinates as long as the private key.
    let bytes = public.len().checked_sub(1)? / 2;
    let private = private.ok()?;
    let zeros = vec![0; bytes.checked_sub(private.len())?];
    let private = [zeros, private].concat();
    let public = tlv(BIT_STRING, &[&[0], public].concat());
    let fields = [
        tlv(INTEGER, &[1]),
        tlv(OCTET_STRING, &private),
        tlv(PUBLIC_KEY, &public),
    ];
    let sec1 = tlv(SEQUENCE, &fields.concat());
    Some(PrivateSec1KeyDer::from(sec1).into())
}

/// `PrivateKeyInfo` of RFC 5208, with an `ECPrivateKey` in it.
fn private_of_pkcs8(der: &[u8]) -> Result<Vec<u8>> {
    SliceReader::new(der)?.sequence(|fields| {
        u8::decode(fields)?;
        AlgorithmIdentifierRef::decode(fields)?;
        let key = OctetStringRef::decode(fields)?;
        skip_rest(fields)?;
        private_of_sec1(key.as_bytes())
    })
}

/// `ECPrivateKey` of RFC 5915.
fn private_of_sec1(der: &[u8]) -> Result<Vec<u8>> {
    SliceReader::new(der)?.sequence(|fields| {
        u8::decode(fields)?;
        let key = OctetStringRef::decode(fields)?;
        skip_rest(fields)?;
        Ok(key.as_bytes().to_vec())
    })
}

fn skip_rest<'r>(fields: &mut impl Reader<'r>) -> Result<()> {
    let rest = fields.remaining_len();
    fields.read_slice(rest).map(drop)
}

/// Tag, length, value; values of less than 256 bytes.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len() as u8;
    let head = match length < 128 {
        true => vec![tag, length],
        false => vec![tag, 0x81, length],
    };
    [head, value.to_vec()].concat()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
    use tokio_rustls::rustls::{
        ServerConfig,
        crypto::ring::default_provider,
        pki_types::{PrivatePkcs8KeyDer, pem::PemObject},
    };

    use super::*;

    /// As keytool writes it.
    fn without_public_half(key: &KeyPair) -> PrivateKeyDer<'static> {
        let whole = key.serialize_der();
        let private = private_of_pkcs8(&whole).unwrap();
        let fields = [tlv(INTEGER, &[1]), tlv(OCTET_STRING, &private)];
        let sec1 = tlv(OCTET_STRING, &tlv(SEQUENCE, &fields.concat()));
        let algorithm = SliceReader::new(&whole).unwrap().sequence(|fields| {
            u8::decode(fields)?;
            let algorithm = fields.tlv_bytes()?.to_vec();
            skip_rest(fields)?;
            Ok(algorithm)
        });
        let fields = [tlv(INTEGER, &[0]), algorithm.unwrap(), sec1].concat();
        PrivatePkcs8KeyDer::from(tlv(SEQUENCE, &fields)).into()
    }

    #[test]
    fn an_elliptic_key_gets_its_public_half_from_the_certificate() {
        for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let params = CertificateParams::new(vec!["localhost".into()]).unwrap();
            let certificate = params.self_signed(&key).unwrap();
            let half = without_public_half(&key);
            assert!(any_supported_type(&half).is_err());
            let whole = usable(half.clone_key(), certificate.der());
            assert!(any_supported_type(&whole).is_ok());
            // Another key's certificate makes it no key.
            let other = KeyPair::generate_for(algorithm).unwrap();
            let params = CertificateParams::new(vec!["localhost".into()]).unwrap();
            let other = params.self_signed(&other).unwrap();
            assert!(any_supported_type(&usable(half, other.der())).is_err());
        }
    }

    /// As `openssl ecparam -genkey` writes it: SEC1, in PEM.
    fn by_openssl(sec1: &[u8]) -> PrivateKeyDer<'static> {
        let text = BASE64_STANDARD.encode(sec1);
        let lines: Vec<_> = text
            .as_bytes()
            .chunks(64)
            .map(String::from_utf8_lossy)
            .collect();
        let lines = lines.join("\n");
        let pem =
            format!("-----BEGIN EC PRIVATE KEY-----\n{lines}\n-----END EC PRIVATE KEY-----\n");
        PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap()
    }

    #[test]
    fn an_elliptic_key_may_come_in_the_form_of_openssl() {
        let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth();
        for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let params = CertificateParams::new(vec!["localhost".into()]).unwrap();
            let certificate = params.self_signed(&key).unwrap();
            let whole = key.serialize_der();
            let whole = SliceReader::new(&whole).unwrap().sequence(|fields| {
                u8::decode(fields)?;
                AlgorithmIdentifierRef::decode(fields)?;
                let sec1 = OctetStringRef::decode(fields)?.as_bytes().to_vec();
                skip_rest(fields)?;
                Ok(sec1)
            });
            let whole = whole.unwrap();
            let private = private_of_sec1(&whole).unwrap();
            let half = [tlv(INTEGER, &[1]), tlv(OCTET_STRING, &private)];
            let half = tlv(SEQUENCE, &half.concat());
            assert!(any_supported_type(&by_openssl(&half)).is_err());
            for sec1 in [whole, half] {
                let key = by_openssl(&sec1);
                assert!(matches!(key, PrivateKeyDer::Sec1(_)));
                let chain = vec![certificate.der().clone()];
                let key = usable(key, certificate.der());
                server.clone().with_single_cert(chain, key).unwrap();
            }
        }
    }
}
