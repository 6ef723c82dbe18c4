//! Word formulas (`m:oMath`) as one line of text.

use super::super::formula::{fraction, group, matrix, root, scripts};
use super::xml::{Element, Ns};

pub(super) fn linear(element: &Element) -> String {
    let mut out = String::new();
    for child in element.elements() {
        write(child, &mut out);
    }
    out
}

fn part(element: &Element, name: &str) -> String {
    element.child(name).map(linear).unwrap_or_default()
}

fn property<'a>(element: &'a Element, properties: &str, name: &str) -> Option<&'a str> {
    element.path(&[properties, name]).and_then(Element::value)
}

fn write(element: &Element, out: &mut String) {
    let name = &*element.name;
    if matches!(name, "del" | "moveFrom" | "delText" | "instrText") || name.ends_with("Pr") {
        return;
    }
    let text = match name {
        "t" => element.own_text(),
        "f" => fraction(&part(element, "num"), &part(element, "den")),
        "sSup" => scripts(&part(element, "e"), "", &part(element, "sup")),
        "sSub" => scripts(&part(element, "e"), &part(element, "sub"), ""),
        "sSubSup" => scripts(&part(element, "e"), &part(element, "sub"), &part(element, "sup")),
        "sPre" => {
            format!("{} {}", scripts("", &part(element, "sub"), &part(element, "sup")).trim(), part(element, "e"))
        }
        "rad" => root(&part(element, "deg"), &part(element, "e")),
        "nary" => {
            let sign = property(element, "naryPr", "chr").unwrap_or("∫");
            format!(
                "{} {}",
                scripts(sign, &part(element, "sub"), &part(element, "sup")),
                group_sum(&part(element, "e"))
            )
        }
        "limLow" => scripts(&part(element, "e"), &part(element, "lim"), ""),
        "limUpp" => scripts(&part(element, "e"), "", &part(element, "lim")),
        "func" => function(element),
        "d" => delimited(element),
        "m" => {
            let row = |row: &Element| row.elements().filter(|e| &*e.name == "e").map(linear).collect();
            matrix(&element.elements().filter(|e| &*e.name == "mr").map(row).collect::<Vec<_>>())
        }
        "eqArr" => element.elements().filter(|e| &*e.name == "e").map(linear).collect::<Vec<_>>().join("; "),
        "acc" => format!("{}{}", part(element, "e"), property(element, "accPr", "chr").unwrap_or("\u{302}")),
        "bar" => format!("{}\u{305}", part(element, "e")),
        "br" => " ".to_owned(),
        "oMath" if element.ns == Ns::Math && !out.is_empty() => format!(" {}", linear(element)),
        _ => linear(element),
    };
    out.push_str(&text);
}

fn group_sum(text: &str) -> String {
    // Only a sum operand needs brackets.
    if text.contains(['+', '-', '−']) { group(text) } else { text.trim().to_owned() }
}

fn function(element: &Element) -> String {
    let (name, of) = (part(element, "fName"), part(element, "e"));
    let of = of.trim();
    if of.starts_with(['(', '[', '{', '|']) { format!("{}{of}", name.trim()) } else { format!("{} {of}", name.trim()) }
}

fn delimited(element: &Element) -> String {
    let sign = |name, usual| property(element, "dPr", name).unwrap_or(usual);
    let (open, between, close) = (sign("begChr", "("), sign("sepChr", "|"), sign("endChr", ")"));
    let parts: Vec<String> = element.elements().filter(|e| &*e.name == "e").map(linear).collect();
    let inner = parts.join(between);
    // A matrix already has brackets.
    if inner.starts_with('[') && inner.ends_with(']') && matches!(open, "(" | "[") {
        return inner;
    }
    format!("{open}{inner}{close}")
}
