//! Which bucket and key an address names, and which operation it is.

use axum::http::{HeaderMap, HeaderValue, Method};

use crate::{
    canonical::Query,
    host::{Target, is_ours, target},
    is_itself,
    operation::{Operation, resolve},
    ops::convert::{copy_source, encoding},
};

fn is(bucket: Option<&str>, key: Option<&str>) -> Target {
    Target { bucket: bucket.map(str::to_owned), key: key.map(str::to_owned) }
}

#[test]
fn virtual_hosts_ports_and_odd_paths() {
    let hosts = ["s3.example.com".to_owned()];
    for (host, path, bucket, key) in [
        ("localhost:8080", "", None, None),
        ("localhost:8080", "/", None, None),
        ("localhost:8080", "/bucket", Some("bucket"), None),
        ("localhost:8080", "/bucket/", Some("bucket"), None),
        ("localhost:8080", "//bucket", Some("bucket"), None),
        ("localhost:8080", "/bucket/key", Some("bucket"), Some("key")),
        ("localhost:8080", "/bucket//key", Some("bucket"), Some("/key")),
        ("localhost:8080", "/bucket/a/../b/", Some("bucket"), Some("a/../b/")),
        ("localhost:8080", "/bucket/a%2Fb%20c+d", Some("bucket"), Some("a/b c+d")),
        ("localhost:8080", "/bucket/%252F", Some("bucket"), Some("%2F")),
        ("s3.example.com", "/bucket/key", Some("bucket"), Some("key")),
        ("S3.Example.COM:443", "/bucket/key", Some("bucket"), Some("key")),
        ("bucket.s3.example.com", "/", Some("bucket"), None),
        ("bucket.s3.example.com:9000", "/key", Some("bucket"), Some("key")),
        ("a.b.s3.example.com", "//key", Some("a.b"), Some("/key")),
        ("bucket.s3.example.com.", "/a%2Fb", Some("bucket"), Some("a/b")),
        ("evils3.example.com", "/bucket/key", Some("bucket"), Some("key")),
    ] {
        assert_eq!(target(host, &hosts, path).unwrap(), is(bucket, key), "{host}{path}");
    }
    assert!(is_ours("b.s3.example.com:80", &hosts) && !is_ours("evils3.example.com", &hosts));
    assert_eq!(target("h", &hosts, "/b/%ff").unwrap_err().code, "InvalidURI");
    // By its id another surface finds a bucket: here it is a name, and none.
    assert!(target("h", &hosts, "/01890000-0000-7000-8000-000000000000/k").is_err());
}

#[test]
fn this_installation_is_not_its_own_store() {
    let hosts = ["s3.example.com".to_owned()];
    let itself = |endpoint: &str| is_itself(endpoint, "127.0.0.1:9000", "https://ai.example.com/base", &hosts);
    for endpoint in [
        "http://127.0.0.1:9000",
        "http://localhost:9000/",
        "https://ai.example.com/base/s3",
        "https://s3.example.com",
        "https://bucket.s3.example.com",
    ] {
        assert!(itself(endpoint), "{endpoint}");
    }
    for endpoint in
        ["", "http://127.0.0.1:9001", "http://minio:9000", "https://ai.example.com/other", "https://s3.amazonaws.com"]
    {
        assert!(!itself(endpoint), "{endpoint}");
    }
}

fn operation(
    method: &Method,
    target: &Target,
    query: &str,
    headers: &[(&'static str, &'static str)],
) -> Result<Operation, &'static str> {
    let headers: HeaderMap =
        headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
    resolve(method, target, &Query::parse(query).unwrap(), &headers).map_err(|error| error.code)
}

