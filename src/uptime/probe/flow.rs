//! Several HTTP requests in a row, with values and cookies of earlier answers. One deadline for all of them.

use std::collections::BTreeMap;

use hyper::{
    HeaderMap,
    header::{self, HeaderValue},
};
use reqwest::Url;
use serde_json::Value;

use super::{
    Prober,
    attempt::Attempt,
    charset, failure,
    http::{self, Values},
};
use crate::{
    json_path::JsonPath,
    model::{Failure, Reason},
    pattern,
    secrets::Secrets,
    spec::{FlowSpec, Take},
};

/// Bytes of a value that is taken.
const LONGEST: usize = 8 * 1024;
/// Cookies that are kept.
const COOKIES: usize = 100;

pub async fn run(prober: &Prober, spec: &FlowSpec, secrets: &Secrets, attempt: &mut Attempt) -> Result<(), Failure> {
    let mut values = Values { secrets, taken: BTreeMap::new() };
    let mut cookies = Cookies::default();
    for step in &spec.steps {
        let of_step = |failure: Failure| Failure { text: format!("step {:?}: {}", step.name, failure.text), ..failure };
        let needs_body = step.take.values().any(|take| matches!(take, Take::Json { .. } | Take::Regex { .. }));
        let asked = http::request(prober, &step.http, &values, Some(&mut cookies), needs_body, attempt).await;
        let (mut reply, url) = asked.map_err(of_step)?;
        let failures = http::judge(prober, &step.http, &mut reply, attempt).await.map_err(of_step)?;
        if !failures.is_empty() {
            for failure in failures {
                attempt.fail(of_step(failure));
            }
            return Ok(());
        }
        for (name, take) in &step.take {
            let missing = || failure(Reason::ValueMissing, format!("the answer has no value for {name:?}"));
            let value = match take {
                Take::Header { name } => reply.fields().remove(&name.to_ascii_lowercase()),
                Take::Cookie { name } => cookies.get(&url, name),
                Take::Json { .. } | Take::Regex { .. } => {
                    let (is_quick, take) = (matches!(take, Take::Json { .. }), take.clone());
                    let content_type = reply.content_type();
                    let taken = move |body: &[u8]| taken(&take, &charset::text(body, content_type.as_deref()));
                    let found = http::on_body(prober, &mut reply, attempt, is_quick, taken);
                    found.await.map_err(of_step)?
                }
            };
            let value = value.filter(|value| value.len() <= LONGEST);
            values.taken.insert(name.clone(), value.ok_or_else(missing).map_err(of_step)?);
        }
    }
    Ok(())
}

/// A value of the body.
fn taken(take: &Take, body: &str) -> Option<String> {
    match take {
        Take::Json { path } => {
            let root: Value = serde_json::from_str(body).ok()?;
            match JsonPath::parse(path).ok()?.find(&root)?.as_ref() {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            }
        }
        Take::Regex { pattern, group } => {
            let found = pattern::compile(pattern).ok()?.captures(pattern::beginning(body))?.get(usize::from(*group))?;
            Some(found.as_str().to_owned())
        }
        Take::Header { .. } | Take::Cookie { .. } => None,
    }
}

/// Cookies of a flow, by host, name and path. Each goes back to the host that set it, below its path, and to no other: a domain that a cookie names is not
/// looked at.
#[derive(Debug, Default)]
pub struct Cookies(BTreeMap<(String, String, String), Cookie>);

#[derive(Debug)]
struct Cookie {
    value: String,
    is_secure: bool,
}

impl Cookies {
    /// Those that go to this address, by name; of one name the one with the longer path first (RFC 6265 section 5.4).
    fn of(&self, url: &Url) -> Vec<(&str, &str)> {
        let (host, is_secure) = (url.host_str().unwrap_or_default(), url.scheme() == "https");
        let goes = |of: &str, path: &str, cookie: &Cookie| {
            of == host && (is_secure || !cookie.is_secure) && is_below(url.path(), path)
        };
        let all = self.0.iter().filter(|((of, _, path), cookie)| goes(of, path, cookie));
        let mut found: Vec<(&str, &str, &str)> =
            all.map(|((_, name, path), cookie)| (path.as_str(), name.as_str(), cookie.value.as_str())).collect();
        found.sort_by_key(|(path, ..)| std::cmp::Reverse(path.len()));
        found.into_iter().map(|(_, name, value)| (name, value)).collect()
    }

