//! Redaction of log lines: keys, tokens, passwords, cookies, the text of mail. Every text of a line passes here on its way to standard
//! output, the buffer of recent lines and Loki.
//!
//! Secrets are found by the *name* of a field (`password = ..` is never written, whatever its value) and by the *shape* of a text (a key is
//! recognised anywhere: in a message, another server's error, a URL, debug output).

use std::{borrow::Cow, sync::LazyLock};

use regex::{Captures, Regex};

/// Written instead of a secret.
pub const MASK: &str = "***";

/// Suffixes of field names whose values are secret. `token` is one, `tokens` (a count) is not.
const SECRET_ENDS: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "secret_key",
    "private_key",
    "authorization",
    "cookie",
    "csrf",
    "credentials",
];

/// Field names of the text of a mail.
const MAIL_TEXTS: [&str; 5] = ["body", "html", "text_body", "html_body", "mail_body"];

/// Whether the value of a field with this name is never written.
pub fn is_secret(name: &str) -> bool {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let name = name.rsplit('.').next().unwrap_or(name);
    // The last letter already rules out nearly every name.
    if !name.ends_with(['d', 'e', 't', 'n', 'y', 'f', 's', 'D', 'E', 'T', 'N', 'Y', 'F', 'S', 'l', 'L']) {
        return false;
    }
    let name = plain(name);
    SECRET_ENDS.iter().any(|end| name.ends_with(end)) || MAIL_TEXTS.contains(&name.as_str())
}

/// One pass that finds out whether any rule could match: almost no text does.
static SUSPICIOUS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)hf_|sk-|sk_|pk_|rk_|whsec_|bearer|basic |digest |eyj|akia|asia|age-secret|private key|://|passw|passphrase|secret|token|api_?-?key|access_?-?key|private_?-?key|authorization|cookie|_session=|csrf|credentials|ghp_|gho_|ghs_|github_pat_|glpat-|xox|body|html|@|gsk_|xai-|pplx-|nvapi-|r8_|tgp_v1|aiza|ya29|hvs\.|npm_|[?&](?:sig|key|auth|pass|pwd)=|signature=|/hooks/mail/|/unsubscribe/",
    )
    .ok()
});

