//! Lists: the query that every list takes, in the API and in the console, and the page that it returns.
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

use crate::error::{ApiError, FieldError};

/// Rows per page, if the query does not say.
const DEFAULT_ROWS: u32 = 50;
const MAX_ROWS: u32 = 200;
/// Longest search text, characters.
const MAX_SEARCH_CHARS: usize = 200;

/// `?limit=...&cursor=...&q=...&sort=...` of a list. A list that takes `q` or `sort` names them in its own description; other lists reject them
/// (see [`super::KnownQuery`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct ListQuery {
    /// Rows per page: 1 to 200, default 50.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// `next_cursor` of the previous page.
    #[param(required = false, pattern = "^[A-Za-z0-9_-]*$")]
    pub cursor: String,
    #[param(ignore)]
    pub q: String,
    #[param(ignore)]
    pub sort: String,
}

impl ListQuery {
    /// With `rows` rows per page, whatever `limit` says: console pages have their own size.
    #[must_use]
    pub fn sized(mut self, rows: u32) -> Self {
        self.limit = Some(rows);
        self
    }

    /// The search text, if any. An empty field, as forms send it, is none.
    pub fn search(&self) -> Option<&str> {
        Some(self.q.trim()).filter(|q| !q.is_empty())
    }

    /// No search and no later page: an empty list is then really empty.
    pub fn is_plain(&self) -> bool {
        self.search().is_none() && self.cursor.is_empty()
    }

    /// The requested rows. 422 lists all errors at once.
    pub fn slice<K: Key>(&self) -> Result<Slice<K>, ApiError> {
        let mut errors = Vec::new();
        let mut wrong = |field: &str, code, why: String| errors.push(FieldError::new(format!("/{field}"), code, why));
        let limit = self.limit.unwrap_or(DEFAULT_ROWS);
        if !(1..=MAX_ROWS).contains(&limit) {
            wrong("limit", "out_of_range", format!("{limit} is outside 1 to {MAX_ROWS}"));
        }
        let after = Some(self.cursor.as_str()).filter(|cursor| !cursor.is_empty()).map(K::decode);
        if after == Some(None) {
            wrong("cursor", "invalid", "not a cursor of this list".into());
        }
        if self.q.trim().chars().count() > MAX_SEARCH_CHARS {
            wrong("q", "too_long", format!("at most {MAX_SEARCH_CHARS} characters"));
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

/// What stands before a text in a cursor, so that what is none is noticed.
const TEXT: u8 = b't';

/// As [`Slice`], of a list whose pages begin at texts of any length, and which knows itself whether there is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSlice {
    start: Option<String>,
    limit: i64,
}

impl ListQuery {
    /// The requested rows of a list in the order of texts; it has no other order.
    pub fn text_slice(&self) -> Result<TextSlice, ApiError> {
        let plain: Slice<i64> = Self { cursor: String::new(), ..self.clone() }.slice()?;
        let decoded = || {
            let bytes = URL_SAFE_NO_PAD.decode(&self.cursor).ok()?;
            String::from_utf8(bytes.strip_prefix(&[TEXT])?.to_vec()).ok()
        };
        let start = Some(self.cursor.as_str()).filter(|cursor| !cursor.is_empty()).map(|_| decoded());
        if start == Some(None) {
            let error = FieldError::new("/cursor", "invalid", "not a cursor of this list");
            return Err(ApiError::validation(vec![error]));
        }
        Ok(TextSlice { start: start.flatten(), limit: plain.limit })
    }
}

impl TextSlice {
    /// Where the page starts, as the page before it said; empty for the first page.
    pub fn start(&self) -> &str {
        self.start.as_deref().unwrap_or_default()
    }

    /// Rows that the page shows at most.
    pub fn limit(&self) -> i64 {
        self.limit
    }

    /// The page of these rows; `next`: where the next one starts.
    pub fn page<T>(&self, rows: Vec<T>, next: Option<&str>) -> Page<T> {
        let cursor = |next: &str| URL_SAFE_NO_PAD.encode([[TEXT].as_slice(), next.as_bytes()].concat());
        Page { data: rows, next_cursor: next.map(cursor) }
    }
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    #[default]
    Newest,
    /// For clients that copy a list: rows added meanwhile come at the end.
    Oldest,
}

/// The sort key of a list; unique in it. As text it is the cursor.
pub trait Key: Clone + PartialEq {
    fn encode(&self) -> String;
    fn decode(cursor: &str) -> Option<Self>;
}

/// A key that has ends: the first page begins there.
pub trait Bounded: Key {
    /// Below and above the keys of all rows.
    const ENDS: (Self, Self);
}

impl Bounded for Uuid {
    const ENDS: (Self, Self) = (Uuid::nil(), Uuid::max());
}

impl Key for Uuid {
    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.as_bytes())
    }

