//! HTTP: one request with its redirects, and what is expected of the last answer.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hyper::{
    HeaderMap, Method,
    header::{self, HeaderName, HeaderValue},
};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    Prober,
    attempt::Attempt,
    charset,
    exchange::{Options, Outgoing, Reply, ask},
    failure,
    flow::Cookies,
    redirect::Redirects,
};
use crate::{
    condition::{self, Answer},
    model::{Failure, HttpFacts, Phase, Reason},
    secrets::Secrets,
    spec::{Auth, HttpMethod, HttpSpec, SecretName},
};

/// Bytes of a body that are read where a condition needs it, if the monitor does not say otherwise.
const BODY: usize = 1024 * 1024;
/// Bytes of a body that is judged at once.
const SHORT: usize = 64 * 1024;
/// Of a value in an address everything is encoded but RFC 3986's unreserved characters: servers may take these, encoded, for something else.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const AGENT: &str = concat!("holdfast-uptime/", env!("CARGO_PKG_VERSION"));

/// What `{{..}}` in a request stands for.
pub struct Values<'a> {
    pub secrets: &'a Secrets,
    /// Of earlier steps of a flow.
    pub taken: BTreeMap<String, String>,
}

impl Values<'_> {
    /// The text with its values. `encode`: for an address, where a value must not change what is around it.
    pub fn fill<'t>(&self, text: &'t str, encode: bool) -> Result<Cow<'t, str>, Failure> {
        if !text.contains("{{") {
            return Ok(Cow::Borrowed(text));
        }
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, left)) = after.split_once("}}") else { break };
            filled.push_str(before);
            let value = self.value(name.trim())?;
            if encode {
                filled.extend(utf8_percent_encode(value, RESERVED));
            } else {
                filled.push_str(value);
            }
            rest = left;
        }
        filled.push_str(rest);
        Ok(Cow::Owned(filled))
    }

    fn value(&self, name: &str) -> Result<&str, Failure> {
        let found = match name.strip_prefix("secret.") {
            Some(secret) => return Ok(self.secret(&SecretName(secret.to_owned()))?.expose_secret()),
            None => self.taken.get(name),
        };
        found
            .map(String::as_str)
            .ok_or_else(|| failure(Reason::ValueMissing, format!("no earlier step has given {name:?}")))
    }

    fn secret(&self, name: &SecretName) -> Result<&SecretString, Failure> {
        let missing = || failure(Reason::ValueMissing, format!("the monitor has no secret {:?}", name.0));
        self.secrets.get(name).ok_or_else(missing)
    }
}

pub async fn run(prober: &Prober, spec: &HttpSpec, secrets: &Secrets, attempt: &mut Attempt) -> Result<(), Failure> {
    let values = Values { secrets, taken: BTreeMap::new() };
    let (mut reply, _) = request(prober, spec, &values, None, false, attempt).await?;
    for failure in judge(prober, spec, &mut reply, attempt).await? {
        attempt.fail(failure);
    }
    Ok(())
}

/// All that is not as expected.
pub async fn judge(
    prober: &Prober,
    spec: &HttpSpec,
    reply: &mut Reply,
    attempt: &mut Attempt,
) -> Result<Vec<Failure>, Failure> {
    let (status, headers, took) = (reply.status, reply.fields(), attempt.elapsed());
    let (expected, conditions) = (spec.status.clone(), spec.expect.clone());
    let content_type = reply.content_type();
    let is_quick = !conditions.iter().any(condition::has_pattern);
    let judge = move |body: &[u8]| {
        let body = charset::text(body, content_type.as_deref());
        condition::judge(&expected, &conditions, &Answer { status, headers, body: &body, took })
    };
    on_body(prober, reply, attempt, is_quick, judge).await
}

/// Works on a body. What may take long is done on threads of its own, so that it holds up no other check.
pub async fn on_body<T: Send + 'static>(
    prober: &Prober,
    reply: &mut Reply,
    attempt: &mut Attempt,
    is_quick: bool,
    work: impl FnOnce(&[u8]) -> T + Send + 'static,
) -> Result<T, Failure> {
    if is_quick && reply.body.len() <= SHORT {
        return Ok(work(&reply.body));
    }
    let body = std::mem::take(&mut reply.body);
    let work = prober.shared.cpu.run(move || {
        let done = work(&body);
        (done, body)
    });
    // It says nothing about the target if this host has no time for it.
    let late = || failure(Reason::Local, "the answer could not be judged in time: this host has too much to do");
    let done = attempt.phase(Phase::Transfer, work).await.map_err(|_| late())?;
    let (done, body) = done.map_err(|_| late())?;
    reply.body = body;
    Ok(done)
}