/// A rule: its pattern, and what remains (`$1`, `$2` are its groups).
struct Rule {
    finds: Regex,
    stays: &'static str,
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rules = [
        // PEM private keys, complete or truncated.
        (r"(-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----).*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)", "$1***"),
        // The `Authorization` header to the end of its line or quotation; and a bare bearer token.
        (
            r#"(?i)(authorization\\*["']?\s*[:=]\s*\\*["']?)(?:bearer|basic|digest|negotiate|token|geniekey|api-?key|key|hawk|ntlm|oauth|dpop|splunk|bot|aws4-hmac-sha256)\s+[^"'\r\n\\]+"#,
            "$1***",
        ),
        (r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{6,}", "$1***"),
        // Keys by prefix: ours, OpenAI's and similar, Stripe, GitHub, GitLab, Slack, AWS, age; JSON web tokens.
        (
            r"\b(hf_|sk-|sk_live_|sk_test_|rk_live_|whsec_|ghp_|gho_|ghs_|github_pat_|glpat-|xox[abprs]-)[A-Za-z0-9_-]{6,}",
            "$1***",
        ),
        (r"\b(AKIA|ASIA)[0-9A-Z]{16}\b", "$1***"),
        (r"(?i)(AGE-SECRET-KEY-)[0-9A-Z-]+", "$1***"),
        (r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?", "***"),
        // Long keys of other model and cloud providers; model names are shorter.
        (r"\b(gsk_|xai-|pplx-|r8_|tgp_v1_)[A-Za-z0-9]{20,}", "$1***"),
        (r"\b(nvapi-|AIza|ya29\.|hvs\.|npm_)[A-Za-z0-9_-]{20,}", "$1***"),
        // Webhook URLs that are secrets: of chats, pagers and heartbeats.
        (
            r#"(?i)(https?://(?:hooks\.slack(?:-gov)?\.com/|(?:[a-z0-9-]+\.)?discord(?:app)?\.com/api/(?:v\d+/)?webhooks/|api\.telegram\.org/(?:file/)?bot|hc-ping\.com/|[a-z0-9.-]*webhook\.office\.com/))[^\s"'<>\\]+"#,
            "$1***",
        ),
        (r#"(https?://[^\s"'<>\\]*?/(?:hooks|api/push)/)[A-Za-z0-9_/-]{10,}"#, "$1***"),
        // Our own paths that end in a secret: reports of mail providers, and links to unsubscribe.
        (r"(/hooks/mail/[a-z]+/|/mail/unsubscribe/)[A-Za-z0-9_-]{8,}", "$1***"),
        // Signed URLs, and keys in a query.
        (
            r#"(?i)([?&](?:sig|key|auth|pass|pwd|[a-z0-9_-]*signature|x-amz-credential|awsaccesskeyid)=)[^\s&"'<>#\\]+"#,
            "$1***",
        ),
        // `scheme://token@host`
        (r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/:@?#]+@", "$1***@"),
        // `Cookie: a=b; c=d`: all values.
        (r"(?i)\b((?:set-)?cookie\s*:\s*)[^\r\n]+", "$1***"),
        (r"\b((?:__Host-)?holdfast_session(?:_\d+)?=)[^\s;&,\x22']+", "$1***"),
    ];
    rules
        .into_iter()
        .filter_map(|(finds, stays)| Some(Rule { finds: Regex::new(&format!("(?s){finds}")).ok()?, stays }))
        .collect()
});

/// `scheme://user:password@host`; an unescaped password may contain any character.
static SIGN_IN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"'<>]*):([^\s"'<>\\]+)@"#).ok());

/// Whether the text after `host:` is a port followed by a path: then the `@` belongs to the path.
fn is_port(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (1..=5).contains(&digits) && text[digits..].starts_with(['/', '?', '#'])
}

/// `name=value`, `name: value`, `"name": "value"`, `name: Some("value")`: in URLs, headers, JSON and debug output, also with escaped
/// quotation marks.
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let name = r"(?:[A-Za-z0-9_.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key|authorization|cookie|csrf|credentials))";
    // A comma only after a quotation mark: an element of a list of pairs.
    let between = r#"(?:\\*["']?\s*(?:=>|[=:])\s*(?:Some\()?|\\*["']\s*,\s*)"#;
    let quoted = r#"\\*"(?:[^"\\]|\\[^"]|\\+"[^,}\s)\]])*\\*"|\\*"[^"]*\z|'[^']*'"#;
    let bare = r#"[^\s,;&"']+"#;
    Regex::new(&format!("(?is)({name}{between})({quoted}|{bare})")).ok()
});

/// The text of a mail as a quoted value; unquoted, `body: ` is an ordinary word.
static MAIL_TEXT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let between = r#"\\*["']?\s*[=:]\s*(?:Some\()?"#;
    Regex::new(&format!(r#"(?is)(\b(?:(?:text|html|mail)_)?(?:body|html){between})(\\*"(?:[^"\\]|\\.)*\\*")"#)).ok()
});

/// The local part of a mail address, except its first letter.
static ADDRESS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b([\p{L}0-9])[\p{L}0-9._%+-]*@((?:[\p{L}0-9-]+\.)+\p{L}{2,})").ok());

/// `text` with secrets, mail addresses and the text of mail masked.
pub fn redact(text: &str) -> Cow<'_, str> {
    if !SUSPICIOUS.as_ref().is_some_and(|suspicious| suspicious.is_match(text)) {
        return Cow::Borrowed(text);
    }
    let mut text = Cow::Borrowed(text);
    let mut apply = |regex: &Regex, stays: &dyn Fn(&Captures<'_>) -> String| {
        if let Cow::Owned(changed) = regex.replace_all(&text, |found: &Captures<'_>| stays(found)) {
            text = Cow::Owned(changed);
        }
    };
    if let Some(sign_in) = SIGN_IN.as_ref() {
        apply(sign_in, &|found| {
            if is_port(&found[2]) { found[0].to_owned() } else { format!("{}:{MASK}@", &found[1]) }
        });
    }
    for rule in RULES.iter() {
        apply(&rule.finds, &|found| {
            let mut kept = String::new();
            found.expand(rule.stays, &mut kept);
            kept
        });
    }
    for named in [&NAMED, &MAIL_TEXT] {
        if let Some(named) = named.as_ref() {
            apply(named, &|found| format!("{}{}", &found[1], masked(&found[2])));
        }
    }
    if let Some(address) = ADDRESS.as_ref() {
        apply(address, &|found| format!("{}{MASK}@{}", &found[1], &found[2]));
    }
    text
}

