//! The URLs of a list's other pages.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use platform::http::ListQuery;

/// Pager URLs; print with `ui::pager(pager)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pager {
    pub first: Option<String>,
    pub next: Option<String>,
}

impl Pager {
    /// Pager links for the list at `path`; they keep the search and the `filters` that are not empty.
    pub fn new(path: &str, filters: &[(&str, &str)], query: &ListQuery, next_cursor: Option<&str>) -> Self {
        let with = |cursor: &str| {
            let mut url = path.to_owned();
            let search = query.search().unwrap_or_default();
            for (name, value) in filters.iter().copied().chain([("q", search), ("cursor", cursor)]) {
                if !value.is_empty() {
                    url.push(if url.contains('?') { '&' } else { '?' });
                    url.push_str(name);
                    url.push('=');
                    url.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
                }
            }
            url
        };
        let is_first = query.cursor.is_empty();
        Self { first: (!is_first).then(|| with("")), next: next_cursor.map(with) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_keep_search_and_filters() {
        let query = ListQuery { q: " a&b ".into(), cursor: "x".into(), ..ListQuery::default() };
        let pager = Pager::new("/jobs", &[("state", "dead"), ("queue", "")], &query, Some("n=1"));
        assert_eq!(pager.first.as_deref(), Some("/jobs?state=dead&q=a%26b"));
        assert_eq!(pager.next.as_deref(), Some("/jobs?state=dead&q=a%26b&cursor=n%3D1"));
        let first = Pager::new("/jobs", &[], &ListQuery::default(), None);
        assert_eq!(first, Pager { first: None, next: None });
    }
}
