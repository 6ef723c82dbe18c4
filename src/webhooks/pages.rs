//! Pages of endpoints and their deliveries.

use askama::Template;
use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    Webhooks,
    model::{
        Delivery, DeliveryDetail, DeliveryId, DeliveryState, Endpoint, EndpointChanges, EndpointId, EndpointState,
    },
    routes::owner,
    service::OVERLAP,
    store::deliveries::Filter,
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use platform::{
    error::ApiError,
    http::{ListQuery, Path, Query, Scope, Slice},
};

const SHOWN: u32 = 50;

/// The routes.
pub fn router() -> Router<Webhooks> {
    Router::new()
        .route("/settings/webhooks", get(list).post(create))
        .route("/settings/webhooks/{id}", get(show).post(update))
        .route("/settings/webhooks/{id}/enabled", post(set_enabled))
        .route("/settings/webhooks/{id}/secret", post(rotate))
        .route("/settings/webhooks/{id}/test", post(test))
        .route("/settings/webhooks/{id}/delete", post(delete))
        .route("/settings/webhook-deliveries/{id}", get(show_delivery))
        .route("/settings/webhook-deliveries/{id}/replay", post(replay))
        .route("/settings/webhook-deliveries/{id}/give-up", post(give_up))
}

/// Fields of the form.
#[derive(Default, Deserialize)]
struct EndpointForm {
    #[serde(default)]
    url: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    topics: Vec<String>,
    #[serde(default)]
    installation: String,
}

impl EndpointForm {
    fn of(endpoint: &Endpoint) -> Self {
        Self {
            url: endpoint.url.clone(),
            description: endpoint.description.clone(),
            topics: endpoint.topics.clone(),
            installation: String::new(),
        }
    }

    fn changes(&self) -> EndpointChanges {
        EndpointChanges {
            url: Some(self.url.clone()),
            description: Some(self.description.clone()),
            topics: Some(self.topics.clone()),
            enabled: None,
        }
    }

    fn has(&self, topic: &str) -> bool {
        self.topics.iter().any(|chosen| chosen == topic)
    }

    fn is_of_installation(&self) -> bool {
        !self.installation.is_empty()
    }
}

#[derive(Template)]
#[template(path = "webhooks/templates/list.html")]
struct List<'a> {
    shell: &'a Shell,
    endpoints: Vec<Endpoint>,
    /// Endpoints of the installation, for operators.
    installation: Vec<Endpoint>,
    is_operator: bool,
    topics: Vec<&'static str>,
    /// Created just now: its secret is shown only once.
    secret: String,
    query: ListQuery,
    pager: Pager,
    form: EndpointForm,
    errors: FormErrors,
}

#[derive(Template)]
#[template(path = "webhooks/templates/show.html")]
struct Show<'a> {
    shell: &'a Shell,
    endpoint: Endpoint,
    topics: Vec<&'static str>,
    /// Created just now.
    secret: String,
    overlap_hours: i64,
    deliveries: Vec<Delivery>,
    query: ListQuery,
    filter: DeliveryFilter,
    pager: Pager,
    form: EndpointForm,
    errors: FormErrors,
}

#[derive(Template)]
#[template(path = "webhooks/templates/delivery.html")]
struct ShowDelivery<'a> {
    shell: &'a Shell,
    detail: DeliveryDetail,
    /// The message body, indented.
    body: String,
    /// Its endpoint's page; empty for a configured receiver.
    back: String,
}

impl List<'_> {
    /// The organisation's endpoints, and those of the installation under a heading.
    fn groups(&self) -> Vec<(String, &[Endpoint])> {
        let all = [
            (String::new(), &self.endpoints),
            (self.shell.t("webhooks-of-installation").to_string(), &self.installation),
        ];
        all.into_iter().filter(|(_, list)| !list.is_empty()).map(|(heading, list)| (heading, list.as_slice())).collect()
    }

    fn state(&self, endpoint: &Endpoint) -> String {
        self.shell.t(format!("webhooks-state-{}", endpoint.state.as_str())).to_string()
    }
}