#[test]
fn operations_are_chosen_by_method_query_and_headers() {
    use Operation as O;
    let (root, bucket, object) = (is(None, None), is(Some("b"), None), is(Some("b"), Some("k")));
    let copy = [("x-amz-copy-source", "/a/b")];
    for (method, target, query, headers, expected) in [
        (Method::GET, &root, "x-id=ListBuckets", &[][..], O::ListBuckets),
        (Method::GET, &bucket, "", &[], O::ListObjects),
        (Method::GET, &bucket, "list-type=2&prefix=a", &[], O::ListObjectsV2),
        (Method::GET, &bucket, "versions&prefix=a", &[], O::ListObjectVersions),
        (Method::GET, &bucket, "uploads", &[], O::ListMultipartUploads),
        (Method::PUT, &bucket, "", &[], O::CreateBucket),
        (Method::PUT, &bucket, "versioning=", &[], O::PutBucketVersioning),
        (Method::POST, &bucket, "delete", &[], O::DeleteObjects),
        (Method::POST, &bucket, "", &[("content-type", "multipart/form-data; boundary=x")], O::PostObject),
        (Method::HEAD, &bucket, "", &[], O::HeadBucket),
        (Method::GET, &object, "versionId=1&partNumber=2", &[], O::GetObject),
        (Method::PUT, &object, "x-id=PutObject", &[], O::PutObject),
        (Method::PUT, &object, "", &copy, O::CopyObject),
        (Method::PUT, &object, "partNumber=1&uploadId=x", &[], O::UploadPart),
        (Method::PUT, &object, "partNumber=1&uploadId=x", &copy, O::UploadPartCopy),
        (Method::POST, &object, "uploads", &[], O::CreateMultipartUpload),
        (Method::POST, &object, "uploadId=x", &[], O::CompleteMultipartUpload),
        (Method::DELETE, &object, "uploadId=x", &[], O::AbortMultipartUpload),
        (Method::DELETE, &object, "versionId=null", &[], O::DeleteObject),
    ] {
        assert_eq!(operation(&method, target, query, headers), Ok(expected), "{method} {query}");
    }
    // What is not answered is refused, and no other operation runs in its place.
    for (method, target, query) in [
        (Method::PUT, &bucket, "policy"),
        (Method::PUT, &bucket, "website"),
        (Method::DELETE, &bucket, "policy"),
        (Method::PUT, &bucket, "encryption"),
        (Method::GET, &bucket, "inventory&id=x"),
        (Method::GET, &bucket, "acl&cors"),
        (Method::POST, &object, "select&select-type=2"),
        (Method::POST, &object, "restore"),
        (Method::GET, &object, "torrent"),
        (Method::PUT, &object, "uploadId=x"),
        (Method::DELETE, &bucket, "acl"),
    ] {
        assert_eq!(operation(&method, target, query, &[]), Err("NotImplemented"), "{method} {query}");
    }
    for (method, target) in
        [(Method::PUT, &root), (Method::PATCH, &object), (Method::POST, &object), (Method::POST, &bucket)]
    {
        assert_eq!(operation(&method, target, "", &[]), Err("MethodNotAllowed"), "{method}");
    }
}

#[test]
fn sources_of_copies_and_encodings() {
    let of = |text: &str| copy_source(text).map_err(|error| error.code);
    let parts = |bucket: &str, key: &str, version: Option<&str>| {
        Ok((bucket.to_owned(), key.to_owned(), version.map(str::to_owned)))
    };
    assert_eq!(of("/b/k"), parts("b", "k", None));
    assert_eq!(of("b/a%20b/c%2Fd"), parts("b", "a b/c/d", None));
    assert_eq!(of("b/a+b?versionId=null"), parts("b", "a+b", Some("null")));
    assert_eq!(of("b/what%3FversionId=1"), parts("b", "what?versionId=1", None));
    assert_eq!(of("b//k"), parts("b", "/k", None));
    for wrong in ["", "/", "b", "b/", "/b"] {
        assert_eq!(of(wrong), Err("InvalidArgument"), "{wrong}");
    }
    assert_eq!(of("arn:aws:s3:us-west-2:1:accesspoint/a/object/k"), Err("NotImplemented"));
    // The framing of a request is no encoding of its content.
    assert_eq!(encoding("aws-chunked"), None);
    assert_eq!(encoding("aws-chunked,gzip").as_deref(), Some("gzip"));
    assert_eq!(encoding("gzip, br").as_deref(), Some("gzip,br"));
}

/// Every operation has a name of its own, and a way to it.
#[test]
fn operations_have_names() {
    let mut names: Vec<_> = Operation::ALL.iter().map(|operation| operation.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Operation::ALL.len());
}
