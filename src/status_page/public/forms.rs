//! What strangers send: a password, and the wish to be told by mail. These ask the database, and say so when it does not answer.

use std::sync::Arc;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse as _, Response},
};
use tokio::time::Instant;

use super::{judge, nothing, serve};
use crate::{
    StatusPageError, StatusPages, Subscriber,
    holder::Served,
    html::{self, MessageForm},
    metrics::{Answered, What},
    page::PageModel,
    restrict::{self, Verdict, cookie_name},
    service::{Asked, Purpose},
    words::Words,
};
use console::Lang;
use incidents::ComponentId;
use platform::{
    error::chain,
    http::{ClientAddress, address_key},
};

/// A step that a form is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    Password,
    Subscribe,
    Confirm(&'a str),
    Manage(&'a str),
}

impl<'a> Step<'a> {
    pub fn of(rest: &'a str) -> Option<Self> {
        match rest {
            "password" => Some(Self::Password),
            "subscribe" => Some(Self::Subscribe),
            _ => {
                let confirm = rest.strip_prefix("confirm/").map(Self::Confirm);
                confirm.or_else(|| rest.strip_prefix("manage/").map(Self::Manage))
            }
        }
    }
}

/// What a page says instead of what was asked for.
struct Said {
    status: StatusCode,
    heading: String,
    text: String,
    form: Option<MessageForm>,
}

impl Said {
    fn new(status: StatusCode, words: &Words, heading: &str, text: &str) -> Self {
        Self { status, heading: words.t(heading), text: words.t(text), form: None }
    }
}

/// The link does not work any more, or never did.
fn gone(words: &Words) -> Said {
    Said::new(StatusCode::NOT_FOUND, words, "status-page-link-title", "status-page-link-text")
}

fn words_for(pages: &StatusPages, served: &Served, headers: &HeaderMap) -> Words {
    let code = serve::language(&served.access.page.languages, None, headers);
    pages.inner.words.in_language(Lang::from_code(code).unwrap_or(Lang::En))
}

/// The page's frame without what it shows.
fn say(pages: &StatusPages, served: &Served, words: &Words, said: Said) -> Response {
    let now = pages.inner.clock.now();
    let mut page = served.access.page.clone();
    if !served.access.is_public() {
        // Strangers are told its name and its languages, and nothing else.
        (page.home_url, page.contact_url, page.zone) = (None, None, "UTC".to_owned());
    }
    page.about.clear();
    let model = PageModel {
        zone: page.zone.parse().unwrap_or(chrono_tz::Tz::UTC),
        page,
        root: served.access.links.clone(),
        url: served.access.url.clone(),
        logo: None,
        components: Vec::new(),
        incidents: Vec::new(),
        charts: Vec::new(),
        endpoints: Vec::new(),
        read_at: now,
    };
    let Said { status, heading, text, form } = said;
    let html = match html::message(&model, words, now, (heading, text), form) {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(error = chain(&error), "a page of a status page could not be made");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, served.access.policy.clone());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// The form for the password.
pub fn ask_password(pages: &StatusPages, served: &Served, headers: &HeaderMap, was_wrong: bool) -> Response {
    let words = words_for(pages, served, headers);
    let text = if was_wrong { "status-page-password-wrong" } else { "status-page-password-text" };
    let form = MessageForm {
        action: format!("{}/password", served.access.root),
        hidden: Vec::new(),
        asks_password: true,
        components: Vec::new(),
        button: words.t("status-page-show"),
    };
    let said =
        Said { form: Some(form), ..Said::new(StatusCode::UNAUTHORIZED, &words, "status-page-password-title", text) };
    say(pages, served, &words, said)
}

/// Answers a GET of a step: links of mails show a button, because programs that look for danger open every link.
pub fn show(pages: &StatusPages, served: &Served, step: &Step<'_>, headers: &HeaderMap) -> Response {
    let words = words_for(pages, served, headers);
    let (action, heading, text, button) = match step {
        Step::Confirm(token) if pages.signed(Purpose::Confirm, token).is_none() => {
            return say(pages, served, &words, gone(&words));
        }
        Step::Confirm(token) => (
            format!("confirm/{token}"),
            "status-page-confirm-title",
            "status-page-confirm-text",
            "status-page-confirm-button",
        ),
        Step::Manage(token) => (
            format!("manage/{token}"),
            "status-page-manage-title",
            "status-page-manage-text",
            "status-page-manage-open",
        ),
        Step::Password | Step::Subscribe => return nothing(),
    };
    let form = MessageForm {
        action: format!("{}/{action}", served.access.links),
        hidden: Vec::new(),
        asks_password: false,
        components: Vec::new(),
        button: words.t(button),
    };
    say(pages, served, &words, Said { form: Some(form), ..Said::new(StatusCode::OK, &words, heading, text) })
}

/// Whether a step is the management of a subscription of this page, by the link of a mail. Who has it may use it, whoever sees the page by now.
pub async fn is_their_link(pages: &StatusPages, served: &Served, step: &Step<'_>) -> bool {
    let Step::Manage(token) = step else { return false };
    if pages.signed(Purpose::Manage, token).is_none() {
        return false;
    }
    match pages.open_link(served, Purpose::Manage, token).await {
        Ok(found) => found.is_some(),
        Err(error) => {
            tracing::warn!(error = chain(&error), "it cannot be read whose link to a subscription it is");
            false
        }
    }
}

/// Fields of a form.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn read(body: &[u8]) -> Self {
        // What cannot be read has no fields: the step then says what is missing.
        Self(serde_html_form::from_bytes(body).unwrap_or_default())
    }

    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// Answers a POST.
pub async fn post(
    pages: &StatusPages,
    served: Option<Arc<Served>>,
    rest: &str,
    client: ClientAddress,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let began = Instant::now();
    let Some(served) = served else { return nothing() };
    let Some(step) = Step::of(rest.trim_matches('/')) else { return nothing() };
    let fields = Fields::read(body);
    let verdict = judge(pages, &served, client, headers, None);
    let may = verdict == Verdict::Welcome || is_their_link(pages, &served, &step).await;
    let response = match (verdict, &step) {
        (Verdict::AskPassword | Verdict::Welcome, Step::Password) => {
            try_password(pages, &served, client, headers, fields.get("password")).await
        }
        _ if !may => nothing(),
        _ => {
            let words = words_for(pages, &served, headers);
            let said = match subscription(pages, &served, &words, &step, client, &fields).await {
                Ok(said) => said,
                Err(error) => refusal(&words, &error),
            };
            say(pages, &served, &words, said)
        }
    };
    pages.inner.metrics.answered(What::Form, Answered::Current, began.elapsed());
    response
}

fn refusal(words: &Words, error: &StatusPageError) -> Said {
    let (status, text) = match error {
        StatusPageError::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "status-page-address-invalid"),
        StatusPageError::Conflict("too_many_requests", _) => (StatusCode::TOO_MANY_REQUESTS, "status-page-too-many"),
        error => {
            tracing::warn!(error = chain(error), "somebody's wish about updates of a status page could not be noted");
            (StatusCode::SERVICE_UNAVAILABLE, "status-page-not-now")
        }
    };
    Said::new(status, words, "status-page-failed", text)
}