impl Show<'_> {
    fn state(&self) -> String {
        self.shell.t(format!("webhooks-state-{}", self.endpoint.state.as_str())).to_string()
    }

    fn reason(&self) -> String {
        let reason = self.endpoint.disabled_reason.map(|reason| reason.as_str().replace('_', "-"));
        reason.map(|reason| self.shell.t(format!("webhooks-reason-{reason}")).to_string()).unwrap_or_default()
    }

    fn is_disabled(&self) -> bool {
        self.endpoint.state == EndpointState::Disabled
    }

    fn delivery(&self, state: DeliveryState) -> String {
        self.shell.t(format!("webhooks-delivery-{}", state.as_str())).to_string()
    }
}

impl ShowDelivery<'_> {
    fn state(&self) -> String {
        self.shell.t(format!("webhooks-delivery-{}", self.detail.delivery.state.as_str())).to_string()
    }
}

/// Filter of an endpoint's deliveries, besides search and page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct DeliveryFilter {
    state: String,
}

async fn render_list(
    shell: &Shell,
    webhooks: &Webhooks,
    query: ListQuery,
    secret: String,
    form: EndpointForm,
    errors: FormErrors,
) -> PageResult {
    let who = shell.principal();
    let owners = owner(who, false)?;
    let query = query.sized(SHOWN);
    let slice = query.slice()?;
    let page = slice.page(webhooks.list_endpoints(owners, query.search(), &slice).await?, |endpoint| endpoint.id.0);
    let is_operator = who.is_operator();
    let installation = if is_operator && query.cursor.is_empty() {
        webhooks.list_endpoints(owner(who, true)?, query.search(), &Slice::first(SHOWN.into())).await?
    } else {
        Vec::new()
    };
    let pager = Pager::new("/settings/webhooks", &[], &query, page.next_cursor.as_deref());
    let refused = !errors.is_empty();
    let topics = webhooks.topics();
    let page =
        List { shell, endpoints: page.data, installation, is_operator, topics, secret, query, pager, form, errors };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

async fn list(shell: Shell, State(webhooks): State<Webhooks>, Query(query): Query<ListQuery>) -> PageResult {
    render_list(&shell, &webhooks, query, String::new(), EndpointForm::default(), FormErrors::default()).await
}

async fn create(shell: Shell, State(webhooks): State<Webhooks>, Form(form): Form<EndpointForm>) -> PageResult {
    let owner = owner(shell.principal(), form.is_of_installation())?;
    match webhooks.create_endpoint(shell.principal(), owner, form.changes()).await {
        Ok(made) => {
            let (query, fresh) = (ListQuery::default(), EndpointForm::default());
            render_list(&shell, &webhooks, query, made.secret, fresh, FormErrors::default()).await
        }
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render_list(&shell, &webhooks, ListQuery::default(), String::new(), form, errors).await
        }
    }
}

