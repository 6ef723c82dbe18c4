//! DKIM (RFC 6376, RFC 8463): key pairs of a domain, and signatures with both: Ed25519 for those who know it, RSA for everybody.

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der},
    error::Unspecified,
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use mail_auth::{
    common::{
        crypto::{Ed25519Key, RsaKey, Sha256},
        headers::HeaderWriter as _,
    },
    dkim::{DkimSigner, Done},
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::DnsRecord;

/// Headers that a signature covers. Without Date and Message-ID, which Amazon SES replaces.
const HEADERS: [&str; 9] = [
    "From",
    "To",
    "Cc",
    "Reply-To",
    "Subject",
    "MIME-Version",
    "Content-Type",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];

/// Each header once more than a message has it: the last is signed as missing (RFC 6376 section 8.15), so that nobody can add a second From or
/// a Reply-To.
fn signed_headers() -> impl Iterator<Item = &'static str> {
    HEADERS.into_iter().chain(HEADERS)
}

#[derive(Debug, thiserror::Error)]
pub enum DkimError {
    #[error("no DKIM key could be made")]
    Generate(#[from] Unspecified),
    #[error("DKIM: {0}")]
    Sign(mail_auth::Error),
}

impl From<mail_auth::Error> for DkimError {
    fn from(error: mail_auth::Error) -> Self {
        Self::Sign(error)
    }
}

/// New key pairs of a domain. Not printed: it contains private keys.
pub struct NewKeys {
    /// PKCS #8.
    pub rsa_private: Vec<u8>,
    pub ed25519_private: Vec<u8>,
    /// Base64, for the records.
    pub rsa_public: String,
    pub ed25519_public: String,
}

/// Makes key pairs: RSA with 2048 bits (some name servers do not take longer records) and Ed25519. Takes a part of a second.
pub fn generate() -> Result<NewKeys, DkimError> {
    let rsa = KeyPair::generate(KeySize::Rsa2048)?;
    let rsa_private: Pkcs8V1Der<'_> = rsa.as_der()?;
    let rsa_public: PublicKeyX509Der<'_> = rsa.public_key().as_der()?;
    let ed25519_private = Ed25519Key::generate_pkcs8()?;
    let ed25519_public = Ed25519Key::from_pkcs8_der(&ed25519_private)?.public_key();
    Ok(NewKeys {
        rsa_private: rsa_private.as_ref().to_vec(),
        rsa_public: STANDARD.encode(rsa_public.as_ref()),
        ed25519_public: STANDARD.encode(ed25519_public),
        ed25519_private,
    })
}

/// Selector of the Ed25519 key; that of the RSA key is `selector` itself.
pub fn ed25519_selector(selector: &str) -> String {
    format!("{selector}e")
}

/// The records to publish.
pub fn records(domain: &str, selector: &str, rsa_public: &str, ed25519_public: &str) -> [DnsRecord; 2] {
    let host = |selector: &str| format!("{selector}._domainkey.{domain}");
    [
        DnsRecord { host: host(selector), value: format!("v=DKIM1; k=rsa; p={rsa_public}") },
        DnsRecord { host: host(&ed25519_selector(selector)), value: format!("v=DKIM1; k=ed25519; p={ed25519_public}") },
    ]
}

/// The keys of a domain, ready to sign.
pub struct DomainKeys {
    rsa: DkimSigner<RsaKey<Sha256>, Done>,
    ed25519: DkimSigner<Ed25519Key, Done>,
}

impl DomainKeys {
    /// From private keys in PKCS #8.
    pub fn new(domain: &str, selector: &str, rsa: &[u8], ed25519: &[u8]) -> Result<Self, DkimError> {
        let rsa = RsaKey::<Sha256>::from_key_der(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(rsa)))?;
        let ed25519 = Ed25519Key::from_pkcs8_der(ed25519)?;
        Ok(Self {
            rsa: DkimSigner::from_key(rsa).domain(domain).selector(selector).headers(signed_headers()),
            ed25519: DkimSigner::from_key(ed25519)
                .domain(domain)
                .selector(ed25519_selector(selector))
                .headers(signed_headers()),
        })
    }
}

/// The message with both signatures before it.
pub fn sign(raw: &[u8], keys: &DomainKeys) -> Result<Vec<u8>, DkimError> {
    let signatures = [keys.ed25519.sign(raw)?.to_header(), keys.rsa.sign(raw)?.to_header()];
    Ok([signatures[0].as_bytes(), signatures[1].as_bytes(), raw].concat())
}