/// The mask, inside the quotation marks of the value.
fn masked(value: &str) -> String {
    let quotes = |end: bool| {
        let is_quote = |c: char| matches!(c, '"' | '\'' | '\\');
        if end {
            &value[value.trim_end_matches(is_quote).len()..]
        } else {
            &value[..value.len() - value.trim_start_matches(is_quote).len()]
        }
    };
    let (open, close) = (quotes(false), quotes(true));
    if open.len() == value.len() { value.to_owned() } else { format!("{open}{MASK}{close}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_a_regex_that_compiles() {
        assert!(
            SUSPICIOUS.is_some() && NAMED.is_some() && MAIL_TEXT.is_some() && ADDRESS.is_some() && SIGN_IN.is_some()
        );
        assert_eq!(RULES.len(), 15);
    }

    #[test]
    fn secrets_go_and_the_rest_stays() {
        for (said, written) in [
            ("key hf_0123456789abcdef refused", "key hf_*** refused"),
            (
                "OpenAI said: Incorrect API key provided: sk-proj-abc_DEF123",
                "OpenAI said: Incorrect API key provided: sk-***",
            ),
            ("Authorization: Bearer abc.def-ghi", "Authorization: ***"),
            ("sent bearer abcdefghi to it", "sent bearer *** to it"),
            (r#"{"authorization": "Basic dXNlcjpwYXNz", "a": 1}"#, r#"{"authorization": "***", "a": 1}"#),
            (
                "postgres://holdfast:p4ss-w0rd@db:5432/holdfast?sslmode=require",
                "postgres://holdfast:***@db:5432/holdfast?sslmode=require",
            ),
            (
                "cannot connect: host=db user=a password=hunter2 dbname=x",
                "cannot connect: host=db user=a password=*** dbname=x",
            ),
            ("cannot reach https://t0ken-abc@models.example.com/v1", "cannot reach https://***@models.example.com/v1"),
            ("/login?next=%2F&token=abc123&x=1", "/login?next=%2F&token=***&x=1"),
            (
                r#"Login { email: "ann@example.com", password: "hunter 2", token: Some("t-1"), n: 3 }"#,
                r#"Login { email: "a***@example.com", password: "***", token: Some("***"), n: 3 }"#,
            ),
            (r#"said {\"password\":\"hunter2\",\"n\":1}"#, r#"said {\"password\":\"***\",\"n\":1}"#),
            ("Cookie: holdfast_session=abc; theme=dark", "Cookie: ***"),
            ("got holdfast_session=abcdef here", "got holdfast_session=*** here"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def", "***"),
            ("AKIAIOSFODNN7EXAMPLE is it", "AKIA*** is it"),
            ("key AGE-SECRET-KEY-1QQQQ in the file", "key AGE-SECRET-KEY-*** in the file"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nend",
                "-----BEGIN RSA PRIVATE KEY-----***\nend",
            ),
            (
                r#"mail { to: "b@example.org", body: "Dear Bob, your order" }"#,
                r#"mail { to: "b***@example.org", body: "***" }"#,
            ),
            ("письмо на иван.петров@пример.рф ушло", "письмо на и***@пример.рф ушло"),
            ("x-api-key: abcdef", "x-api-key: ***"),
            (r#"[("cookie", "a=b; c=d"), ("accept", "text/html")]"#, r#"[("cookie", "***"), ("accept", "text/html")]"#),
        ] {
            assert_eq!(redact(said), written, "of {said:?}");
        }
    }

    #[test]
    fn secrets_that_stand_in_addresses_go() {
        for (said, written) in [
            (
                "cannot connect to postgres://app:pa/s@w#r:d@db:5432/x now",
                "cannot connect to postgres://app:***@db:5432/x now",
            ),
            ("redis://:s3/cret@cache", "redis://:***@cache"),
            ("GET https://hooks.slack.com/services/T01/B02/abcDEF failed", "GET https://hooks.slack.com/*** failed"),
            ("(https://discord.com/api/webhooks/123/ab-c_d)", "(https://discord.com/api/webhooks/***"),
            ("https://api.telegram.org/bot123:AAF-x/sendMessage", "https://api.telegram.org/bot***"),
            ("ping https://hc-ping.com/0197f0aa-1111 gave 404", "ping https://hc-ping.com/*** gave 404"),
            ("https://chat.example.com/hooks/x1y2z3x1y2z3x1y2z3x1y2z3ab", "https://chat.example.com/hooks/***"),
            ("http://kuma:3001/api/push/Ab3dEf6hIj?status=up", "http://kuma:3001/api/push/***?status=up"),
            (
                "https://s3/b/k?X-Amz-Credential=AK%2F&X-Amz-Signature=ab12&x=1",
                "https://s3/b/k?X-Amz-Credential=***&X-Amz-Signature=***&x=1",
            ),
            ("https://blob/c?sv=2024&sig=ab%2Bc%3D", "https://blob/c?sv=2024&sig=***"),
            (
                "https://generativelanguage/v1?key=AIzaSy_0123456789-abcdefghijk",
                "https://generativelanguage/v1?key=***",
            ),
            ("gsk_0123456789abcdefghijKLMN was refused", "gsk_*** was refused"),
            ("Authorization: GenieKey 0197-ab-cd", "Authorization: ***"),
            ("/hooks/mail/sendgrid/Ab3dEf6hIj_k-Lm", "/hooks/mail/sendgrid/***"),
            ("POST /mail/unsubscribe/AAECAwQFBgcICQoL gave 404", "POST /mail/unsubscribe/*** gave 404"),
        ] {
            assert_eq!(redact(said), written, "of {said:?}");
        }
    }

    #[test]
    fn what_only_looks_like_it_stays() {
        for plain in [
            "prompt_tokens=120 completion_tokens: 7, max_tokens 4096",
            "https://openrouter.ai/api/v1 answered 503",
            "the sk- prefix and hf_ alone say nothing",
            "tokens: 12",
            "body of the request is too large",
            "holdfast::jobs::worker",
            "a@b is no address",
            "http://localhost:8080/people?page=2@x",
            "https://github.com/a/b/tree/hooks/readme",
            "pplx-7b-online and xai-grok-2 are models",
            "the key=value form",
            "the fencing token is old",
            "/hooks/mail/{provider}/{token} and /mail/unsubscribe/{token} are routes",
            "",
        ] {
            assert_eq!(redact(plain), plain);
        }
    }

    #[test]
    fn fields_are_known_by_name() {
        for secret in [
            "password",
            "one_time_password",
            "API_KEY",
            "x-api-key",
            "token",
            "csrf_token",
            "set-cookie",
            "Authorization",
            "body",
            "s3_secret_access_key",
            "db.password",
        ] {
            assert!(is_secret(secret), "{secret}");
        }
        for plain in
            ["message", "tokens", "one_time_passwords", "path", "token_count", "bytes", "key", "kind", "status", "url"]
        {
            assert!(!is_secret(plain), "{plain}");
        }
    }
}
