//! Adds the responses that all operations have in common to the OpenAPI document: routes declare only their own.

use axum::http::StatusCode;
use utoipa::openapi::{
    Content, ObjectBuilder, OpenApi, PathItem, Ref, RefOr, Response, ResponseBuilder, Schema,
    path::{Operation, Parameter, ParameterIn},
    schema::{SchemaType, Type},
};

/// Statuses with the same meaning in every operation.
const COMMON: [(StatusCode, &str, &str); 11] = [
    (
        StatusCode::BAD_REQUEST,
        "BadRequest",
        "The request cannot be read: a parameter that there is not, JSON that does not fit",
    ),
    (StatusCode::UNAUTHORIZED, "Unauthorized", "Without a session or an API key, or with one that has ended"),
    (
        StatusCode::FORBIDDEN,
        "Forbidden",
        "The role or the key's scopes do not allow it, or another site may have caused it",
    ),
    (StatusCode::NOT_FOUND, "NotFound", "There is nothing of this name or id in the organisation"),
    (StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "The body came too slowly"),
    (StatusCode::CONFLICT, "Conflict", "The first request with this `Idempotency-Key` still runs"),
    (StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", "The body is larger than this takes"),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", "The body is of another kind than this takes"),
    (StatusCode::UNPROCESSABLE_ENTITY, "UnprocessableEntity", "Values are out of range: `errors` says which"),
    (
        StatusCode::TOO_MANY_REQUESTS,
        "TooManyRequests",
        "More than the address, the key or the person may ask for: see `Retry-After`",
    ),
    (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "Not right now: see `Retry-After`"),
];

/// An API surface; determines the format of errors.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Surface {
    Api,
    OpenAi,
}

impl Surface {
    fn of(path: &str) -> Self {
        if path.starts_with("/v1/") { Self::OpenAi } else { Self::Api }
    }

    fn name(self, common: &str) -> String {
        match self {
            Self::Api => common.to_owned(),
            Self::OpenAi => format!("OpenAi{common}"),
        }
    }

    /// The media type and schema of an error.
    fn content(self) -> (&'static str, Content) {
        match self {
            Self::Api => ("application/problem+json", Content::new(Some(Ref::from_schema_name("Problem")))),
            Self::OpenAi => ("application/json", Content::new(Some(Ref::from_schema_name("OpenAiError")))),
        }
    }
}

/// Adds the common responses to every operation of the document.
pub(super) fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    for surface in [Surface::Api, Surface::OpenAi] {
        let (kind, content) = surface.content();
        for (_, name, description) in COMMON {
            let response = ResponseBuilder::new().description(description).content(kind, content.clone()).build();
            components.responses.insert(surface.name(name), RefOr::T(response));
        }
    }
    components.schemas.insert("OpenAiError".to_owned(), RefOr::T(openai_error()));
    for (path, item) in &mut document.paths.paths {
        let shared = item.parameters.clone().unwrap_or_default();
        for operation in operations(item) {
            let parameters = operation.parameters.iter().flatten().chain(&shared);
            let statuses = expected(path, operation, parameters.filter_map(inline));
            finish(Surface::of(path), operation, &statuses);
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
}

fn inline(parameter: &RefOr<Parameter>) -> Option<&Parameter> {
    match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    }
}

/// Statuses that a request can get before its handler runs, or from any handler.
fn expected<'a>(path: &str, operation: &Operation, parameters: impl Iterator<Item = &'a Parameter>) -> Vec<StatusCode> {
    let (mut query, mut once) = (false, false);
    for parameter in parameters {
        query |= parameter.parameter_in == ParameterIn::Query;
        once |= parameter.name == "Idempotency-Key";
    }
    let (body, openai) = (operation.request_body.is_some(), Surface::of(path) == Surface::OpenAi);
    COMMON
        .into_iter()
        .map(|(status, ..)| status)
        .filter(|status| match *status {
            StatusCode::UNAUTHORIZED => !is_public(operation),
            StatusCode::NOT_FOUND => path.contains('{'),
            StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNSUPPORTED_MEDIA_TYPE => body,
            StatusCode::CONFLICT => once,
            // OpenAI answers 400 in this case.
            StatusCode::UNPROCESSABLE_ENTITY => !openai && (body || query || once),
            _ => true,
        })
        .collect()
}

/// Whether the operation needs no authentication.
fn is_public(operation: &Operation) -> bool {
    let empty = |requirement| serde_json::to_value(requirement).is_ok_and(|value| value == serde_json::json!({}));
    operation.security.as_ref().is_some_and(|all| all.iter().any(empty))
}

fn finish(surface: Surface, operation: &mut Operation, statuses: &[StatusCode]) {
    let responses = &mut operation.responses.responses;
    let common = |status: StatusCode| COMMON.into_iter().find(|(known, ..)| *known == status).map(|(_, name, _)| name);
    for (status, response) in responses.iter_mut() {
        let Some(status) = status.parse::<StatusCode>().ok() else { continue };
        let RefOr::T(own) = response else { continue };
        let is_error = status.is_client_error() || status.is_server_error();
        // Without a description of its own the status gets the common one.
        if let Some(name) = common(status).filter(|_| own.description.is_empty() && is_error) {
            *response = RefOr::Ref(Ref::from_response_name(surface.name(name)));
            continue;
        }
        if own.description.is_empty() {
            status.canonical_reason().unwrap_or_default().clone_into(&mut own.description);
        }
        if is_error {
            let (kind, content) = surface.content();
            own.content = std::iter::once((kind.to_owned(), RefOr::T(content))).collect();
        }
    }
    for status in statuses {
        if let Some(name) = common(*status) {
            let answer = || RefOr::<Response>::Ref(Ref::from_response_name(surface.name(name)));
            responses.entry(status.as_str().to_owned()).or_insert_with(answer);
        }
    }
}

/// `{"error": {...}}`, as documented by OpenAI.
fn openai_error() -> Schema {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let or_null = || ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
    let error = ObjectBuilder::new()
        .property("message", text())
        .property("type", text())
        .property("param", or_null())
        .property("code", or_null())
        .required("message")
        .required("type");
    Schema::Object(ObjectBuilder::new().property("error", error).required("error").build())
}
