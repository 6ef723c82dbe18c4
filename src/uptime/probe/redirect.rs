//! Where a redirect leads, and what follows it there. Pure.

use std::collections::HashSet;

use bytes::Bytes;
use hyper::{Method, header};
use reqwest::Url;

use super::{exchange::Outgoing, failure};
use crate::model::{Failure, Reason};

/// The redirects of one request.
#[derive(Debug)]
pub struct Redirects {
    most: u8,
    seen: HashSet<(Method, String)>,
    pub followed: i16,
}

impl Redirects {
    pub fn new(most: u8, first: &Outgoing) -> Self {
        Self { most, seen: HashSet::from([(first.method.clone(), first.url.to_string())]), followed: 0 }
    }

    /// The next request; `None`: this answer is the last. `location`: as the answer's head has it. Also whether it leads to another origin: then
    /// credentials, cookies and own headers were left behind.
    pub fn next(
        &mut self,
        sent: &Outgoing,
        status: u16,
        location: Option<&str>,
    ) -> Result<Option<(Outgoing, bool)>, Failure> {
        let Some(location) = location.filter(|_| self.most > 0 && matches!(status, 301 | 302 | 303 | 307 | 308)) else {
            return Ok(None);
        };
        let mut url = sent.url.join(location).map_err(|_| invalid("leads to no address"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(invalid("leads to no http or https address"));
        }
        // What is in the address of a redirect is no credential of ours.
        if url.set_username("").is_err() || url.set_password(None).is_err() {
            return Err(invalid("leads to no address"));
        }
        url.set_fragment(None);
        let mut next = sent.clone();
        let becomes_get = status == 303 || (matches!(status, 301 | 302) && sent.method == Method::POST);
        if becomes_get && sent.method != Method::HEAD {
            next.method = Method::GET;
            next.body = Bytes::new();
            next.headers.remove(header::CONTENT_TYPE);
        }
        let is_elsewhere = !is_same_origin(&sent.url, &url);
        if is_elsewhere {
            if !next.body.is_empty() {
                return Err(invalid("wants the body to be sent to another host, which is not done"));
            }
            let kept = [header::USER_AGENT, header::ACCEPT_ENCODING, header::ACCEPT];
            let headers = std::mem::take(&mut next.headers);
            next.headers =
                kept.into_iter().filter_map(|name| Some((name.clone(), headers.get(&name)?.clone()))).collect();
        }
        next.url = url;
        if !self.seen.insert((next.method.clone(), next.url.to_string())) {
            return Err(failure(Reason::RedirectLoop, format!("a redirect leads back to {}", shown(&next.url))));
        }
        if self.followed >= i16::from(self.most) {
            return Err(failure(Reason::TooManyRedirects, format!("there are more than {} redirects", self.most)));
        }
        self.followed += 1;
        Ok(Some((next, is_elsewhere)))
    }
}

fn invalid(what: &str) -> Failure {
    failure(Reason::RedirectInvalid, format!("a redirect {what}"))
}

/// Same host and port, and not from https to http.
fn is_same_origin(from: &Url, to: &Url) -> bool {
    from.scheme() == to.scheme()
        && from.host_str() == to.host_str()
        && from.port_or_known_default() == to.port_or_known_default()
}

/// Scheme, host and port of an address: its path and its query may hold secrets.
fn shown(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::{HeaderMap, header::HeaderName};

    fn sent(method: Method, url: &str) -> Outgoing {
        let headers = [("authorization", "Bearer x"), ("x-own", "1"), ("user-agent", "holdfast"), ("cookie", "a=b")];
        let headers: HeaderMap =
            headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Outgoing { method, url: url.parse().unwrap(), headers, body: Bytes::from_static(b"body") }
    }

    fn follow(from: &Outgoing, status: u16, location: &str) -> Result<Option<(Outgoing, bool)>, Reason> {
        Redirects::new(5, from).next(from, status, Some(location)).map_err(|failure| failure.reason)
    }

    #[test]
    fn secrets_stay_with_the_origin() {
        let from = sent(Method::POST, "https://a.example/x?key=1");
        let (same, is_elsewhere) = follow(&from, 303, "/y").unwrap().unwrap();
        assert_eq!((same.url.as_str(), &same.method, is_elsewhere), ("https://a.example/y", &Method::GET, false));
        assert!(same.headers.contains_key("authorization") && same.body.is_empty());
        for elsewhere in ["https://b.example/", "https://a.example:8443/", "http://a.example/", "//b.example/"] {
            let (next, is_elsewhere) = follow(&from, 302, elsewhere).unwrap().unwrap();
            let names: Vec<&str> = next.headers.keys().map(HeaderName::as_str).collect();
            assert_eq!((names, is_elsewhere), (vec!["user-agent"], true), "{elsewhere}");
        }
        assert_eq!(follow(&from, 307, "https://b.example/").unwrap_err(), Reason::RedirectInvalid);
        let (kept, _) = follow(&from, 307, "/z").unwrap().unwrap();
        assert_eq!((kept.method, kept.body), (Method::POST, Bytes::from_static(b"body")));
    }

    #[test]
    fn loops_ends_and_nonsense_are_told_apart() {
        let from = sent(Method::GET, "http://a.example/1");
        assert_eq!(follow(&from, 301, "http://a.example/1#x").unwrap_err(), Reason::RedirectLoop);
        let told = Redirects::new(5, &from).next(&from, 301, Some("/1")).unwrap_err().text;
        assert_eq!(told, "a redirect leads back to http://a.example", "a path may be a secret");
        for nonsense in ["ftp://a.example/", "javascript:alert(1)", "http://", "file:///etc/passwd"] {
            assert_eq!(follow(&from, 301, nonsense).unwrap_err(), Reason::RedirectInvalid, "{nonsense}");
        }
        assert!(follow(&from, 304, "/").unwrap().is_none());
        assert!(
            Redirects::new(0, &from).next(&from, 302, Some("/")).unwrap().is_none(),
            "not followed: the last answer"
        );
        let mut redirects = Redirects::new(2, &from);
        let mut last = from;
        for path in ["/2", "/3"] {
            last = redirects.next(&last, 302, Some(path)).unwrap().unwrap().0;
        }
        let failure = redirects.next(&last, 302, Some("/4")).unwrap_err();
        assert_eq!((failure.reason, redirects.followed), (Reason::TooManyRedirects, 2));
    }
}
