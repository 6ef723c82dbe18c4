//! Bodies in chunks, and hashes of content.

use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use futures::TryStreamExt as _;
use proptest::prelude::*;

use super::{SECRET, STAMP};
use crate::{
    S3Error,
    body::{Body, Payload},
    checksums::{self, ALGORITHMS, Algorithm},
    chunked::{Chain, Decoder},
    sigv4::{Scope, signing_key},
};

const SEED: &str = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
const SEED_OF_TRAILER: &str = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
/// Of 65536 and of 1024 times the letter a, and of nothing.
const CHUNKS: [&str; 3] = [
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
];
const CHUNKS_OF_TRAILER: [&str; 3] = [
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
];
const TRAILER: &str = "x-amz-checksum-crc32c:sOO8/Q==\r\n\
    x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n";
const LENGTH: u64 = 66_560;

fn chain(seed: &str) -> Chain {
    let scope = Scope { date: "20130524".to_owned(), region: "us-east-1".to_owned() };
    let key = signing_key(SECRET, &scope);
    Chain { key, stamp: STAMP.to_owned(), scope: scope.to_string(), last: seed.to_owned() }
}

fn signed(signatures: [&str; 3], trailer: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (size, signature) in [65_536, 1024, 0].into_iter().zip(signatures) {
        body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
        body.extend(std::iter::repeat_n(b'a', size));
        if size > 0 {
            body.extend_from_slice(b"\r\n");
        }
    }
    body.extend_from_slice(trailer.as_bytes());
    body.extend_from_slice(b"\r\n");
    body
}

