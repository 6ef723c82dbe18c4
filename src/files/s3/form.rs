//! Uploads by a form that a browser posts: fields, and then the file, which goes straight to files.

use axum::{
    body::Body,
    extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request, multipart::Field},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use bytes::Bytes;
use futures::{Stream, TryStreamExt as _, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    S3, S3Error,
    canonical::{Query, encoded_path},
    checksums,
    errors::{ACCESS_DENIED, INVALID_ARGUMENT, INVALID_TOKEN, MALFORMED_POST, of_body},
    host::Target,
    ops::{Cx, set, tags, write},
    post_policy::{Fields, Policy, fits},
    sigv4::{self, ALGORITHM, Claim},
    xml::Xml,
};
use files::{Bucket, Expect, Object};
use storage::DigestKind;

/// Bytes of a field, and of all but the file.
const LONGEST_FIELD: usize = 20 << 10;
const ALL_FIELDS: usize = 64 << 10;
const MOST_FIELDS: usize = 100;

impl S3 {
    pub(crate) async fn post(&self, parts: &Parts, target: Target, body: Body) -> Result<Response, S3Error> {
        let mut request = Request::new(body);
        *request.method_mut() = parts.method.clone();
        *request.headers_mut() = parts.headers.clone();
        // Its size is limited by the policy, and by the bucket: this request has no other limit.
        DefaultBodyLimit::disable().apply(&mut request);
        let form = Multipart::from_request(request, &()).await;
        let mut form = form.map_err(|error| MALFORMED_POST.with(error.body_text()))?;
        let (mut fields, mut bytes) = (Fields::default(), 0);
        while let Some(mut field) = form.next_field().await.map_err(malformed)? {
            let name = field.name().unwrap_or_default().to_ascii_lowercase();
            if name == "file" {
                // What follows it is not read.
                return self.store(parts, target, fields, field).await;
            }
            let value = text(&mut field).await?;
            bytes += name.len() + value.len();
            if bytes > ALL_FIELDS || fields.0.len() >= MOST_FIELDS {
                return Err(MALFORMED_POST.with("the fields before the file are too many or too large"));
            }
            if fields.get(&name).is_some() {
                return Err(MALFORMED_POST.with(format!("the field {name} stands there twice")));
            }
            fields.0.push((name, value));
        }
        Err(INVALID_ARGUMENT.with("POST requires exactly one file upload per request."))
    }

    async fn store(
        &self,
        parts: &Parts,
        mut target: Target,
        mut fields: Fields,
        file: Field<'_>,
    ) -> Result<Response, S3Error> {
        let file_name = file.file_name().unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        for (name, value) in &mut fields.0 {
            if name == "key" {
                *value = value.replace("${filename}", &file_name);
            }
        }
        let (claim, policy) = signed(&fields)?;
        let who = self.admit_form(parts, &claim, fields.need("policy")?).await?;
        let bucket_name = target.bucket.clone().unwrap_or_default();
        policy.check(&fields, &bucket_name, self.files.now())?;
        target.key = Some(fields.need("key")?.to_owned());
        let headers = headers(&fields, &parts.headers)?;
        let cx = Cx {
            files: self.files.clone(),
            settings: self.settings.clone(),
            who,
            target,
            query: Query::default(),
            headers,
        };
        cx.refuse_unknown()?;
        let redirect = redirect(&fields)?;
        let mut new = write::new_object(&cx)?;
        if let Some(text) = fields.get("tagging") {
            new.tags = tags::of_form(text)?;
        }
        let sent = checksums::sent(&cx.headers)?.map(|(algorithm, hash)| (algorithm.kind, hash));
        let md5 = checksums::md5(&cx.headers)?.map(|hash| (DigestKind::Md5, hash));
        new.expect = Expect(sent.into_iter().chain(md5).collect());
        let (bucket, key) = (cx.bucket().await?, cx.key()?);
        let data = measured(file, policy.length());
        let written = Box::pin(self.files.put(&cx.who, &bucket, key, data, new)).await?;
        let place =
            format!("{}/s3/{bucket_name}/{}", self.files.public_url(), encoded_path(written.object.key.as_str()));
        Ok(told(&bucket, &written.object, &place, redirect, fields.get("success_action_status")))
    }
}

