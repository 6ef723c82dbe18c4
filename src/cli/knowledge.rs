//! `holdfast knowledge read`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{THIS_PROGRAM, eprint_line, print_line};
use crate::app::Config;
use extraction::{ExtractError, Extracted, Limits, child::extract_in_child};

#[derive(Debug, Subcommand)]
pub enum Action {
    /// Read files like uploaded documents, and print their text: what is searchable, and what is missing.
    ///
    /// Uses the same code in a separate process with the same limits (`knowledge.extract_*`, `knowledge.max_upload_bytes`), without a
    /// database and without OCR. Prints the text to standard output, and doubts, omissions and errors to standard error.
    #[command(after_help = "Exit codes:\n  0   every file was read, possibly with doubts\n  \
        1   a file could not be read, or has no text\n  64  wrong arguments or configuration\n\n\
        Examples:\n  holdfast knowledge read contract.docx\n  \
        holdfast knowledge read --json *.pdf | jq '.[] | {file, doubts: .report.doubts, error}'\n  \
        HOLDFAST_KNOWLEDGE__EXTRACT_TIMEOUT_SECONDS=600 holdfast knowledge read huge.pdf > huge.txt")]
    Read {
        /// Files to read; the extension counts as for an upload.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print a JSON list: for each file its text and reading report, or its error.
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(config: &Config, action: Action) -> anyhow::Result<ExitCode> {
    let Action::Read { files, json } = action;
    let limits = config.knowledge.extract_limits();
    let mut failed = false;
    let mut list = Vec::new();
    for file in &files {
        let result = read(file, &limits).await;
        failed |= result.is_err();
        if json {
            list.push(as_json(file, &result));
        } else {
            print(file, &result, files.len() > 1);
        }
    }
    if json {
        print_line(&serde_json::to_string_pretty(&list)?);
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Result for a file: its text, or the error's stable code and message.
type Outcome = Result<Extracted, (&'static str, String)>;

async fn read(file: &Path, limits: &Limits) -> Outcome {
    let cannot_open = |error: std::io::Error| ("not_opened", error.to_string());
    let size = tokio::fs::metadata(file).await.map_err(cannot_open)?.len();
    let as_read = |error: ExtractError| (error.code(), error.to_string());
    if size > limits.input_bytes {
        return Err(as_read(ExtractError::TooLargeInput { limit: limits.input_bytes }));
    }
    let bytes = tokio::fs::read(file).await.map_err(cannot_open)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let read = extract_in_child(Path::new(THIS_PROGRAM), &bytes, &name, limits).await;
    read.and_then(Extracted::or_no_text).map_err(as_read)
}

fn as_json(file: &Path, outcome: &Outcome) -> Value {
    match outcome {
        Ok(Extracted { kind, title, text, pages, report, .. }) => json!({
            "file": file, "kind": kind, "title": title, "pages": pages, "text": text, "report": report,
        }),
        Err((code, message)) => json!({ "file": file, "error": { "code": code, "message": message } }),
    }
}

fn print(file: &Path, outcome: &Outcome, several: bool) {
    let file = file.display();
    match outcome {
        Ok(document) => {
            if several {
                print_line(&format!("==> {file} <=="));
            }
            print_line(&document.text);
            for remark in remarks(document) {
                eprint_line(&format!("{file}: {remark}"));
            }
        }
        Err((code, message)) => eprint_line(&format!("{file}: not read ({code}): {message}")),
    }
}

/// Remarks of the reading report, one per line.
fn remarks(document: &Extracted) -> Vec<String> {
    let report = &document.report;
    let doubts = report.doubts.iter().map(|doubt| format!("doubt: {}", doubt.as_str()));
    let unread = report.unread_parts.iter().map(|part| format!("not read: {part}"));
    let without_text =
        (report.images_without_text > 0).then(|| format!("pictures without text: {}", report.images_without_text));
    let left_out = report.left_out.iter().map(|left_out| {
        let example = left_out.examples.first().map(String::as_str).unwrap_or_default();
        format!(
            "left out: {} ({}, {} characters), such as {example:?}",
            left_out.kind.as_str(),
            left_out.count,
            left_out.characters
        )
    });
    doubts.chain(unread).chain(without_text).chain(left_out).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use extraction::{Kind, extract};

    #[test]
    fn what_is_left_out_and_doubted_is_said_in_words() {
        let page = b"<p>seen</p><p style='display:none'>not seen at all</p><img src=x>";
        let document = extract(page, Kind::Html, &Limits::default()).unwrap();
        let remarks = remarks(&document);
        assert_eq!(
            remarks,
            [
                "doubt: hidden_text",
                "pictures without text: 1",
                "left out: hidden (1, 15 characters), such as \"not seen at all\""
            ]
        );
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_an_error_of_its_own() {
        let outcome = read(Path::new("/nonexistent/x.docx"), &Limits::default()).await;
        assert_eq!(outcome.as_ref().unwrap_err().0, "not_opened");
        assert_eq!(as_json(Path::new("x"), &outcome)["error"]["code"], "not_opened");
    }
}