/// The content, and what follows it; the body comes in pieces of these sizes.
fn decode(mut decoder: Decoder, body: &[u8], pieces: &[usize]) -> Result<(Vec<u8>, Vec<(String, String)>), S3Error> {
    let (mut rest, mut content) = (body, Vec::new());
    for size in pieces.iter().copied().chain([usize::MAX]) {
        let (piece, next) = rest.split_at(size.min(rest.len()));
        rest = next;
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(data) = decoder.next(&mut input)? {
            content.extend_from_slice(&data);
        }
        assert!(input.is_empty());
    }
    Ok((content, decoder.end()?))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html> and `-trailers`
#[test]
fn aws_examples_of_chunks() {
    let (content, trailers) =
        decode(Decoder::new(Some(chain(SEED)), Vec::new(), LENGTH), &signed(CHUNKS, ""), &[]).unwrap();
    assert!(content.len() as u64 == LENGTH && content.iter().all(|byte| *byte == b'a') && trailers.is_empty());
    let announced = vec!["x-amz-checksum-crc32c".to_owned()];
    let decoder = Decoder::new(Some(chain(SEED_OF_TRAILER)), announced, LENGTH);
    let (content, trailers) = decode(decoder, &signed(CHUNKS_OF_TRAILER, TRAILER), &[]).unwrap();
    assert_eq!(content.len() as u64, LENGTH);
    assert_eq!(trailers, [("x-amz-checksum-crc32c".to_owned(), "sOO8/Q==".to_owned())]);
}

#[test]
fn chunk_signatures_wrong_missing_swapped_and_repeated() {
    let code = |body: &[u8]| decode(Decoder::new(Some(chain(SEED)), Vec::new(), LENGTH), body, &[]).unwrap_err().code;
    let [first, second, last] = CHUNKS;
    let zeros = "0".repeat(64);
    let zeros = zeros.as_str();
    for signatures in [
        [zeros, second, last],
        [first, zeros, last],
        [first, second, zeros],
        [second, first, last],
        [first, first, last],
    ] {
        assert_eq!(code(&signed(signatures, "")), "SignatureDoesNotMatch", "{signatures:?}");
    }
    let plain = String::from_utf8(signed(CHUNKS, "")).unwrap();
    assert_eq!(code(plain.replacen(&format!(";chunk-signature={first}"), "", 1).as_bytes()), "SignatureDoesNotMatch");
    assert_eq!(code(plain.replacen('a', "b", 1).as_bytes()), "IncompleteBody", "the size of a chunk was changed");
    assert_eq!(code(plain.replacen("\r\naa", "\r\nba", 1).as_bytes()), "SignatureDoesNotMatch", "its content was");
    // A whole chunk is left out.
    let without = plain.replacen(&format!("400;chunk-signature={second}\r\n{}\r\n", "a".repeat(1024)), "", 1);
    assert_eq!(code(without.as_bytes()), "IncompleteBody");
    let other_seed = Decoder::new(Some(chain(SEED_OF_TRAILER)), Vec::new(), LENGTH);
    assert_eq!(decode(other_seed, &signed(CHUNKS, ""), &[]).unwrap_err().code, "SignatureDoesNotMatch");
}

fn unsigned(body: &str, announced: &[&str], length: u64) -> Result<(Vec<u8>, Vec<(String, String)>), S3Error> {
    let announced = announced.iter().map(|name| (*name).to_owned()).collect();
    decode(Decoder::new(None, announced, length), body.as_bytes(), &[])
}

#[test]
fn a_body_is_what_its_headers_say() {
    assert_eq!(unsigned("3\r\nabc\r\n0\r\n\r\n", &[], 3).unwrap().0, b"abc");
    assert_eq!(unsigned("3\r\nabc\r\n0\r\n", &[], 3).unwrap().0, b"abc", "without the empty line");
    assert_eq!(unsigned("0\r\n\r\n", &[], 0).unwrap().0, b"");
    for (what, body, length) in [
        ("fewer bytes than said", "3\r\nabc\r\n0\r\n\r\n", 4),
        ("more bytes than said", "3\r\nabc\r\n0\r\n\r\n", 2),
        ("it breaks off in a chunk", "3\r\nab", 3),
        ("it breaks off before the last chunk", "3\r\nabc\r\n", 3),
        ("a chunk is longer than its size", "3\r\nabcd\r\n0\r\n\r\n", 3),
        ("something follows", "3\r\nabc\r\n0\r\n\r\nx", 3),
        ("no size", "\r\nabc\r\n0\r\n\r\n", 3),
        ("a negative size", "-3\r\nabc\r\n0\r\n\r\n", 3),
        ("a line that never ends", &"0".repeat(5000), 3),
        ("no CR", "3\nabc\n0\n\n", 3),
    ] {
        assert_eq!(unsigned(body, &[], length).unwrap_err().code, "IncompleteBody", "{what}");
    }
    assert_eq!(unsigned("40000001\r\n", &[], u64::MAX).unwrap_err().code, "EntityTooLarge");
    assert_eq!(unsigned("3;chunk-signature=0\r\nabc\r\n0\r\n\r\n", &[], 3).unwrap_err().code, "InvalidRequest");
}

#[test]
fn what_follows_is_what_was_announced() {
    let crc = "x-amz-checksum-crc32";
    let body = |trailers: &str| format!("3\r\nabc\r\n0\r\n{trailers}\r\n");
    let told = unsigned(&body("x-amz-checksum-crc32:NSRBwg==\r\n"), &[crc], 3).unwrap().1;
    assert_eq!(told, [(crc.to_owned(), "NSRBwg==".to_owned())]);
    // Amazon's own examples end these lines with LF alone.
    assert!(unsigned(&body("x-amz-checksum-crc32:NSRBwg==\n"), &[crc], 3).is_ok());
    for wrong in [
        "",
        "x-amz-checksum-crc32c:NSRBwg==\r\n",
        "x-amz-checksum-crc32:a\r\nx-amz-checksum-crc32:a\r\n",
        "x-amz-checksum-crc32:a\r\nx-amz-meta-b:c\r\n",
        "no colon\r\n",
    ] {
        assert_eq!(unsigned(&body(wrong), &[crc], 3).unwrap_err().code, "MalformedTrailerError", "{wrong}");
    }
    let not_announced = unsigned(&body("x-amz-checksum-crc32:NSRBwg==\r\n"), &[], 3);
    assert_eq!(not_announced.unwrap_err().code, "MalformedTrailerError");
    let endless = format!("3\r\nabc\r\n0\r\n{}", "x".repeat(20_000));
    assert_eq!(unsigned(&endless, &[crc], 3).unwrap_err().code, "IncompleteBody");
    // Where chunks are signed, what follows is, too.
    let announced = vec!["x-amz-checksum-crc32c".to_owned()];
    let trailer = TRAILER.split_once("\r\n").unwrap().0;
    let decoder = Decoder::new(Some(chain(SEED_OF_TRAILER)), announced, LENGTH);
    let body = signed(CHUNKS_OF_TRAILER, &format!("{trailer}\r\n"));
    assert_eq!(decode(decoder, &body, &[]).unwrap_err().code, "SignatureDoesNotMatch");
}

proptest! {
    /// However the bytes are split, the result is the same; and nothing makes the machine fail otherwise than with an error.
    #[test]
    fn any_split_of_the_bytes(pieces in prop::collection::vec(1_usize..3000, 0..40)) {
        let decoder = Decoder::new(Some(chain(SEED)), Vec::new(), LENGTH);
        prop_assert_eq!(decode(decoder, &signed(CHUNKS, ""), &pieces).unwrap().0.len() as u64, LENGTH);
    }

    #[test]
    fn any_bytes(body in prop::collection::vec(any::<u8>(), 0..200), pieces in prop::collection::vec(1_usize..20, 0..20)) {
        let whole = decode(Decoder::new(None, Vec::new(), 100), &body, &[]);
        let split = decode(Decoder::new(None, Vec::new(), 100), &body, &pieces);
        prop_assert_eq!(whole.map(|(content, _)| content).ok(), split.map(|(content, _)| content).ok());
    }
}

/// A chunk of a gibibyte is passed on as it comes: nothing of it is collected.
#[test]
fn a_large_chunk_costs_nothing() {
    let mut decoder = Decoder::new(None, Vec::new(), 1 << 30);
    let mut input = Bytes::from_static(b"40000000\r\n");
    assert_eq!(decoder.next(&mut input).unwrap(), None);
    let piece = Bytes::from(vec![7_u8; 1 << 20]);
    for _ in 0..1024 {
        let mut input = piece.clone();
        let data = decoder.next(&mut input).unwrap().unwrap();
        assert_eq!(data.as_ptr(), piece.as_ptr(), "content was copied");
        assert_eq!(data.len(), piece.len());
    }
    let mut input = Bytes::from_static(b"\r\n0\r\n\r\n");
    assert_eq!(decoder.next(&mut input).unwrap(), None);
    assert!(decoder.end().unwrap().is_empty());
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::try_from(*value).unwrap())).collect()
}

