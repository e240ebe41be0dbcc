//! The cluster's certificate authority: makes its pair of keys and vouches for those of nodes.
//!
//! Certificates are X.509 of P-256 keys, for TLS 1.3 between nodes and for nothing else. A node's
//! certificate carries the one name that its peers ask for. Nothing is kept here: the authority's
//! key stands sealed in the state. Invariant: no certificate is made of bytes that are no point of
//! the curve, nor by a key that the authority's certificate does not carry.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    ParsedPublicKey,
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType,
    SerialNumber, SignatureAlgorithm, SigningKey, date_time_ymd,
};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use zeroize::Zeroizing;

use identity::{keys::Algorithm, secret::Digest};

use crate::runtime::{random::Random, signer};

/// Length of an uncompressed point of P-256 (SEC 1 §2.3.3).
pub const POINT_LEN: usize = 65;

/// How long a node's certificate is good.
pub const NODE_LIFETIME: Duration = Duration::from_secs(90 * DAY_S);
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(20 * 365 * DAY_S);
const DAY_S: u64 = 24 * 3600;
/// Clocks of nodes need not agree to the second.
const BACKDATED: Duration = Duration::from_secs(5 * 60);

/// Why nothing was certified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// What came as a public key is no uncompressed point of P-256.
    #[error("the public key is not an uncompressed point of P-256")]
    PublicKey,
    /// A private key is none of P-256.
    #[error("the private key is not one of P-256")]
    PrivateKey,
    /// The private key is not that of the authority's certificate.
    #[error("the key is not that of the authority's certificate")]
    Authority,
    /// The library made nothing.
    #[error("no certificate could be made: {0}")]
    Failed(String),
}

/// A certificate (DER) and its private key (PKCS #8).
pub struct Made {
    /// DER.
    pub certificate: Vec<u8>,
    /// PKCS #8, to be sealed at once.
    pub key: Zeroizing<Vec<u8>>,
}

/// Whom a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The cluster's id.
    pub cluster: [u8; 16],
    /// The node's number.
    pub node: u64,
    /// Its public key.
    pub point: &'a [u8],
}

/// Makes the authority of a new cluster.
///
/// # Errors
/// [`Refused::Failed`].
pub fn new_authority(cluster: [u8; 16], random: &Random, wall_ms: u64) -> Result<Made, Refused> {
    let (key, point) = new_node_key(random)?;
    let pair = Pair::parse(&key, random)?;
    let parameters = of_authority(cluster, &point, random, wall_ms);
    let certificate = parameters.self_signed(&pair).map_err(failed)?;
    Ok(Made { certificate: certificate.der().to_vec(), key })
}

/// Makes the key of a node: PKCS #8, which never leaves it, and the public half, an uncompressed
/// point of P-256.
///
/// # Errors
/// [`Refused::Failed`].
pub fn new_node_key(random: &Random) -> Result<(Zeroizing<Vec<u8>>, [u8; POINT_LEN]), Refused> {
    let made = signer::generate(Algorithm::Es256, random).map_err(failed)?;
    let point = point(&made.der, random)?;
    Ok((made.der, point))
}

/// The public half of a node's key.
///
/// # Errors
/// [`Refused::PrivateKey`] for a key of another kind.
pub fn point(key: &[u8], random: &Random) -> Result<[u8; POINT_LEN], Refused> {
    Pair::parse(key, random)?.der_bytes().try_into().map_err(|_| Refused::PublicKey)
}

/// Whether these are an uncompressed point of P-256.
pub fn is_point(bytes: &[u8]) -> bool {
    bytes.len() == POINT_LEN
        && bytes.first() == Some(&4)
        && ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, bytes).is_ok()
}

/// Vouches for a node's key.
///
/// # Errors
/// A [`Refused`].
pub fn issue(
    authority: &Made,
    subject: Subject<'_>,
    random: &Random,
    wall_ms: u64,
) -> Result<Vec<u8>, Refused> {
    let Subject { cluster, node, point } = subject;
    if !is_point(point) {
        return Err(Refused::PublicKey);
    }
    let pair = Pair::parse(&authority.key, random)?;
    let own = pair.der_bytes().to_vec();
    if !authority.certificate.windows(POINT_LEN).any(|window| window == own) {
        return Err(Refused::Authority);
    }
    let issuer = Issuer::new(of_authority(cluster, &own, random, wall_ms), pair);
    let name = raft::node_name(cluster, node);
    let dns = name.clone().try_into().map_err(failed)?;
    let mut parameters = parameters(name, point, random, (wall_ms, NODE_LIFETIME));
    parameters.subject_alt_names = vec![SanType::DnsName(dns)];
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    parameters.use_authority_key_identifier_extension = true;
    let certificate = parameters.signed_by(&Point(point), &issuer).map_err(failed)?;
    Ok(certificate.der().to_vec())
}

/// Whether peers would still take a node's certificate at a time.
pub fn is_good_at(
    authority: &[u8],
    certificate: &[u8],
    (cluster, node): ([u8; 16], u64),
    wall_ms: u64,
) -> bool {
    let mut roots = RootCertStore::empty();
    if roots.add(CertificateDer::from(authority)).is_err() {
        return false;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let name = ServerName::try_from(raft::node_name(cluster, node));
    let (Ok(verifier), Ok(name)) = (verifier, name) else { return false };
    let at = UnixTime::since_unix_epoch(Duration::from_millis(wall_ms));
    let certificate = CertificateDer::from(certificate);
    verifier.verify_server_cert(&certificate, &[], &name, &[], at).is_ok()
}

fn failed(error: impl std::fmt::Display) -> Refused {
    Refused::Failed(error.to_string())
}

fn authority_name(cluster: [u8; 16]) -> String {
    format!("{:032x}.vaultara.internal", u128::from_be_bytes(cluster))
}

fn of_authority(
    cluster: [u8; 16],
    point: &[u8],
    random: &Random,
    wall_ms: u64,
) -> CertificateParams {
    let (name, span) = (authority_name(cluster), (wall_ms, AUTHORITY_LIFETIME));
    let mut parameters = parameters(name, point, random, span);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters
}

/// What every certificate of ours has.
fn parameters(
    name: String,
    point: &[u8],
    random: &Random,
    (wall_ms, lifetime): (u64, Duration),
) -> CertificateParams {
    let now = date_time_ymd(1970, 1, 1) + Duration::from_millis(wall_ms);
    let mut serial = random.bytes::<16>();
    // Positive and of full length (RFC 5280 §4.1.2.2).
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    let identifier = Digest::of(point).bytes();
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = subject;
    parameters.serial_number = Some(SerialNumber::from_slice(&serial));
    parameters.not_before = now - BACKDATED;
    parameters.not_after = now + lifetime;
    parameters.key_identifier_method =
        KeyIdMethod::PreSpecified(identifier.into_iter().take(20).collect());
    parameters
}

/// A public key that is somebody else's.
struct Point<'a>(&'a [u8]);

impl PublicKeyData for Point<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// A private key, ready to sign certificates.
struct Pair<'a> {
    pair: EcdsaKeyPair,
    random: &'a Random,
}

impl<'a> Pair<'a> {
    fn parse(key: &[u8], random: &'a Random) -> Result<Self, Refused> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key);
        Ok(Self { pair: pair.map_err(|_| Refused::PrivateKey)?, random })
    }
}

impl PublicKeyData for Pair<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for Pair<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self.pair.sign(self.random.system(), message);
        Ok(signature.map_err(|_| rcgen::Error::RemoteKeyError)?.as_ref().to_vec())
    }
}

#[cfg(test)]
mod tests;
