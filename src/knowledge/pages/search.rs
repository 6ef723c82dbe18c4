//! The search test: what an agent would find, with scores and matched words.

use std::collections::HashSet;

use askama::Template;
use axum::extract::State;
use serde::Deserialize;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::{Knowledge, KnowledgeBase, KnowledgeBaseId, READ, SearchFound, SearchHit, SearchMode, SearchRequest};
use console::{FormErrors, PageResult, Shell};
use platform::{
    http::{Path, Query},
    names::with_directions_shown,
};
use vectors::analyze;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SearchQuery {
    q: String,
    mode: String,
}

#[derive(Template)]
#[template(path = "knowledge/templates/search.html")]
struct SearchPage<'a> {
    shell: &'a Shell,
    tab: &'static str,
    base: KnowledgeBase,
    query: SearchQuery,
    mode: SearchMode,
    modes: [SearchMode; 3],
    hits: Vec<Shown>,
    /// Number of leading hits that are not weak matches.
    matches: usize,
    /// A search by meaning fell back to words.
    words_only: bool,
    errors: FormErrors,
}

/// A hit as displayed.
struct Shown {
    hit: SearchHit,
    /// Text pieces, each with whether it matches the query.
    pieces: Vec<(bool, String)>,
}

pub async fn search(
    shell: Shell,
    State(knowledge): State<Knowledge>,
    Path(id): Path<KnowledgeBaseId>,
    Query(query): Query<SearchQuery>,
) -> PageResult {
    shell.principal().require(READ)?;
    let base = knowledge.get_base(shell.org_id(), id).await?;
    let mode: SearchMode = query.mode.parse().unwrap_or_default();
    let (mut found, mut errors) = (SearchFound::default(), FormErrors::default());
    if !query.q.trim().is_empty() {
        let request = SearchRequest { query: query.q.clone(), limit: 10, mode, explain: false };
        match knowledge.search_base(shell.principal(), id, &request).await {
            Ok(answer) => found = answer,
            Err(error) => errors = shell.form_errors(error.into())?,
        }
    }
    let SearchFound { hits, words_only, .. } = found;
    let matches = hits.iter().filter(|hit| !hit.weak).count();
    let shown = |hit: SearchHit| {
        let pieces = highlight(&query.q, &hit.text).into_iter();
        Shown { pieces: pieces.map(|(marked, text)| (marked, with_directions_shown(&text))).collect(), hit }
    };
    let hits = hits.into_iter().map(shown).collect();
    shell.render(&SearchPage {
        shell: &shell,
        tab: "search",
        base,
        query,
        mode,
        modes: SearchMode::ALL,
        hits,
        matches,
        words_only,
        errors,
    })
}

/// Splits `text` into pieces and marks words that share a stem with the query.
pub(crate) fn highlight(query: &str, text: &str) -> Vec<(bool, String)> {
    let terms = analyze(query);
    let terms: HashSet<&str> = terms.split(' ').filter(|term| !term.is_empty()).collect();
    let mut pieces: Vec<(bool, String)> = Vec::new();
    for word in text.split_word_bounds() {
        let term = if word.chars().any(char::is_alphanumeric) { analyze(word) } else { String::new() };
        let matches = !term.is_empty() && term.split(' ').any(|term| terms.contains(term));
        match pieces.last_mut() {
            Some((last, piece)) if *last == matches => piece.push_str(word),
            _ => pieces.push((matches, word.to_owned())),
        }
    }
    pieces
}
