//! What is made, and how often.

use futures::future::join_all;
use holdfast::{files::Coding, platform::crypto};
use reqwest::{Method, header};

use super::{address, jpeg, object, picture, png, shown, size};
use crate::{
    files::{bucket, put},
    support::{app::TestApp, wait::until},
};

const BROWSER: &str = "image/avif,image/webp,image/apng,*/*;q=0.8";

#[tokio::test(flavor = "multi_thread")]
async fn an_image_in_another_size_and_format() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "pictures").await;
    put(&admin, "pictures", "a/b c.jpg", jpeg(&picture(1, 400, 200))).await.expect(201);
    let path = address("pictures", "a/b c.jpg", "width=100");
    let (status, headers, content) = shown(&admin, &path, BROWSER).await;
    let of = |name: header::HeaderName| headers[name].to_str().unwrap().to_owned();
    assert_eq!((status, of(header::CONTENT_TYPE), of(header::VARY)), (200, "image/webp".into(), "accept".into()));
    assert_eq!((size(&content), of(header::X_CONTENT_TYPE_OPTIONS)), ((100, 50), "nosniff".to_owned()));
    assert!(of(header::CONTENT_DISPOSITION).starts_with("inline"), "it was written here");
    // A program that names no format gets what the original is, and another etag.
    let (_, plain, content) = shown(&admin, &path, "*/*").await;
    assert_eq!((plain[header::CONTENT_TYPE].to_str().unwrap(), size(&content)), ("image/jpeg", (100, 50)));
    assert_ne!(plain[header::ETAG], headers[header::ETAG]);
    let request = admin.request(Method::GET, &path).header(header::ACCEPT, BROWSER);
    let again = admin.send(request.header(header::IF_NONE_MATCH, headers[header::ETAG].clone())).await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
    let head = admin.send(admin.request(Method::HEAD, &path).header(header::ACCEPT, BROWSER)).await;
    assert_eq!(head.headers[header::ETAG], headers[header::ETAG]);
    let info = admin.get("/api/v1/buckets/pictures/image-info/a%2Fb%20c.jpg").await.expect(200);
    assert_eq!(
        (info["width"].as_u64(), info["height"].as_u64(), info["frames"].as_u64()),
        (Some(400), Some(200), Some(1))
    );
    assert!((8..60).contains(&info["placeholder"].as_str().unwrap().len()));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_says_why() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "odd").await;
    let whole = jpeg(&picture(1, 200, 200));
    let mut bomb = png(&picture(1, 8, 8));
    bomb[16..24].copy_from_slice(&[0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50]);
    let svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    for (key, content, status, code) in [
        ("text.jpg", b"hello".to_vec(), 415, "image_format"),
        ("drawing.svg", svg.as_bytes().to_vec(), 415, "image_format"),
        ("cut.jpg", whole[..whole.len() / 3].to_vec(), 422, "image_damaged"),
        ("bomb.png", bomb, 422, "image_too_large"),
    ] {
        put(&admin, "odd", key, content).await.expect(201);
        for _ in 0..2 {
            admin.get(&address("odd", key, "width=50")).await.problem(status, code);
        }
    }
    // Each was tried once; the second answer was remembered.
    assert_eq!(app.app.files.variant_figures().failed, 4);
    put(&admin, "odd", "fine.jpg", whole).await.expect(201);
    admin.get(&address("odd", "fine.jpg", "width=0")).await.problem(422, "validation_failed");
    admin.get(&address("odd", "fine.jpg", "crop=500,0,10,10")).await.problem(422, "image_crop");
    admin.get(&address("odd", "fine.jpg", "format=avif")).await.problem(415, "image_format");
    admin.get(&address("odd", "fine.jpg", "preset=none")).await.problem(422, "validation_failed");
    admin.get(&address("odd", "none.jpg", "width=50")).await.problem(404, "object_not_found");
    // A setting of the installation, not of the decoder.
    assert_eq!(shown(&admin, &address("odd", "fine.jpg", "width=50"), "*/*").await.0, 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_decode_for_fifty_requests() {
    let app = TestApp::start_with(&[("HOLDFAST_SERVER__PRINCIPAL_REQUEST_BURST", "1000")]).await;
    let admin = app.admin().await;
    bucket(&admin, "pictures").await;
    put(&admin, "pictures", "large", jpeg(&picture(1, 1600, 1200))).await.expect(201);
    let path = address("pictures", "large", "width=300");
    let answers = join_all((0..50).map(|_| shown(&admin, &path, BROWSER))).await;
    let first = &answers[0].2;
    assert!(answers.iter().all(|(status, _, content)| *status == 200 && content == first));
    let figures = app.app.files.variant_figures();
    assert_eq!((figures.made, figures.hits + figures.shared), (1, 49), "{figures:?}");
    assert_eq!(app.app.files.images().figures().started, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_client_leaves_and_the_work_goes_on() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "pictures").await;
    put(&admin, "pictures", "large", png(&picture(1, 2400, 1800))).await.expect(201);
    let path = address("pictures", "large", "width=300&format=png");
    // It goes away when a child has begun.
    tokio::select! {
        _ = shown(&admin, &path, "*/*") => {}
        () = until("no child begins", async || app.app.files.images().figures().started == 1) => {}
    }
    until("the work was given up", async || app.app.files.variant_figures().made == 1).await;
    assert_eq!(size(&shown(&admin, &path, "*/*").await.2), (300, 225));
    assert_eq!(app.app.files.variant_figures().made, 1);
    app.stop().await;
}

/// A process that was killed while it wrote leaves nothing that is shown.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_cache_that_is_not_whole_is_made_again() {
    fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
        let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "pictures").await;
    put(&admin, "pictures", "a", jpeg(&picture(1, 200, 200))).await.expect(201);
    let path = address("pictures", "a", "width=100");
    let (_, headers, content) = shown(&admin, &path, "*/*").await;
    let kept = files(&app.data_dir.join("cache/files"));
    assert_eq!(kept.len(), 1, "{kept:?}");
    let whole = std::fs::read(&kept[0]).unwrap();
    std::fs::write(&kept[0], &whole[..whole.len() / 2]).unwrap();
    let (status, again, same) = shown(&admin, &path, "*/*").await;
    assert_eq!((status, &again[header::ETAG]), (200, &headers[header::ETAG]));
    assert!(same == content && std::fs::read(&kept[0]).unwrap() == whole);
    // What was made of an object can be thrown away.
    let (_, object) = object(&app, &admin, "pictures", "a").await;
    app.app.files.forget_variants(&object).await;
    assert!(files(&app.data_dir.join("cache/files")).is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_compressed_once() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "texts").await;
    let text = "a line of text that is there again and again\n".repeat(500);
    let of = async |key: &'static str, kind: &str, content: Vec<u8>| {
        let path = crate::files::path("texts", key);
        let request = admin.request(Method::PUT, &path).header(header::CONTENT_TYPE, kind).body(content);
        admin.send(request).await.expect(201);
        object(&app, &admin, "texts", key).await
    };
    let files = &app.app.files;
    let (bucket, object) = of("a.txt", "text/plain; charset=utf-8", text.clone().into_bytes()).await;
    for coding in [Coding::Brotli, Coding::Gzip] {
        for _ in 0..2 {
            let made = files.compressed(&bucket, &object, coding).await.unwrap().unwrap();
            assert!(made.bytes.len() * 10 < text.len());
            assert_eq!(made.etag, format!("{}-{}", object.etag, coding.as_str()));
        }
    }
    assert_eq!(files.variant_figures().made, 2);
    let noise: Vec<u8> = (0..100_u32).flat_map(|n| crypto::sha256(n.to_be_bytes())).collect();
    for (key, kind, content) in [
        ("small.txt", "text/plain", b"too short to gain".to_vec()),
        ("picture", "image/png", text.clone().into_bytes()),
        ("noise.txt", "text/plain", noise),
    ] {
        let (bucket, object) = of(key, kind, content).await;
        assert!(files.compressed(&bucket, &object, Coding::Gzip).await.unwrap().is_none(), "{key}");
    }
    let accepted = |text: &'static str| {
        let headers = [(header::ACCEPT_ENCODING, header::HeaderValue::from_static(text))];
        Coding::accepted(&headers.into_iter().collect())
    };
    assert_eq!(accepted("gzip, deflate, br, zstd"), Some(Coding::Brotli));
    assert_eq!((accepted("gzip;q=0.5, br;q=0"), accepted("identity")), (Some(Coding::Gzip), None));
    app.stop().await;
}
