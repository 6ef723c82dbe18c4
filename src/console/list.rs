//! Lists: the query of every list page (search and page), and the address of the next page.

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
    /// The search, if there is one.
    pub fn search(&self) -> Option<&str> {
        Some(self.q.trim()).filter(|q| !q.is_empty())
    }

    /// The page, if it is not the first.
    pub fn cursor(&self) -> Option<&str> {
        Some(self.cursor.as_str()).filter(|cursor| !cursor.is_empty())
    }

    /// Neither a search nor a later page: an empty list is empty for good.
    pub fn is_plain(&self) -> bool {
        self.search().is_none() && self.cursor().is_none()
    }

    /// The links under the list at `path` (which may have a query of its own, for filters).
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

/// Addresses under a list; print with `ui::pager(shell, pager)`.
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
