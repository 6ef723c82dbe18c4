//! Small pages and the text that a reader sees.

mod content;
mod elements;
mod repair;
mod styles;
mod tables;

use super::*;

fn page(html: &str) -> Extracted {
    let document =
        extract(html.as_bytes(), Kind::Html, &Limits::default()).unwrap_or_else(|error| panic!("{error}: {html}"));
    check_shape(&document);
    document
}

fn text(html: &str) -> String {
    page(html).text
}

fn left_out(document: &Extracted, kind: LeftOutKind) -> Vec<String> {
    let found = document.report.left_out.iter().filter(|left| left.kind == kind);
    found.flat_map(|left| left.examples.clone()).collect()
}
