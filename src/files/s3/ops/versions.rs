//! Lists of versions.

use axum::response::Response;

use super::{
    Cx, answer,
    buckets::owner,
    convert::iso,
    lists::{Asked, Names, facts},
    version, version_text,
};
use crate::{
    errors::{INVALID_ARGUMENT, S3Error},
    xml::Xml,
};
use files::{ListVersions, ListedVersions, VersionEntry};

pub(super) async fn list(cx: &Cx) -> Result<Response, S3Error> {
    let asked = Asked::of(cx, "max-keys")?;
    let key_marker = cx.query.get("key-marker").unwrap_or_default();
    let behind = cx.query.filled("version-id-marker").map(version).transpose()?;
    if behind.is_some() && key_marker.is_empty() {
        return Err(INVALID_ARGUMENT.with("A version-id marker cannot be specified without a key marker."));
    }
    let bucket = cx.bucket().await?;
    let start = if behind.is_some() { key_marker.to_owned() } else { asked.start(key_marker)? };
    let query = ListVersions {
        prefix: asked.prefix.clone(),
        delimiter: asked.delimiter.clone(),
        start,
        behind,
        most: asked.most,
    };
    let listed = cx.files.list_versions(&cx.who, &bucket, &query).await?;
    let listed = if asked.most == 0 { ListedVersions::default() } else { listed };
    let names = asked.names(listed.entries.iter().map(name_of).chain([key_marker]));
    let mut xml = Xml::new("ListVersionsResult");
    xml.text("Name", cx.bucket_name()?).text("Prefix", names.text(&asked.prefix)).text("MaxKeys", asked.most);
    xml.text("KeyMarker", names.text(key_marker)).text("VersionIdMarker", behind.map(version_text).unwrap_or_default());
    xml.maybe("Delimiter", Some(&asked.delimiter).filter(|text| !text.is_empty()).map(|text| names.text(text)));
    names.tell(&mut xml);
    xml.text("IsTruncated", listed.next.is_some());
    if let Some((start, version)) = &listed.next {
        // Behind a common prefix the marker is that prefix, as in lists of objects.
        let key = match (version, listed.entries.last()) {
            (None, Some(VersionEntry::Prefix(prefix))) => prefix,
            _ => start,
        };
        xml.text("NextKeyMarker", names.text(key)).maybe("NextVersionIdMarker", version.map(version_text));
    }
    entries(&mut xml, cx, &listed, names);
    Ok(answer(xml))
}

fn name_of(entry: &VersionEntry) -> &str {
    match entry {
        VersionEntry::Version { object, .. } => object.key.as_str(),
        VersionEntry::Prefix(prefix) => prefix,
    }
}

fn entries(xml: &mut Xml, cx: &Cx, listed: &ListedVersions, names: Names) {
    for entry in &listed.entries {
        let VersionEntry::Version { object, latest } = entry else { continue };
        xml.open(if object.marker { "DeleteMarker" } else { "Version" });
        xml.text("Key", names.text(object.key.as_str())).text("VersionId", version_text(object.version()));
        xml.text("IsLatest", latest);
        if object.marker {
            xml.text("LastModified", iso(object.created_at));
        } else {
            facts(xml, object);
        }
        owner(xml, cx);
        xml.close();
    }
    for entry in &listed.entries {
        if let VersionEntry::Prefix(prefix) = entry {
            xml.open("CommonPrefixes").text("Prefix", names.text(prefix)).close();
        }
    }
}
