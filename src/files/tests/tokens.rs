use chrono::{DateTime, TimeDelta, Utc};
use platform::{clock::Clock, ids::OrgId};

use crate::{BucketId, Claims, TokenError, Verb};

fn claims(now: DateTime<Utc>) -> Claims {
    let clock = Clock::system();
    Claims {
        version: 1,
        org: OrgId::generate(&clock),
        bucket: BucketId::generate(&clock),
        key: "a/b".into(),
        prefix: false,
        object: None,
        verb: Verb::Read,
        expires: now + TimeDelta::minutes(1),
        max_bytes: None,
        exact_bytes: None,
        content_type: None,
        sha256: None,
        keep: false,
        once: None,
        image: None,
    }
}

#[test]
fn a_token_is_good_for_what_it_says_until_it_ends_and_for_one_key() {
    let (now, key) = (Clock::system().now(), [7; 32]);
    let claims = claims(now);
    let token = claims.sign(&key).unwrap();
    assert_eq!(Claims::verify(&token, &key, now).unwrap(), claims);
    assert_eq!(Claims::verify(&token, &key, claims.expires), Err(TokenError::Expired));
    assert_eq!(Claims::verify(&token, &[8; 32], now), Err(TokenError::Invalid));
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(Claims::verify(&String::from_utf8(changed).unwrap(), &key, now).is_err(), "byte {at}");
    }
    for wrong in ["", ".", "a", &token[1..], &format!("{token}A")] {
        assert_eq!(Claims::verify(wrong, &key, now), Err(TokenError::Invalid), "{wrong}");
    }
    let newer = Claims { version: 2, ..claims.clone() }.sign(&key).unwrap();
    assert_eq!(
        Claims::verify(&newer, &key, now),
        Err(TokenError::Invalid),
        "of a form that this version does not know"
    );
    let (bucket, other) = (claims.bucket, BucketId::generate(&Clock::system()));
    assert!(claims.allow(bucket, Verb::Read, "a/b"));
    assert!(!claims.allow(other, Verb::Read, "a/b") && !claims.allow(bucket, Verb::Write, "a/b"));
    assert!(!claims.allow(bucket, Verb::Read, "a/bc"));
    assert!(Claims { prefix: true, ..claims }.allow(bucket, Verb::Read, "a/bc"));
}
