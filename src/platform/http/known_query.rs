//! Unknown query parameters are 400: a misspelt filter would otherwise return the whole list.
//!
//! The known parameters come from the OpenAPI document.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::Value;

use crate::error::{ApiError, FieldError};

/// Renamed parameters: former and present name.
const RENAMED: [(&str, &str); 1] = [("search", "q")];

/// Method and route -> names of its query parameters.
#[derive(Clone, Debug)]
pub struct KnownQuery(Arc<HashMap<(String, String), BTreeSet<String>>>);

impl KnownQuery {
    /// Reads an OpenAPI document. Only routes below `prefix` are checked.
    pub fn of(openapi: &Value, prefix: &str) -> Self {
        let mut known = HashMap::new();
        let paths = openapi["paths"].as_object().into_iter().flatten().filter(|(path, _)| path.starts_with(prefix));
        for (path, item) in paths {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let parameters = operation["parameters"].as_array().into_iter().chain(item["parameters"].as_array());
                let names = parameters
                    .flatten()
                    .filter(|parameter| parameter["in"] == "query")
                    .filter_map(|parameter| parameter["name"].as_str().map(str::to_owned));
                known.insert((method.to_uppercase(), path.clone()), names.collect());
            }
        }
        Self(Arc::new(known))
    }

    fn of_route(&self, method: &Method, route: &str) -> Option<&BTreeSet<String>> {
        // axum answers HEAD with the handler of GET.
        let method = if method == Method::HEAD { "GET" } else { method.as_str() };
        self.0.get(&(method.to_owned(), route.to_owned()))
    }
}

/// Middleware: refuses query parameters that the route does not describe.
pub async fn refuse_unknown_query(State(known): State<KnownQuery>, request: Request, next: Next) -> Response {
    match unknown(&known, &request) {
        Some(error) => error.into_response(),
        None => next.run(request).await,
    }
}

fn unknown(known: &KnownQuery, request: &Request) -> Option<ApiError> {
    let query = request.uri().query().filter(|query| !query.is_empty())?;
    let route = request.extensions().get::<MatchedPath>()?;
    let names = known.of_route(request.method(), route.as_str())?;
    let pairs: Vec<(String, String)> = serde_html_form::from_str(query).ok()?;
    let odd: BTreeSet<&str> =
        pairs.iter().map(|(name, _)| name.as_str()).filter(|name| !names.contains(*name)).collect();
    let first = odd.first()?;
    let now = |name: &str| RENAMED.iter().find(|(old, new)| *old == name && names.contains(*new)).map(|(_, new)| *new);
    let there_are = match now(first) {
        Some(new) => format!("it is called {new:?} now"),
        None if names.is_empty() => "it takes none".to_owned(),
        None => format!("there are: {}", names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")),
    };
    // The names are echoed, up to a bounded length.
    let shown = |name: &str| name.chars().filter(|c| !c.is_control()).take(60).collect::<String>();
    let field = |name: &&str| match now(name) {
        Some(new) => {
            FieldError::new(format!("/{name}"), "renamed_parameter", format!("this parameter is called {new:?} now"))
        }
        None => {
            FieldError::new(format!("/{}", shown(name)), "unknown_parameter", "this endpoint has no such parameter")
        }
    };
    Some(ApiError {
        errors: odd.iter().take(20).map(field).collect(),
        ..ApiError::bad_request(
            "unknown_parameter",
            format!("this endpoint has no query parameter {:?}; {there_are}", shown(first)),
        )
    })
}
