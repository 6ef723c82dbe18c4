//! Jupyter notebooks (`.ipynb`): text, code and output of the cells, without the JSON.

use serde_json::Value;

use super::{BlockKind, ExtractError, Limits, builder::Builder, decode::tidy, html, markdown};

/// The cells, if the text is a notebook (nbformat 3 kept them in worksheets).
pub(super) fn cells(text: &str) -> Option<Vec<Value>> {
    if !text.trim_start().starts_with('{') || !text.contains("\"nbformat\"") {
        return None;
    }
    let mut notebook: Value = serde_json::from_str(text).ok()?;
    let cells = match notebook.pointer_mut("/worksheets/0/cells") {
        Some(cells) => cells.take(),
        None => notebook.get_mut("cells")?.take(),
    };
    match cells {
        Value::Array(cells) => Some(cells),
        _ => None,
    }
}

pub(super) fn append(builder: &mut Builder, cells: Vec<Value>, limits: &Limits) -> Result<(), ExtractError> {
    for cell in cells {
        let source = joined(cell.get("source").or_else(|| cell.get("input")));
        match cell["cell_type"].as_str() {
            Some("markdown") => markdown::append(builder, &source, limits)?,
            Some("heading") => {
                let level = cell["level"].as_u64().and_then(|level| u8::try_from(level).ok()).unwrap_or(1);
                builder.heading(level.clamp(1, 6), &source)?;
            }
            _ => builder.lines(BlockKind::Code, &source)?,
        }
        for output in cell["outputs"].as_array().into_iter().flatten() {
            append_output(builder, output, limits)?;
        }
    }
    Ok(())
}

/// The first representation of an output that is text.
fn append_output(builder: &mut Builder, output: &Value, limits: &Limits) -> Result<(), ExtractError> {
    let data = output.get("data").unwrap_or(output);
    let form = |kind: &str| data.get(kind).map(|value| joined(Some(value))).filter(|text| !text.trim().is_empty());
    if let Some(table) = form("text/html").filter(|html| html.contains("<table")) {
        return html::append(builder, &table, limits);
    }
    if let Some(text) = form("text/markdown") {
        return markdown::append(builder, &text, limits);
    }
    let has_picture =
        data.as_object().is_some_and(|data| data.keys().any(|kind| kind.starts_with("image/") || kind == "png"));
    if has_picture {
        builder.report().images_without_text += 1;
    }
    let error = joined(output.get("traceback"));
    let text = form("text/plain").or_else(|| form("text")).unwrap_or(error);
    builder.lines(BlockKind::Code, &tidy(&text))
}

/// A text, given as a string or as a list of lines.
fn joined(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}
