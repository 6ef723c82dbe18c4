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
        crypto::{Algorithm, Ed25519Key, RsaKey, Sha256, SigningKey},
        headers::{HeaderWriter as _, Writable},
    },
    dkim::DkimSigner,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{DnsRecord, Signing};

/// Headers that a signature covers, each once more than the message has it: the last is signed as missing (RFC 6376 section 8.15), so that nobody
/// can add a second From.
const ALWAYS: [&str; 7] = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"];
/// Headers that a signature covers where the message has them. Not as missing: services add a Reply-To or a List-Unsubscribe of their own.
const WHERE_PRESENT: [&str; 4] = ["Reply-To", "Cc", "List-Unsubscribe", "List-Unsubscribe-Post"];

/// What a signature of this message covers.
fn signed_headers(raw: &[u8]) -> Vec<&'static str> {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(raw.len());
    let head = String::from_utf8_lossy(&raw[..end]);
    let is_present = |name: &&str| {
        head.lines().any(|line| line.split_once(':').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name)))
    };
    ALWAYS.into_iter().chain(ALWAYS).chain(WHERE_PRESENT.into_iter().filter(is_present)).collect()
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
    domain: String,
    selector: String,
    rsa: RsaKey<Sha256>,
    ed25519: Ed25519Key,
}

impl DomainKeys {
    /// From private keys in PKCS #8.
    pub fn new(domain: &str, selector: &str, rsa: &[u8], ed25519: &[u8]) -> Result<Self, DkimError> {
        Ok(Self {
            domain: domain.to_owned(),
            selector: selector.to_owned(),
            rsa: RsaKey::<Sha256>::from_key_der(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(rsa)))?,
            ed25519: Ed25519Key::from_pkcs8_der(ed25519)?,
        })
    }
}

/// The message with its signatures before it.
pub fn sign(raw: &[u8], keys: &DomainKeys, signing: Signing) -> Result<Vec<u8>, DkimError> {
    let DomainKeys { domain, selector, rsa, ed25519 } = keys;
    let headers = signed_headers(raw);
    let mut signed = Vec::with_capacity(raw.len() + 2048);
    if matches!(signing, Signing::Auto | Signing::Both) {
        signed.extend(signature(ed25519, domain, &ed25519_selector(selector), &headers, raw)?.into_bytes());
    }
    if signing != Signing::None {
        signed.extend(signature(rsa, domain, selector, &headers, raw)?.into_bytes());
    }
    signed.extend_from_slice(raw);
    Ok(signed)
}

fn signature(
    key: &impl SigningKey,
    domain: &str,
    selector: &str,
    headers: &[&str],
    raw: &[u8],
) -> Result<String, DkimError> {
    let signer = DkimSigner::from_key(Lent(key)).domain(domain).selector(selector).headers(headers.iter().copied());
    Ok(signer.sign(raw)?.to_header())
}

/// A key for one signature: mail-auth's signers own theirs, and cover the same headers of each message.
struct Lent<'a, K>(&'a K);

impl<K: SigningKey> SigningKey for Lent<'_, K> {
    type Hasher = K::Hasher;

    fn sign(&self, input: impl Writable) -> mail_auth::Result<Vec<u8>> {
        self.0.sign(input)
    }

    fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }
}
