//! Presigned addresses: a signature among the parameters of the query.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    canonical::Query,
    errors::{ACCESS_DENIED, INVALID_ARGUMENT, S3Error},
    sigv4::{self, ALGORITHM, Claim},
};

/// The parameters that are the signature.
const OWN: [&str; 6] =
    ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"];
/// What a client of temporary credentials sends.
const TOKEN: &str = "X-Amz-Security-Token";
/// What the payload is, where a header does not say it.
pub(crate) const PAYLOAD: &str = "X-Amz-Content-Sha256";

/// Whether the query has a signature of any kind.
pub(crate) fn is_signed(query: &Query) -> bool {
    query.has("X-Amz-Signature") || query.has("X-Amz-Algorithm") || is_signed_v2(query)
}

/// Of the kind that was used before.
pub(crate) fn is_signed_v2(query: &Query) -> bool {
    query.has("AWSAccessKeyId") && query.has("Signature")
}

/// What a presigned address says of its signature.
pub(crate) fn claim(query: &Query) -> Result<Claim, S3Error> {
    for (name, _) in query.iter().filter(|(name, _)| is_amz(name)) {
        let times = query.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).count();
        if times > 1 {
            return Err(INVALID_ARGUMENT.with(format!("{name} stands more than once in the query")));
        }
    }
    let need = |name: &'static str| {
        let missing = || INVALID_ARGUMENT.with(format!("a presigned address needs {name}")).about("ArgumentName", name);
        query.get(name).ok_or_else(missing)
    };
    let algorithm = need("X-Amz-Algorithm")?;
    if algorithm != ALGORITHM {
        return Err(sigv4::refuse_scheme(algorithm));
    }
    let time = sigv4::time(need("X-Amz-Date")?)
        .ok_or_else(|| INVALID_ARGUMENT.with("X-Amz-Date: expected the form 20130524T000000Z"))?;
    let expires = sigv4::expires(need("X-Amz-Expires")?)?;
    Claim::new(need("X-Amz-Credential")?, need("X-Amz-SignedHeaders")?, need("X-Amz-Signature")?, time, Some(expires))
}

/// Parameters that stand for headers (clients of S3 move headers there) become headers. They are signed, as the whole query is.
pub(crate) fn hoisted(query: &Query, headers: &mut HeaderMap) -> Result<(), S3Error> {
    for (name, value) in query.iter() {
        if !is_amz(name) || OWN.contains(&name) || name == TOKEN || name == PAYLOAD {
            continue;
        }
        let header = HeaderName::try_from(name.to_ascii_lowercase());
        let (Ok(header), Ok(value)) = (header, HeaderValue::try_from(value)) else {
            return Err(INVALID_ARGUMENT.with(format!("{name} cannot be a header")));
        };
        if headers.contains_key(&header) {
            return Err(ACCESS_DENIED.with(format!("{name} is a header and a parameter of the query")));
        }
        headers.insert(header, value);
    }
    Ok(())
}

fn is_amz(name: &str) -> bool {
    name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"))
}

/// The query without what belongs to a signature.
pub(crate) fn stripped(query: Query) -> Query {
    query.without(is_amz)
}
