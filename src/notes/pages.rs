//! The page Notes.

use askama::Template;
use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use serde::Deserialize;

use super::{Note, NoteId, Notes, READ, WRITE};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use platform::http::{ListQuery, Path, Query};

const SHOWN: u32 = 50;

/// The pages of this capability.
pub fn router() -> Router<Notes> {
    Router::new().route("/notes", get(list).post(create)).route("/notes/{id}/delete", post(delete))
}

/// Fields of the form.
#[derive(Default, Deserialize)]
#[serde(default)]
struct NoteForm {
    title: String,
    text: String,
}

#[derive(Template)]
#[template(path = "notes/templates/list.html")]
struct List<'a> {
    shell: &'a Shell,
    notes: Vec<Note>,
    query: ListQuery,
    pager: Pager,
    form: NoteForm,
    errors: FormErrors,
}

async fn render(shell: &Shell, notes: &Notes, query: ListQuery, form: NoteForm, errors: FormErrors) -> PageResult {
    shell.principal().require(READ)?;
    let query = query.sized(SHOWN);
    let slice = query.slice()?;
    let page = slice.page(notes.list(shell.org_id(), query.search(), &slice).await?, |note| note.id.0);
    let pager = Pager::new("/notes", &[], &query, page.next_cursor.as_deref());
    let refused = !errors.is_empty();
    let page = List { shell, notes: page.data, query, pager, form, errors };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

async fn list(shell: Shell, State(notes): State<Notes>, Query(query): Query<ListQuery>) -> PageResult {
    render(&shell, &notes, query, NoteForm::default(), FormErrors::default()).await
}

async fn create(shell: Shell, State(notes): State<Notes>, Form(form): Form<NoteForm>) -> PageResult {
    shell.principal().require(WRITE)?;
    match notes.create(shell.principal(), &form.title, &form.text).await {
        Ok(_) => Ok(shell.redirect("/notes", &Flash::ok("notes-created"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render(&shell, &notes, ListQuery::default(), form, errors).await
        }
    }
}

async fn delete(
    shell: Shell,
    State(notes): State<Notes>,
    Path(id): Path<NoteId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    notes.delete(shell.principal(), id).await?;
    Ok(shell.redirect("/notes", &Flash::ok("notes-deleted")))
}