async fn render_endpoint(
    shell: &Shell,
    webhooks: &Webhooks,
    id: EndpointId,
    (query, filter): (ListQuery, DeliveryFilter),
    secret: String,
    refused: Option<(EndpointForm, FormErrors)>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let endpoint = webhooks.get_endpoint(shell.principal(), id).await?;
    let query = query.sized(SHOWN);
    let (slice, receiver, state) = (query.slice()?, id.to_string(), filter.state.parse().ok());
    let wanted = Filter { receiver: &receiver, state, search: query.search() };
    let page =
        slice.page(webhooks.list_deliveries(shell.principal(), &wanted, &slice).await?, |delivery| delivery.id.0);
    let pager = Pager::new(&endpoint_path(id), &[("state", &*filter.state)], &query, page.next_cursor.as_deref());
    let is_refused = refused.is_some();
    let (form, errors) = refused.unwrap_or_else(|| (EndpointForm::of(&endpoint), FormErrors::default()));
    let (topics, overlap_hours) = (webhooks.topics(), OVERLAP.num_hours());
    let page = Show {
        shell,
        endpoint,
        topics,
        secret,
        overlap_hours,
        deliveries: page.data,
        query,
        filter,
        pager,
        form,
        errors,
    };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

async fn show(
    shell: Shell,
    State(webhooks): State<Webhooks>,
    Path(id): Path<EndpointId>,
    Query(query): Query<ListQuery>,
    Query(filter): Query<DeliveryFilter>,
) -> PageResult {
    render_endpoint(&shell, &webhooks, id, (query, filter), String::new(), None).await
}

fn endpoint_path(id: EndpointId) -> String {
    format!("/settings/webhooks/{id}")
}

async fn update(
    shell: Shell,
    State(webhooks): State<Webhooks>,
    Path(id): Path<EndpointId>,
    Form(form): Form<EndpointForm>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    match webhooks.update_endpoint(shell.principal(), id, form.changes()).await {
        Ok(_) => Ok(shell.redirect(&endpoint_path(id), &Flash::ok("webhooks-saved"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render_endpoint(&shell, &webhooks, id, Default::default(), String::new(), Some((form, errors))).await
        }
    }
}

#[derive(Deserialize)]
struct EnabledForm {
    enabled: bool,
}

async fn set_enabled(
    shell: Shell,
    State(webhooks): State<Webhooks>,
    Path(id): Path<EndpointId>,
    Form(form): Form<EnabledForm>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let changes = EndpointChanges { enabled: Some(form.enabled), ..EndpointChanges::default() };
    webhooks.update_endpoint(shell.principal(), id, changes).await?;
    let said = if form.enabled { "webhooks-enabled" } else { "webhooks-disabled" };
    Ok(shell.redirect(&endpoint_path(id), &Flash::ok(said)))
}

async fn rotate(
    shell: Shell,
    State(webhooks): State<Webhooks>,
    Path(id): Path<EndpointId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let made = webhooks.rotate_secret(shell.principal(), id).await?;
    render_endpoint(&shell, &webhooks, id, Default::default(), made.secret, None).await
}

async fn test(
    shell: Shell,
    State(webhooks): State<Webhooks>,
    Path(id): Path<EndpointId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    webhooks.test_endpoint(shell.principal(), id).await?;
    Ok(shell.redirect(&endpoint_path(id), &Flash::ok("webhooks-test-sent")))
}

async fn delete(
    shell: Shell,
    State(webhooks): State<Webhooks>,
    Path(id): Path<EndpointId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    webhooks.delete_endpoint(shell.principal(), id).await?;
    Ok(shell.redirect("/settings/webhooks", &Flash::ok("webhooks-deleted")))
}

async fn show_delivery(shell: Shell, State(webhooks): State<Webhooks>, Path(id): Path<DeliveryId>) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let detail = webhooks.get_delivery(shell.principal(), id).await?;
    let body = serde_json::from_str::<serde_json::Value>(&detail.body)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| detail.body.clone());
    let back = detail.delivery.receiver.parse::<EndpointId>().map(endpoint_path).unwrap_or_default();
    shell.render(&ShowDelivery { shell: &shell, detail, body, back })
}

async fn replay(
    shell: Shell,
    State(webhooks): State<Webhooks>,
    Path(id): Path<DeliveryId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let again = webhooks.replay(shell.principal(), id).await.map_err(ApiError::from)?;
    Ok(shell.redirect(&format!("/settings/webhook-deliveries/{}", again.id), &Flash::ok("webhooks-replayed")))
}

async fn give_up(
    shell: Shell,
    State(webhooks): State<Webhooks>,
    Path(id): Path<DeliveryId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    webhooks.give_up(shell.principal(), id).await.map_err(ApiError::from)?;
    Ok(shell.redirect(&format!("/settings/webhook-deliveries/{id}"), &Flash::ok("webhooks-given-up")))
}
