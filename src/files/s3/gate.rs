//! Who asks: the signature of a request is compared before anything that it says is believed.
//!
//! A request that was admitted is an [`Admitted`], the only place where a caller and a body of the S3 API come from. What is not signed with an
//! access key may be a bearer token of the API, which the frame has looked up; nobody else gets in.

use std::{sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderName, header, request::Parts};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    S3,
    body::{Body, Payload},
    canonical::{self, Query},
    chunked::Chain,
    errors::{
        ACCESS_DENIED, INVALID_ACCESS_KEY, INVALID_REQUEST, INVALID_TOKEN, MISSING_HEADER, S3Error, SIGNATURE,
        SLOW_DOWN,
    },
    host, presigned,
    sigv4::{self, Asked, Claim},
};
use files::{AccessKey, Caller, CallerKind, SignatureRefusal};
use platform::{
    crypto,
    http::{ClientAddress, Principal, address_key},
};

/// What a request is allowed to be.
pub(crate) struct Admitted {
    pub who: Caller,
    pub headers: HeaderMap,
    /// Without what belongs to the signature.
    pub query: Query,
    pub body: Body,
}

/// The address of a request, as it came.
pub(crate) struct Address<'a> {
    pub host: &'a str,
    /// With the prefix of the surface.
    pub path: &'a str,
    pub query: Query,
}

/// Where the signature of a request stands.
enum Kind {
    Header,
    Query,
    /// There is none.
    None,
}

impl S3 {
    /// Err unless somebody may ask at all; what they may do is decided by files.
    pub(crate) async fn admit(
        &self,
        parts: &Parts,
        address: Address<'_>,
        data: axum::body::Body,
    ) -> Result<Admitted, S3Error> {
        self.judge(parts, address, data).await.map_err(|error| self.refused(parts, error))
    }

    /// The caller of a form, whose policy is what is signed; `claim`: of its fields.
    pub(crate) async fn admit_form(&self, parts: &Parts, claim: &Claim, policy: &str) -> Result<Caller, S3Error> {
        let key = self.files.access_key(&claim.access_key_id).await?;
        let secret = key.as_ref().map_or_else(|| self.dummy.clone(), |key| key.secret.clone());
        let signature = crypto::hmac_sha256(&claim.signing_key(secret.expose_secret()), policy.as_bytes());
        let is_right = crypto::constant_time_eq(crypto::hex(&signature).as_bytes(), claim.signature.as_bytes());
        match key {
            None => Err(self.refused(parts, INVALID_ACCESS_KEY.error())),
            Some(_) if !is_right => Err(self.refused(parts, SIGNATURE.error())),
            Some(key) => self.in_turn(&key).map(|()| caller(&key)),
        }
    }

    /// Notes a refusal. Only wrong signatures count for an address: a client with a right key is not held up by others behind the same one.
    fn refused(&self, parts: &Parts, error: S3Error) -> S3Error {
        tracing::info!(code = error.code, "files.signature_refused");
        if error.status.is_client_error() {
            self.files.metrics().signature_refused(SignatureRefusal::of(error.code));
        }
        let is_guess = error.code == SIGNATURE.name || error.code == INVALID_ACCESS_KEY.name;
        let from = parts.extensions.get::<ClientAddress>().map(|address| address_key(address.0)).unwrap_or_default();
        if is_guess && self.failures.check(&from).is_err() {
            return SLOW_DOWN.with("too many requests with wrong signatures from this address");
        }
        error
    }

    /// Err where a key asks more often than it may.
    fn in_turn(&self, key: &AccessKey) -> Result<(), S3Error> {
        let wait = |after: Duration| format!("this access key asks too often: wait {} s", after.as_secs().max(1));
        self.by_key.check(&key.access_key_id).map_err(|after| SLOW_DOWN.with(wait(after)))
    }

    async fn judge(&self, parts: &Parts, address: Address<'_>, data: axum::body::Body) -> Result<Admitted, S3Error> {
        let headers = &parts.headers;
        let kind = kind(headers, &address.query)?;
        if let Kind::None = kind {
            return unsigned(parts, address, data);
        }
        if headers.contains_key("x-amz-security-token") || address.query.has("X-Amz-Security-Token") {
            return Err(INVALID_TOKEN.error());
        }
        let claim = match kind {
            Kind::Query => presigned::claim(&address.query)?,
            Kind::Header | Kind::None => of_header(headers)?,
        };
        claim.is_in_time(self.files.now())?;
        let key = self.files.access_key(&claim.access_key_id).await?;
        let secret = key.as_ref().map_or_else(|| self.dummy.clone(), |key| key.secret.clone());
        let payload = payload_text(headers, &address.query, &kind)?;
        let signing_key = claim.signing_key(secret.expose_secret());
        let is_right = self.is_signed(parts, &address, &claim, &signing_key, payload);
        // The same work was done for a key that is not there.
        let key = key.ok_or_else(|| INVALID_ACCESS_KEY.error())?;
        if !is_right {
            tracing::debug!(access_key = %key.id, method = %parts.method, "a signature is wrong");
            return Err(SIGNATURE.error());
        }
        nothing_unsigned(headers, &claim.signed)?;
        self.in_turn(&key)?;
        let payload = Payload::parse(payload)?;
        if matches!((&kind, payload), (Kind::Query, Payload::Chunked { .. })) {
            return Err(INVALID_REQUEST.with("a presigned address takes its content as it is, not in chunks"));
        }
        let chain = Chain {
            key: signing_key,
            stamp: claim.stamp(),
            scope: claim.scope.to_string(),
            last: claim.signature.clone(),
        };
        let mut headers = headers.clone();
        if let Kind::Query = kind {
            presigned::hoisted(&address.query, &mut headers)?;
        }
        admitted(caller(&key), headers, address.query, data, payload, Some(chain))
    }

