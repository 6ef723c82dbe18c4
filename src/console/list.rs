//! List pages: their query (search and cursor), and the URL of the next page.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

/// `?q=...&cursor=...`, the query of a list page: take it as `Query<ListQuery>`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ListQuery {
    pub q: String,
    pub cursor: String,
}

impl ListQuery {
    /// The search text, if any.
    pub fn search(&self) -> Option<&str> {
        Some(self.q.trim()).filter(|q| !q.is_empty())
    }

    /// The cursor, unless this is the first page.
    pub fn cursor(&self) -> Option<&str> {
        Some(self.cursor.as_str()).filter(|cursor| !cursor.is_empty())
    }

    /// No search and no later page: an empty list is then really empty.
    pub fn is_plain(&self) -> bool {
        self.search().is_none() && self.cursor().is_none()
    }

    /// Pager links for the list at `path` (which may contain a query, for filters).
    pub fn pager(&self, path: &str, next_cursor: Option<&str>) -> Pager {
        let with = |extra: Option<(&str, &str)>| {
            let mut url = path.to_owned();
            for (name, value) in self.search().map(|q| ("q", q)).into_iter().chain(extra) {
                url.push(if url.contains('?') { '&' } else { '?' });
                url.push_str(name);
                url.push('=');
                url.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
            }
            url
        };
        Pager {
            first: self.cursor().map(|_| with(None)),
            next: next_cursor.map(|cursor| with(Some(("cursor", cursor)))),
        }
    }
}

/// Pager URLs; print with `ui::pager(shell, pager)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pager {
    pub first: Option<String>,
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_keep_the_search() {
        let query = ListQuery { q: " a&b ".into(), cursor: "x".into() };
        let pager = query.pager("/jobs?state=dead", Some("n=1"));
        assert_eq!(pager.first.as_deref(), Some("/jobs?state=dead&q=a%26b"));
        assert_eq!(pager.next.as_deref(), Some("/jobs?state=dead&q=a%26b&cursor=n%3D1"));
        assert_eq!(ListQuery::default().pager("/jobs", None), Pager { first: None, next: None });
    }
}
