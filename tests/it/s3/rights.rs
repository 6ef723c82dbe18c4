//! What an access key may do: a row for each operation. One without a row fails the test.

use std::collections::BTreeSet;

use reqwest::Method;

use super::{Ask, Signer, ask, code};
use crate::{files::bucket, support::app::TestApp};

/// Operation, verb that it needs, request. `-`: any key may ask.
fn table() -> Vec<(&'static str, &'static str, Ask)> {
    let (get, put, head, delete, post) = (Method::GET, Method::PUT, Method::HEAD, Method::DELETE, Method::POST);
    let one = |method: &Method, path: &str| ask(method.clone(), path);
    let xml = |method: &Method, path: &str, body: &str| ask(method.clone(), path).body(body);
    let id = "01890000-0000-7000-8000-000000000000";
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    let cors = "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>";
    let rule = "<LifecycleConfiguration><Rule><Prefix/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>";
    let mut rows = vec![
        ("ListBuckets", "-", one(&get, "/")),
        ("CreateBucket", "admin", one(&put, "/made")),
        ("HeadBucket", "-", one(&head, "/rights")),
        (
            "PutBucketVersioning",
            "admin",
            xml(
                &put,
                "/rights?versioning",
                "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
            ),
        ),
        ("PutBucketCors", "admin", xml(&put, "/rights?cors", cors)),
        ("DeleteBucketCors", "admin", one(&delete, "/rights?cors")),
        ("PutBucketLifecycleConfiguration", "admin", xml(&put, "/rights?lifecycle", rule)),
        ("DeleteBucketLifecycle", "admin", one(&delete, "/rights?lifecycle")),
        ("PutBucketTagging", "admin", xml(&put, "/rights?tagging", tags)),
        ("DeleteBucketTagging", "admin", one(&delete, "/rights?tagging")),
        ("PutBucketAcl", "admin", one(&put, "/rights?acl").header("x-amz-acl", "private")),
        ("ListObjects", "list", one(&get, "/rights")),
        ("ListObjectsV2", "list", one(&get, "/rights?list-type=2")),
        ("ListObjectVersions", "list", one(&get, "/rights?versions")),
        ("ListMultipartUploads", "list", one(&get, "/rights?uploads")),
        ("PutObject", "write", xml(&put, "/rights/k", "x")),
        ("GetObject", "read", one(&get, "/rights/k")),
        ("HeadObject", "read", one(&head, "/rights/k")),
        ("GetObjectAttributes", "read", one(&get, "/rights/k?attributes").header("x-amz-object-attributes", "ETag")),
        ("GetObjectTagging", "read", one(&get, "/rights/k?tagging")),
        ("GetObjectAcl", "read", one(&get, "/rights/k?acl")),
        ("DeleteObject", "delete", one(&delete, "/rights/gone")),
        ("CreateMultipartUpload", "write", one(&post, "/rights/k?uploads")),
        ("CopyObject", "read write", one(&put, "/rights/copied").header("x-amz-copy-source", "/rights/k")),
        ("PutObjectTagging", "read write", xml(&put, "/rights/k?tagging", tags)),
        ("DeleteObjectTagging", "read write", one(&delete, "/rights/k?tagging")),
        ("PutObjectAcl", "read write", one(&put, "/rights/k?acl").header("x-amz-acl", "private")),
        ("DeleteBucket", "admin", one(&delete, "/empty")),
        (
            "PutObjectLockConfiguration",
            "admin",
            xml(
                &put,
                "/locked?object-lock",
                "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>",
            ),
        ),
        ("GetObjectRetention", "read", one(&get, "/locked/k?retention")),
        ("GetObjectLegalHold", "read", one(&get, "/locked/k?legal-hold")),
        (
            "PutObjectRetention",
            "read admin",
            xml(
                &put,
                "/locked/k?retention",
                "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate></Retention>",
            ),
        ),
        (
            "PutObjectLegalHold",
            "read admin",
            xml(&put, "/locked/k?legal-hold", "<LegalHold><Status>ON</Status></LegalHold>"),
        ),
        // An upload that is not there: who may not write is not told so.
        ("UploadPart", "write", xml(&put, &format!("/rights/k?partNumber=1&uploadId={id}"), "x")),
        (
            "UploadPartCopy",
            "write",
            one(&put, &format!("/rights/k?partNumber=1&uploadId={id}")).header("x-amz-copy-source", "/rights/k"),
        ),
        ("ListParts", "write", one(&get, &format!("/rights/k?uploadId={id}"))),
        (
            "CompleteMultipartUpload",
            "write",
            xml(
                &post,
                &format!("/rights/k?uploadId={id}"),
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
            ),
        ),
        ("AbortMultipartUpload", "write", one(&delete, &format!("/rights/k?uploadId={id}"))),
    ];
    for (name, query) in [
        ("GetBucketLocation", "location"),
        ("GetBucketVersioning", "versioning"),
        ("GetBucketCors", "cors"),
        ("GetBucketLifecycleConfiguration", "lifecycle"),
        ("GetBucketTagging", "tagging"),
        ("GetObjectLockConfiguration", "object-lock"),
        ("GetBucketAcl", "acl"),
        ("GetBucketOwnershipControls", "ownershipControls"),
        ("GetPublicAccessBlock", "publicAccessBlock"),
        ("GetBucketPolicyStatus", "policyStatus"),
        ("GetBucketPolicy", "policy"),
        ("GetBucketEncryption", "encryption"),
        ("GetBucketNotificationConfiguration", "notification"),
        ("GetBucketLogging", "logging"),
        ("GetBucketRequestPayment", "requestPayment"),
        ("GetBucketWebsite", "website"),
        ("GetBucketReplication", "replication"),
    ] {
        rows.push((name, "list", one(&get, &format!("/rights?{query}"))));
    }
    rows
}

