//! Signatures of the kind AWS4-HMAC-SHA256: what they name, and how they are computed.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html>

use axum::http::HeaderMap;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use platform::crypto::{self, hex};

use crate::{
    canonical,
    errors::{ACCESS_DENIED, INVALID_ARGUMENT, INVALID_REQUEST, S3Error, TIME_TOO_SKEWED},
};

pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// SHA-256 of nothing.
pub(crate) const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// How far a client's clock may be off.
const SKEW: TimeDelta = TimeDelta::minutes(15);
/// Longest life of a presigned address.
const LONGEST: i64 = 7 * 24 * 3600;
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// For what a signing key is good: a day, a region, this service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// `20130524`
    pub date: String,
    pub region: String,
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/s3/aws4_request", self.date, self.region)
    }
}

/// What a request says of its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub access_key_id: String,
    pub scope: Scope,
    pub time: DateTime<Utc>,
    /// In lower case, in the order in which they were signed.
    pub signed: Vec<String>,
    /// 64 hexadecimal digits.
    pub signature: String,
    /// Of a presigned address.
    pub expires: Option<TimeDelta>,
}

/// What a signature is to be of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub method: &'a str,
    pub headers: &'a HeaderMap,
    /// By which the client may have known us.
    pub hosts: &'a [String],
    /// Canonical ones, likewise.
    pub paths: &'a [String],
    pub query: &'a str,
    pub payload: &'a str,
}

impl Claim {
    /// Of an `Authorization` header; `time`: of `x-amz-date` or `Date`.
    pub fn of_header(text: &str, time: DateTime<Utc>) -> Result<Self, S3Error> {
        let wrong = || INVALID_ARGUMENT.with("the Authorization header is not well formed");
        let rest = text.strip_prefix(ALGORITHM).ok_or_else(|| refuse_scheme(text))?;
        let (mut credential, mut signed, mut signature) = (None, None, None);
        for part in rest.split(',') {
            let (name, value) = part.trim().split_once('=').ok_or_else(wrong)?;
            let place = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed,
                "Signature" => &mut signature,
                _ => return Err(wrong()),
            };
            if place.replace(value).is_some() {
                return Err(wrong());
            }
        }
        let (credential, signed) = (credential.ok_or_else(wrong)?, signed.ok_or_else(wrong)?);
        Self::new(credential, signed, signature.ok_or_else(wrong)?, time, None)
    }

    pub fn new(
        credential: &str,
        signed: &str,
        signature: &str,
        time: DateTime<Utc>,
        expires: Option<TimeDelta>,
    ) -> Result<Self, S3Error> {
        let wrong = |what: &str| INVALID_ARGUMENT.with(format!("the credential is not well formed: {what}"));
        // From the end: an access key id may have slashes, in theory.
        let mut parts = credential.rsplitn(5, '/');
        let mut next = || parts.next().unwrap_or_default();
        let (end, service, region, date, access_key_id) = (next(), next(), next(), next(), next());
        if end != "aws4_request" || service != "s3" {
            return Err(wrong("expected <access key id>/<date>/<region>/s3/aws4_request"));
        }
        if date != time.format("%Y%m%d").to_string() {
            return Err(wrong("its date is not that of the request"));
        }
        let signed: Vec<String> = signed.split(';').map(str::to_ascii_lowercase).collect();
        if !signed.is_sorted_by(|a, b| a < b) || !signed.iter().any(|name| name == "host") {
            return Err(INVALID_ARGUMENT.with("signed headers: expected names in order, each once, with host"));
        }
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            scope: Scope { date: date.to_owned(), region: region.to_owned() },
            time,
            signed,
            signature: signature.to_ascii_lowercase(),
            expires,
        })
    }

    /// Whether the time is one at which it is good.
    pub fn is_in_time(&self, now: DateTime<Utc>) -> Result<(), S3Error> {
        let Some(expires) = self.expires else {
            if (now - self.time).abs() <= SKEW {
                return Ok(());
            }
            let request = self.time.format(TIME).to_string();
            return Err(TIME_TOO_SKEWED.error().about("RequestTime", request).about("ServerTime", iso(now)));
        };
        if self.time - now > SKEW {
            return Err(ACCESS_DENIED.with("Request is not yet valid").about("ServerTime", iso(now)));
        }
        if now > self.time + expires {
            let ended = iso(self.time + expires);
            return Err(ACCESS_DENIED
                .with("Request has expired")
                .about("Expires", ended)
                .about("ServerTime", iso(now)));
        }
        Ok(())
    }

    /// The key that a secret gives for this scope.
    pub fn signing_key(&self, secret: &str) -> [u8; 32] {
        signing_key(secret, &self.scope)
    }

    /// The signature of a canonical request.
    pub fn sign(&self, key: &[u8; 32], canonical: &[u8]) -> String {
        let time = self.time.format(TIME);
        let text = format!("{ALGORITHM}\n{time}\n{}\n{}", self.scope, crypto::sha256_hex(canonical));
        hex(&crypto::hmac_sha256(key, text.as_bytes()))
    }

    /// Whether it is the signature of what was asked, under one of its hosts and paths.
    pub fn is_of(&self, key: &[u8; 32], asked: &Asked<'_>) -> bool {
        for host in asked.hosts {
            let Some(lines) = canonical::headers(asked.headers, &self.signed, host) else { return false };
            for path in asked.paths {
                let request = canonical::request(asked.method, path, asked.query, &lines, &self.signed, asked.payload);
                let signature = self.sign(key, &request);
                if crypto::constant_time_eq(signature.as_bytes(), self.signature.as_bytes()) {
                    return true;
                }
            }
        }
        false
    }

    /// The time as strings to sign have it.
    pub fn stamp(&self) -> String {
        self.time.format(TIME).to_string()
    }
}

pub(crate) fn signing_key(secret: &str, scope: &Scope) -> [u8; 32] {
    let key = crypto::hmac_sha256(format!("AWS4{secret}").as_bytes(), scope.date.as_bytes());
    [scope.region.as_str(), "s3", "aws4_request"]
        .iter()
        .fold(key, |key, part| crypto::hmac_sha256(&key, part.as_bytes()))
}

/// Older and newer kinds of signatures.
pub(crate) fn refuse_scheme(text: &str) -> S3Error {
    if text.starts_with("AWS4-ECDSA") {
        S3Error::not_implemented("signatures of SigV4A are not implemented: use AWS4-HMAC-SHA256")
    } else {
        INVALID_REQUEST
            .with("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
    }
}

/// `20130524T000000Z`
pub(crate) fn time(text: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(text, TIME).ok().map(|time| time.and_utc())
}

/// How long a presigned address is good.
pub(crate) fn expires(text: &str) -> Result<TimeDelta, S3Error> {
    let seconds = text.parse::<i64>().ok().filter(|seconds| (1..=LONGEST).contains(seconds));
    let wrong =
        || INVALID_ARGUMENT.with("X-Amz-Expires: expected 1 to 604800 seconds").about("ArgumentName", "X-Amz-Expires");
    seconds.map(TimeDelta::seconds).ok_or_else(wrong)
}

fn iso(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
