//! What an endpoint asks, and how.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use super::{
    conditions::Expected,
    duration,
    notes::{Notes, rest_of},
};
use crate::{
    import::fields::Fields,
    spec::{
        Auth, DnsMatch, DnsRecordType, DnsSpec, Family, GrpcSpec, HttpMethod, HttpSpec, HttpVersion, IcmpSpec,
        MailServerSpec, MailTls, MonitorSpec, SecretName, Take, TcpSpec, TlsSpec,
    },
};

/// How it asks.
pub(super) struct Client {
    pub timeout: Option<i64>,
    verify: bool,
    redirects: u8,
    family: Family,
    auth: Option<Auth>,
}

/// What it asks; `Err`: why it cannot be taken.
pub(super) fn spec(
    one: &mut Fields<'_>,
    client: &Client,
    expected: &Expected,
    notes: &mut Notes,
) -> Result<MonitorSpec, String> {
    let url = one.text("url").ok_or("it has no URL")?;
    if has_variable(&url) {
        return Err("url: it holds a variable, and its value is not in the file".to_owned());
    }
    let Client { verify, family, .. } = *client;
    if let Some(dns) = one.object("dns") {
        return dns_spec(dns, &url, expected).map(MonitorSpec::Dns);
    }
    let (scheme, rest) = url.split_once("://").ok_or("url: it has no scheme")?;
    let address = rest.split('/').next().unwrap_or_default();
    Ok(match scheme {
        "http" | "https" => MonitorSpec::Http(http(one, url.clone(), client, expected, notes)?),
        "tcp" => {
            let (host, port) = host_port(address, None)?;
            let send = one.text("body");
            if !expected.conditions.is_empty() {
                notes.pause("conditions about an answer are not for tcp here");
            }
            MonitorSpec::Tcp(TcpSpec { host, port, send, expect: None, family })
        }
        "icmp" => MonitorSpec::Icmp(IcmpSpec { host: address.to_owned(), count: 1, loss_below: 1.0, size: 56, family }),
        "tls" => {
            let (host, port) = host_port(address, Some(443))?;
            MonitorSpec::Tls(TlsSpec { host, port, server_name: None, verify, family })
        }
        "starttls" => {
            let (host, port) = host_port(address, Some(587))?;
            MonitorSpec::Smtp(MailServerSpec { host, port, tls: MailTls::Starttls, verify, expect: None, family })
        }
        "grpc" | "grpcs" => {
            let scheme = if scheme == "grpcs" { "https" } else { "http" };
            let service = rest.split_once('/').map(|(_, service)| service.to_owned()).unwrap_or_default();
            MonitorSpec::Grpc(GrpcSpec { url: format!("{scheme}://{address}"), service, verify, family })
        }
        other => return Err(format!("url: {other} is not watched here")),
    })
}

fn http(
    one: &mut Fields<'_>,
    url: String,
    client: &Client,
    expected: &Expected,
    notes: &mut Notes,
) -> Result<HttpSpec, String> {
    let method = one.text("method").unwrap_or_else(|| "GET".to_owned()).to_uppercase();
    let method: HttpMethod = method.parse().map_err(|_| format!("method: {method} is not sent here"))?;
    let body = one.text("body").map(|body| with_secrets(&body));
    let is_graphql = one.flag("graphql");
    let body = if is_graphql { body.map(|query| serde_json::json!({ "query": query }).to_string()) } else { body };
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in one.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        headers.insert(name.clone(), with_secrets(&value));
    }
    if is_graphql {
        headers.entry("Content-Type".to_owned()).or_insert_with(|| "application/json".to_owned());
    }
    if expected.rcode.is_some() || !expected.values.is_empty() {
        notes.pause("conditions about the DNS are not for http");
    }
    Ok(HttpSpec {
        url,
        method,
        headers,
        body,
        auth: client.auth.clone(),
        redirects: client.redirects,
        status: expected.status(),
        version: HttpVersion::default(),
        family: client.family,
        verify: client.verify,
        body_bytes: None,
        expect: expected.conditions.clone(),
    })
}

fn dns_spec(mut dns: Fields<'_>, url: &str, expected: &Expected) -> Result<DnsSpec, String> {
    let name = dns.text("query-name").ok_or("dns: it has no query-name")?;
    let record = dns.text("query-type").unwrap_or_else(|| "A".to_owned());
    let record: DnsRecordType = record.parse().map_err(|_| format!("dns: {record} is not looked up here"))?;
    let server = url.trim_start_matches("udp://").trim_start_matches("tcp://");
    let server = if server.contains(':') { server.to_owned() } else { format!("{server}:53") };
    let values_match = DnsMatch::AnyOf;
    Ok(DnsSpec {
        name,
        record,
        server: Some(server),
        values: expected.values.clone(),
        values_match,
        rcode: expected.rcode.clone(),
    })
}

