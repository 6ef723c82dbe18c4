//! What its HTTP monitors ask and expect.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Reader, small};
use crate::spec::{Auth, Condition, Family, HttpMethod, HttpSpec, HttpVersion, Test};

impl Reader<'_> {
    pub(super) fn http(&mut self, kind: &str, family: Family) -> Result<HttpSpec, String> {
        let url = self.fields.text("url").ok_or("it has no URL")?;
        let method = self.fields.text("method").unwrap_or_else(|| "GET".to_owned()).to_uppercase();
        let method: HttpMethod = method.parse().map_err(|_| format!("method: {method} is not sent here"))?;
        let body = self.fields.text("body");
        let mut headers = self.headers();
        if body.is_some() {
            let kind = match self.fields.text("httpBodyEncoding").as_deref() {
                Some("xml") => "text/xml; charset=utf-8",
                Some("form") => "application/x-www-form-urlencoded",
                _ => "application/json",
            };
            if !headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
                headers.insert("Content-Type".to_owned(), kind.to_owned());
            }
        } else {
            self.fields.get("httpBodyEncoding");
        }
        let redirects = self.fields.number("maxredirects").unwrap_or(10.0);
        if redirects > 10.0 {
            self.not_taken("maxredirects", redirects.to_string(), "at most 10 redirects are followed");
        }
        let status: Vec<String> =
            self.fields.list("accepted_statuscodes").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let expect = self.expected(kind).into_iter().collect();
        let verify = !self.fields.flag("ignoreTls");
        if !verify {
            self.not_taken("ignoreTls", "true", "taken: its certificate is not judged");
        }
        Ok(HttpSpec {
            url,
            method,
            headers,
            body,
            auth: self.auth(),
            redirects: small(redirects.clamp(0.0, 10.0)),
            status: if status.is_empty() { vec!["200-299".to_owned()] } else { status },
            version: HttpVersion::default(),
            family,
            verify,
            body_bytes: None,
            expect,
        })
    }

    fn headers(&mut self) -> BTreeMap<String, String> {
        let Some(text) = self.fields.text("headers") else { return BTreeMap::new() };
        let parsed: Result<BTreeMap<String, Value>, _> = serde_json::from_str(&text);
        let Ok(parsed) = parsed else {
            self.not_taken("headers", "(not shown)", "they are no JSON object");
            self.pause_for("headers");
            return BTreeMap::new();
        };
        let text = |value: Value| if let Value::String(text) = value { text } else { value.to_string() };
        let mut headers = BTreeMap::new();
        for (name, value) in parsed {
            let value = text(value);
            // A header that signs in is a secret.
            let is_secret = ["authorization", "cookie", "x-api-key"].contains(&name.to_lowercase().as_str());
            let value = if is_secret {
                let secret = name.to_lowercase().replace('-', "_");
                self.secret(&secret, value);
                format!("{{{{secret.{secret}}}}}")
            } else {
                value
            };
            headers.insert(name, value);
        }
        headers
    }

    /// What is expected of the body.
    fn expected(&mut self, kind: &str) -> Option<Condition> {
        let (keyword, inverted) = (self.fields.text("keyword"), self.fields.flag("invertKeyword"));
        match kind {
            "keyword" => {
                let upside_down = self.fields.flag("upsideDown");
                if upside_down {
                    self.not_taken("upsideDown", "true", "taken: the keyword is expected the other way round");
                }
                keyword.map(|text| Condition::Keyword { text, absent: inverted != upside_down })
            }
            "json-query" => {
                let (path, expected) = (self.fields.text("jsonPath")?, self.fields.text("expectedValue"));
                let test = match self.fields.text("jsonPathOperator").as_deref() {
                    None | Some("==") => Test::Is,
                    Some("!=") => Test::IsNot,
                    Some("<") => Test::Below,
                    Some(">") => Test::Above,
                    Some("<=") => Test::AtMost,
                    Some(">=") => Test::AtLeast,
                    Some("contains") => Test::Contains,
                    Some(_) => {
                        self.pause_for("expression: an unknown comparison");
                        return None;
                    }
                };
                if !is_plain_path(&path) {
                    self.not_taken("jsonPath", path, "expression: only paths such as $.a.b[0] are understood");
                    self.pause_for("expression");
                    return None;
                }
                let value =
                    expected.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
                let path = if path.starts_with('$') { path } else { format!("$.{path}") };
                Some(Condition::Json { path, test, value })
            }
            _ => None,
        }
    }

    fn auth(&mut self) -> Option<Auth> {
        let method = self.fields.text("authMethod");
        let (user, password) = (self.fields.text("basic_auth_user"), self.fields.text("basic_auth_pass"));
        let bearer = self.fields.text("bearer_token");
        let (certificate, key) = (self.fields.text("tlsCert"), self.fields.text("tlsKey"));
        match method.as_deref() {
            // The oldest versions have a user and no method.
            Some("basic") | None if user.is_some() || password.is_some() => Some(Auth::Basic {
                user: user.unwrap_or_default(),
                password: self.secret("password", password.unwrap_or_default()),
            }),
            Some("bearer") if bearer.is_some() => {
                Some(Auth::Bearer { token: self.secret("bearer", bearer.unwrap_or_default()) })
            }
            Some("mtls") => {
                let (Some(certificate), Some(key)) = (certificate, key) else {
                    self.pause_for("auth: the certificate or its key is missing");
                    return None;
                };
                if self.fields.text("tlsCa").is_some() {
                    self.not_taken("tlsCa", "(not shown)", "servers are judged by this host's certificates alone");
                }
                let certificate = self.secret("client_certificate", certificate);
                Some(Auth::ClientCertificate { certificate, key: self.secret("client_key", key) })
            }
            Some(method @ ("ntlm" | "oauth2-cc")) => {
                let method = method.to_owned();
                self.pause_for(&format!("auth: {method} is not known here"));
                self.not_taken("authMethod", method, "this sign-in is not known here");
                None
            }
            _ => None,
        }
    }
}

/// A path that is understood here: names and numbers, no `JSONata`.
fn is_plain_path(path: &str) -> bool {
    let path = path.strip_prefix('$').unwrap_or(path);
    !path.is_empty() && path.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '[' | ']'))
}
