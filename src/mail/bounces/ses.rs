//! Amazon SES: notifications and event publishing by way of an SNS topic, with a subscription by https.
//!
//! Supported: `SubscriptionConfirmation` (confirmed by asking its `SubscribeURL`) and `Notification`, signature versions 1 (SHA-1) and 2
//! (SHA-256), bounces, complaints and rejects. Not supported: raw message delivery, which has no signature.
//!
//! The certificate is fetched from the address in the message, which must be one of SNS: that TLS connection is what vouches for it. It is
//! kept, because it changes once a year. SNS signs the topics of all its customers, so the secret in our address and the topic, which the user
//! names, say whose message it is.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    pki_types::{CertificateDer, pem::PemObject as _},
    server::ParsedCertificate,
};
use serde_json::Value;

use super::{Bounce, BounceKind, LONGEST_ID, Report, Unsigned, enhanced, hard, message_id, refusal, short, text, time};
use platform::{
    error::{ApiError, chain},
    http,
    http_client::TenantClient,
};

/// Time for an answer of SNS. It waits 15 s for ours, and repeats what failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a certificate or of a confirmation.
const MOST_BYTES: usize = 64 * 1024;
/// Certificates that are kept: one for each region that is used.
const MOST_KEPT: usize = 32;

/// The certificates of SNS, and the client that fetches them. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Sns {
    client: TenantClient,
    /// Public keys by the address of the certificate.
    keys: Arc<Mutex<HashMap<String, Vec<u8>>>>,
}

/// What a message is.
#[derive(Debug)]
pub(super) enum Message {
    /// The JSON of SES.
    Notification(String),
    /// The address that confirms the subscription.
    Confirm(String),
    /// The subscription was ended.
    Ended,
}

impl Sns {
    pub(crate) fn new(client: TenantClient) -> Self {
        Self { client, keys: Arc::default() }
    }

    /// The message, if its signature holds. `topic`: the only topic that is believed.
    pub(super) async fn open(&self, topic: &str, report: &Report<'_>) -> Result<Message, ApiError> {
        let message: Value = http::decode(report.body)?;
        let signed = Signed::read(&message, topic)?;
        let key = self.key(&signed.certificate).await?;
        signed.verify(&key)?;
        signed.into_message()
    }

    /// Confirms a subscription.
    pub(super) async fn confirm(&self, url: &str) -> Result<(), ApiError> {
        self.fetch(url).await.map(drop)
    }

    async fn key(&self, url: &str) -> Result<Vec<u8>, ApiError> {
        if let Some(key) = self.kept().get(url) {
            return Ok(key.clone());
        }
        let key = public_key(&self.fetch(url).await?)?;
        self.keep(url, key.clone());
        Ok(key)
    }

