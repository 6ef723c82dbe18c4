//! Signatures: Amazon's published examples, and that nothing of a request can be changed.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::TimeDelta;
use proptest::prelude::*;

use super::{ACCESS_KEY_ID, SECRET, STAMP};
use crate::{
    canonical::{self, Query},
    presigned,
    sigv4::{self, Asked, Claim, EMPTY_SHA256, Scope},
};

/// A request as it is signed.
#[derive(Clone, Debug)]
struct Sample {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    payload: String,
    claim: Claim,
}

impl Sample {
    fn is_right(&self) -> bool {
        let pairs = self.headers.iter().map(|(name, value)| {
            (HeaderName::try_from(name.as_str()).unwrap(), HeaderValue::try_from(value.as_str()).unwrap())
        });
        let headers = HeaderMap::from_iter(pairs);
        let host = headers.get("host").map_or("", |host| host.to_str().unwrap()).to_owned();
        let asked = Asked {
            method: &self.method,
            headers: &headers,
            hosts: &[host],
            paths: &[canonical::path(&self.path)],
            query: &Query::parse(&self.query).unwrap().canonical("X-Amz-Signature"),
            payload: &self.payload,
        };
        self.claim.is_of(&self.claim.signing_key(SECRET), &asked)
    }
}

fn sample(method: &str, path: &str, query: &str, headers: &[(&str, &str)], payload: &str, signature: &str) -> Sample {
    let mut headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    headers.push(("host".to_owned(), "examplebucket.s3.amazonaws.com".to_owned()));
    headers.push(("x-amz-content-sha256".to_owned(), payload.to_owned()));
    headers.push(("x-amz-date".to_owned(), STAMP.to_owned()));
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let credential = format!("{ACCESS_KEY_ID}/20130524/us-east-1/s3/aws4_request");
    let text = format!("AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={names},Signature={signature}");
    let claim = Claim::of_header(&text, sigv4::time(STAMP).unwrap()).unwrap();
    let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
    Sample { method, path, query, headers, payload: payload.to_owned(), claim }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
fn samples() -> Vec<Sample> {
    let welcome = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    let get = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    let put = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
    let lifecycle = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
    let list = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
    let of_put = [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
    vec![
        sample("GET", "/test.txt", "", &[("range", "bytes=0-9")], EMPTY_SHA256, get),
        sample("PUT", "/test$file.text", "", &of_put, welcome, put),
        sample("GET", "/", "lifecycle", &[], EMPTY_SHA256, lifecycle),
        sample("GET", "/", "max-keys=2&prefix=J", &[], EMPTY_SHA256, list),
    ]
}

#[test]
fn aws_examples_of_headers() {
    for sample in samples() {
        assert!(sample.is_right(), "{} {}?{}", sample.method, sample.path, sample.query);
    }
    // A client that encodes the path itself signs the same.
    let encoded = Sample { path: "/test%24file.text".to_owned(), ..samples()[1].clone() };
    assert!(encoded.is_right());
}

#[test]
fn aws_example_of_a_presigned_address() {
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let parsed = Query::parse(query).unwrap();
    let claim = presigned::claim(&parsed).unwrap();
    let right = Sample {
        method: "GET".to_owned(),
        path: "/test.txt".to_owned(),
        query: query.to_owned(),
        headers: vec![("host".to_owned(), "examplebucket.s3.amazonaws.com".to_owned())],
        payload: "UNSIGNED-PAYLOAD".to_owned(),
        claim,
    };
    assert!(right.is_right());
    let longer = Sample { query: query.replace("86400", "86401"), ..right.clone() };
    assert!(!longer.is_right(), "a signed life can be made longer");
    let of_more = Sample { query: format!("{query}&versionId=x"), ..right.clone() };
    assert!(!of_more.is_right(), "a parameter can be added");
    // To the second.
    let begin = sigv4::time(STAMP).unwrap();
    let end = begin + TimeDelta::seconds(86_400);
    assert!(right.claim.is_in_time(end).is_ok());
    assert_eq!(right.claim.is_in_time(end + TimeDelta::seconds(1)).unwrap_err().code, "AccessDenied");
    // A clock that is behind by a quarter of an hour, and by more.
    assert!(right.claim.is_in_time(begin - TimeDelta::seconds(15 * 60 - 1)).is_ok());
    assert!(right.claim.is_in_time(begin - TimeDelta::seconds(15 * 60 + 1)).is_err());
    for (name, wrong) in [
        ("X-Amz-Expires=86400", "X-Amz-Expires=604801"),
        ("X-Amz-Expires=86400", "X-Amz-Expires=0"),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        ("SignedHeaders=host", "SignedHeaders=range"),
        ("%2F20130524%2F", "%2F20130525%2F"),
        ("%2Fs3%2F", "%2Fec2%2F"),
    ] {
        assert!(presigned::claim(&Query::parse(&query.replacen(name, wrong, 1)).unwrap()).is_err(), "{wrong}");
    }
    let twice = format!("{query}&x-amz-date=20130524T000000Z");
    assert!(
        presigned::claim(&Query::parse(&twice).unwrap()).is_err(),
        "a parameter of the signature stands there twice"
    );
}

#[test]
fn a_clock_may_be_off_by_a_quarter_of_an_hour() {
    let (claim, at) = (&samples()[0].claim, sigv4::time(STAMP).unwrap());
    for seconds in [-899, 0, 899] {
        assert!(claim.is_in_time(at + TimeDelta::seconds(seconds)).is_ok(), "{seconds}");
    }
    for seconds in [-901, 901] {
        let error = claim.is_in_time(at + TimeDelta::seconds(seconds)).unwrap_err();
        assert_eq!(error.code, "RequestTimeTooSkewed", "{seconds}");
        assert!(error.about.iter().any(|(name, _)| *name == "ServerTime"));
    }
}

#[test]
fn parameters_of_a_presigned_address_become_headers_once() {
    let query = Query::parse("X-Amz-Date=x&x-amz-acl=private&X-Amz-Meta-A=b&versionId=1").unwrap();
    let mut headers = HeaderMap::new();
    presigned::hoisted(&query, &mut headers).unwrap();
    assert_eq!((headers["x-amz-acl"].as_bytes(), headers["x-amz-meta-a"].as_bytes()), (&b"private"[..], &b"b"[..]));
    assert!(!headers.contains_key("x-amz-date"));
    assert!(presigned::hoisted(&query, &mut headers).is_err(), "a header and a parameter of one name");
    assert_eq!(presigned::stripped(query).iter().collect::<Vec<_>>(), [("versionId", "1")]);
}

#[test]
fn older_and_newer_signatures_are_refused_in_words() {
    let time = sigv4::time(STAMP).unwrap();
    let of = |text: &str| Claim::of_header(text, time).unwrap_err();
    let old = of("AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=");
    assert_eq!(old.code, "InvalidRequest");
    assert!(old.message.contains("AWS4-HMAC-SHA256"));
    assert_eq!(of("AWS4-ECDSA-P256-SHA256 Credential=a").code, "NotImplemented");
    for broken in [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/20130524/r/s3/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=a/20130524/r/s3/aws4_request, SignedHeaders=x;host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/20130524/r/s3/aws4_request, SignedHeaders=host;host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/20130524/r/s3/aws4_request, SignedHeaders=range, Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/20130523/r/s3/aws4_request, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=a, Credential=b, SignedHeaders=host, Signature=00",
    ] {
        assert_eq!(of(broken).code, "InvalidArgument", "{broken}");
    }
}

/// One character of anything that is signed, another one.
fn changed(text: &str, at: usize) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let at = at % chars.len();
    chars[at] = if chars[at] == 'q' { 'w' } else { 'q' };
    chars.into_iter().collect()
}

proptest! {
    #[test]
    fn a_signature_is_wrong_by_one_character_anywhere(which in 0_usize..4, part in 0_usize..8, at in 0_usize..200) {
        let right = samples().swap_remove(which);
        let mut wrong = right.clone();
        match part {
            0 => wrong.method = changed(&right.method, at),
            1 => wrong.path = format!("/{}", changed(&format!("{}x", &right.path[1..]), at)),
            2 => wrong.query = changed(&format!("{}&a=b", right.query), at),
            3 => {
                let n = at % right.headers.len();
                wrong.headers[n].1 = changed(&right.headers[n].1, at);
            }
            4 => {
                // A header that is signed and not there.
                let n = at % right.headers.len();
                wrong.headers.remove(n);
            }
            5 => wrong.payload = changed(&right.payload, at),
            6 => wrong.claim.signature = changed(&right.claim.signature, at),
            _ => wrong.claim.scope = Scope { region: changed(&right.claim.scope.region, at), ..right.claim.scope.clone() },
        }
        prop_assert!(right.is_right());
        prop_assert!(!wrong.is_right(), "{wrong:?}");
    }

    #[test]
    fn paths_and_queries_survive_their_canonical_form(text in "\\PC{0,20}") {
        let path = canonical::path(&text);
        prop_assert_eq!(canonical::path(&path), path.clone(), "encoded twice");
        let encoded = canonical::encoded(&text);
        prop_assert_eq!(canonical::decoded(&encoded).unwrap(), text.clone());
        let query = Query::parse(&format!("a={encoded}")).unwrap();
        prop_assert_eq!(query.get("a"), Some(text.as_str()));
        prop_assert_eq!(query.canonical(""), format!("a={encoded}"));
    }
}