fn host_port(address: &str, default: Option<u16>) -> Result<(String, u16), String> {
    let split = address.rsplit_once(':').filter(|(_, port)| port.chars().all(|c| c.is_ascii_digit()));
    let (host, port) = split.map_or((address, default), |(host, port)| (host, port.parse().ok()));
    let port = port.ok_or("url: it has no port")?;
    let host = host.trim_matches(['[', ']']);
    if host.is_empty() { Err("url: it has no host".to_owned()) } else { Ok((host.to_owned(), port)) }
}

pub(super) fn client(given: Option<Fields<'_>>, notes: &mut Notes) -> Client {
    let mut client = Client { timeout: None, verify: true, redirects: 10, family: Family::Auto, auth: None };
    let Some(mut given) = given else { return client };
    client.timeout = given.text("timeout").and_then(|text| duration(&text));
    client.verify = !given.flag("insecure");
    if given.flag("ignore-redirect") {
        client.redirects = 0;
    }
    client.family = match given.text("network").as_deref() {
        Some("ip4") => Family::Four,
        Some("ip6") => Family::Six,
        _ => Family::Auto,
    };
    if given.text("dns-resolver").is_some() {
        notes.left("client.dns-resolver", "set", "names are looked up by this host's name servers");
    }
    for name in ["proxy-url", "oauth2", "identity-aware-proxy", "tunnel"] {
        if given.get(name).is_some() {
            notes.left(format!("client.{name}"), "set", "not known here");
            notes.pause(format!("client.{name} cannot be taken"));
        }
    }
    if given.flag("store-cookies") {
        notes.left("client.store-cookies", "true", "only flows keep cookies");
    }
    if let Some(mut tls) = given.object("tls") {
        let files = [tls.text("certificate-file"), tls.text("private-key-file")];
        if files.iter().all(Option::is_some) {
            let (certificate, key) = (SecretName("client_certificate".into()), SecretName("client_key".into()));
            client.auth = Some(Auth::ClientCertificate { certificate, key });
        }
        rest_of("client.tls.", &tls, notes);
    }
    rest_of("client.", &given, notes);
    client
}

pub(super) fn has_variable(text: &str) -> bool {
    text.contains("${") || text.split('$').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// `${VAR}` and `$VAR` become the secret `var`.
fn with_secrets(text: &str) -> String {
    let Ok(variable) = Regex::new(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,39})\}|\$([A-Z_][A-Z0-9_]{0,39})") else {
        return text.to_owned();
    };
    let named = |found: &regex::Captures<'_>| {
        let name = found.get(1).or_else(|| found.get(2)).map_or("", |name| name.as_str());
        format!("{{{{secret.{}}}}}", name.to_lowercase())
    };
    variable.replace_all(text, named).into_owned()
}

/// `[CONTEXT].name` becomes the value that the context has from the first, or `{{name}}`.
pub(super) fn in_context(http: HttpSpec, context: &BTreeMap<String, String>) -> HttpSpec {
    let Ok(named) = Regex::new(r"\[CONTEXT\]\.([A-Za-z0-9_]+)") else { return http };
    let filled = |text: &str| {
        let value = |found: &regex::Captures<'_>| {
            context.get(&found[1]).cloned().unwrap_or_else(|| format!("{{{{{}}}}}", &found[1]))
        };
        named.replace_all(text, value).into_owned()
    };
    HttpSpec {
        url: filled(&http.url),
        body: http.body.as_deref().map(filled),
        headers: http.headers.iter().map(|(name, value)| (name.clone(), filled(value))).collect(),
        ..http
    }
}

pub(super) fn take(store: Option<&Value>, notes: &mut Notes) -> BTreeMap<String, Take> {
    let mut taken = BTreeMap::new();
    for (name, from) in store.and_then(Value::as_object).into_iter().flatten() {
        let from = from.as_str().unwrap_or_default();
        match from.strip_prefix("[BODY]").filter(|path| path.starts_with(['.', '['])) {
            Some(path) => {
                taken.insert(name.clone(), Take::Json { path: format!("${path}") });
            }
            None => {
                notes.left("store", format!("{name}: {from}"), "only values of a JSON body are stored");
                notes.pause(format!("the value {name} cannot be stored"));
            }
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_become_secrets() {
        assert_eq!(
            with_secrets("Bearer ${API_TOKEN} and $OTHER, not $5"),
            "Bearer {{secret.api_token}} and {{secret.other}}, not $5"
        );
        assert!(has_variable("https://${HOST}/") && has_variable("$HOST") && !has_variable("costs $5"));
        assert_eq!(host_port("[::1]:22", None), Ok(("::1".to_owned(), 22)));
        assert_eq!(host_port("example.com", Some(443)), Ok(("example.com".to_owned(), 443)));
        assert!(host_port("example.com", None).is_err());
    }
}