/// `DeleteObjects` answers for each key, and a form has a signature of its own: they have tests of theirs.
const ELSEWHERE: [&str; 2] = ["DeleteObjects", "PostObject"];

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_needs_its_verb() {
    let app = TestApp::start_quiet(&[]).await;
    let admin = app.admin().await;
    for name in ["rights", "empty"] {
        bucket(&admin, name).await;
    }
    let verbs = ["list", "read", "write", "delete", "admin"];
    let all = Signer::new(&app, &admin, &verbs).await;
    assert_eq!(code(&all.send(ask(Method::PUT, "/rights/k").body("x")).await).0, 200);
    let locked = ask(Method::PUT, "/locked").header("x-amz-bucket-object-lock-enabled", "true");
    assert_eq!(code(&all.send(locked).await).0, 200);
    assert_eq!(code(&all.send(ask(Method::PUT, "/locked/k").body("x")).await).0, 200);
    let rows = table();
    let named: BTreeSet<&str> = rows.iter().map(|(name, _, _)| *name).chain(ELSEWHERE).collect();
    assert_eq!(named, holdfast::s3::operations().collect::<BTreeSet<_>>(), "an operation has no row");
    for (name, needed, ask) in &rows {
        // Without one of the verbs that it needs it is refused, whatever else a key may do.
        for missing in needed.split(' ').filter(|verb| *verb != "-") {
            let others: Vec<&str> = verbs.into_iter().filter(|verb| *verb != missing).collect();
            let signer = Signer::new(&app, &admin, &others).await;
            let answer = signer.send(ask.clone()).await;
            assert_eq!(answer.status, 403, "{name} without {missing}: {}", answer.text);
        }
        // With them alone it is not.
        let enough: Vec<&str> = if *needed == "-" { vec!["list"] } else { needed.split(' ').collect() };
        let signer = Signer::new(&app, &admin, &enough).await;
        let answer = signer.send(ask.clone()).await;
        assert_ne!(answer.status, 403, "{name} with {enough:?}: {}", answer.text);
    }
    // Of several keys each is judged: below the prefix and beyond it.
    let made = super::access_key(&admin, &serde_json::json!({"name": "p", "verbs": ["delete"], "prefix": "a/"})).await;
    let body = "<Delete><Object><Key>a/x</Key></Object><Object><Key>k</Key></Object></Delete>";
    let answer = Signer::of(&app, &made).send(ask(Method::POST, "/rights?delete").body(body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(super::inner(&answer.text, "Deleted").len(), 1, "{}", answer.text);
    assert_eq!(super::inner(&answer.text, "Code"), ["AccessDenied"], "{}", answer.text);
    app.stop().await;
}