    fn decode(cursor: &str) -> Option<Self> {
        Uuid::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
    }
}

impl Bounded for i64 {
    const ENDS: (Self, Self) = (i64::MIN, i64::MAX);
}

impl Key for i64 {
    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.to_be_bytes())
    }

    fn decode(cursor: &str) -> Option<Self> {
        Some(i64::from_be_bytes(URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok()?))
    }
}

/// The rows that a store reads for one page: one more than the page shows, which tells whether a next page exists.
#[derive(Clone, Copy, Debug)]
pub struct Slice<K = Uuid> {
    after: Option<K>,
    sort: Sort,
    limit: i64,
    rows: i64,
}

impl<K: Key> Slice<K> {
    /// The first `rows` rows and no extra one: for callers that show no further page.
    pub fn first(rows: i64) -> Self {
        Self { after: None, sort: Sort::Newest, limit: rows, rows }
    }

    /// As [`Self::first`], oldest first.
    pub fn oldest(rows: i64) -> Self {
        Self { sort: Sort::Oldest, ..Self::first(rows) }
    }

    /// The key after which the page starts; `None` for the first page. For lists whose keys have no ends, such as names.
    pub fn after(&self) -> Option<&K> {
        self.after.as_ref()
    }

    pub fn is_oldest_first(&self) -> bool {
        self.sort == Sort::Oldest
    }

    /// For the store's LIMIT.
    pub fn rows(&self) -> i64 {
        self.rows
    }

    /// The page from the rows that were read for it.
    pub fn page<T>(&self, mut rows: Vec<T>, key: impl Fn(&T) -> K) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or_default();
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|row| key(row).encode());
        Page { data: rows, next_cursor }
    }
}

impl<K: Bounded> Slice<K> {
    /// The key after which the page starts; for the first page one before all rows. For the store: `id < $1 ORDER BY id DESC`, or with
    /// [`Sort::Oldest`] `id > $1 ORDER BY id`. Never `$1 IS NULL OR id < $1`: no index serves that.
    pub fn beyond(&self) -> K {
        let (first, last) = K::ENDS;
        self.after.clone().unwrap_or(if self.is_oldest_first() { first } else { last })
    }

    /// As [`Self::beyond`], for a list that is always in ascending order.
    pub fn above(&self) -> K {
        self.after.clone().unwrap_or(K::ENDS.0)
    }
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub data: Vec<T>,
    /// Pass as `cursor` for the next page; null on the last page.
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
    fn a_key_may_be_a_name_with_an_id() {
        #[derive(Clone, Debug, PartialEq)]
        struct Name(String, i64);
        impl Key for Name {
            fn encode(&self) -> String {
                URL_SAFE_NO_PAD.encode(format!("{}/{}", self.1, self.0))
            }
            fn decode(cursor: &str) -> Option<Self> {
                let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
                let (id, name) = text.split_once('/')?;
                Some(Self(name.to_owned(), id.parse().ok()?))
            }
        }
        let first: Slice<Name> = query("", 1).slice().unwrap();
        assert_eq!(first.after(), None);
        let page = first.page(vec![("a/я", 7), ("b", 8)], |row| Name(row.0.to_owned(), row.1));
        let next: Slice<Name> = query(&page.next_cursor.unwrap(), 1).slice().unwrap();
        assert_eq!(next.after(), Some(&Name("a/я".into(), 7)));
        assert!(query("%", 1).slice::<Name>().is_err());
    }

    #[test]
    fn a_page_in_the_order_of_texts_says_where_the_next_one_starts() {
        let first = query("", 2).text_slice().unwrap();
        assert_eq!((first.start(), first.limit()), ("", 2));
        let page = first.page(vec![1, 2], Some("я\u{1}"));
        assert_eq!(query(&page.next_cursor.unwrap(), 2).text_slice().unwrap().start(), "я\u{1}");
        assert!(first.page(vec![1, 2], None).next_cursor.is_none());
        for cursor in ["%", "no-cursor", &Uuid::max().encode(), &URL_SAFE_NO_PAD.encode([TEXT, 0xff])] {
            assert!(query(cursor, 2).text_slice().is_err(), "{cursor}");
        }
        assert!(query("", 0).text_slice().is_err());
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
