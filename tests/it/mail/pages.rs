//! What administrators see of mail in the console. No server is configured: mail waits.

use holdfast::{
    mail::{Address, Content, NewMail, Owner, kinds},
    platform::http::Role,
};
use reqwest::{Method, header};
use serde_json::json;

use super::{
    api::{id, send},
    outbox::{enqueue, execute, mail, org},
};
use crate::{
    alerting::pages::{open, submit},
    support::app::{ADMIN_EMAIL, Client, TestApp},
};

const MAIL: &str = "/settings/mail";

/// Every page that shows something without an id.
const PAGES: [&str; 8] = [
    MAIL,
    "/settings/mail/templates",
    "/settings/mail/templates/welcome",
    "/settings/mail/own-templates",
    "/settings/mail/branding",
    "/settings/mail/suppressions",
    "/settings/mail/domains",
    "/settings/mail/sources",
];

pub(super) async fn page(client: &Client, path: &str) -> String {
    let answer = open(client, path, "en").await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.text
}

/// Submits a form that leads to another page, and opens that, with its message.
pub(super) async fn follow(client: &Client, path: &str, fields: &[(&str, &str)]) -> String {
    let answer = submit(client, path, fields).await;
    assert_eq!(answer.status, 303, "{path}: {}", answer.text);
    let (to, cookie) = (&answer.headers[header::LOCATION], &answer.headers[header::SET_COOKIE]);
    let flash = cookie.to_str().unwrap().split(';').next().unwrap();
    let request = client.request(Method::GET, to.to_str().unwrap()).header(header::ACCEPT, "text/html");
    let next = client.send(request.header(header::COOKIE, flash)).await;
    assert_eq!(next.status, 200, "{to:?}: {}", next.text);
    next.text
}

/// The policy of the document at `path`, who may frame it, and its text.
async fn policy(client: &Client, path: &str) -> (String, String, String) {
    let answer = open(client, path, "en").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let value = |name: header::HeaderName| answer.headers[name].to_str().unwrap().to_owned();
    (value(header::CONTENT_SECURITY_POLICY), value(header::X_FRAME_OPTIONS), answer.text.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_seen_and_so_is_why() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let empty = page(&admin, MAIL).await;
    assert!(empty.contains("No mail yet") && empty.contains("No SMTP server is configured"), "{empty}");
    assert!(!page(&admin, "/").await.contains("Mail waits to be sent"), "nothing waits");
    let sent = follow(&admin, "/settings/mail/test", &[]).await;
    assert!(sent.contains(&format!("A test message to {ADMIN_EMAIL} is queued.")), "{sent}");
    assert!(sent.contains(&format!("{ADMIN_EMAIL}</a>")) && sent.contains("neutral\">queued<"), "{sent}");
    assert!(page(&admin, "/").await.contains("Mail waits to be sent"));
    let shop = send(&admin, &json!({"to": "ada@example.com", "subject": "<b>Tides</b>", "text": "They turn."})).await;
    let all = page(&admin, MAIL).await;
    assert!(all.contains("ada@example.com</a>") && all.contains("Tides") && !all.contains("<b>Tides"), "{all}");
    for (query, found) in
        [("q=tides", true), ("q=nobody", false), ("state=sent", false), ("kind=api&state=queued", true)]
    {
        let text = page(&admin, &format!("{MAIL}?{query}")).await;
        assert_eq!(text.contains("ada@example.com</a>"), found, "{query}: {text}");
        assert_eq!(text.contains("Nothing found"), !found, "{query}");
    }
    // The installation's own is elsewhere.
    assert!(!page(&admin, &format!("{MAIL}?whose=installation")).await.contains("ada@example.com"));
    let path = format!("{MAIL}/messages/{}", id(&shop));
    let cancelled = follow(&admin, &format!("{path}/cancel"), &[]).await;
    assert!(cancelled.contains("cancelled") && !cancelled.contains("Do not send"), "{cancelled}");
    assert_eq!(submit(&admin, &format!("{path}/cancel"), &[]).await.status, 409);
    assert!(follow(&admin, &format!("{path}/retry"), &[]).await.contains("Do not send"));
    app.stop().await;
}

/// HTML of others is shown without being able to do anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_shown_in_a_frame_that_may_do_nothing() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let html = "<script>parent.location='/'</script><img src=\"https://tracker.example/p.gif\"><p>They turn.</p>";
    let body = json!({"to": "ada@example.com", "subject": "Tides", "text": "They turn & turn.", "html": html});
    let sent = send(&admin, &body).await;
    let path = format!("{MAIL}/messages/{}", id(&sent));
    let shown = page(&admin, &path).await;
    assert!(shown.contains(&format!("src=\"{path}/html\"")) && shown.contains(" sandbox "), "{shown}");
    assert!(!shown.contains("tracker.example") && shown.contains("Load remote images"), "{shown}");
    let (strict, framed, document) = policy(&admin, &format!("{path}/html")).await;
    assert_eq!((document.as_str(), framed.as_str()), (html, "SAMEORIGIN"));
    for part in
        ["sandbox;", "default-src 'none'", "style-src 'unsafe-inline'", "img-src data:;", "frame-ancestors 'self'"]
    {
        assert!(strict.contains(part), "{part} is not in {strict}");
    }
    assert!(!strict.contains("script") && !strict.contains("allow-") && !strict.contains("https:"), "{strict}");
    let with_images = page(&admin, &format!("{path}?images=true")).await;
    assert!(with_images.contains("html?images=true") && !with_images.contains("Load remote images"));
    let (looser, ..) = policy(&admin, &format!("{path}/html?images=true")).await;
    assert!(looser.contains("img-src data: https:") && looser.starts_with("sandbox;"), "{looser}");
    let text = page(&admin, &format!("{path}?view=text")).await;
    assert!(text.contains("They turn &") && !text.contains("<iframe"), "{text}");
    app.stop().await;
}

