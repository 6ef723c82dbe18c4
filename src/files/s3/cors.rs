//! CORS rules of a bucket: what pages of other origins may ask.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use serde::{Deserialize, Serialize};

use crate::{
    errors::{CORS_FORBIDDEN, MALFORMED_XML, S3Error},
    xml::{Element, Xml},
};

const MOST_RULES: usize = 100;

/// A rule, as it is stored with its bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// With at most one `*` each.
    pub origins: Vec<String>,
    pub methods: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expose: Vec<String>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u32>,
}

/// The rules of a body.
pub(crate) fn of_xml(root: &Element) -> Result<Vec<Rule>, S3Error> {
    root.only(&["CORSRule"])?;
    let rules: Vec<Rule> = root.all("CORSRule").map(rule).collect::<Result<_, _>>()?;
    if rules.is_empty() || rules.len() > MOST_RULES {
        return Err(MALFORMED_XML.with(format!("expected 1 to {MOST_RULES} rules")));
    }
    Ok(rules)
}

fn rule(element: &Element) -> Result<Rule, S3Error> {
    element.only(&["ID", "AllowedOrigin", "AllowedMethod", "AllowedHeader", "ExposeHeader", "MaxAgeSeconds"])?;
    let list = |name: &'static str| element.all(name).map(|child| child.value().to_owned()).collect::<Vec<_>>();
    let rule = Rule {
        id: element.get("ID").map(str::to_owned),
        origins: list("AllowedOrigin"),
        methods: list("AllowedMethod"),
        headers: list("AllowedHeader"),
        expose: list("ExposeHeader"),
        max_age: element.number("MaxAgeSeconds")?,
    };
    let many = |list: &[String]| list.iter().any(|text| text.matches('*').count() > 1);
    if many(&rule.origins) || many(&rule.headers) {
        return Err(MALFORMED_XML.with("an origin or a header has at most one *"));
    }
    let known = |method: &String| matches!(method.as_str(), "GET" | "PUT" | "POST" | "DELETE" | "HEAD");
    if rule.origins.is_empty() || rule.methods.is_empty() || !rule.methods.iter().all(known) {
        return Err(MALFORMED_XML.with("a rule needs origins, and methods of GET, PUT, POST, DELETE and HEAD"));
    }
    Ok(rule)
}

pub(crate) fn to_xml(rules: &[Rule]) -> Xml {
    let mut xml = Xml::new("CORSConfiguration");
    for rule in rules {
        xml.open("CORSRule").maybe("ID", rule.id.as_ref());
        let lists = [
            ("AllowedMethod", &rule.methods),
            ("AllowedOrigin", &rule.origins),
            ("AllowedHeader", &rule.headers),
            ("ExposeHeader", &rule.expose),
        ];
        for (name, list) in lists {
            for text in list {
                xml.text(name, text);
            }
        }
        xml.maybe("MaxAgeSeconds", rule.max_age).close();
    }
    xml
}

/// Rules as they are stored; what cannot be read is no rule.
pub(crate) fn stored(value: &serde_json::Value) -> Vec<Rule> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

impl Rule {
    fn permits(&self, origin: &str, method: &str, asked: &[&str]) -> bool {
        self.origins.iter().any(|pattern| matches(pattern, origin))
            && self.methods.iter().any(|other| other == method)
            && asked.iter().all(|name| {
                let name = name.to_ascii_lowercase();
                self.headers.iter().any(|pattern| matches(&pattern.to_ascii_lowercase(), &name))
            })
    }

    fn tell(&self, origin: &str, headers: &mut HeaderMap) {
        let any = self.origins.iter().any(|pattern| pattern == "*");
        put(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, if any { "*" } else { origin });
        if !self.expose.is_empty() {
            put(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, &self.expose.join(", "));
        }
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

/// Whether a text is of the pattern, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end),
    }
}

/// The answer to a browser that asks first.
pub(crate) fn preflight(rules: &[Rule], headers: &HeaderMap) -> Result<Response, S3Error> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(origin), Some(method)) = (text(header::ORIGIN), text(header::ACCESS_CONTROL_REQUEST_METHOD)) else {
        return Err(
            CORS_FORBIDDEN.with("Insufficient information. Origin and Access-Control-Request-Method are needed.")
        );
    };
    let names = text(header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
    let asked: Vec<&str> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let rule = rules.iter().find(|rule| rule.permits(origin, method, &asked)).ok_or_else(|| CORS_FORBIDDEN.error())?;
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::OK;
    let told = response.headers_mut();
    rule.tell(origin, told);
    put(told, header::ACCESS_CONTROL_ALLOW_METHODS, &rule.methods.join(", "));
    if !asked.is_empty() {
        put(told, header::ACCESS_CONTROL_ALLOW_HEADERS, &asked.join(", "));
    }
    if let Some(seconds) = rule.max_age {
        told.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
    }
    Ok(response)
}

/// Tells a page what it may read of an answer.
pub(crate) fn tell(rules: &[Rule], origin: &str, method: &str, headers: &mut HeaderMap) {
    if let Some(rule) = rules.iter().find(|rule| rule.permits(origin, method, &[])) {
        rule.tell(origin, headers);
    }
}
