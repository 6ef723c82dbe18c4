//! Bodies of XML: what they say comes back as it was, and what is not known is refused.

use axum::http::{HeaderMap, HeaderValue};
use files::LifecycleRule;

use crate::{
    cors,
    ops::lifecycle,
    xml::{Element, Xml},
};

fn parse(text: &str, root: &str) -> Result<Element, &'static str> {
    Element::parse(text.as_bytes(), root).map_err(|error| error.code)
}

#[test]
fn bodies_are_read_whole_or_not_at_all() {
    let element =
        parse("<?xml version='1.0'?><a:R xmlns:a='u'><K> a&amp;b&#x1F600;<![CDATA[<]]> </K><E/></a:R>", "R").unwrap();
    assert_eq!((element.get("K"), element.child("K").unwrap().exact()), (Some("a&b\u{1f600}<"), " a&b\u{1f600}< "));
    assert_eq!((element.get("E"), element.get("X")), (Some(""), None));
    assert_eq!(element.only(&["K"]).unwrap_err().code, "NotImplemented");
    let deep = format!("{}{}", "<R>".repeat(20), "</R>".repeat(20));
    for wrong in [
        "",
        "text",
        "<R>",
        "<R></X>",
        "<X></X>",
        "<R></R><R></R>",
        "<R>&bomb;</R>",
        "<!DOCTYPE R [<!ENTITY bomb 'x'>]><R>&bomb;</R>",
        &deep,
    ] {
        assert_eq!(parse(wrong, "R"), Err("MalformedXML"), "{wrong}");
    }
    assert!(Element::parse(b"<R>\xff</R>", "R").is_err());
}

#[test]
fn what_is_written_can_be_read() {
    let odd = "<&>\"' \t\r\n]]> \u{e9}\u{1f600}";
    let mut xml = Xml::new("R");
    xml.open("A").text("K", odd).close().maybe("N", None::<&str>).text("Z", 1);
    let element = Element::parse(&xml.end(), "R").unwrap();
    assert_eq!(element.child("A").unwrap().child("K").unwrap().exact(), odd);
    assert_eq!((element.get("N"), element.number::<u8>("Z").unwrap()), (None, Some(1)));
}

const LIFECYCLE: &str = "<LifecycleConfiguration><Rule><ID>old</ID><Filter><And><Prefix>logs/</Prefix><Tag><Key>a</Key><Value>b</Value></Tag>\
    <ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter><Status>Enabled</Status><Expiration><Days>30</Days></Expiration>\
    <NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>\
    </Rule><Rule><Prefix></Prefix><Status>Disabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation>\
    </AbortIncompleteMultipartUpload></Rule><Rule><ID>date</ID><Filter/><Status>Enabled</Status><Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration></Rule>\
    <Rule><ID>markers</ID><Filter><Prefix>m</Prefix></Filter><Status>Enabled</Status><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>\
    </Expiration></Rule></LifecycleConfiguration>";

fn rules(text: &str) -> Result<Vec<LifecycleRule>, &'static str> {
    lifecycle::of_xml(&parse(text, "LifecycleConfiguration")?).map_err(|error| error.code)
}

#[test]
fn lifecycle_rules_come_back_as_they_were() {
    let read = rules(LIFECYCLE).unwrap();
    assert_eq!(read.len(), 4);
    assert_eq!(read[1].id, "rule-2");
    let json = serde_json::to_value(&read).unwrap();
    assert_eq!(json[0]["expire"]["days"], 30);
    assert_eq!(json[0]["noncurrent"], serde_json::json!({"days": 7, "keep": 2}));
    assert_eq!(json[1]["abort_uploads_days"], 3);
    assert_eq!(json[3]["expire"]["markers"], true);
    assert_eq!(serde_json::from_value::<Vec<LifecycleRule>>(json).unwrap(), read, "as it is stored");
    let written = lifecycle::to_xml(&read).end();
    assert_eq!(lifecycle::of_xml(&Element::parse(&written, "LifecycleConfiguration").unwrap()).unwrap(), read);
}