/// Administrators could become the owner who was invited.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_opens_an_account_is_shown_to_nobody() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let to = Address::parse("ada@example.com").unwrap();
    let (text, html) = ("Open https://ai.example.com/join", "<p>https://ai.example.com/join</p>");
    let content = Content::Raw { subject: "Come in", text, html: Some(html) };
    let new = NewMail { kind: &kinds::INVITATION, content, ..mail(&to, "Come in") };
    let message = enqueue(&app, Owner::Org(org(&app).await), &new).await.unwrap();
    let path = format!("{MAIL}/messages/{message}");
    for view in ["html", "text"] {
        let shown = page(&admin, &format!("{path}?view={view}")).await;
        assert!(shown.contains("Only its recipient may read it"), "{shown}");
        assert!(!shown.contains("<iframe") && !shown.contains("/join"), "{shown}");
    }
    assert!(open(&admin, &path, "ru").await.text.contains("может читать только получатель"));
    assert_eq!(page(&admin, &format!("{path}/html")).await, "");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_previewed_as_it_is_typed_then_saved_and_reset() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let list = page(&admin, "/settings/mail/templates").await;
    assert!(list.contains("Invitation") && !list.contains(">changed<"), "{list}");
    // What is sent in the organisation's name, and what in the installation's; nothing that nobody sends.
    let named = |list: &str, name: &str| list.contains(&format!("<code>{name}</code>"));
    let house = page(&admin, "/settings/mail/templates?whose=installation").await;
    assert!(named(&house, "password_reset") && !named(&house, "invitation"), "{house}");
    assert!(named(&list, "invitation") && !named(&list, "password_reset"), "{list}");
    for nobody in ["activity", "verify", "mfa_changed"] {
        assert!(!named(&list, nobody) && !named(&house, nobody), "{nobody}");
    }
    let path = "/settings/mail/templates/welcome/ru";
    let fields = [("subject", "Привет, {{ name }}"), ("html", "<p>На борт</p>"), ("text", "На борт")];
    let typed = submit(&admin, &format!("{path}/html"), &fields).await;
    assert!(typed.status == 200 && typed.text.contains("На борт"), "{}", typed.text);
    assert!(typed.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("sandbox;"));
    assert!(!page(&admin, &format!("{path}/html")).await.contains("На борт"), "it was not saved");
    // What is wrong is said where the preview would be, and by the form.
    let broken = [("subject", "x"), ("html", "{{ <b>oops</b> }}"), ("text", "x")];
    let wrong = submit(&admin, &format!("{path}/html"), &broken).await;
    assert!(wrong.status == 422 && wrong.text.contains("<li>html") && !wrong.text.contains("<b>"), "{}", wrong.text);
    let refused = submit(&admin, path, &broken).await;
    assert!(refused.status == 422 && refused.text.contains("aria-invalid"), "{}", refused.text);
    assert!(refused.text.contains("oops"), "what was typed is kept: {}", refused.text);
    let saved = follow(&admin, path, &fields).await;
    assert!(saved.contains("Template saved") && saved.contains("Привет, {{ name }}"), "{saved}");
    assert!(page(&admin, &format!("{path}/html")).await.contains("На борт"));
    assert!(page(&admin, "/settings/mail/templates").await.contains(">changed<"));
    assert!(follow(&admin, &format!("{path}/test"), &[]).await.contains("A test message to"));
    let log = page(&admin, MAIL).await;
    assert!(log.contains("Привет, Ada Lovelace"), "{log}");
    // Subject and text part, saved and as they are typed.
    let saved = page(&admin, &format!("{path}/text")).await;
    assert!(saved.contains("Привет, Ada Lovelace") && saved.contains("На борт"), "{saved}");
    let typed = [("subject", "Ahoy"), ("html", "<p>x</p>"), ("text", "All <hands>")];
    let typed = submit(&admin, &format!("{path}/text"), &typed).await;
    assert!(
        typed.text.contains("Ahoy") && typed.text.contains("All &") && !typed.text.contains("<hands>"),
        "{}",
        typed.text
    );
    let whole = page(&admin, "/settings/mail/templates/welcome?language=ru").await;
    for view in ["html", "dark", "phone", "text"] {
        assert!(whole.contains(&format!("name=\"view\" value=\"{view}\"")), "{view}: {whole}");
    }
    let reset = follow(&admin, &format!("{path}/reset"), &[]).await;
    assert!(!reset.contains("Привет, {{ name }}") && reset.contains("The built-in text is used again"), "{reset}");
    let look = [("name", "Harbour"), ("color", "blue")];
    assert_eq!(submit(&admin, "/settings/mail/branding", &look).await.status, 422);
    let look = follow(&admin, "/settings/mail/branding", &[("name", "Harbour"), ("color", "#123456")]).await;
    assert!(look.contains("value=\"Harbour\"") && look.contains("value=\"#123456\""), "{look}");
    assert!(page(&admin, "/settings/mail/templates/welcome/en/html").await.contains("Harbour"));
    assert_eq!(open(&admin, "/settings/mail/templates/nothing", "en").await.status, 404);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_template_is_written_previewed_and_tried() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    assert!(page(&admin, "/settings/mail/templates").await.contains("New template"));
    let new = "/settings/mail/own-templates";
    let text = |subject, example| {
        [
            ("name", "order-shipped"),
            ("subject", subject),
            ("html", "<p>Dear {{ name }}</p>"),
            ("text", "Dear {{ name }}"),
            ("example", example),
        ]
    };
    let example = "{\"name\": \"Ada\"}";
    let typed = submit(&admin, &format!("{new}/html?language=en"), &text("Order", example)).await;
    assert!(typed.status == 200 && typed.text.contains("Dear Ada"), "{}", typed.text);
    assert!(typed.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("sandbox;"));
    for (fields, wrong) in [
        (text("{{ order }}", example), "there is no variable `order`"),
        (text("Order", "{"), "it is not JSON"),
        (text("Order", "{}"), "there is no variable `name`"),
    ] {
        let refused = submit(&admin, &format!("{new}?language=en"), &fields).await;
        assert!(refused.status == 422 && refused.text.contains(wrong), "{wrong}: {}", refused.text);
        assert!(refused.text.contains("Dear {{ name }}"), "what was typed is kept: {}", refused.text);
    }
    let saved = follow(&admin, &format!("{new}?language=en"), &text("Order", example)).await;
    assert!(saved.contains("Template saved") && saved.contains("value=\"order-shipped\""), "{saved}");
    let made = admin.get("/api/v1/mail/own-templates").await.expect(200)["data"][0].clone();
    let path = format!("{new}/{}", id(&made));
    // The other language has no text yet.
    let other = page(&admin, &format!("{path}?language=ru")).await;
    assert!(other.contains("no text in this language") && !other.contains("Dear {{ name }}"), "{other}");
    follow(&admin, &format!("{path}?language=ru"), &text("Заказ", example)).await;
    assert!(page(&admin, &format!("{path}/html?language=ru")).await.contains("Dear Ada"));
    // What the example makes wrong in the other language is said, too.
    let fields = [("name", "order-shipped"), ("subject", "x"), ("html", "<p>x</p>"), ("text", "x"), ("example", "{}")];
    let refused = submit(&admin, &format!("{path}?language=ru"), &fields).await;
    assert!(refused.status == 422 && refused.text.contains("/texts/en/"), "{}", refused.text);
    assert!(follow(&admin, &format!("{path}/test?language=ru"), &[]).await.contains("A test message to"));
    let log = page(&admin, MAIL).await;
    assert!(log.contains("Заказ"), "{log}");
    let listed = page(&admin, "/settings/mail/templates").await;
    assert!(listed.contains("order-shipped") && listed.contains("Русский"), "{listed}");
    for lang in ["en", "ru"] {
        for shown in [&path, &new.to_owned()] {
            let answer = open(&admin, shown, lang).await;
            assert!(answer.status == 200 && !answer.text.contains(">mail-"), "{lang} {shown}: {}", answer.text);
        }
    }
    let member = app.person("default", Role::Member).await;
    for shown in [&path, &format!("{path}/html"), &new.to_owned()] {
        assert_eq!(open(&member, shown, "en").await.status, 403, "{shown}");
    }
    let gone = follow(&admin, &format!("{path}/delete"), &[]).await;
    assert!(gone.contains("Template deleted") && !gone.contains("order-shipped"), "{gone}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_domains_and_providers_are_added_and_removed() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let path = "/settings/mail/suppressions";
    assert!(page(&admin, path).await.contains("No suppressed addresses"));
    let wrong = submit(&admin, path, &[("address", "ada"), ("kind", "*")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("value=\"ada\""), "{}", wrong.text);
    let added = follow(&admin, path, &[("address", "Ada@example.com"), ("kind", "alert"), ("detail", "asked")]).await;
    assert!(
        added.contains("ada@example.com</th>") && added.contains(">Alert</td>") && added.contains("by hand"),
        "{added}"
    );
    assert!(page(&admin, &format!("{path}?q=nobody")).await.contains("Nothing found"));
    let remove = added.split("action=\"").find(|rest| rest.contains("/delete\"")).unwrap().split('"').next().unwrap();
    assert!(follow(&admin, remove, &[]).await.contains("No suppressed addresses"));

    let path = "/settings/mail/domains";
    assert!(page(&admin, path).await.contains("No domains yet"));
    let domain = follow(&admin, path, &[("domain", "example.org")]).await;
    for words in ["hf", "._domainkey.example.org", "v=DKIM1", "_dmarc.example.org", "v=DMARC1; p=none", "not verified"]
    {
        assert!(domain.contains(words), "{words} is not in {domain}");
    }
    let twice = submit(&admin, path, &[("domain", "example.org")]).await;
    assert!(twice.status == 422 && twice.text.contains("This domain is there already"), "{}", twice.text);
    assert!(page(&admin, path).await.contains("example.org</a>"));

    let path = "/settings/mail/sources";
    assert!(page(&admin, path).await.contains("No bounce reports yet"));
    let wrong = submit(&admin, path, &[("provider", "resend"), ("secret", "x")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("whsec_"), "{}", wrong.text);
    let made = submit(&admin, path, &[("provider", "ses"), ("secret", "arn:aws:sns:eu-west-1:1:x")]).await;
    assert!(made.status == 200 && made.text.contains("/hooks/mail/ses/"), "{}", made.text);
    let again = page(&admin, path).await;
    assert!(again.contains("Amazon SES") && !again.contains("/hooks/mail/"), "the address is shown once: {again}");
    let remove = again.split("action=\"").find(|rest| rest.contains("/delete\"")).unwrap().split('"').next().unwrap();
    assert!(follow(&admin, remove, &[]).await.contains("No bounce reports yet"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_speaks_russian_and_is_for_administrators() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let body = json!({"to": "ada@example.com", "subject": "Tides", "text": "They turn.", "html": "<p>They turn.</p>"});
    let message = send(&admin, &body).await;
    follow(&admin, "/settings/mail/domains", &[("domain", "example.org")]).await;
    let domain = admin.get("/api/v1/mail/domains").await.expect(200)["data"][0].clone();
    let mut paths = PAGES.map(str::to_owned).to_vec();
    paths.extend([format!("{MAIL}/messages/{}", id(&message)), format!("{MAIL}/domains/{}", id(&domain))]);
    paths.push(format!("{MAIL}?state=cancelled&since=2026-01-01T00:00&to=ada@example.com"));
    paths.push(format!("{MAIL}/many?action=cancel&state=queued"));
    for view in ["dark", "phone", "text"] {
        paths.push(format!("{MAIL}/messages/{}?view={view}", id(&message)));
    }
    for lang in ["en", "ru"] {
        for path in &paths {
            let answer = open(&admin, path, lang).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            let has_key = [">mail-", "\"mail-", " mail-"].iter().any(|key| answer.text.contains(key));
            assert!(!has_key, "{path} in {lang} shows a key: {}", answer.text);
            assert!(answer.text.contains("csrf"), "{path}");
        }
    }
    let member = app.person("default", Role::Member).await;
    let more = [
        format!("{MAIL}/messages/{}/html", id(&message)),
        format!("{MAIL}/messages/{}/attachments/1", id(&message)),
        format!("{MAIL}/export"),
        format!("{MAIL}/many?action=retry&state=failed"),
        "/settings/mail/suppressions/export".to_owned(),
        "/settings/mail/templates/welcome/en/text".to_owned(),
    ];
    for path in paths.iter().chain(&more) {
        assert_eq!(open(&member, path, "en").await.status, 403, "{path}");
    }
    assert_eq!(submit(&member, "/settings/mail/test", &[]).await.status, 403);
    assert!(!page(&member, "/").await.contains("Mail waits"));
    app.stop().await;
}

/// What this program itself says of a mail or of a field is in the language of the page.
#[tokio::test(flavor = "multi_thread")]
async fn russian_pages_say_in_russian_what_is_wrong() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let sent = send(&admin, &json!({"to": "ada@example.com", "subject": "Tides", "text": "They turn."})).await;
    let path = format!("{MAIL}/messages/{}", id(&sent));
    for (error, words) in [
        ("expired: it could not be sent in time, and is of no use any more", "потеряло смысл"),
        (
            "expired: it could not be sent in time, and is of no use any more; the last attempt: 451 4.3.0 later",
            "последняя попытка: 451 4.3.0 later",
        ),
        ("the process ended during the attempt", "процесс завершился во время попытки"),
        ("the recipient was suppressed", "адрес получателя был в стоп-листе"),
        ("550 5.1.1 No such user", "550 5.1.1 No such user"),
    ] {
        execute(&app, format!("UPDATE mail_messages SET state = 'failed', error = '{error}'")).await;
        for at in [path.as_str(), MAIL] {
            let text = open(&admin, at, "ru").await.text;
            assert!(text.contains(words), "{at}: {error}: {text}");
            assert!(!text.contains("could not be sent in time"), "{at}: {text}");
        }
    }
    let in_russian = async |path: &str, fields: &[(&str, &str)]| {
        let me = admin.get("/api/v1/auth/me").await.expect(200);
        let csrf = me["user"]["csrf_token"].as_str().unwrap().to_owned();
        let fields = [&[("csrf", csrf.as_str())], fields].concat();
        let request = admin.request(Method::POST, path).header(header::ACCEPT_LANGUAGE, "ru");
        let form = "application/x-www-form-urlencoded";
        let request = request.header(header::ACCEPT, "text/html").header(header::CONTENT_TYPE, form);
        admin.send(request.body(serde_html_form::to_string(&fields).unwrap())).await
    };
    for (path, fields, words) in [
        ("/settings/mail/suppressions", vec![("address", "ada")], "нужен один адрес"),
        ("/settings/mail/suppressions", vec![("address", "ada@not a domain")], "не имя домена"),
        ("/settings/mail/domains", vec![("domain", "not a domain")], "не имя домена"),
        ("/settings/mail/branding", vec![("color", "blue")], "нужен цвет"),
        ("/settings/mail/branding", vec![("logo_url", "http://example.com/a.png")], "https://"),
        ("/settings/mail/branding", vec![("name", &*"x".repeat(101))], "не больше 100 символов"),
        (
            "/settings/mail/templates/welcome/ru",
            vec![("subject", "x"), ("text", "{{ 1 + 1 }}"), ("html", "<p>x</p>")],
            "Строка 1:",
        ),
    ] {
        let answer = in_russian(path, &fields).await;
        assert!(answer.status == 422 && answer.text.contains(words), "{path} {fields:?}: {}", answer.text);
    }
    follow(&admin, "/settings/mail/domains", &[("domain", "example.org")]).await;
    let checks = json!([{
        "name": "spf", "status": "fail", "host": "example.org", "record": "TXT", "found": [], "expected": "",
        "detail": "the record is missing: name the servers of your mail provider in it",
    }]);
    execute(&app, format!("UPDATE mail_domains SET checks = '{checks}', checked_at = now()")).await;
    let domain = admin.get("/api/v1/mail/domains").await.expect(200)["data"][0].clone();
    let shown = open(&admin, &format!("/settings/mail/domains/{}", id(&domain)), "ru").await.text;
    assert!(shown.contains("записи нет: укажите") && !shown.contains("the record is missing"), "{shown}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_to_a_suppressed_address_says_that_nothing_is_sent() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    admin.post("/api/v1/mail/suppressions", &json!({"address": ADMIN_EMAIL})).await.expect(201);
    for path in ["/settings/mail/test", "/settings/mail/templates/welcome/en/test"] {
        let said = follow(&admin, path, &[]).await;
        assert!(said.contains(&format!("Nothing is sent to {ADMIN_EMAIL}")), "{path}: {said}");
        assert!(!said.contains("is queued"), "{path}: {said}");
    }
    app.stop().await;
}

/// From a mail of the installation back to the installation's, not to the organisation's.
#[tokio::test(flavor = "multi_thread")]
async fn the_links_of_a_mail_lead_to_what_belongs_to_its_owner() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    for (whose, back, template) in [
        ("?whose=installation", "href=\"/settings/mail?whose=installation\"", "language=en&amp;whose=installation\""),
        ("", "href=\"/settings/mail\"", "language=en\""),
    ] {
        follow(&admin, &format!("/settings/mail/test{whose}"), &[]).await;
        let list = page(&admin, &format!("{MAIL}{whose}")).await;
        let link = list.split("href=\"").find(|rest| rest.starts_with("/settings/mail/messages/")).unwrap();
        let shown = page(&admin, link.split('"').next().unwrap()).await.replace("&#38;", "&amp;");
        let shown = shown.replace("&whose", "&amp;whose");
        assert!(shown.contains(back) && shown.contains(template), "{whose}: {shown}");
    }
    app.stop().await;
}