/// Sends the request, follows its redirects, and returns the last answer with its address. `needs_body`: besides the conditions.
pub async fn request(
    prober: &Prober,
    spec: &HttpSpec,
    values: &Values<'_>,
    mut cookies: Option<&mut Cookies>,
    needs_body: bool,
    attempt: &mut Attempt,
) -> Result<(Reply, Url), Failure> {
    let needs_body = needs_body || spec.expect.iter().any(condition::needs_body);
    let most = spec.body_bytes.map_or(BODY, |bytes| usize::try_from(bytes).unwrap_or(BODY));
    let mut options = Options {
        version: spec.version,
        family: spec.family,
        verify: spec.verify,
        identity: identity(spec, values)?,
        body: needs_body.then_some(most),
    };
    let mut outgoing = outgoing(spec, values, needs_body)?;
    let mut redirects = Redirects::new(spec.redirects, &outgoing);
    loop {
        if let Some(cookies) = cookies.as_deref_mut() {
            cookies.put(&outgoing.url, &mut outgoing.headers);
        }
        let reply = ask(prober, &outgoing, &options, attempt).await?;
        if let Some(cookies) = cookies.as_deref_mut() {
            cookies.take(&outgoing.url, &reply.headers);
        }
        let before = attempt.http.as_ref().map_or(0, |facts| facts.redirects);
        // Servers send it in UTF-8, too: such bytes are encoded, as browsers do it.
        let location = reply.headers.get(header::LOCATION);
        let location = location.map(|value| percent_encode(value.as_bytes(), CONTROLS).to_string());
        let next = redirects.next(&outgoing, reply.status, location.as_deref())?;
        attempt.http = Some(HttpFacts {
            version: reply.version.to_owned(),
            content_length: reply.content_length,
            redirects: before.saturating_add(i16::from(next.is_some())),
            body_bytes: i64::try_from(reply.body.len()).unwrap_or(i64::MAX),
            is_tls: reply.is_tls,
        });
        let Some((next, is_elsewhere)) = next else { return Ok((reply, outgoing.url)) };
        outgoing = next;
        if is_elsewhere {
            options.identity = None;
        }
    }
}

fn outgoing(spec: &HttpSpec, values: &Values<'_>, needs_body: bool) -> Result<Outgoing, Failure> {
    let url = values.fill(&spec.url, true)?;
    let mut url: Url = url.parse().map_err(|_| failure(Reason::RedirectInvalid, "the address is no http address"))?;
    url.set_fragment(None);
    let body = match &spec.body {
        Some(body) => Bytes::from(values.fill(body, false)?.into_owned()),
        None => Bytes::new(),
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    if needs_body {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, br"));
    }
    for (name, value) in &spec.headers {
        let unusable = || failure(Reason::ValueMissing, format!("header {name} cannot be sent"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
        let value = HeaderValue::from_str(&values.fill(value, false)?).map_err(|_| unusable())?;
        headers.insert(name, value);
    }
    if let Some(value) = authorization(spec, values)? {
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(Outgoing { method: method(spec.method), url, headers, body })
}

fn authorization(spec: &HttpSpec, values: &Values<'_>) -> Result<Option<HeaderValue>, Failure> {
    let text = match &spec.auth {
        Some(Auth::Basic { user, password }) => {
            let pair = format!("{user}:{}", values.secret(password)?.expose_secret());
            format!("Basic {}", STANDARD.encode(pair))
        }
        Some(Auth::Bearer { token }) => format!("Bearer {}", values.secret(token)?.expose_secret()),
        Some(Auth::ClientCertificate { .. }) | None => return Ok(None),
    };
    let mut value =
        HeaderValue::from_str(&text).map_err(|_| failure(Reason::ValueMissing, "the token cannot be sent"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn identity(spec: &HttpSpec, values: &Values<'_>) -> Result<Option<(String, String)>, Failure> {
    let Some(Auth::ClientCertificate { certificate, key }) = &spec.auth else { return Ok(None) };
    let text = |name: &SecretName| Ok::<_, Failure>(values.secret(name)?.expose_secret().to_owned());
    Ok(Some((text(certificate)?, text(key)?)))
}

fn method(method: HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_filled_in_and_cannot_change_an_address() {
        let secrets = Secrets(BTreeMap::from([(SecretName("key".into()), SecretString::from("a/b&c"))]));
        let values = Values { secrets: &secrets, taken: BTreeMap::from([("id".to_owned(), "t-1_.~".to_owned())]) };
        assert_eq!(values.fill("x {{secret.key}} {{ id }}!", false).unwrap(), "x a/b&c t-1_.~!");
        assert_eq!(values.fill("https://h/{{secret.key}}?i={{id}}", true).unwrap(), "https://h/a%2Fb%26c?i=t-1_.~");
        assert_eq!(values.fill("{{not closed", false).unwrap(), "{{not closed");
        for missing in ["{{secret.other}}", "{{other}}"] {
            let failure = values.fill(missing, false).unwrap_err();
            assert!(failure.reason == Reason::ValueMissing && failure.text.contains("other"), "{failure:?}");
        }
    }
}
