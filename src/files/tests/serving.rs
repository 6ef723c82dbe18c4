use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};
use platform::{clock::Clock, ids::OrgId};

use crate::{
    Bucket, BucketId, Headers, ImageRights, Key, Object, Overrides, ScanMode, ScanState, Surface, VersionId,
    Versioning, head, sniff,
};

fn bucket(public: bool) -> Bucket {
    let clock = Clock::system();
    Bucket {
        id: BucketId::generate(&clock),
        org: OrgId::generate(&clock),
        name: "b".into(),
        public,
        versioning: Versioning::Off,
        object_lock: false,
        lock_mode: None,
        lock_days: None,
        trash_days: 7,
        max_object_bytes: None,
        quota_bytes: None,
        allowed_types: Vec::new(),
        cache_control: String::new(),
        image_options: ImageRights::Presets,
        image_presets: serde_json::Value::Null,
        scan: ScanMode::Default,
        cors: serde_json::Value::Null,
        lifecycle: serde_json::Value::Null,
        tags: BTreeMap::new(),
        purge_url: None,
        revision: 1,
        created_by: "x".into(),
        created_at: clock.now(),
        updated_at: clock.now(),
    }
}

fn object(bucket: &Bucket, key: &str, declared: &str, content: &[u8]) -> Object {
    let clock = Clock::system();
    Object {
        id: VersionId::generate(&clock),
        org: bucket.org,
        bucket: bucket.id,
        key: Key::parse(key).unwrap(),
        current: true,
        marker: false,
        unversioned: true,
        size: content.len() as u64,
        pieces: Vec::new(),
        etag: "e".into(),
        sha256: None,
        checksums: BTreeMap::new(),
        parts: Vec::new(),
        content_type: declared.into(),
        sniffed: sniff(content).media_type.to_owned(),
        headers: Headers::default(),
        metadata: BTreeMap::new(),
        tags: BTreeMap::new(),
        lock: None,
        legal_hold: false,
        scan: ScanState::None,
        created_by: "x".into(),
        created_at: clock.now(),
    }
}

const SURFACES: [Surface; 6] =
    [Surface::Rest, Surface::S3, Surface::Token, Surface::Link, Surface::Public, Surface::Supabase];

fn of<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

/// Whatever it is called, declared, stored with or asked for.
#[test]
fn what_could_run_is_a_file_to_keep_everywhere() {
    let page = b"<!doctype html><script>alert(1)</script>";
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    let utf16: Vec<u8> = "<script>alert(1)</script>".bytes().flat_map(|byte| [byte, 0]).collect();
    for (key, declared, content) in [
        ("a.html", "text/html", &page[..]),
        ("a.html", "TEXT/HTML;x", page),
        ("a.png", "image/png", page),
        ("a.txt", "text/plain", page),
        ("a.txt", "text/plain", &utf16),
        ("a.svg", "image/svg+xml", svg),
        ("a.xhtml", "application/xhtml+xml", b"plain"),
        ("a.xml", "application/xml", b"plain"),
        ("a.mml", "application/mathml+xml", b"plain"),
        ("a.js", "text/javascript; charset=utf-8", b"plain"),
        // Both a picture and a program.
        ("a.gif", "text/javascript", b"GIF89a/*x*/=1;alert(1)"),
    ] {
        for public in [false, true] {
            let bucket = bucket(public);
            let mut object = object(&bucket, key, declared, content);
            object.headers.content_disposition = Some("inline; filename=x".to_owned());
            for surface in SURFACES {
                let asked = Overrides { content_disposition: Some("inline".to_owned()), ..Overrides::default() };
                for overrides in [Overrides::default(), asked] {
                    let headers = head(&object, &bucket, surface, &overrides);
                    let disposition = of(&headers, &header::CONTENT_DISPOSITION);
                    assert!(disposition.starts_with("attachment"), "{key} {declared} {surface:?}: {disposition}");
                    assert_eq!(of(&headers, &header::X_CONTENT_TYPE_OPTIONS), "nosniff");
                    assert!(of(&headers, &header::CONTENT_SECURITY_POLICY).starts_with("sandbox;"), "{surface:?}");
                    if surface != Surface::S3 {
                        assert_eq!(of(&headers, &header::CONTENT_TYPE), "application/octet-stream", "{declared}");
                    }
                }
            }
            // On a host of its own it is shown, and still runs nothing.
            let own = Overrides { own_host: true, ..Overrides::default() };
            let headers = head(&object, &bucket, Surface::Public, &own);
            assert!(of(&headers, &header::CONTENT_DISPOSITION).starts_with("inline"), "{key} {declared}");
            assert!(of(&headers, &header::CONTENT_SECURITY_POLICY).starts_with("sandbox;"));
        }
    }
}