#[test]
fn lifecycle_rules_that_are_not_known_are_refused_by_name() {
    let rule = |inner: &str| {
        format!(
            "<LifecycleConfiguration><Rule><Prefix/><Status>Enabled</Status>{inner}</Rule></LifecycleConfiguration>"
        )
    };
    let transition = rule("<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>");
    let error = lifecycle::of_xml(&parse(&transition, "LifecycleConfiguration").unwrap()).unwrap_err();
    assert!(error.code == "NotImplemented" && error.message.contains("Transition"), "{error}");
    for (inner, code) in [
        ("", "InvalidRequest"),
        ("<Expiration><Days>0</Days></Expiration>", "InvalidArgument"),
        ("<Expiration><Days>x</Days></Expiration>", "MalformedXML"),
        ("<Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration>", "InvalidArgument"),
        ("<Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>", "MalformedXML"),
        ("<Expiration><Days>1</Days></Expiration><Filter/>", "MalformedXML"),
        ("<NoncurrentVersionTransition/>", "NotImplemented"),
    ] {
        assert_eq!(rules(&rule(inner)), Err(code), "{inner}");
    }
    assert_eq!(rules("<LifecycleConfiguration/>"), Err("MalformedXML"));
    let twice =
        "<Rule><ID>a</ID><Prefix/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>".repeat(2);
    assert_eq!(rules(&format!("<LifecycleConfiguration>{twice}</LifecycleConfiguration>")), Err("InvalidArgument"));
}

#[test]
fn cors_rules_permit_what_they_say() {
    let text = "<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example.com</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>\
        <AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>\
        <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>";
    let rules = cors::of_xml(&parse(text, "CORSConfiguration").unwrap()).unwrap();
    let stored = serde_json::to_value(&rules).unwrap();
    assert_eq!(cors::stored(&stored), rules);
    assert_eq!(
        cors::of_xml(&Element::parse(&cors::to_xml(&rules).end(), "CORSConfiguration").unwrap()).unwrap(),
        rules
    );
    let ask = |origin: &'static str, method: &'static str, names: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert("origin", HeaderValue::from_static(origin));
        headers.insert("access-control-request-method", HeaderValue::from_static(method));
        headers.insert("access-control-request-headers", HeaderValue::from_static(names));
        cors::preflight(&rules, &headers).map(|response| response.headers().clone())
    };
    let told = ask("https://a.example.com", "PUT", "X-Amz-Date, x-amz-content-sha256").unwrap();
    assert_eq!(told["access-control-allow-origin"], "https://a.example.com");
    assert_eq!(
        (&told["access-control-max-age"], &told["vary"]),
        (&HeaderValue::from_static("60"), &HeaderValue::from_static("Origin"))
    );
    assert_eq!(ask("https://elsewhere.org", "GET", "").unwrap()["access-control-allow-origin"], "*");
    for (origin, method, names) in [
        ("https://example.com", "PUT", ""),
        ("https://a.example.com.evil.org", "PUT", ""),
        ("https://a.example.com", "DELETE", ""),
        ("https://a.example.com", "PUT", "authorization"),
        ("https://elsewhere.org", "GET", "x-amz-date"),
    ] {
        assert_eq!(ask(origin, method, names).unwrap_err().code, "AccessForbidden", "{origin} {method} {names}");
    }
    assert!(cors::preflight(&rules, &HeaderMap::new()).is_err());
    for wrong in [
        "<CORSConfiguration/>",
        "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>",
        "<CORSConfiguration><CORSRule><AllowedOrigin>*a*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>",
        "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>PATCH</AllowedMethod></CORSRule></CORSConfiguration>",
    ] {
        assert!(cors::of_xml(&parse(wrong, "CORSConfiguration").unwrap()).is_err(), "{wrong}");
    }
}
