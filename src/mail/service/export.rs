//! The log and the suppressed addresses as CSV: read and sent page by page, however long they are.

use std::borrow::Cow;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};

use super::{Filter, Mail, SuppressionFilter};
use crate::{Message, Owner, Suppression, model::State};
use platform::http::{ListQuery, Slice};

/// Spreadsheets find the encoding by it.
const MARK: &str = "\u{feff}";
/// With these a spreadsheet begins a formula.
pub(super) const FORMULA: [char; 4] = ['=', '+', '-', '@'];
const ROWS: u32 = 200;

const OF_MESSAGES: [&str; 17] = [
    "created_at",
    "id",
    "state",
    "kind",
    "to",
    "to_name",
    "from",
    "subject",
    "message_id",
    "attempts",
    "status",
    "enhanced",
    "error",
    "sent_at",
    "bounced_at",
    "bounce",
    "created_by",
];
const OF_SUPPRESSIONS: [&str; 6] = ["address", "kind", "reason", "detail", "created_by", "created_at"];

/// A [`Filter`] that outlives the request.
#[derive(Clone)]
struct Owned {
    state: Option<State>,
    kind: Option<String>,
    to: Option<String>,
    search: Option<String>,
    bounced: bool,
    answer: Option<String>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
}

impl Owned {
    fn of(filter: &Filter<'_>) -> Self {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Self {
            state: filter.state,
            kind: text(filter.kind),
            to: text(filter.to),
            search: text(filter.search),
            bounced: filter.bounced,
            answer: text(filter.answer),
            since: filter.since,
            until: filter.until,
        }
    }

    fn filter(&self) -> Filter<'_> {
        Filter {
            installation: false,
            state: self.state,
            kind: self.kind.as_deref(),
            to: self.to.as_deref(),
            search: self.search.as_deref(),
            bounced: self.bounced,
            answer: self.answer.as_deref(),
            since: self.since,
            until: self.until,
        }
    }
}

impl Mail {
    /// The messages of this owner that the filter finds, newest first.
    pub(crate) fn export_log(&self, owner: Owner, filter: &Filter<'_>) -> BoxStream<'static, anyhow::Result<Bytes>> {
        let (this, filter) = (self.clone(), Owned::of(filter));
        let rest = stream::try_unfold(Some(String::new()), move |cursor| {
            let (this, filter) = (this.clone(), filter.clone());
            async move {
                let Some(cursor) = cursor else { return anyhow::Ok(None) };
                let slice = slice(cursor)?;
                let page = slice.page(this.list_of(owner, &filter.filter(), &slice).await?, |message| message.id.0);
                anyhow::Ok(Some((lines(page.data.iter().map(message_cells))?, page.next_cursor)))
            }
        });
        whole(head(&OF_MESSAGES), rest)
    }

    /// The suppressed addresses of this owner, newest first: such a file can be imported.
    pub(crate) fn export_suppressions(
        &self,
        owner: Owner,
        filter: &SuppressionFilter<'_>,
    ) -> BoxStream<'static, anyhow::Result<Bytes>> {
        let (this, reason, search) = (self.clone(), filter.reason, filter.search.map(str::to_owned));
        let rest = stream::try_unfold(Some(String::new()), move |cursor| {
            let (this, search) = (this.clone(), search.clone());
            async move {
                let Some(cursor) = cursor else { return anyhow::Ok(None) };
                let slice = slice(cursor)?;
                let installation = owner == Owner::Installation;
                let filter = SuppressionFilter { installation, reason, search: search.as_deref() };
                let page = slice.page(this.suppressions_of(owner, &filter, &slice).await?, |row| row.id.0);
                anyhow::Ok(Some((lines(page.data.iter().map(suppression_cells))?, page.next_cursor)))
            }
        });
        whole(head(&OF_SUPPRESSIONS), rest)
    }
}

/// An error ends the file in the middle, and the connection with it: whoever downloads it sees that it is not whole.
fn whole(
    head: anyhow::Result<Bytes>,
    rest: impl Stream<Item = anyhow::Result<Bytes>> + Send + 'static,
) -> BoxStream<'static, anyhow::Result<Bytes>> {
    let told = |part: &anyhow::Result<Bytes>| {
        if let Err(error) = part {
            tracing::error!(error = format!("{error:#}"), "an export of mail broke off");
        }
    };
    stream::once(async move { head }).chain(rest).inspect(told).boxed()
}

fn slice(cursor: String) -> anyhow::Result<Slice> {
    let query = ListQuery { cursor, ..ListQuery::default() }.sized(ROWS);
    query.slice().map_err(|error| anyhow::anyhow!(error.detail))
}

fn head<const N: usize>(names: &[&str; N]) -> anyhow::Result<Bytes> {
    let line = lines(std::iter::once(names.map(str::to_owned)))?;
    Ok([MARK.as_bytes(), &line[..]].concat().into())
}

fn lines<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> anyhow::Result<Bytes> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.iter().map(|cell| guarded(cell).into_owned()))?;
    }
    Ok(writer.into_inner().map_err(|error| anyhow::anyhow!("{error}"))?.into())
}

/// Others write the subjects and the answers: a spreadsheet must not calculate them.
fn guarded(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(FORMULA) { format!("'{cell}").into() } else { cell.into() }
}

fn time(at: impl Into<Option<DateTime<Utc>>>) -> String {
    at.into().map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)).unwrap_or_default()
}

fn message_cells(message: &Message) -> [String; OF_MESSAGES.len()] {
    [
        time(message.created_at),
        message.id.to_string(),
        message.state.as_str().to_owned(),
        message.kind.clone(),
        message.to_address.clone(),
        message.to_name.clone(),
        message.from_address.clone().unwrap_or_default(),
        message.subject.clone(),
        message.message_id.clone(),
        message.attempts.to_string(),
        message.status.map(|status| status.to_string()).unwrap_or_default(),
        message.enhanced.clone().unwrap_or_default(),
        message.error.clone().unwrap_or_default(),
        time(message.sent_at),
        time(message.bounced_at),
        message.bounce.map(|bounce| bounce.as_str().to_owned()).unwrap_or_default(),
        message.created_by.clone(),
    ]
}

fn suppression_cells(row: &Suppression) -> [String; OF_SUPPRESSIONS.len()] {
    let Suppression { address, kind, reason, detail, created_by, created_at, .. } = row;
    let (reason, at) = (reason.as_str().to_owned(), time(*created_at));
    [address.clone(), kind.clone(), reason, detail.clone(), created_by.clone(), at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        let row = ["=1+1".to_owned(), "a \"b\", c".to_owned(), "+ada@example.com".to_owned()];
        let text = lines(std::iter::once(row)).unwrap();
        assert_eq!(text, "'=1+1,\"a \"\"b\"\", c\",'+ada@example.com\n");
        assert!(head(&["a", "b"]).unwrap().starts_with(MARK.as_bytes()));
    }
}