    /// Whether the signature is that of the request, under one of the addresses by which the client may have known it: a proxy may have
    /// taken a path away, or have put another host in its place.
    fn is_signed(&self, parts: &Parts, address: &Address<'_>, claim: &Claim, key: &[u8; 32], payload: &str) -> bool {
        let (path, below) = (canonical::path(address.path), self.settings.public_path.as_str());
        let mut paths = vec![path.clone()];
        if !below.is_empty() {
            paths.push(format!("{}{path}", canonical::path(below)));
        }
        let asked = Asked {
            method: parts.method.as_str(),
            headers: &parts.headers,
            hosts: &self.hosts_of(address.host),
            paths: &paths,
            query: &address.query.canonical("X-Amz-Signature"),
            payload,
        };
        claim.is_of(key, &asked)
    }

    /// The host that was asked; without and with the port that is the scheme's own; and the public one, which a proxy may have replaced.
    fn hosts_of(&self, asked: &str) -> Vec<String> {
        let mut hosts: Vec<String> = Vec::new();
        for host in [asked, &self.settings.public_host] {
            let bare = host.strip_suffix(":80").or_else(|| host.strip_suffix(":443")).unwrap_or(host);
            for other in [host.to_owned(), bare.to_owned(), format!("{bare}:443"), format!("{bare}:80")] {
                if !bare.is_empty() && !hosts.contains(&other) {
                    hosts.push(other);
                }
            }
        }
        hosts
    }
}

fn kind(headers: &HeaderMap, query: &Query) -> Result<Kind, S3Error> {
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let is_bearer =
        authorization.is_some_and(|text| text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")));
    match (authorization, presigned::is_signed(query)) {
        (Some(_), true) => Err(INVALID_REQUEST
            .with("Only one auth mechanism allowed: the header Authorization, or a signature in the query")),
        (Some(_), false) if is_bearer => Ok(Kind::None),
        (Some(text), false) if !text.starts_with(sigv4::ALGORITHM) => Err(sigv4::refuse_scheme(text)),
        (Some(_), false) => Ok(Kind::Header),
        (None, true) if presigned::is_signed_v2(query) => Err(sigv4::refuse_scheme("AWS")),
        (None, true) => Ok(Kind::Query),
        (None, false) => Ok(Kind::None),
    }
}

fn of_header(headers: &HeaderMap) -> Result<Claim, S3Error> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let time = match (text("x-amz-date"), text("date")) {
        (Some(stamp), _) => sigv4::time(stamp),
        (None, Some(date)) => chrono::DateTime::parse_from_rfc2822(date).ok().map(|time| time.to_utc()),
        (None, None) => None,
    };
    let time =
        time.ok_or_else(|| ACCESS_DENIED.with("AWS authentication requires a valid Date or x-amz-date header"))?;
    Claim::of_header(text("authorization").unwrap_or_default(), time)
}

/// What is signed as the payload.
fn payload_text<'a>(headers: &'a HeaderMap, query: &'a Query, kind: &Kind) -> Result<&'a str, S3Error> {
    let of_header = headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok());
    match (of_header, kind) {
        (Some(text), _) => Ok(text),
        (None, Kind::Query) => Ok(query.get(presigned::PAYLOAD).unwrap_or("UNSIGNED-PAYLOAD")),
        (None, Kind::Header | Kind::None) => {
            Err(MISSING_HEADER.with("Missing required header for this request: x-amz-content-sha256"))
        }
    }
}

/// What begins with `x-amz-` changes what a request does: none of it may be added behind the signer's back.
fn nothing_unsigned(headers: &HeaderMap, signed: &[String]) -> Result<(), S3Error> {
    let unsigned = headers
        .keys()
        .map(HeaderName::as_str)
        .find(|name| name.starts_with("x-amz-") && !signed.iter().any(|other| other == name));
    match unsigned {
        None => Ok(()),
        Some(name) => Err(ACCESS_DENIED
            .with("There were headers present in the request which were not signed")
            .about("HeadersNotSigned", name)),
    }
}

/// Without a signature: somebody with a key of the API, or nobody.
fn unsigned(parts: &Parts, address: Address<'_>, data: axum::body::Body) -> Result<Admitted, S3Error> {
    let Some(principal) = parts.extensions.get::<Principal>() else {
        let how = "sign the request with an access key; objects of public buckets are read at /f/o/<organisation>/<bucket>/<key>";
        return Err(ACCESS_DENIED.with(how));
    };
    let payload = match parts.headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok()) {
        Some(text) => Payload::parse(text)?,
        None => Payload::Unsigned,
    };
    admitted(Caller::of(principal), parts.headers.clone(), address.query, data, payload, None)
}

fn admitted(
    mut who: Caller,
    mut headers: HeaderMap,
    query: Query,
    data: axum::body::Body,
    payload: Payload,
    chain: Option<Chain>,
) -> Result<Admitted, S3Error> {
    let body = Body::new(data, payload, chain, &mut headers)?;
    headers.remove(header::AUTHORIZATION);
    let bypass = headers.get("x-amz-bypass-governance-retention");
    who.bypass_governance = bypass.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
    Ok(Admitted { who, headers, query: presigned::stripped(query), body })
}

pub(crate) fn caller(key: &Arc<AccessKey>) -> Caller {
    Caller {
        org: key.org,
        kind: CallerKind::AccessKey(key.clone()),
        subject: format!("access_key:{}", key.id),
        bypass_governance: false,
    }
}

/// What signs in the place of a key that is not there.
pub(crate) fn dummy() -> SecretString {
    crypto::random_token().into()
}
