//! Lists: the query that every one takes, in the API as in the console, and the page that it gives.
//!
//! ```ignore
//! let slice = query.slice()?;                                  // 422 for a wrong limit, cursor, search or order
//! let rows = service.list(who.org_id, query.search(), &slice).await?;  // up to slice.rows() rows, from slice.beyond() on
//! Ok(Json(slice.page(rows, |row| row.id.0)))
//! ```

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::platform::error::{ApiError, FieldError};

/// Rows on a page, where the query does not say.
const USUAL_ROWS: u32 = 50;
const MOST_ROWS: u32 = 200;
/// Of a search, characters.
const LONGEST_SEARCH: usize = 200;

/// `?limit=...&cursor=...&q=...&sort=...` of a list. A list names `q` and `sort` in its own description where it takes them; the others refuse
/// them (see [`super::KnownQuery`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct ListQuery {
    /// Rows on a page: 1 to 200, default 50.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(required = false, pattern = "^[A-Za-z0-9_-]*$")]
    pub cursor: String,
    #[param(ignore)]
    pub q: String,
    #[param(ignore)]
    pub sort: String,
}

impl ListQuery {
    /// With pages of `rows`, whatever was asked for: a console page has its own size.
    #[must_use]
    pub fn sized(mut self, rows: u32) -> Self {
        self.limit = Some(rows);
        self
    }

    /// The search, if there is one. An empty field, as a form sends it, is none.
    pub fn search(&self) -> Option<&str> {
        Some(self.q.trim()).filter(|q| !q.is_empty())
    }

    /// Neither a search nor a later page: an empty list is empty for good.
    pub fn is_plain(&self) -> bool {
        self.search().is_none() && self.cursor.is_empty()
    }

    /// The rows that are asked for. Errs with 422, and with all that is wrong at once.
    pub fn slice<K: Key>(&self) -> Result<Slice<K>, ApiError> {
        let mut errors = Vec::new();
        let mut wrong = |field: &str, code, why: String| errors.push(FieldError::new(format!("/{field}"), code, why));
        let limit = self.limit.unwrap_or(USUAL_ROWS);
        if !(1..=MOST_ROWS).contains(&limit) {
            wrong("limit", "out_of_range", format!("{limit} is outside 1 to {MOST_ROWS}"));
        }
        let after = Some(self.cursor.as_str()).filter(|cursor| !cursor.is_empty()).map(K::decode);
        if after == Some(None) {
            wrong("cursor", "invalid", "not a cursor of this list".into());
        }
        if self.q.trim().chars().count() > LONGEST_SEARCH {
            wrong("q", "too_long", format!("at most {LONGEST_SEARCH} characters"));
        }
        let sort = match self.sort.as_str() {
            "" | "newest" => Sort::Newest,
            "oldest" => Sort::Oldest,
            other => {
                wrong("sort", "invalid", format!("{other:?} is neither newest nor oldest"));
                Sort::Newest
            }
        };
        if errors.is_empty() {
            let limit = i64::from(limit);
            Ok(Slice { after: after.flatten(), sort, limit, rows: limit + 1 })
        } else {
            Err(ApiError::validation(errors))
        }
    }
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    #[default]
    Newest,
    /// For who copies a list: what is added meanwhile comes at the end.
    Oldest,
}

/// What a list is ordered by: unique in it.
pub trait Key: Copy + PartialEq {
    /// Before and behind every key that a row has.
    const ENDS: (Self, Self);

    fn encode(self) -> String;
    fn decode(cursor: &str) -> Option<Self>;
}

impl Key for Uuid {
    const ENDS: (Self, Self) = (Uuid::nil(), Uuid::max());

    fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(self.as_bytes())
    }

    fn decode(cursor: &str) -> Option<Self> {
        Uuid::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
    }
}

impl Key for i64 {
    const ENDS: (Self, Self) = (i64::MIN, i64::MAX);

    fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(self.to_be_bytes())
    }

    fn decode(cursor: &str) -> Option<Self> {
        Some(i64::from_be_bytes(URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok()?))
    }
}

