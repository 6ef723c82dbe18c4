//! Images of objects through the API, and who may choose their options.

mod made;
mod rights;
mod upkeep;

use holdfast::{
    files::{Bucket, Caller, Key, Object},
    platform::ids::OrgId,
};
use image::{DynamicImage, ExtendedColorType, ImageEncoder as _, ImageFormat, RgbImage};
use reqwest::{Method, header};
use sqlx::{Connection as _, PgConnection};

use super::encoded;
use crate::support::app::{Client, TestApp};

/// A picture with something to see, and another one for each number.
pub fn picture(number: u32, width: u32, height: u32) -> DynamicImage {
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |x, y| {
        let [one, two, ..] = (x * 31 + y * 17 + number).wrapping_mul(2_654_435_761).to_be_bytes();
        let [red, green, ..] = [x * 255 / width, y * 255 / height].map(|part| part.to_le_bytes()[0]);
        image::Rgb([red, green.saturating_sub(one / 8), two / 4])
    }))
}

pub fn jpeg(picture: &DynamicImage) -> Vec<u8> {
    let mut out = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, 95);
    let (width, height) = (picture.width(), picture.height());
    encoder.write_image(picture.to_rgb8().as_raw(), width, height, ExtendedColorType::Rgb8).unwrap();
    out
}

pub fn png(picture: &DynamicImage) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut out, ImageFormat::Png).unwrap();
    out.into_inner()
}

pub fn address(bucket: &str, key: &str, query: &str) -> String {
    format!("/api/v1/buckets/{bucket}/images/{}?{query}", encoded(key))
}

/// What a client with this `Accept` gets: status, headers, bytes.
pub async fn shown(client: &Client, path: &str, accept: &str) -> (u16, header::HeaderMap, Vec<u8>) {
    let answer = client.request(Method::GET, path).header(header::ACCEPT, accept).send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.bytes().await.unwrap().to_vec())
}

pub fn size(content: &[u8]) -> (u32, u32) {
    let picture = image::load_from_memory(content).unwrap();
    (picture.width(), picture.height())
}

/// The bucket and an object of it, as rooms see them.
pub async fn object(app: &TestApp, client: &Client, bucket: &str, key: &str) -> (Bucket, Object) {
    let who = Caller::worker(org(app, client).await);
    let bucket = app.app.files.bucket(&who, bucket).await.unwrap();
    let object = app.app.files.find(&who, &bucket, &Key::parse(key.to_owned()).unwrap(), None).await.unwrap();
    (bucket, object)
}

/// The client's organisation, by the first bucket that it lists.
pub async fn org(app: &TestApp, client: &Client) -> OrgId {
    let id = client.get("/api/v1/buckets").await.expect(200)["data"][0]["id"].as_str().unwrap().to_owned();
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let org = sqlx::query_scalar("SELECT org_id FROM files_buckets WHERE id::text = $1").bind(id).fetch_one(&mut db);
    OrgId(org.await.unwrap())
}

/// Changes what no route of this test changes.
pub async fn change(app: &TestApp, sql: &str) {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut db).await.unwrap();
}
