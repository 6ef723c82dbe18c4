//! Responses with the content of objects, for every surface: what they say of it, and what a browser may do with it.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};

use crate::{
    Bucket, Caller, Coding, Decision, Files, FilesError, Object, Sniffed, Variant, cross_origin, decide, is_active,
    range::http_time,
    sniff::{essence, is_shown},
};
use platform::{
    error::ApiError,
    http::{Bulk, Finished, disposition},
};

/// What a file of somebody may do where it is opened: nothing.
const POLICY: &str =
    "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self' data:; style-src 'unsafe-inline'";
/// The same of PDFs on a host of their own: no browser shows one in a sandbox.
const POLICY_OF_PDF: &str = "default-src 'none'; object-src 'self'";
const OCTETS: &str = "application/octet-stream";

/// Where an object is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// `/api/v1`: always as a file to keep.
    Rest,
    S3,
    Token,
    Link,
    Public,
    Supabase,
}

/// What the request says about headers, instead of what the object has.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub content_type: Option<String>,
    pub cache_control: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub expires: Option<String>,
    /// To be kept as a file of this name; empty: of its own name.
    pub download: Option<String>,
    /// The request came to a host that has files of users and nothing else.
    pub own_host: bool,
    /// The address names the content: it will never be another one.
    pub immutable: bool,
}

/// The etag as a header has it.
pub fn etag_value(etag: &str) -> HeaderValue {
    HeaderValue::try_from(format!("\"{etag}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// All headers of a download of the whole object.
pub fn head(object: &Object, bucket: &Bucket, surface: Surface, overrides: &Overrides) -> HeaderMap {
    let declared = overrides.content_type.as_deref().unwrap_or(&object.content_type);
    let shape = Shape::of(declared, &object.sniffed, surface, overrides.own_host);
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, &shape.content_type);
    set(header::LAST_MODIFIED, &http_time(object.created_at));
    set(header::ACCEPT_RANGES, "bytes");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CONTENT_SECURITY_POLICY, shape.policy);
    let readers = if bucket.public || surface == Surface::Token { "cross-origin" } else { "same-site" };
    set(HeaderName::from_static("cross-origin-resource-policy"), readers);
    if let Some(cache) = cache_control(object, bucket, surface, overrides) {
        set(header::CACHE_CONTROL, &cache);
    }
    let stored = &object.headers;
    for (name, own, asked) in [
        (header::CONTENT_ENCODING, &stored.content_encoding, &overrides.content_encoding),
        (header::CONTENT_LANGUAGE, &stored.content_language, &overrides.content_language),
        (header::EXPIRES, &stored.expires, &overrides.expires),
    ] {
        if let Some(value) = asked.as_ref().or(own.as_ref()).filter(|value| !value.is_empty()) {
            set(name, value);
        }
    }
    if let Some(value) = shape.disposition(object, surface, overrides) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(object.size));
    headers.insert(header::ETAG, etag_value(&object.etag));
    headers
}

/// What a browser is told of a content.
struct Shape {
    content_type: String,
    policy: &'static str,
    /// It may be shown where it is opened.
    is_shown: bool,
    /// It could run: it is never shown, whatever the object or the request says.
    is_kept: bool,
}

impl Shape {
    fn of(declared: &str, sniffed: &str, surface: Surface, own_host: bool) -> Self {
        let runs = is_active(declared, Sniffed { media_type: "", active: sniffed == "text/html" });
        let kind = essence(declared);
        let is_pdf = own_host && kind == "application/pdf" && sniffed == "application/pdf";
        let policy = if is_pdf { POLICY_OF_PDF } else { POLICY };
        // Programs are told what was declared; they do not guess.
        if surface == Surface::S3 || (runs && own_host) {
            let is_kept = runs && !own_host;
            return Self { content_type: declared.to_owned(), policy, is_shown: !is_kept, is_kept };
        }
        // A picture that is none.
        let other = kind.starts_with("image/") && !sniffed.is_empty() && !sniffed.starts_with("image/");
        let content_type = match kind.as_str() {
            _ if runs || other => OCTETS,
            // Sent by programs that do not know.
            "" | OCTETS | "binary/octet-stream" if is_shown(sniffed) => sniffed,
            "" => OCTETS,
            _ => declared,
        };
        let is_shown = surface != Surface::Rest && (is_pdf || is_shown(content_type));
        Self { content_type: content_type.to_owned(), policy, is_shown, is_kept: runs }
    }

    fn disposition(&self, object: &Object, surface: Surface, overrides: &Overrides) -> Option<HeaderValue> {
        let own = object.key.file_name();
        if let Some(name) = &overrides.download {
            return Some(disposition("attachment", if name.is_empty() { own } else { name }));
        }
        let said = overrides.content_disposition.as_ref().or(object.headers.content_disposition.as_ref());
        let said = said.filter(|text| !text.is_empty());
        match said.and_then(|text| HeaderValue::try_from(text).ok()) {
            Some(value) if self.is_shown || is_attachment(&value) => Some(value),
            // Shown nowhere, and called as they want it: the name is in their text, which is not taken apart.
            Some(_) => Some(disposition("attachment", own)),
            None if surface == Surface::S3 && !self.is_kept => None,
            None if self.is_shown => Some(disposition("inline", own)),
            None => Some(disposition("attachment", own)),
        }
    }
}

fn is_attachment(value: &HeaderValue) -> bool {
    value.as_bytes().get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case(b"attachment"))
}