/// Which rows of a list a store reads for one page: one more than the page shows, so that a last page that is full is known as the last.
#[derive(Clone, Copy, Debug)]
pub struct Slice<K = Uuid> {
    after: Option<K>,
    sort: Sort,
    limit: i64,
    rows: i64,
}

impl<K: Key> Slice<K> {
    /// The first `rows` rows, not one more: for callers that show no further page.
    pub fn first(rows: i64) -> Self {
        Self { after: None, sort: Sort::Newest, limit: rows, rows }
    }

    /// As [`Self::first`], from the other end.
    pub fn oldest(rows: i64) -> Self {
        Self { sort: Sort::Oldest, ..Self::first(rows) }
    }

    /// The key that the rows lie beyond; on the first page one beyond which all lie. For the store: `id < $1 ORDER BY id DESC`, or with
    /// [`Sort::Oldest`] `id > $1 ORDER BY id`. Never `$1 IS NULL OR id < $1`: that is no condition for an index.
    pub fn beyond(&self) -> K {
        let (first, last) = K::ENDS;
        self.after.unwrap_or(if self.is_oldest_first() { first } else { last })
    }

    /// As [`Self::beyond`], in a list that always goes upwards.
    pub fn above(&self) -> K {
        self.after.unwrap_or(K::ENDS.0)
    }

    pub fn is_oldest_first(&self) -> bool {
        self.sort == Sort::Oldest
    }

    /// For the store's LIMIT.
    pub fn rows(&self) -> i64 {
        self.rows
    }

    /// The page of the rows that were read for it.
    pub fn page<T>(&self, mut rows: Vec<T>, key: impl Fn(&T) -> K) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or_default();
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|row| key(row).encode());
        Page { data: rows, next_cursor }
    }
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub data: Vec<T>,
    /// Pass as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(cursor: &str, limit: u32) -> ListQuery {
        ListQuery { limit: Some(limit), cursor: cursor.into(), ..ListQuery::default() }
    }

    #[test]
    fn a_page_is_the_last_when_no_row_is_behind_it() {
        let slice: Slice<i64> = query("", 2).slice().unwrap();
        assert_eq!((slice.beyond(), slice.above(), slice.rows()), (i64::MAX, i64::MIN, 3));
        let full = slice.page(vec![9, 8], |n| *n);
        assert_eq!((full.data, full.next_cursor), (vec![9, 8], None));
        let more = slice.page(vec![9, 8, 7], |n| *n);
        assert_eq!(more.data, [9, 8]);
        let next: Slice<i64> = query(&more.next_cursor.unwrap(), 2).slice().unwrap();
        assert_eq!(next.beyond(), 8);
        assert!(slice.page(vec![], |n| *n).next_cursor.is_none());
    }

    #[test]
    fn the_oldest_first_begins_at_the_other_end() {
        let oldest = ListQuery { sort: "oldest".into(), ..ListQuery::default() };
        assert_eq!(oldest.slice::<Uuid>().unwrap().beyond(), Uuid::nil());
        assert_eq!(ListQuery::default().slice::<Uuid>().unwrap().beyond(), Uuid::max());
        assert_eq!(Slice::<Uuid>::first(3).rows(), 3);
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let wrong = ListQuery { q: "x".repeat(201), sort: "name".into(), ..query("AAAA", 201) };
        let error = wrong.slice::<Uuid>().unwrap_err();
        let fields: Vec<_> = error.errors.iter().map(|e| (e.pointer.as_str(), e.code.as_ref())).collect();
        assert_eq!(
            fields,
            [("/limit", "out_of_range"), ("/cursor", "invalid"), ("/q", "too_long"), ("/sort", "invalid")]
        );
        assert!(query("", 0).slice::<Uuid>().is_err());
        for cursor in ["%", "_", &7i64.encode(), &"A".repeat(23)] {
            assert!(query(cursor, 1).slice::<Uuid>().is_err(), "{cursor}");
        }
        assert!(query(&Uuid::max().encode(), 1).slice::<i64>().is_err());
    }
}