    /// Adds those of the URL to a request.
    pub fn put(&self, url: &Url, headers: &mut HeaderMap) {
        let pairs: Vec<String> = self.of(url).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        if let Ok(value) = HeaderValue::from_str(&pairs.join("; "))
            && !pairs.is_empty()
        {
            headers.insert(header::COOKIE, value);
        }
    }

    /// Keeps what an answer sets.
    pub fn take(&mut self, url: &Url, headers: &HeaderMap) {
        let host = url.host_str().unwrap_or_default();
        for text in headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let mut parts = text.split(';');
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let attributes: Vec<(String, &str)> = parts
                .map(|part| part.split_once('=').unwrap_or((part, "")))
                .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
                .collect();
            let last = |wanted: &str| attributes.iter().rev().find(|(name, _)| name == wanted).map(|(_, value)| *value);
            let path = last("path").filter(|path| path.starts_with('/')).unwrap_or_else(|| folder(url.path()));
            let key = (host.to_owned(), name.trim().to_owned(), path.to_owned());
            let is_over = last("max-age").is_some_and(|age| age == "0" || age.starts_with('-'));
            if is_over {
                self.0.remove(&key);
            } else if self.0.len() < COOKIES || self.0.contains_key(&key) {
                let is_secure = last("secure").is_some();
                self.0.insert(key, Cookie { value: value.trim().to_owned(), is_secure });
            }
        }
    }

    /// The value of one that was set for the URL's host; of several the one that would go there.
    fn get(&self, url: &Url, name: &str) -> Option<String> {
        let goes = self.of(url).into_iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned());
        let host = url.host_str().unwrap_or_default();
        let set = || self.0.iter().find(|((of, known, _), _)| of == host && known == name);
        goes.or_else(|| set().map(|(_, cookie)| cookie.value.clone()))
    }
}

/// The path of a cookie that names none (RFC 6265 section 5.1.4).
fn folder(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(end) => path.get(..end).unwrap_or("/"),
    }
}

/// Whether an address is below the path of a cookie.
fn is_below(path: &str, of: &str) -> bool {
    path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || of.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_go_below_their_path_only() {
        let mut cookies = Cookies::default();
        let mut answered = |url: &str, text: &str| {
            let headers = HeaderMap::from_iter([(header::SET_COOKIE, text.parse().unwrap())]);
            cookies.take(&url.parse().unwrap(), &headers);
        };
        answered("http://a.example/", "s=root; Path=/");
        answered("http://a.example/", "s=admin; Path=/Admin");
        answered("http://a.example/shop/cart", "own=1");
        let sent = |path: &str| {
            let mut headers = HeaderMap::new();
            cookies.put(&format!("http://a.example{path}").parse().unwrap(), &mut headers);
            headers.get(header::COOKIE).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        assert_eq!(sent("/Admin/users"), "s=admin; s=root");
        assert_eq!((sent("/Administrator"), sent("/admin")), ("s=root".to_owned(), "s=root".to_owned()));
        assert_eq!((sent("/shop"), sent("/shopping")), ("own=1; s=root".to_owned(), "s=root".to_owned()));
        let at = |url: &str, name| cookies.get(&url.parse().unwrap(), name);
        assert_eq!(at("http://a.example/Admin", "s").as_deref(), Some("admin"));
        assert_eq!(at("http://a.example/elsewhere", "own").as_deref(), Some("1"), "a step may take it");
    }

    #[test]
    fn cookies_go_back_to_their_host_only() {
        let mut cookies = Cookies::default();
        let url: Url = "https://a.example/".parse().unwrap();
        let mut fields = HeaderMap::new();
        for text in ["sid=1; Path=/; HttpOnly", "safe=2; Secure", "gone=3", "nonsense"] {
            fields.append(header::SET_COOKIE, text.parse().unwrap());
        }
        cookies.take(&url, &fields);
        let mut over = HeaderMap::new();
        over.insert(header::SET_COOKIE, "gone=; Max-Age=0".parse().unwrap());
        cookies.take(&url, &over);
        let sent = |url: &str| {
            let mut headers = HeaderMap::new();
            cookies.put(&url.parse().unwrap(), &mut headers);
            headers.get(header::COOKIE).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(sent("https://a.example/x").as_deref(), Some("safe=2; sid=1"));
        assert_eq!(sent("http://a.example/x").as_deref(), Some("sid=1"));
        assert_eq!(sent("https://b.example/"), None);
        assert_eq!(cookies.get(&url, "sid").as_deref(), Some("1"));
    }
}