/// The fields of the signature, and the policy that it is of.
fn signed(fields: &Fields) -> Result<(Claim, Policy), S3Error> {
    if fields.get("x-amz-security-token").is_some() {
        return Err(INVALID_TOKEN.error());
    }
    if fields.get("signature").is_some() {
        return Err(sigv4::refuse_scheme("AWS"));
    }
    let algorithm = fields.need("x-amz-algorithm")?;
    if algorithm != ALGORITHM {
        return Err(sigv4::refuse_scheme(algorithm));
    }
    let time = sigv4::time(fields.need("x-amz-date")?).ok_or_else(|| ACCESS_DENIED.with("x-amz-date is no time"))?;
    let (credential, signature) = (fields.need("x-amz-credential")?, fields.need("x-amz-signature")?);
    // A form is good until its policy expires; of its headers none is signed.
    let claim = Claim::new(credential, "host", signature, time, None)?;
    Ok((claim, Policy::parse(fields.need("policy")?)?))
}

/// A field's text, if it is not too long.
async fn text(field: &mut Field<'_>) -> Result<String, S3Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(malformed)? {
        if bytes.len() + chunk.len() > LONGEST_FIELD {
            return Err(MALFORMED_POST.with("a field before the file is too long"));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| MALFORMED_POST.with("a field is not UTF-8"))
}

fn malformed(error: axum::extract::multipart::MultipartError) -> S3Error {
    let text = error.body_text();
    let told = of_body(error);
    if told.code == crate::errors::REQUEST_TIMEOUT.name { told } else { MALFORMED_POST.with(text) }
}

/// Fields that say what a header says elsewhere.
fn headers(fields: &Fields, of_request: &HeaderMap) -> Result<HeaderMap, S3Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in &fields.0 {
        let is_header = matches!(
            name.as_str(),
            "cache-control"
                | "content-type"
                | "content-disposition"
                | "content-encoding"
                | "content-language"
                | "expires"
                | "content-md5"
        ) || (name.starts_with("x-amz-") && !is_of_signature(name));
        let name = if name == "acl" { "x-amz-acl" } else { name.as_str() };
        if is_header || name == "x-amz-acl" {
            let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
                return Err(INVALID_ARGUMENT.with(format!("the field {name} cannot be a header")));
            };
            headers.insert(name, value);
        }
    }
    if let Some(origin) = of_request.get(header::ORIGIN) {
        headers.insert(header::ORIGIN, origin.clone());
    }
    Ok(headers)
}

fn is_of_signature(name: &str) -> bool {
    matches!(name, "x-amz-algorithm" | "x-amz-credential" | "x-amz-date" | "x-amz-signature")
}

/// The file, as long as it fits.
fn measured(file: Field<'_>, fits_in: (u64, u64)) -> impl Stream<Item = Result<Bytes, S3Error>> + Send {
    stream::try_unfold((file, 0_u64), move |at| next(at, fits_in))
}

async fn next<'a>(
    (mut file, size): (Field<'a>, u64),
    fits_in: (u64, u64),
) -> Result<Option<(Bytes, (Field<'a>, u64))>, S3Error> {
    let Some(bytes) = file.try_next().await.map_err(malformed)? else {
        fits(size, fits_in, true)?;
        return Ok(None);
    };
    let size = size + bytes.len() as u64;
    fits(size, fits_in, false)?;
    Ok(Some((bytes, (file, size))))
}

/// Where the browser is sent afterwards: only to pages.
fn redirect(fields: &Fields) -> Result<Option<&str>, S3Error> {
    let address =
        fields.get("success_action_redirect").or_else(|| fields.get("redirect")).filter(|text| !text.is_empty());
    match address {
        Some(address) if !address.starts_with("http://") && !address.starts_with("https://") => {
            Err(INVALID_ARGUMENT.with("success_action_redirect: expected an http or https address"))
        }
        address => Ok(address),
    }
}

fn told(bucket: &Bucket, object: &Object, place: &str, redirect: Option<&str>, status: Option<&str>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Some(address) = redirect {
        let join = if address.contains('?') { '&' } else { '?' };
        let part = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (key, etag) = (part(object.key.as_str()), part(&format!("\"{}\"", object.etag)));
        let address = format!("{address}{join}bucket={}&key={key}&etag={etag}", part(&bucket.name));
        *response.status_mut() = StatusCode::SEE_OTHER;
        set(response.headers_mut(), "location", address);
    } else {
        match status {
            Some("200") => *response.status_mut() = StatusCode::OK,
            Some("201") => {
                let mut xml = Xml::bare("PostResponse");
                xml.text("Location", place).text("Bucket", &bucket.name).text("Key", object.key.as_str());
                xml.text("ETag", format!("\"{}\"", object.etag));
                response = Response::new(Body::from(xml.end()));
                *response.status_mut() = StatusCode::CREATED;
                set(response.headers_mut(), "content-type", "application/xml");
            }
            _ => {}
        }
        set(response.headers_mut(), "location", place);
    }
    write::tell(bucket, object, &object.checksums, response.headers_mut());
    response
}
