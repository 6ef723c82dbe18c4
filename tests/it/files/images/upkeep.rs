//! Reports, and posters.

use futures::future::join_all;
use holdfast::platform::http::Role;
use reqwest::{Method, header};

use super::{address, jpeg, picture, png, shown, size};
use crate::{
    files::{bucket, put},
    support::{app::TestApp, documents::fixture, wait::until},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_report_is_near_the_truth() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "pictures").await;
    let report = "/api/v1/buckets/pictures/image-report";
    admin.get(report).await.problem(404, "report_not_found");
    let (mut bytes, mut would_be) = (0, 0);
    for number in 0..10 {
        let picture = picture(number, 300, 200);
        let content = if number % 3 == 0 { png(&picture) } else { jpeg(&picture) };
        let key = format!("{number}");
        put(&admin, "pictures", &key, content.clone()).await.expect(201);
        let made = shown(&admin, &address("pictures", &key, "format=webp&quality=80"), "*/*").await.2;
        bytes += content.len();
        would_be += made.len().min(content.len());
    }
    put(&admin, "pictures", "text", "no picture").await.expect(201);
    let cut = jpeg(&picture(99, 300, 200));
    put(&admin, "pictures", "cut", cut[..cut.len() / 2].to_vec()).await.expect(201);
    let member = app.person("default", Role::Member).await;
    member.post(report, &serde_json::json!({})).await.problem(403, "forbidden");
    let start = async || admin.send(admin.request(Method::POST, report)).await.expect(202);
    start().await;
    start().await;
    let last = async || admin.get(report).await.expect(200);
    until("the report has no end", async || !last().await["ended_at"].is_null()).await;
    let found = last().await["report"].clone();
    let of = |part: &str, name: &str| {
        let number = found.pointer(&format!("{part}/{name}")).unwrap().as_u64().unwrap();
        usize::try_from(number).unwrap()
    };
    assert_eq!((of("", "sampled"), of("", "unread"), of("/all", "images")), (11, 1, 11), "{found}");
    let (bytes, would_be) = (bytes + cut.len() / 2, would_be + cut.len() / 2);
    assert_eq!(of("/all", "bytes"), bytes, "{found}");
    let error = of("/all", "would_be").abs_diff(would_be);
    assert!(error * 10 < would_be, "{found}, and not {would_be}");
    assert_eq!(found["by_format"]["image/png"]["images"], 4);
    // It has changed nothing.
    assert_eq!(size(&shown(&admin, &address("pictures", "0", ""), "*/*").await.2), (300, 200));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn posters_if_there_are_tools() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "papers").await;
    put(&admin, "papers", "a.pdf", fixture("chromium.en.pdf")).await.expect(201);
    put(&admin, "papers", "cut.pdf", b"%PDF-1.7 and no more".to_vec()).await.expect(201);
    let path = address("papers", "a.pdf", "width=200&format=png");
    if std::path::Path::new("/usr/bin/pdftoppm").is_file() {
        let answers = join_all((0..5).map(|_| shown(&admin, &path, "*/*"))).await;
        for (status, headers, content) in answers {
            assert_eq!((status, headers[header::CONTENT_TYPE].to_str().unwrap()), (200, "image/png"));
            let (width, height) = size(&content);
            assert!(width == 200 && height > 200, "{width} x {height}");
        }
        // The poster, and its variant.
        assert_eq!(app.app.files.variant_figures().made, 2);
        // Another variant is made of the same poster.
        assert_eq!(shown(&admin, &address("papers", "a.pdf", "width=50"), "*/*").await.0, 200);
        assert_eq!(app.app.files.variant_figures().made, 3);
        admin.get(&address("papers", "cut.pdf", "width=50")).await.problem(422, "image_damaged");
        let left = std::fs::read_dir(app.data_dir.join("cache/files/po")).unwrap().count();
        assert_eq!(left, 0, "files for the programs stay");
    } else {
        admin.get(&path).await.problem(415, "image_format");
    }
    app.stop().await;
}