    pub(super) fn keep(&self, url: &str, key: Vec<u8>) {
        let mut kept = self.kept();
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(url.to_owned(), key);
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<u8>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks an address of SNS.
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, ApiError> {
        let away = |why: String| ApiError::unavailable(PATIENCE, format!("Amazon SNS cannot be asked: {why}"));
        let request = self.client.request(Method::GET, url).map_err(|error| away(chain(&error)))?.timeout(PATIENCE);
        let mut response = request.send().await.map_err(|error| away(chain(&error)))?;
        if !response.status().is_success() {
            return Err(away(format!("it answered {}", response.status())));
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| away(chain(&error)))? {
            body.extend_from_slice(&part);
            if body.len() > MOST_BYTES {
                return Err(away("its answer is too long".into()));
            }
        }
        Ok(body)
    }
}

/// A message whose signature is still to be verified.
pub(super) struct Signed {
    kind: String,
    /// Address of the certificate, at SNS.
    pub certificate: String,
    is_version_2: bool,
    signature: Vec<u8>,
    /// What is signed.
    text: String,
    message: String,
    subscribe_url: Option<String>,
}

impl Signed {
    pub(super) fn read(message: &Value, topic: &str) -> Result<Self, Unsigned> {
        // As they are: what is signed is not trimmed.
        let get = |name: &str| message.pointer(name).and_then(Value::as_str);
        let must = |name: &'static str| get(name).ok_or(Unsigned::Missing(name));
        let kind = must("/Type")?;
        let given = must("/TopicArn")?;
        if topic != given {
            return Err(Unsigned::OtherTopic(given.to_owned()));
        }
        let is_version_2 = match must("/SignatureVersion")? {
            "1" => false,
            "2" => true,
            _ => return Err(Unsigned::Missing("a known SignatureVersion")),
        };
        let certificate = must("/SigningCertURL")?;
        if !is_certificate(certificate) {
            return Err(Unsigned::ForeignAddress(certificate.to_owned()));
        }
        // In this order; a subject is signed where there is one.
        let fields: &[&str] = match kind {
            "Notification" => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
            _ => &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
        };
        let lines = fields.iter().filter_map(|name| Some(format!("{name}\n{}\n", message.get(name)?.as_str()?)));
        let subscribe_url = get("/SubscribeURL").map(str::to_owned);
        Ok(Self {
            certificate: certificate.to_owned(),
            is_version_2,
            signature: STANDARD.decode(must("/Signature")?).map_err(|_| Unsigned::Signature)?,
            text: lines.collect(),
            message: must("/Message")?.to_owned(),
            subscribe_url,
            kind: kind.to_owned(),
        })
    }

    pub(super) fn verify(&self, key: &[u8]) -> Result<(), Unsigned> {
        let (text, signature) = (self.text.as_bytes(), self.signature.as_slice());
        let verified = if self.is_version_2 {
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(text, signature)
        } else {
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, key).verify(text, signature)
        };
        verified.map_err(|_| Unsigned::Signature)
    }

    fn into_message(self) -> Result<Message, ApiError> {
        match (self.kind.as_str(), self.subscribe_url) {
            ("Notification", _) => Ok(Message::Notification(self.message)),
            ("UnsubscribeConfirmation", _) => Ok(Message::Ended),
            ("SubscriptionConfirmation", Some(url)) if is_sns(&url) => Ok(Message::Confirm(url)),
            ("SubscriptionConfirmation", url) => Err(Unsigned::ForeignAddress(url.unwrap_or_default()).into()),
            (kind, _) => Err(ApiError::bad_request("invalid_value", format!("{kind:?} is no type of message"))),
        }
    }
}

/// Whether this is `https://sns.<region>.amazonaws.com/...` (or `.com.cn`), without user, password and port.
fn is_sns(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let host = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let name = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"));
    let region = name.and_then(|name| name.strip_prefix("sns."));
    region.is_some_and(|region| {
        region.len() >= 3 && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    })
}

