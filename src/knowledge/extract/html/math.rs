//! `MathML` as one line of text, or the author's TeX source if the page has it.

use super::{
    super::formula::{fraction, matrix, root, scripts},
    dom::{Handle, attribute, attribute_is, children, elements, first_attribute, name, plain_text, text},
};

/// No hand-written formula nests deeper.
const DEEPEST: usize = 64;

pub(super) fn linear(math: &Handle) -> String {
    if let Some(tex) = annotation(math) {
        return tex;
    }
    let mut out = String::new();
    row(math, DEEPEST, &mut out);
    let line = out.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { first_attribute(math, &["alttext", "aria-label"]).unwrap_or_default() } else { line }
}

/// The TeX source of the whole formula, not of a part.
fn annotation(math: &Handle) -> Option<String> {
    let semantics = elements(math).into_iter().find(|node| name(node) == "semantics")?;
    let is_tex = |node: &Handle| attribute(node, "encoding").is_some_and(|e| e.to_ascii_lowercase().contains("tex"));
    let note = elements(&semantics).into_iter().find(|node| name(node) == "annotation" && is_tex(node))?;
    let tex = plain_text(&note).split_whitespace().collect::<Vec<_>>().join(" ");
    let bare = tex.strip_prefix("{\\displaystyle").and_then(|rest| rest.strip_suffix('}'));
    Some(bare.unwrap_or(&tex).trim().to_owned()).filter(|tex| !tex.is_empty())
}

fn row(node: &Handle, depth: usize, out: &mut String) {
    for child in children(node) {
        write(&child, depth, out);
    }
}

fn write(node: &Handle, depth: usize, out: &mut String) {
    if depth == 0 {
        out.push_str(&plain_text(node));
        return;
    }
    let parts = elements(node);
    let part = |at: usize| {
        let mut out = String::new();
        if let Some(part) = parts.get(at) {
            write(part, depth - 1, &mut out);
        }
        out
    };
    let formula = match name(node) {
        "" => text(node).unwrap_or_default().trim().to_owned(),
        "mfrac" => fraction(&part(0), &part(1)),
        "msup" | "mover" if is_mark(&part(1)) => format!("{}{}", part(0), part(1)),
        "msup" | "mover" => scripts(&part(0), "", &part(1)),
        "msub" | "munder" => scripts(&part(0), &part(1), ""),
        "msubsup" | "munderover" => scripts(&part(0), &part(1), &part(2)),
        "mroot" => root(&part(1), &part(0)),
        "msqrt" => {
            let mut inner = String::new();
            row(node, depth - 1, &mut inner);
            root("", &inner)
        }
        "mtable" => matrix(&rows(node, depth)),
        "mfenced" => {
            let inner: Vec<String> = (0..parts.len()).map(part).collect();
            let sign = |key, usual: &str| attribute(node, key).unwrap_or_else(|| usual.to_owned());
            format!("{}{}{}", sign("open", "("), inner.join(", "), sign("close", ")"))
        }
        "mspace" => " ".to_owned(),
        "mtext" => format!(" {} ", plain_text(node).trim()),
        "annotation" | "annotation-xml" | "mphantom" => String::new(),
        "mi" | "mn" | "mo" | "ms" => {
            let word = plain_text(node).trim().to_owned();
            // Invisible operators: function application, times, separator, plus.
            let word = word.trim_matches(['\u{2061}', '\u{2062}', '\u{2063}', '\u{2064}']).to_owned();
            let is_word = word.chars().count() > 1 && word.chars().all(char::is_alphabetic);
            if is_word { format!(" {word} ") } else { word }
        }
        "semantics" => part(0),
        _ if attribute_is(node, "display", "none") => String::new(),
        _ => {
            row(node, depth - 1, out);
            return;
        }
    };
    out.push_str(&formula);
}

fn is_mark(text: &str) -> bool {
    matches!(text.trim(), "′" | "″" | "'" | "*" | "¯" | "^" | "ˆ" | "~" | "→" | "˙" | "¨")
}

fn rows(table: &Handle, depth: usize) -> Vec<Vec<String>> {
    let cell = |cell: &Handle| {
        let mut out = String::new();
        row(cell, depth.saturating_sub(2), &mut out);
        out
    };
    let rows = elements(table).into_iter().filter(|row| matches!(name(row), "mtr" | "mlabeledtr"));
    rows.map(|row| elements(&row).iter().map(cell).collect()).collect()
}
