//! Mutual TLS 1.3 between nodes, under the cluster's own authority.
//!
//! A certificate names exactly one node of one cluster; who connects checks that it reached the
//! node it meant, who is connected to learns who speaks. Session resumption is off: a removed node
//! must not come back by a ticket. A connection without a certificate can only ask to join.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    server::WebPkiClientVerifier,
    version::TLS13,
};
use sha2::{Digest as _, Sha256};

use super::credentials::Credentials;

/// The protocol of members.
pub(crate) const ALPN_PEER: &[u8] = b"vaultara-peer";
/// The protocol of who wants to become one.
pub(crate) const ALPN_JOIN: &[u8] = b"vaultara-join";

/// The name that a node's certificate is made out to.
pub fn node_name(cluster: [u8; 16], node: u64) -> String {
    format!("node-{node}.{:032x}.vaultara.internal", u128::from_be_bytes(cluster))
}

/// SHA-256 of an authority's certificate: what a join token carries.
pub fn fingerprint(authority: &[u8]) -> [u8; 32] {
    Sha256::digest(authority).into()
}

fn failed(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn roots(authority: &[u8]) -> io::Result<Arc<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.to_vec())).map_err(failed)?;
    Ok(Arc::new(roots))
}

type Chain = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn chain(own: &Credentials) -> Chain {
    let chain = vec![
        CertificateDer::from(own.certificate.clone()),
        CertificateDer::from(own.authority.clone()),
    ];
    (chain, PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.key.to_vec())))
}

/// How this node answers.
pub(crate) fn server(own: &Credentials) -> io::Result<Arc<ServerConfig>> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(&own.authority)?, provider())
        .allow_unauthenticated()
        .build()
        .map_err(failed)?;
    let (chain, key) = chain(own);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(failed)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(failed)?;
    config.alpn_protocols = vec![ALPN_PEER.to_vec(), ALPN_JOIN.to_vec()];
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// How this node calls another.
pub(crate) fn client(own: &Credentials) -> io::Result<Arc<ClientConfig>> {
    let (chain, key) = chain(own);
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(failed)?
        .with_root_certificates(roots(&own.authority)?)
        .with_client_auth_cert(chain, key)
        .map_err(failed)?;
    config.alpn_protocols = vec![ALPN_PEER.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// How a stranger calls a member: it knows the authority by its fingerprint only.
pub(crate) fn stranger(fingerprint: [u8; 32]) -> io::Result<Arc<ClientConfig>> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ByFingerprint { fingerprint }))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN_JOIN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The name to ask for when a node is called.
pub(crate) fn server_name(name: String) -> io::Result<ServerName<'static>> {
    ServerName::try_from(name).map_err(failed)
}

/// The node that a verified certificate is made out to, and its public point.
pub(crate) fn speaker(certificate: &CertificateDer<'_>, cluster: [u8; 16]) -> io::Result<Speaker> {
    let parsed = webpki::EndEntityCert::try_from(certificate).map_err(failed)?;
    let suffix = format!(".{:032x}.vaultara.internal", u128::from_be_bytes(cluster));
    let mut names = parsed.valid_dns_names();
    let (Some(name), None) = (names.next(), names.next()) else {
        return Err(failed("a node's certificate has exactly one name"));
    };
    let node = name
        .strip_suffix(&suffix)
        .and_then(|name| name.strip_prefix("node-"))
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| failed("the certificate is not of a node of this cluster"))?;
    let info = parsed.subject_public_key_info();
    let point = info.as_ref().split_last_chunk::<65>().map(|(_, point)| *point);
    let point = point.ok_or_else(|| failed("the certificate's key is too short"))?;
    Ok(Speaker { node, key: identity::secret::Digest::of(&point) })
}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Speaker {
    /// The node.
    pub(crate) node: u64,
    /// Digest of its public point.
    pub(crate) key: identity::secret::Digest,
}

/// Accepts a chain under the one authority with this fingerprint, whatever node it names.
#[derive(Debug)]
struct ByFingerprint {
    fingerprint: [u8; 32],
}

impl ServerCertVerifier for ByFingerprint {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = || rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let authority = intermediates
            .iter()
            .find(|one| fingerprint(one.as_ref()) == self.fingerprint)
            .ok_or_else(unknown)?;
        let roots = roots(authority.as_ref()).map_err(|_| unknown())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
            .build()
            .map_err(|_| unknown())?;
        match verifier.verify_server_cert(end_entity, &[], server_name, ocsp, now) {
            // Which member answers does not matter to who wants to join.
            Err(rustls::Error::InvalidCertificate(
                rustls::CertificateError::NotValidForName
                | rustls::CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("nodes speak TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