async fn try_password(
    pages: &StatusPages,
    served: &Served,
    client: ClientAddress,
    headers: &HeaderMap,
    password: &str,
) -> Response {
    let access = &served.access;
    let Some(stored) = access.restriction.password_hash.clone() else { return nothing() };
    let limits = &pages.inner.limits;
    let is_often = limits.passwords.check(&address_key(client.0)).is_err();
    if is_often || limits.by_page.check(&access.page.code).is_err() {
        let words = words_for(pages, served, headers);
        let said = Said::new(StatusCode::TOO_MANY_REQUESTS, &words, "status-page-failed", "status-page-too-many");
        return say(pages, served, &words, said);
    }
    let password: String = password.chars().take(512).collect();
    match pages.inner.hashing.run(move || restrict::is_right(&password, &stored)).await {
        Ok(Ok(true)) => {}
        Ok(Ok(false)) => return ask_password(pages, served, headers, true),
        Ok(Err(error)) => {
            tracing::error!(error = chain(&error), "the password of a status page cannot be compared");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        Err(error) => {
            tracing::error!(error = chain(&error), "the password of a status page was not compared");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    }
    let https = pages.is_https();
    let value = access.restriction.cookie(&pages.inner.signing, &access.page.code, pages.inner.clock.now());
    let secure = if https { "; Secure" } else { "" };
    let cookie = format!(
        "{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=86400{secure}",
        cookie_name(&access.page.code, https)
    );
    let to = if access.root.is_empty() { "/" } else { access.root.as_str() };
    let mut response = StatusCode::SEE_OTHER.into_response();
    for (name, value) in [(header::SET_COOKIE, cookie.as_str()), (header::LOCATION, to)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn subscription(
    pages: &StatusPages,
    served: &Served,
    words: &Words,
    step: &Step<'_>,
    client: ClientAddress,
    fields: &Fields,
) -> Result<Said, StatusPageError> {
    match step {
        Step::Password => Ok(gone(words)),
        Step::Subscribe => {
            if !served.access.page.subscribe || !served.access.is_public() {
                return Ok(gone(words));
            }
            // A person sees no such field.
            if fields.get("website").is_empty() {
                let lang = Lang::from_code(fields.get("language")).unwrap_or(words.lang);
                let components = fields.all("component").filter_map(|id| id.parse().ok()).collect();
                let asked = Asked { address: fields.get("address"), lang, components, from: client.0 };
                pages.subscribe(served, &asked).await?;
            }
            Ok(Said::new(StatusCode::OK, words, "status-page-asked-title", "status-page-asked-text"))
        }
        Step::Confirm(token) => {
            let Some(subscriber) = pages.open_link(served, Purpose::Confirm, token).await? else {
                return Ok(gone(words));
            };
            pages.confirm(served, &subscriber).await?;
            // Whoever reads the mail may manage the subscription.
            let form = MessageForm {
                action: pages.link(&served.access.links, &subscriber, Purpose::Manage),
                hidden: Vec::new(),
                asks_password: false,
                components: Vec::new(),
                button: words.t("status-page-manage-open"),
            };
            let said = Said::new(StatusCode::OK, words, "status-page-confirmed-title", "status-page-confirmed-text");
            Ok(Said { form: Some(form), ..said })
        }
        Step::Manage(token) => {
            let Some(subscriber) = pages.open_link(served, Purpose::Manage, token).await? else {
                return Ok(gone(words));
            };
            manage(pages, served, words, &subscriber, token, fields).await
        }
    }
}

async fn manage(
    pages: &StatusPages,
    served: &Served,
    words: &Words,
    subscriber: &Subscriber,
    token: &str,
    fields: &Fields,
) -> Result<Said, StatusPageError> {
    let places = &served.access.page.components;
    if fields.get("action") == "save" {
        let chosen: Vec<ComponentId> = fields.all("component").filter_map(|id| id.parse().ok()).collect();
        if chosen.is_empty() {
            pages.unsubscribe(served, subscriber).await?;
            return Ok(Said::new(StatusCode::OK, words, "status-page-left-title", "status-page-left-text"));
        }
        pages.choose(served, subscriber, &chosen).await?;
        return Ok(Said::new(StatusCode::OK, words, "status-page-saved-title", "status-page-saved-text"));
    }
    let action = format!("{}/manage/{token}", served.access.links);
    let hidden = vec![("action", "save".to_owned())];
    if !served.access.page.tells_strangers() {
        // What the page shows by now is not for them: they may only leave.
        let button = words.t("status-page-leave");
        let form = MessageForm { action, hidden, asks_password: false, components: Vec::new(), button };
        let said = Said::new(StatusCode::OK, words, "status-page-manage-title", "status-page-manage-closed");
        return Ok(Said { form: Some(form), ..said });
    }
    let names = pages.component_names(served).await?;
    let is_chosen = |id: &ComponentId| subscriber.components.is_empty() || subscriber.components.contains(id);
    let components = places.iter().map(|place| {
        let name = names.get(&place.component_id).cloned().or_else(|| place.name.clone()).unwrap_or_default();
        (place.component_id.to_string(), name, is_chosen(&place.component_id))
    });
    let form = MessageForm {
        action,
        hidden,
        asks_password: false,
        components: components.collect(),
        button: words.t("status-page-save"),
    };
    let said = Said::new(StatusCode::OK, words, "status-page-manage-title", "status-page-manage-choose");
    Ok(Said { form: Some(form), ..said })
}
