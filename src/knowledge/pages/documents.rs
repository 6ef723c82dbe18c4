//! Pages for a base's documents: list, upload, text with the cited passage, rename, retry, delete.

use askama::Template;
use axum::{
    extract::{Multipart, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::Value;

use super::report;
use crate::{
    ChunkId, Document, DocumentId, DocumentStatus, Knowledge, KnowledgeBase, KnowledgeBaseId, KnowledgeError, READ,
    WRITE,
    model::{Chunk, TextPart},
    routes::{DocumentFilter, receive},
    store::documents::Filter,
};
use console::{Flash, Form, FormErrors, Lang, Nothing, PageResult, Pager, Shell};
use extraction::{Report, UnreadPages};
use platform::{
    error::ApiError,
    http::{ListQuery, Path, Query},
    names::with_directions_shown,
};

/// Characters of text per page, and before a cited passage.
const WINDOW: i32 = 20_000;
const BEFORE: i32 = 1_500;

/// List filter: ready, with doubts.
const DOUBTED: &str = "doubted";
/// List filter: without vectors.
const WORDS_ONLY: &str = "words_only";

#[derive(Template)]
#[template(path = "knowledge/templates/base.html")]
struct List<'a> {
    shell: &'a Shell,
    tab: &'static str,
    base: KnowledgeBase,
    documents: Vec<Document>,
    query: ListQuery,
    status: String,
    statuses: [&'static str; 7],
    pager: Pager,
    limit: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct StatusQuery {
    status: String,
}

pub async fn list(
    shell: Shell,
    State(knowledge): State<Knowledge>,
    Path(id): Path<KnowledgeBaseId>,
    Query(query): Query<ListQuery>,
    Query(StatusQuery { status }): Query<StatusQuery>,
) -> PageResult {
    shell.principal().require(READ)?;
    // Two additional filter states: ready with doubts, and ready without vectors.
    let (doubted, words_only) = (status == DOUBTED, status == WORDS_ONLY);
    let filter =
        DocumentFilter { status: (!doubted && !words_only).then(|| status.clone()), ..DocumentFilter::default() };
    let filter = Filter {
        search: query.search(),
        status: filter.status()?,
        doubted: doubted.then_some(true),
        words_only: words_only.then_some(true),
        ..Filter::default()
    };
    let slice = query.slice()?;
    let reading = async {
        let base = knowledge.get_base(shell.org_id(), id).await?;
        let rows = knowledge.list_documents(shell.org_id(), id, &filter, &slice).await?;
        Ok::<_, ApiError>((base, slice.page(rows, |document| document.id.0)))
    };
    let (base, page) = shell.shared(reading).await?;
    let path = format!("/knowledge/{id}");
    let pager = Pager::new(&path, &[("status", &status)], &query, page.next_cursor.as_deref());
    let limit = shell.bytes(i64::try_from(knowledge.max_upload_bytes()).unwrap_or(i64::MAX));
    let documents = page.data;
    let [queued, extracting, embedding, ready, failed] = DocumentStatus::ALL.map(DocumentStatus::as_str);
    let statuses = [queued, extracting, embedding, ready, DOUBTED, WORDS_ONLY, failed];
    shell.render(&List { shell: &shell, tab: "documents", base, documents, query, status, statuses, pager, limit })
}

/// Rejection reasons with a translation.
const REFUSALS: [&str; 5] = ["empty", "legacy_word", "encrypted_office", "other_kind", "payload_too_large"];

/// A rejection reason in the reader's language. The server's own message is English, and may be more specific.
fn refusal(shell: &Shell, reason: &str) -> Option<String> {
    let known = shell.lang() != Lang::En && REFUSALS.contains(&reason);
    known.then(|| shell.t(format!("knowledge-refused-{reason}")).to_string())
}

/// All translated reasons, for the page's script.
fn refusals(shell: &Shell) -> String {
    let words = REFUSALS.iter().filter_map(|reason| Some(((*reason).to_owned(), refusal(shell, reason)?.into())));
    Value::Object(words.collect()).to_string()
}

/// Upload form without JavaScript; with it, files are sent to the API one by one.
pub async fn upload(
    shell: Shell,
    State(knowledge): State<Knowledge>,
    Path(id): Path<KnowledgeBaseId>,
    mut form: Multipart,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let unreadable = || ApiError::bad_request("invalid_form", "the form could not be read");
    // The CSRF field precedes the files.
    let token = match form.next_field().await.map_err(|_| unreadable())? {
        Some(field) if field.name() == Some("csrf") => field.text().await.map_err(|_| unreadable())?,
        _ => String::new(),
    };
    shell.check_csrf(&token)?;
    let (uploads, problem) = receive(&knowledge, shell.principal(), id, form).await?;
    let flash = match (uploads.data.len(), uploads.rejected.first()) {
        (0, None) => Flash::warn("knowledge-nothing-chosen"),
        (_, Some(rejected)) => {
            let reason = rejected.reason.as_deref().unwrap_or(&rejected.code);
            let reason = refusal(&shell, reason).unwrap_or_else(|| rejected.detail.clone());
            let key = if uploads.rest_not_read || uploads.rejected.len() > 1 {
                "knowledge-rejected-with-others"
            } else {
                "knowledge-rejected"
            };
            Flash::error(key).with("name", &rejected.filename).with("reason", &reason)
        }
        (n, None) if uploads.data.iter().all(|upload| upload.duplicate) => {
            Flash::warn("knowledge-duplicates").with("n", &n)
        }
        (n, None) => Flash::ok("knowledge-uploaded").with("n", &n),
    };
    if problem.is_some_and(|problem| problem.status == StatusCode::NOT_FOUND) {
        return Ok(shell.redirect("/knowledge", &flash));
    }
    Ok(shell.redirect(&format!("/knowledge/{id}"), &flash))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct OpenQuery {
    /// The chunk to show.
    chunk: String,
    /// Or: the range of characters to mark.
    start: Option<i32>,
    end: Option<i32>,
    /// Or: the first character to show.
    from: Option<i32>,
    /// `passages` lists the chunks instead of the text.
    view: String,
    /// Cursor of the list of chunks.
    cursor: String,
}

#[derive(Template)]
#[template(path = "knowledge/templates/document.html")]
struct Open<'a> {
    shell: &'a Shell,
    base: KnowledgeBase,
    document: Document,
    view: &'static str,
    part: TextPart,
    /// Text before the mark, marked text, and text after it.
    before: String,
    marked: String,
    after: String,
    /// Headings above the cited chunk, and its page.
    heading: Vec<String>,
    /// Header of the table that the cited chunk was cut from.
    table_header: Option<String>,
    page: Option<i32>,
    chunks: Vec<Chunk>,
    next_chunk: Option<String>,
    filename: String,
    errors: FormErrors,
}

impl List<'_> {
    fn refusals(&self) -> String {
        refusals(self.shell)
    }
}

impl Open<'_> {
    /// The file name, if the title differs from it.
    fn lead(&self) -> &str {
        let name = &self.document.filename;
        if self.document.display_title() == *name { "" } else { name }
    }

    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn ranges(&self, pages: &[u32]) -> String {
        report::ranges(pages)
    }

    #[expect(
        clippy::unused_self,
        clippy::trivially_copy_pass_by_ref,
        reason = "templates call methods, with references"
    )]
    fn percent(&self, share: &f32) -> u8 {
        report::percent(*share)
    }

    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn left_out_characters(&self, report: &Report) -> u64 {
        report::left_out_characters(report)
    }

    fn unread_detail(&self, unread: &UnreadPages) -> String {
        report::unread_detail(self.shell, unread)
    }

    fn unread_parts(&self, report: &Report) -> Vec<String> {
        report::unread_parts(self.shell, report)
    }

    fn ocr_may_help(&self) -> bool {
        report::ocr_may_help(&self.base, &self.document)
    }

    fn is_from_before(&self) -> bool {
        report::is_from_before(&self.document)
    }

    fn previous_from(&self) -> Option<i32> {
        (self.part.start > 0).then(|| (self.part.start - WINDOW).max(0))
    }

    fn next_from(&self) -> Option<i32> {
        (self.part.end < self.part.length).then_some(self.part.end)
    }
}