#[tokio::test]
async fn a_hash_that_follows_is_compared() {
    for (value, fine) in [("NSRBwg==", true), ("NSRBww==", false), ("x", false)] {
        let text = format!("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:{value}\r\n\r\n");
        let mut headers = headers(&[("x-amz-trailer", "x-amz-checksum-crc32"), ("x-amz-decoded-content-length", "3")]);
        let payload = Payload::parse("STREAMING-UNSIGNED-PAYLOAD-TRAILER").unwrap();
        let body = Body::new(axum::body::Body::from(text), payload, None, &mut headers).unwrap();
        assert!(headers.is_empty(), "headers of the framing are not of the object");
        assert_eq!(body.length(), Some(3));
        let (stream, told) = body.stream();
        let content: Result<Vec<Bytes>, S3Error> = stream.try_collect().await;
        assert_eq!(content.is_ok(), fine, "{value}: {content:?}");
        assert_eq!(told.get().is_some(), fine);
    }
    // Chunks of nobody cannot be signed.
    let payload = Payload::parse("STREAMING-AWS4-HMAC-SHA256-PAYLOAD").unwrap();
    let mut headers = headers(&[("x-amz-decoded-content-length", "3")]);
    assert!(Body::new(axum::body::Body::empty(), payload, None, &mut headers).is_err());
    assert_eq!(Payload::parse("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD").unwrap_err().code, "NotImplemented");
    assert_eq!(Payload::parse("nothing").unwrap_err().code, "InvalidArgument");
}

#[tokio::test]
async fn a_small_body_is_compared_with_all_that_is_said_of_it() {
    let read = async |payload: &str, pairs: &[(&'static str, &str)], most: usize| {
        let mut headers = headers(pairs);
        let payload = Payload::parse(payload).unwrap();
        let body = Body::new(axum::body::Body::from("text"), payload, None, &mut headers).unwrap();
        body.whole(&headers, most).await.map_err(|error| error.code)
    };
    let right = platform::crypto::sha256_hex("text");
    assert_eq!(read(&right, &[("content-md5", "HLJR7A1WjeapKbUgxK7Y0Q==")], 4).await.unwrap(), "text");
    assert_eq!(read("UNSIGNED-PAYLOAD", &[], 3).await, Err("MaxMessageLengthExceeded"));
    assert_eq!(read(&"0".repeat(64), &[], 9).await, Err("XAmzContentSHA256Mismatch"));
    assert_eq!(read(&right, &[("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")], 9).await, Err("BadDigest"));
    assert_eq!(read(&right, &[("content-md5", "AAAA")], 9).await, Err("InvalidDigest"));
    assert_eq!(read(&right, &[("x-amz-checksum-crc32", "AAAAAA==")], 9).await, Err("BadDigest"));
    let two = [("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-checksum-crc32c", "AAAAAA==")];
    assert_eq!(read(&right, &two, 9).await, Err("InvalidRequest"));
}

/// Hashes of a whole are made of those of its parts: a CRC is that of all bytes, whatever the parts are.
#[test]
fn hashes_of_parts_make_that_of_the_whole() {
    let parts: [&[u8]; 3] = [b"first part, ", b"second", b" and third"];
    let hash = |algorithm: Algorithm, data: &[u8]| {
        let mut digests = storage::Digests::new(&storage::DigestSet::of([algorithm.kind]));
        digests.update(data);
        digests.finish().get(algorithm.kind).unwrap().to_vec()
    };
    for algorithm in ALGORITHMS {
        let hashes: Vec<(Vec<u8>, u64)> = parts.iter().map(|part| (hash(algorithm, part), part.len() as u64)).collect();
        let whole = crate::body::base64(&hash(algorithm, &parts.concat()));
        assert_eq!(algorithm.joined(&hashes), (!algorithm.is_composite()).then_some(whole), "{}", algorithm.name);
        let concat: Vec<u8> = hashes.iter().flat_map(|(hash, _)| hash.clone()).collect();
        let only: Vec<Vec<u8>> = hashes.into_iter().map(|(hash, _)| hash).collect();
        let expected = format!("{}-3", crate::body::base64(&hash(algorithm, &concat)));
        assert_eq!(algorithm.composite(&only), expected, "{}", algorithm.name);
        let mut told = HeaderMap::new();
        let stored =
            [(algorithm.kind.as_str().to_owned(), expected.clone()), ("type".to_owned(), "composite".to_owned())];
        checksums::tell(&stored.into(), &mut told);
        assert_eq!(told[algorithm.header], expected.as_str());
        assert_eq!(told["x-amz-checksum-type"], "COMPOSITE");
    }
}
