//! Who may choose which options.

use holdfast::{
    files::{Bucket, Caller, FilesError, Object, Variant},
    platform::http::Role,
};
use reqwest::header::HeaderMap;

use super::{address, change, jpeg, object, org, picture, shown};
use crate::{
    files::{bucket, put},
    support::app::{Client, TestApp},
};

struct Bench {
    app: TestApp,
    admin: Client,
}

impl Bench {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let admin = app.admin().await;
        bucket(&admin, "pictures").await;
        put(&admin, "pictures", "a", jpeg(&picture(1, 100, 100))).await.expect(201);
        put(&admin, "pictures", "b", jpeg(&picture(2, 100, 100))).await.expect(201);
        Self { app, admin }
    }

    /// The bucket with these rights, and its presets.
    async fn with(&self, rights: &str) -> (Bucket, Object) {
        let presets = r#"{"small": {"width": 20}, "wide": {"width": 50, "height": 10}}"#;
        let sql =
            format!("UPDATE files_buckets SET public = true, image_options = '{rights}', image_presets = '{presets}'");
        change(&self.app, &sql).await;
        object(&self.app, &self.admin, "pictures", "a").await
    }

    async fn ask(
        &self,
        who: &Caller,
        (bucket, object): (&Bucket, &Object),
        query: &str,
    ) -> Result<Variant, FilesError> {
        self.app.app.files.picture(who, bucket, object, query, &[], &HeaderMap::new()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_options_and_presets() {
    let bench = Bench::start().await;
    let anyone = Caller::anyone(org(&bench.app, &bench.admin).await);
    let signed = bench.admin.get("/api/v1/buckets/pictures/image-signature/a?width=30&format=png").await.expect(200);
    let signed = signed["query"].as_str().unwrap().to_owned();
    // What is asked for, and under which rights it is given.
    for (query, rights) in [
        ("preset=small", "presets signed any"),
        // The same options in other words.
        ("w=20", "presets signed any"),
        ("width=21", "any"),
        ("", "any"),
        (signed.as_str(), "signed any"),
    ] {
        for given in ["presets", "signed", "any", "off"] {
            let (bucket, object) = bench.with(given).await;
            let answer = bench.ask(&anyone, (&bucket, &object), query).await;
            match answer {
                Ok(_) => assert!(rights.contains(given), "{query} is given with {given}"),
                Err(FilesError::ImageRights(_)) => assert!(!rights.contains(given), "{query} is refused with {given}"),
                Err(other) => panic!("{query} {given}: {other}"),
            }
        }
    }
    let (bucket, first) = bench.with("signed").await;
    // A signature is of its options, of its object and of nothing else.
    let (_, second) = object(&bench.app, &bench.admin, "pictures", "b").await;
    for (object, query) in [
        (&second, signed.clone()),
        (&first, signed.replace("width=30", "width=31")),
        (&first, format!("{signed}&blur=1")),
        (&first, signed[..signed.len() - 1].to_owned()),
        (&first, "width=30&s=".to_owned()),
    ] {
        let answer = bench.ask(&anyone, (&bucket, object), &query).await;
        assert!(matches!(answer, Err(FilesError::ImageRights(_))), "{query}: {answer:?}");
    }
    let both = bench.ask(&anyone, (&bucket, &first), "preset=small&blur=1").await;
    assert!(matches!(both, Err(FilesError::Invalid(_))), "{both:?}");
    // People of the organisation choose freely, whatever strangers may.
    bench.with("off").await;
    let viewer = bench.app.person("default", Role::Viewer).await;
    assert_eq!(shown(&viewer, &address("pictures", "a", "width=33"), "*/*").await.0, 200);
    bench.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_variants_are_limited() {
    let bench = Bench::start().await;
    let (bucket, object) = bench.with("any").await;
    let mut anyone = Caller::anyone(bucket.org);
    anyone.subject = "anyone:192.0.2.1".to_owned();
    let (mut made, mut limited) = (0, 0);
    for blur in 0..=50 {
        for format in ["png", "jpeg"] {
            match bench.ask(&anyone, (&bucket, &object), &format!("width=8&format={format}&blur={blur}")).await {
                Ok(_) => made += 1,
                Err(FilesError::Limited { .. }) => limited += 1,
                Err(other) => panic!("{other}"),
            }
        }
    }
    // While they were made, time went on.
    assert!((60..90).contains(&made) && limited > 10, "{made} {limited}");
    // What is there already, a preset, and another reader are not limited.
    bench.ask(&anyone, (&bucket, &object), "width=8&format=png&blur=0").await.unwrap();
    bench.ask(&anyone, (&bucket, &object), "preset=small").await.unwrap();
    anyone.subject = "anyone:192.0.2.2".to_owned();
    bench.ask(&anyone, (&bucket, &object), "width=9").await.unwrap();
    bench.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisations_variant() {
    let bench = Bench::start().await;
    let stranger = bench.app.other_org("strangers").await;
    let path = address("pictures", "a", "width=40");
    assert_eq!(shown(&bench.admin, &path, "*/*").await.0, 200);
    stranger.get(&path).await.problem(404, "bucket_not_found");
    for path in ["image-info/a", "image-signature/a?width=40", "image-report"] {
        stranger.get(&format!("/api/v1/buckets/pictures/{path}")).await.problem(404, "bucket_not_found");
    }
    bench.app.anonymous().get(&path).await.problem(401, "unauthorized");
    // The same picture of another organisation is made again: nobody learns from the time who has it.
    bucket(&stranger, "pictures").await;
    put(&stranger, "pictures", "mine", jpeg(&picture(1, 100, 100))).await.expect(201);
    let before = bench.app.app.files.variant_figures().made;
    assert_eq!(shown(&stranger, &address("pictures", "mine", "width=40"), "*/*").await.0, 200);
    assert_eq!(bench.app.app.files.variant_figures().made, before + 1);
    // A copy within the organisation is not.
    put(&bench.admin, "pictures", "copy", jpeg(&picture(1, 100, 100))).await.expect(201);
    assert_eq!(shown(&bench.admin, &address("pictures", "copy", "width=40"), "*/*").await.0, 200);
    assert_eq!(bench.app.app.files.variant_figures().made, before + 1);
    bench.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_scanner_found_is_shown_in_no_size() {
    let bench = Bench::start().await;
    assert_eq!(shown(&bench.admin, &address("pictures", "a", "width=40"), "*/*").await.0, 200);
    change(&bench.app, "UPDATE files_objects SET scan = 'infected' WHERE key = 'a'").await;
    bench.admin.get(&address("pictures", "a", "width=40")).await.problem(403, "quarantined");
    bench.app.stop().await;
}