#[test]
fn what_cannot_run_is_shown_to_people_and_kept_by_programs() {
    let bucket = bucket(true);
    for (declared, content, told, shown) in [
        ("image/png", &b"\x89PNG\r\n\x1a\n"[..], "image/png", true),
        ("text/plain; charset=utf-8", b"hello", "text/plain; charset=utf-8", true),
        ("video/mp4", b"\0\0\0\x20ftypisom", "video/mp4", true),
        // Nobody said what it is.
        ("application/octet-stream", b"\x89PNG\r\n\x1a\n", "image/png", true),
        ("", b"nothing known", "application/octet-stream", false),
        // A picture that is none.
        ("image/png", b"PK\x03\x04", "application/octet-stream", false),
        ("application/zip", b"PK\x03\x04", "application/zip", false),
        ("application/pdf", b"%PDF-1.7", "application/pdf", false),
    ] {
        let object = object(&bucket, "a/b.x", declared, content);
        let headers = head(&object, &bucket, Surface::Public, &Overrides::default());
        assert_eq!(of(&headers, &header::CONTENT_TYPE), told, "{declared}");
        let expected = if shown { "inline" } else { "attachment" };
        assert!(of(&headers, &header::CONTENT_DISPOSITION).starts_with(expected), "{declared}");
        let rest = head(&object, &bucket, Surface::Rest, &Overrides::default());
        assert!(of(&rest, &header::CONTENT_DISPOSITION).starts_with("attachment"), "{declared}");
        let download = Overrides { download: Some("c.txt".to_owned()), ..Overrides::default() };
        let kept = head(&object, &bucket, Surface::Public, &download);
        assert!(of(&kept, &header::CONTENT_DISPOSITION).starts_with("attachment; filename=\"c.txt\""));
    }
    let pdf = object(&bucket, "a.pdf", "application/pdf", b"%PDF-1.7");
    let own = Overrides { own_host: true, ..Overrides::default() };
    let headers = head(&pdf, &bucket, Surface::Public, &own);
    assert!(of(&headers, &header::CONTENT_DISPOSITION).starts_with("inline"), "no browser shows one in a sandbox");
    assert!(!of(&headers, &header::CONTENT_SECURITY_POLICY).contains("sandbox"));
}

/// What somebody may read because of a session or a key is in no cache that others use.
#[test]
fn caches_are_told_by_the_object_the_bucket_or_the_default() {
    let (private, public) = (bucket(false), bucket(true));
    let cache = |bucket: &Bucket, surface: Surface, stored: Option<&str>| {
        let mut object = object(bucket, "a", "text/plain", b"x");
        object.headers.cache_control = stored.map(str::to_owned);
        of(&head(&object, bucket, surface, &Overrides::default()), &header::CACHE_CONTROL).to_owned()
    };
    assert_eq!(cache(&private, Surface::Rest, None), "no-cache");
    assert_eq!(cache(&public, Surface::Public, None), "public, max-age=60");
    assert_eq!(cache(&public, Surface::Public, Some("max-age=5")), "max-age=5");
    assert_eq!(
        cache(&Bucket { cache_control: "max-age=9".into(), ..bucket(true) }, Surface::Public, None),
        "max-age=9"
    );
    for surface in [Surface::Rest, Surface::Supabase] {
        assert_eq!(cache(&private, surface, Some("public, max-age=5")), "private, no-cache");
        assert_eq!(cache(&private, surface, Some("s-maxage=5")), "private, no-cache");
        assert_eq!(cache(&public, surface, Some("public, max-age=5")), "public, max-age=5");
    }
    assert_eq!(
        cache(&private, Surface::Link, Some("public, max-age=5")),
        "public, max-age=5",
        "the address is a secret"
    );
    let object = object(&public, "a", "text/plain", b"x");
    let immutable = Overrides { immutable: true, ..Overrides::default() };
    let headers = head(&object, &public, Surface::Public, &immutable);
    assert_eq!(of(&headers, &header::CACHE_CONTROL), "public, max-age=31536000, immutable");
}
