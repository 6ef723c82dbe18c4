//! Console pages and forms.

use axum::http::StatusCode;
use holdfast::auth::{AdminConfig, Config};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{Caller, EMAIL, PASSWORD, World};

#[tokio::test]
async fn a_cookie_alone_changes_nothing() {
    let world = World::start(Config::default()).await;
    let caller = world.signed_in(EMAIL, PASSWORD).await;
    let forged = Caller { csrf: String::new(), ..caller.clone() };
    let body = json!({ "name": "k", "scopes": ["inference"] });
    let refused = world.post(&forged, "/api/v1/api-keys", body.clone()).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(refused.code(), "csrf_refused");
    let wrong = Caller { csrf: "guess".into(), ..caller.clone() };
    world.post(&wrong, "/api/v1/api-keys", body.clone()).await.expect(StatusCode::FORBIDDEN);
    world.post(&forged, "/api/v1/auth/logout", Value::Null).await.expect(StatusCode::FORBIDDEN);
    world.get(&forged, "/api/v1/api-keys").await.expect(StatusCode::OK);
    world.post(&caller, "/api/v1/api-keys", body).await.expect(StatusCode::CREATED);
    world.end().await;
}

#[tokio::test]
async fn pages_lead_from_the_sign_in_to_a_key() {
    let world = World::empty(Config::default()).await;
    let first = world.auth.bootstrap(&AdminConfig::default()).await.unwrap().unwrap();
    let one_time = first.one_time_password.unwrap().expose_secret().to_owned();
    let nobody = Caller::default();
    let away = world.page(&nobody, "/settings/members?q=a", "en").await.expect(StatusCode::SEE_OTHER);
    assert_eq!(away.location(), "/login?next=%2Fsettings%2Fmembers%3Fq%3Da");
    let login = world.page(&nobody, "/login?next=/settings/members", "ru").await.expect(StatusCode::OK);
    assert!(login.text.contains("Войти") && login.text.contains("name=\"password\""), "{}", login.text);
    let csrf = login.text.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let visitor = Caller { cookie: login.cookies(), csrf, ..Caller::default() };
    let refused =
        world.form(&visitor, "/login", "email=admin%40localhost&password=wrong").await.expect(StatusCode::UNAUTHORIZED);
    assert!(refused.text.contains("Wrong e-mail or password") && refused.text.contains("admin@localhost"));
    let fields = format!("email=admin%40localhost&password={one_time}&next=/settings/members");
    let forged = Caller { csrf: "other".into(), ..visitor.clone() };
    world.form(&forged, "/login", &fields).await.expect(StatusCode::FORBIDDEN);
    let signed_in = world.form(&visitor, "/login", &fields).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(signed_in.location(), "/settings/members");

    let mut caller = Caller { cookie: signed_in.cookies(), ..Caller::default() };
    caller.csrf = world.get(&caller, "/api/v1/auth/me").await.body["user"]["csrf_token"].as_str().unwrap().to_owned();
    assert_eq!(
        world.page(&caller, "/settings/members", "en").await.expect(StatusCode::SEE_OTHER).location(),
        "/account/password"
    );
    world.page(&caller, "/account/password", "ru").await.expect(StatusCode::OK);
    let weak = format!("current_password={one_time}&new_password=short");
    let refused = world.form(&caller, "/account/password", &weak).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("At least 10 characters."), "{}", refused.text);
    let fine = format!("current_password={one_time}&new_password=correct+horse+battery");
    assert_eq!(world.form(&caller, "/account/password", &fine).await.expect(StatusCode::SEE_OTHER).location(), "/");

    for lang in ["en", "ru"] {
        for path in ["/account", "/account/password", "/settings", "/settings/members", "/settings/api-keys"] {
            let page = world.page(&caller, path, lang).await.expect(StatusCode::OK);
            assert!(page.text.contains("csrf") && !page.text.contains("auth-"), "{path} in {lang}: {}", page.text);
        }
    }
    let made = world
        .form(&caller, "/settings/api-keys", "name=Website&scopes=inference&scopes=agents_read&last_day=")
        .await
        .expect(StatusCode::OK);
    assert!(made.text.contains(">hf_") && made.text.contains("Website"));
    world
        .form(&caller, "/settings/api-keys", "name=&last_day=yesterday")
        .await
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
    let link = world
        .form(&caller, "/settings/members/links", "email=bob%40example.com&role=member")
        .await
        .expect(StatusCode::OK);
    let token = link.text.split_once("/accept?token=").unwrap().1.split('<').next().unwrap().to_owned();
    let accept = world.page(&nobody, &format!("/accept?token={token}"), "en").await.expect(StatusCode::OK);
    assert!(accept.text.contains("Join Default"), "{}", accept.text);
    let joined = world
        .form(&visitor, "/accept", &format!("token={token}&name=Bob&password=correct+horse+battery"))
        .await
        .expect(StatusCode::SEE_OTHER);
    assert!(joined.cookies().contains("holdfast_session="));
    world.page(&nobody, &format!("/accept?token={token}"), "ru").await.expect(StatusCode::GONE);
    let list = world.page(&caller, "/settings/members?q=bob", "en").await.expect(StatusCode::OK);
    assert!(list.text.contains("Bob") && !list.text.contains("admin@localhost</th>"));
    world.form(&caller, "/settings", "name=Acme").await.expect(StatusCode::SEE_OTHER);
    assert!(world.page(&caller, "/settings", "en").await.text.contains("Acme"));
    assert_eq!(world.form(&caller, "/logout", "").await.expect(StatusCode::SEE_OTHER).location(), "/login");
    world.page(&caller, "/account", "en").await.expect(StatusCode::SEE_OTHER);
    world.end().await;
}
