//! Small Word documents, built part by part.

mod fields;
mod lists;
mod look;
mod package;
mod shown;
mod structure;

use std::io::{Cursor, Write};

use super::*;

const NAMESPACES: &str = r#"xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"
 xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"
 xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"
 xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"
 xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"
 xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"
 xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"
 xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"
 xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"
 xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"
 xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml"
 xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office""#;

const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

fn zip(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn relationships(list: &[(&str, &str, &str)]) -> String {
    let mut out = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">"#.to_owned();
    for (id, kind, target) in list {
        out.push_str(&format!(r#"<Relationship Id="{id}" Type="{OFFICE}/{kind}" Target="{target}"/>"#));
    }
    out + "</Relationships>"
}

/// A part's root element with the usual prefixes.
fn root(name: &str, inner: &str) -> String {
    format!(r#"<?xml version="1.0" encoding="UTF-8"?><w:{name} {NAMESPACES}>{inner}</w:{name}>"#)
}

/// A document with this body and further parts: relationship id, kind, part name in `word/`, content.
fn with_parts(body: &str, parts: &[(&str, &str, &str, &str)]) -> Vec<u8> {
    let top = relationships(&[("rId1", "officeDocument", "word/document.xml")]);
    let links: Vec<(&str, &str, &str)> = parts.iter().map(|(id, kind, name, _)| (*id, *kind, *name)).collect();
    let links = relationships(&links);
    let main = root("document", &format!("<w:body>{body}</w:body>"));
    let names: Vec<String> = parts.iter().map(|(_, _, name, _)| format!("word/{name}")).collect();
    let mut all: Vec<(&str, &[u8])> = vec![
        ("_rels/.rels", top.as_bytes()),
        ("word/document.xml", main.as_bytes()),
        ("word/_rels/document.xml.rels", links.as_bytes()),
    ];
    all.extend(names.iter().zip(parts).map(|(name, part)| (name.as_str(), part.3.as_bytes())));
    zip(&all)
}

fn open(bytes: &[u8]) -> Extracted {
    assert_eq!(super::super::sniff(bytes, "upload"), Ok(Kind::Docx));
    let document = extract(bytes, Kind::Docx, &Limits::default()).unwrap();
    check_shape(&document);
    document
}

fn body(xml: &str) -> Extracted {
    open(&with_parts(xml, &[]))
}

fn text(xml: &str) -> String {
    body(xml).text
}

fn p(inner: &str) -> String {
    format!("<w:p>{inner}</w:p>")
}

fn r(text: &str) -> String {
    format!(r#"<w:r><w:t xml:space="preserve">{text}</w:t></w:r>"#)
}

fn left_out(document: &Extracted, kind: LeftOutKind) -> Vec<String> {
    let found = document.report.left_out.iter().filter(|left| left.kind == kind);
    found.flat_map(|left| left.examples.clone()).collect()
}