pub async fn open(
    shell: Shell,
    State(knowledge): State<Knowledge>,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
    Query(query): Query<OpenQuery>,
) -> PageResult {
    shell.principal().require(READ)?;
    let page = page(&shell, &knowledge, base, id, &query).await?;
    shell.render(&page)
}

async fn page<'a>(
    shell: &'a Shell,
    knowledge: &Knowledge,
    base: KnowledgeBaseId,
    id: DocumentId,
    query: &OpenQuery,
) -> Result<Open<'a>, ApiError> {
    let org = shell.org_id();
    let document = knowledge.get_document(org, base, id).await?;
    let base = knowledge.get_base(org, base).await?;
    let passages = query.view == "passages";
    let (mut chunks, mut next_chunk) = (Vec::new(), None);
    if passages {
        let slice = ListQuery { cursor: query.cursor.clone(), ..ListQuery::default() }.slice()?;
        let page = slice.page(knowledge.chunks(org, base.id, id, &slice).await?, |chunk| chunk.ordinal.into());
        (chunks, next_chunk) = (page.data, page.next_cursor);
    }
    let cited = match query.chunk.parse::<ChunkId>() {
        Ok(chunk) => knowledge.chunk(org, id, chunk).await?,
        Err(_) => None,
    };
    let mark = match (&cited, query.start, query.end) {
        (Some(chunk), ..) => Some((chunk.start, chunk.end)),
        (None, Some(start), Some(end)) if (0..end).contains(&start) => Some((start, end)),
        _ => None,
    };
    let from = mark.map_or_else(|| query.from.unwrap_or(0).max(0), |(start, _)| (start - BEFORE).max(0));
    let part = knowledge.text(org, base.id, id, from, from.saturating_add(WINDOW)).await?;
    let (before, marked, after) = split(&part, mark);
    let [before, marked, after] = [before, marked, after].map(|text| with_directions_shown(&text));
    for chunk in &mut chunks {
        chunk.text = with_directions_shown(&chunk.text);
    }
    let (heading, table_header, page) =
        cited.map_or_else(Default::default, |chunk| (chunk.heading, chunk.table_header, chunk.page));
    Ok(Open {
        shell,
        base,
        filename: document.filename.clone(),
        document,
        view: if passages { "passages" } else { "text" },
        part,
        before,
        marked,
        after,
        heading,
        table_header,
        page,
        chunks,
        next_chunk,
        errors: FormErrors::default(),
    })
}

