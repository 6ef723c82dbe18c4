//! Chains of certificates, right and wrong.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio_rustls::TlsAcceptor;

/// What a server sends, and its key.
pub struct Chain {
    pub sent: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Chain {
    pub fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::try_from(self.key.clone()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.sent.clone(), key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Whoever signs: a root, or one below it.
pub struct Root {
    pub certificate: CertificateDer<'static>,
    name: String,
    key: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Root {
    pub fn new(name: &str) -> Self {
        let (key, params) = (KeyPair::generate().unwrap(), authority(name));
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { certificate, name: name.into(), key: key.serialize_pem(), issuer: Issuer::new(params, key) }
    }

    /// One below it, which signs as well.
    pub fn below(&self, name: &str) -> Self {
        let (key, params) = (KeyPair::generate().unwrap(), authority(name));
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Self { certificate, name: name.into(), key: key.serialize_pem(), issuer: Issuer::new(params, key) }
    }

    /// The same authority as another one, signed by this one, and past its end: as roots are cross-signed when they are new.
    pub fn cross_signed_and_over(&self, other: &Root) -> CertificateDer<'static> {
        let key = KeyPair::from_pem(&other.key).unwrap();
        let mut params = authority(&other.name);
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2021, 9, 30);
        params.signed_by(&key, &self.issuer).unwrap().der().clone()
    }

    /// A certificate for this host, with those above it that are to be sent.
    pub fn chain(&self, host: &str, above: &[CertificateDer<'static>]) -> Chain {
        self.issue(host, above, |_| {})
    }

    pub fn expired(&self, host: &str) -> Chain {
        self.issue(host, &[], |params| {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 2);
        })
    }

    pub fn not_yet_valid(&self, host: &str) -> Chain {
        self.issue(host, &[], |params| {
            params.not_before = date_time_ymd(2100, 1, 1);
            params.not_after = date_time_ymd(2101, 1, 1);
        })
    }

    /// Its subject and its first name have a U+0000.
    pub fn with_nul(&self, host: &str) -> Chain {
        self.issue(host, &[], |params| {
            params.distinguished_name.push(DnType::CommonName, "a\0b");
            params.subject_alt_names.insert(0, SanType::DnsName("a\0b".try_into().unwrap()));
        })
    }

    fn issue(
        &self,
        host: &str,
        above: &[CertificateDer<'static>],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Chain {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, host);
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = date_time_ymd(2090, 1, 1);
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let sent = std::iter::once(certificate).chain(above.iter().cloned()).collect();
        Chain { sent, key: key.serialize_der() }
    }
}