/// Whether this is where SNS keeps its certificates. Nothing else at SNS is: an address with a query is answered with what its caller wrote.
fn is_certificate(url: &str) -> bool {
    let path = url.strip_prefix("https://").and_then(|rest| rest.split_once('/')).map(|(_, path)| path);
    let number = path.and_then(|path| path.strip_prefix("SimpleNotificationService-")?.strip_suffix(".pem"));
    is_sns(url) && number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The public key (`SubjectPublicKeyInfo`) of a certificate in PEM.
pub(super) fn public_key(pem: &[u8]) -> Result<Vec<u8>, Unsigned> {
    let certificate = CertificateDer::from_pem_slice(pem).map_err(|_| Unsigned::Missing("the certificate"))?;
    let parsed = ParsedCertificate::try_from(&certificate).map_err(|_| Unsigned::Missing("the certificate"))?;
    Ok(parsed.subject_public_key_info().as_ref().to_vec())
}

/// A bounce for each recipient of a notification of SES.
pub(super) fn read(notification: &str) -> Result<Vec<Bounce>, ApiError> {
    // SNS sends a line of text when SES is connected with the topic.
    if !notification.trim_start().starts_with('{') {
        return Ok(Vec::new());
    }
    let event: Value = http::decode(notification.as_bytes())?;
    let kind = text(&event, "/eventType").or_else(|| text(&event, "/notificationType"));
    let (kind, part, recipients) = match kind.as_deref() {
        Some("Bounce") => (bounced(&event), "/bounce", "/bounce/bouncedRecipients"),
        Some("Complaint") => match complained(&event) {
            Some(kind) => (kind, "/complaint", "/complaint/complainedRecipients"),
            None => return Ok(Vec::new()),
        },
        Some("Reject") => (BounceKind::Soft, "/reject", "/mail/destination"),
        // Sent, delivered, delayed (it is tried again), opened, clicked, ...
        _ => return Ok(Vec::new()),
    };
    let recipients = event.pointer(recipients).and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(recipients.iter().filter_map(|recipient| bounce(&event, kind, part, recipient)).collect())
}

fn bounce(event: &Value, kind: BounceKind, part: &str, recipient: &Value) -> Option<Bounce> {
    let get = |name: &str| text(event, &format!("{part}{name}"));
    let address = text(recipient, "/emailAddress").or_else(|| recipient.as_str().map(str::to_owned))?;
    let said = text(recipient, "/diagnosticCode").or_else(|| get("/reason"));
    let said = said.or_else(|| get("/complaintFeedbackType")).or_else(|| get("/bounceSubType")).unwrap_or_default();
    // The status is what SES makes of the answer that it got.
    let code = enhanced(&said).or_else(|| text(recipient, "/status").and_then(|status| enhanced(&status)));
    // "Permanent" is also what a server refused for its policy.
    let kind = match kind {
        BounceKind::Hard => hard(code.as_deref(), &said),
        // With a subtype such as ContentRejected.
        BounceKind::Soft => refusal(code.as_deref(), &format!("{} {said}", get("/bounceSubType").unwrap_or_default())),
        kind => kind,
    };
    let status = text(recipient, "/status").or(code).or_else(|| get("/bounceType"));
    let provider_id = short(event, "/mail/messageId");
    let report = get("/feedbackId").or_else(|| provider_id.clone()).unwrap_or_default();
    Some(Bounce {
        message_id: own_id(event),
        provider_id,
        event_id: format!("{report} {address}"),
        address: Some(address).filter(|address| address.len() <= LONGEST_ID),
        kind,
        status: status.unwrap_or_default(),
        detail: said,
        at: time(event, &format!("{part}/timestamp")).or_else(|| time(event, "/mail/timestamp")),
        raw: event.to_string(),
    })
}

/// The Message-ID that we gave. SES puts another into the mail that it sends; this one is there if the notification has the headers.
fn own_id(event: &Value) -> Option<String> {
    let common = text(event, "/mail/commonHeaders/messageId");
    let listed = || {
        let headers = event.pointer("/mail/headers")?.as_array()?;
        let is_id = |header: &&Value| text(header, "/name").is_some_and(|name| name.eq_ignore_ascii_case("message-id"));
        text(headers.iter().find(is_id)?, "/value")
    };
    common.or_else(listed).as_deref().and_then(message_id)
}

fn bounced(event: &Value) -> BounceKind {
    match (text(event, "/bounce/bounceType").as_deref(), text(event, "/bounce/bounceSubType").as_deref()) {
        (Some("Permanent"), Some("UnsubscribedRecipient")) => BounceKind::Unsubscribe,
        (Some("Permanent"), _) => BounceKind::Hard,
        _ => BounceKind::Soft,
    }
}

/// `None` for reports that are no complaint: that the mail is no spam, or about its authentication.
fn complained(event: &Value) -> Option<BounceKind> {
    let kind = text(event, "/complaint/complaintFeedbackType");
    (!matches!(kind.as_deref(), Some("not-spam" | "auth-failure"))).then_some(BounceKind::Complaint)
}
