//! Who follows a page.

use askama::Template;
use axum::extract::State;

use super::{PATH, SHOWN};
use crate::{Page, PageId, READ, StatusPages, Subscriber, SubscriberId, WRITE};
use console::{Flash, Form, Nothing, PageResult, Pager, Shell};
use platform::http::{ListQuery, Path, Query};

#[derive(Template)]
#[template(path = "status_page/templates/subscribers.html")]
struct List<'a> {
    shell: &'a Shell,
    page: Page,
    subscribers: Vec<Subscriber>,
    pager: Pager,
}

impl List<'_> {
    fn back(&self) -> String {
        format!("{PATH}/{}", self.page.id)
    }

    fn remove(&self, subscriber: &Subscriber) -> String {
        format!("{PATH}/{}/subscribers/{}/delete", self.page.id, subscriber.id)
    }
}

pub(super) async fn list(
    shell: Shell,
    State(pages): State<StatusPages>,
    Path(id): Path<PageId>,
    Query(query): Query<ListQuery>,
) -> PageResult {
    shell.principal().require(READ)?;
    let page = pages.page(shell.principal(), id).await?;
    let query = query.sized(SHOWN);
    let slice = query.slice()?;
    let found = slice.page(pages.subscribers(shell.principal(), id, &slice).await?, |subscriber| subscriber.id.0);
    let path = format!("{PATH}/{id}/subscribers");
    shell.render(&List {
        shell: &shell,
        page,
        subscribers: found.data,
        pager: Pager::new(&path, &[], &query, found.next_cursor.as_deref()),
    })
}

pub(super) async fn remove(
    shell: Shell,
    State(pages): State<StatusPages>,
    Path((id, subscriber)): Path<(PageId, SubscriberId)>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    pages.remove_subscriber(shell.principal(), id, subscriber).await?;
    Ok(shell.redirect(&format!("{PATH}/{id}/subscribers"), &Flash::ok("status-page-subscriber-removed")))
}