/// `None`: nothing is said, as S3 does.
fn cache_control(object: &Object, bucket: &Bucket, surface: Surface, overrides: &Overrides) -> Option<String> {
    if overrides.immutable {
        return Some("public, max-age=31536000, immutable".to_owned());
    }
    let stored = [
        overrides.cache_control.as_deref(),
        object.headers.cache_control.as_deref(),
        Some(bucket.cache_control.as_str()),
    ];
    let stored = stored.into_iter().flatten().find(|text| !text.is_empty());
    // A cache between would give to anybody what one may read because of a session or a key.
    let for_all = |text: &str| text.to_ascii_lowercase().split([',', ' ']).any(|word| word == "public");
    let by_right = matches!(surface, Surface::Rest | Surface::Supabase) && !bucket.public;
    match stored {
        Some(text) if by_right && (for_all(text) || text.contains("s-maxage")) => Some("private, no-cache".to_owned()),
        Some(text) => Some(text.to_owned()),
        None if surface == Surface::S3 => None,
        None if bucket.public => Some("public, max-age=60".to_owned()),
        None => Some("no-cache".to_owned()),
    }
}

/// The response to a GET or a HEAD of an object that [`Files::find`] gave.
pub async fn respond(
    files: &Files,
    who: &Caller,
    bucket: &Bucket,
    object: &Object,
    request: &Parts,
    surface: Surface,
    mut overrides: Overrides,
) -> Result<Response, FilesError> {
    files.readable(bucket, object)?;
    overrides.own_host |= is_own_host(files, &request.headers);
    let mut headers = head(object, bucket, surface, &overrides);
    cross_origin::tell(&mut headers, bucket, &request.headers);
    if let Some(coded) = coded(files, bucket, object, (&request.headers, &mut headers)).await? {
        return Ok(of_memory(request, headers, object, coded));
    }
    let (status, range) = match decide(&request.headers, &request.method, &object.etag, object.created_at, object.size)
    {
        Decision::Failed => return Err(FilesError::Precondition),
        Decision::Unsatisfiable => return Err(FilesError::Range { size: object.size }),
        Decision::NotModified => return Ok(not_modified(headers)),
        Decision::Whole => (StatusCode::OK, None),
        Decision::Part(range) => {
            let place = format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), object.size);
            if let Ok(place) = HeaderValue::try_from(place) {
                headers.insert(header::CONTENT_RANGE, place);
            }
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
            (StatusCode::PARTIAL_CONTENT, Some(range))
        }
    };
    let body = match request.method {
        Method::HEAD => Body::empty(),
        _ => Body::from_stream(files.open(who, object, range).await?),
    };
    let mut response = (status, headers, body).into_response();
    // Files are sent as they are: their length is said, and ranges of them are asked for.
    response.extensions_mut().insert(Finished);
    response.extensions_mut().insert(Bulk);
    Ok(response)
}

/// A text compressed, if the client takes that and asks for all of it. The headers say that the answer depends on it.
async fn coded(
    files: &Files,
    bucket: &Bucket,
    object: &Object,
    (asked, told): (&HeaderMap, &mut HeaderMap),
) -> Result<Option<Variant>, FilesError> {
    let top = essence(&object.content_type);
    if ["image/", "audio/", "video/"].iter().any(|kind| top.starts_with(kind)) && !top.ends_with("xml") {
        return Ok(None);
    }
    told.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    let coding = Coding::accepted(asked).filter(|_| !asked.contains_key(header::RANGE));
    let Some(coding) = coding else { return Ok(None) };
    let coded = files.compressed(bucket, object, coding).await?;
    if coded.is_some() {
        told.insert(header::CONTENT_ENCODING, coding.header());
    }
    Ok(coded)
}

/// An answer whose bytes are there already, in one piece.
fn of_memory(request: &Parts, mut headers: HeaderMap, object: &Object, made: Variant) -> Response {
    let size = made.bytes.len() as u64;
    headers.insert(header::ETAG, etag_value(&made.etag));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("none"));
    let mut asked = request.headers.clone();
    asked.remove(header::RANGE);
    let mut response = match decide(&asked, &request.method, &made.etag, object.created_at, size) {
        Decision::NotModified => return not_modified(headers),
        Decision::Failed => ApiError::from(FilesError::Precondition).into_response(),
        _ if request.method == Method::HEAD => (headers, Body::empty()).into_response(),
        _ => (headers, Body::from(made.bytes)).into_response(),
    };
    response.extensions_mut().insert(Finished);
    response
}

/// 304: what the client has is right; only what caches need to know is said (RFC 9110 section 15.4.5).
fn not_modified(mut headers: HeaderMap) -> Response {
    for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_DISPOSITION] {
        headers.remove(name);
    }
    let mut response = (StatusCode::NOT_MODIFIED, headers).into_response();
    response.extensions_mut().insert(Finished);
    response
}

/// Whether the request came to the host of `files.content_host`.
fn is_own_host(files: &Files, headers: &HeaderMap) -> bool {
    let own = files.config().content_host.as_str();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let bare = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let bare = bare.map_or(host, |(bare, _)| bare);
    !own.is_empty() && (host.eq_ignore_ascii_case(own) || bare.eq_ignore_ascii_case(own))
}

/// An error as this room's own surfaces answer it; a range beyond the end says where that is.
pub fn refused(error: FilesError) -> Response {
    let end = match error {
        FilesError::Range { size } => HeaderValue::try_from(format!("bytes */{size}")).ok(),
        _ => None,
    };
    let mut response = ApiError::from(error).into_response();
    if let Some(end) = end {
        response.headers_mut().insert(header::CONTENT_RANGE, end);
    }
    response
}