/// Splits a part of a text into before, marked and after; `mark` is in characters of the whole text.
pub(crate) fn split(part: &TextPart, mark: Option<(i32, i32)>) -> (String, String, String) {
    let Some((start, end)) = mark else { return (part.text.clone(), String::new(), String::new()) };
    let index = |at: i32| usize::try_from(at.clamp(part.start, part.end) - part.start).unwrap_or_default();
    let (start, end) = (index(start), index(end));
    let mut characters = part.text.chars();
    let before = characters.by_ref().take(start).collect();
    let marked = characters.by_ref().take(end.saturating_sub(start)).collect();
    (before, marked, characters.collect())
}

#[derive(Debug, Deserialize)]
pub struct Rename {
    filename: String,
}

pub async fn rename(
    shell: Shell,
    State(knowledge): State<Knowledge>,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
    Form(form): Form<Rename>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    match knowledge.rename_document(shell.org_id(), base, id, &form.filename).await {
        Ok(_) => Ok(shell.redirect(&format!("/knowledge/{base}/documents/{id}"), &Flash::ok("knowledge-renamed"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            let page = page(&shell, &knowledge, base, id, &OpenQuery::default()).await?;
            shell.render_invalid(&Open { filename: form.filename, errors, ..page })
        }
    }
}

pub async fn delete(
    shell: Shell,
    State(knowledge): State<Knowledge>,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let document = knowledge.get_document(shell.org_id(), base, id).await?;
    knowledge.delete_document(shell.org_id(), base, id).await?;
    Ok(shell.redirect(
        &format!("/knowledge/{base}"),
        &Flash::ok("knowledge-document-deleted").with("name", &document.filename),
    ))
}

pub async fn retry(
    shell: Shell,
    State(knowledge): State<Knowledge>,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let flash = match knowledge.retry_document(shell.org_id(), base, id).await {
        Ok(_) => Flash::ok("knowledge-retrying"),
        Err(KnowledgeError::NotFailed) => Flash::warn("knowledge-not-failed"),
        Err(error) => return Err(error.into()),
    };
    Ok(shell.redirect(&format!("/knowledge/{base}"), &flash))
}

/// An empty field means no OCR.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ReadAgain {
    ocr: String,
}

pub async fn read_again(
    shell: Shell,
    State(knowledge): State<Knowledge>,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
    Form(form): Form<ReadAgain>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let flash = match knowledge.read_document_again(shell.org_id(), base, id, form.ocr == "true").await {
        Ok(_) => Flash::ok("knowledge-reading-again"),
        Err(KnowledgeError::BeingRead) => Flash::warn("knowledge-being-read"),
        Err(error) => return Err(error.into()),
    };
    Ok(shell.redirect(&format!("/knowledge/{base}/documents/{id}"), &flash))
}
