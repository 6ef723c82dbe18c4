//! Block-level elements.

pub(super) fn heading(tag: &str) -> Option<u8> {
    match tag.as_bytes() {
        [b'h', level @ b'1'..=b'6'] => Some(level - b'0'),
        _ => None,
    }
}

pub(super) fn is_block(tag: &str) -> bool {
    matches!(
        tag,
        "p" | "div"
            | "section"
            | "article"
            | "main"
            | "header"
            | "footer"
            | "aside"
            | "nav"
            | "body"
            | "html"
            | "blockquote"
            | "figure"
            | "figcaption"
            | "address"
            | "details"
            | "summary"
            | "dialog"
            | "dl"
            | "dt"
            | "dd"
            | "fieldset"
            | "legend"
            | "form"
            | "center"
            | "hr"
            | "hgroup"
            | "search"
            | "table"
            | "thead"
            | "tbody"
            | "tfoot"
            | "tr"
            | "td"
            | "th"
            | "caption"
            | "li"
            | "object"
            | "optgroup"
            | "frameset"
    )
}
