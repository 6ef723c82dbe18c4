//! How a page looks by its owner's choice: a logo, and charts of response times.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::seed::{components, get, page, until_served};
use crate::support::{
    app::{Answer, Client, TestApp},
    wait::until,
};

/// The beginning of a PNG, and something that browsers would take for more.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR<script>";

async fn csrf(client: &Client) -> String {
    client.get("/api/v1/auth/me").await.expect(200)["user"]["csrf_token"].as_str().unwrap().to_owned()
}

/// As the console's form sends it.
async fn upload(client: &Client, page: &str, file: &[u8]) -> Answer {
    let token = csrf(client).await;
    let part = |name: &str| format!("--cut\r\nContent-Disposition: form-data; name={name}\r\n\r\n");
    let head = format!("{}{token}\r\n{}", part("\"csrf\""), part("\"logo\"; filename=\"logo.png\""));
    let body = [head.as_bytes(), file, b"\r\n--cut--\r\n"].concat();
    let request = client.request(Method::POST, &format!("/settings/status-pages/{page}/logo"));
    client.send(request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut").body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logo_is_uploaded_shown_and_removed() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 1).await;
    let id = page(&app, &admin, "shop", 1, json!({})).await;
    until_served(&app, "/status/shop").await;
    let large = [PNG, &vec![0; 64 * 1024]].concat();
    for wrong in [&b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"[..], &large, b""] {
        let refused = upload(&admin, &id, wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{} bytes", wrong.len());
        assert!(refused.text.contains("Choose a PNG or a WebP of at most 64 KiB"), "{}", refused.text);
    }
    let saved = upload(&admin, &id, PNG).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text);
    until("the page has no logo", async || {
        get(&app, "/status/shop").await.text.contains("<img src=\"/status/shop/logo?v=")
    })
    .await;
    let logo = get(&app, "/status/shop/logo").await;
    assert_eq!(logo.headers[header::CONTENT_TYPE], "image/png");
    assert_eq!(logo.headers["x-content-type-options"], "nosniff");
    assert_eq!(get(&app, "/status/shop/logo?v=1").await.status, StatusCode::OK);
    let settings = admin.get(&format!("/settings/status-pages/{id}")).await.text;
    assert!(settings.contains(&format!("/settings/status-pages/{id}/view/logo")), "{settings}");

    // By the API, too: an empty body removes it.
    let request = admin.request(Method::PUT, &format!("/api/v1/status-pages/{id}/logo")).body(Vec::<u8>::new());
    assert_eq!(admin.send(request).await.expect(200)["has_logo"], false);
    until("the logo is still there", async || get(&app, "/status/shop/logo").await.status == StatusCode::NOT_FOUND)
        .await;
    assert!(!get(&app, "/status/shop").await.text.contains("<img"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_shows_the_response_times_of_a_monitor() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 1).await;
    let id = page(&app, &admin, "shop", 1, json!({})).await;
    until_served(&app, "/status/shop").await;
    assert!(!get(&app, "/status/shop/en").await.text.contains("Response time"));
    let monitor = async || -> Option<Value> {
        let all = admin.get("/api/v1/uptime/monitors?installation=true&limit=100").await.expect(200);
        all["data"].as_array().unwrap().iter().find(|one| one["key"] == "appliance-database").cloned()
    };
    until("the monitor is not there, or not up", async || monitor().await.is_some_and(|one| one["status"] == "up"))
        .await;
    let monitor = monitor().await.unwrap();
    let path = format!("/api/v1/status-pages/{id}");
    admin.patch(&path, &json!({"charts": [monitor["id"]]})).await.expect(200);
    until("the chart is not drawn", async || {
        // Figures are read once a minute, or when the page is asked to be rendered.
        admin.post(&format!("{path}/render"), &json!({})).await.expect(204);
        get(&app, "/status/shop/en").await.text.contains("<svg class=c")
    })
    .await;
    let text = get(&app, "/status/shop/en").await.text;
    assert!(text.contains("Response time: <bdi>Database</bdi>"), "{text}");
    let chart = &text[text.find("<svg class=c").unwrap()..];
    assert!(chart.contains("aria-label=\"Response time of Database in the last 24 hours\""), "{chart}");
    assert_eq!(chart.split("</svg>").next().unwrap().matches(" d=\"M").count(), 2, "a median and a 95th percentile");
    // The same as a table, an hour in a row.
    assert_eq!(chart.split("</table>").next().unwrap().matches("<tr><td>").count(), 24, "{chart}");

    // The console shows its key, and says which one there is not.
    let settings = format!("/settings/status-pages/{id}");
    let shown = admin.get(&settings).await.text;
    assert!(shown.contains("value=\"appliance-database\""), "{shown}");
    let token = csrf(&admin).await;
    let save = async |charts: &str| {
        let fields = [
            ("csrf", token.as_str()),
            ("name", "Shop"),
            ("slug", "shop"),
            ("visibility", "public"),
            ("zone", "UTC"),
            ("languages", "en ru"),
            ("components", "shop-0"),
            ("charts", charts),
        ];
        let request = admin.request(Method::POST, &settings);
        let form = "application/x-www-form-urlencoded";
        let body = serde_html_form::to_string(fields).unwrap();
        admin.send(request.header(header::CONTENT_TYPE, form).body(body)).await
    };
    let refused = save("nobody").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("There is no monitor nobody"), "{}", refused.text);
    assert_eq!(save("appliance-database").await.status, StatusCode::SEE_OTHER);
    assert_eq!(save("").await.status, StatusCode::SEE_OTHER);
    assert_eq!(admin.get(&path).await.expect(200)["charts"], json!([]));
    app.stop().await;
}
