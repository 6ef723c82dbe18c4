//! Searching for substrings, and the check of the search indexes.

use async_trait::async_trait;

use super::Db;
use crate::{
    error::chain,
    health::{Check, CheckResult},
};

/// The `ILIKE` pattern for `text` as a substring; special characters are escaped.
pub fn contains(text: &str) -> String {
    let escaped = text.trim().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

/// Whether the search indexes exist. Migrations define them (`search_indexes`).
pub(super) struct SearchIndexes(pub Db);

#[async_trait]
impl Check for SearchIndexes {
    fn name(&self) -> &'static str {
        "database.search"
    }

    async fn run(&self) -> CheckResult {
        let (missing, database) = match self.0.missing_search_indexes().await {
            Ok((missing, _)) if missing.is_empty() => return CheckResult::pass("lists are searched by their indexes"),
            Ok(found) => found,
            Err(error) => {
                return CheckResult::fail(
                    format!("cannot read the indexes: {}", chain(&error)),
                    "see database.reachable",
                );
            }
        };
        CheckResult::warn(
            format!(
                "searching a list reads all rows of the organisation: these indexes are missing: {}",
                missing.join(", ")
            ),
            format!(
                "let the server's administrator install PostgreSQL's contrib modules if they are missing, and run in the database \
                 {database}:\nCREATE EXTENSION IF NOT EXISTS pg_trgm;\nCREATE EXTENSION IF NOT EXISTS btree_gin;\nThen restart Holdfast, which \
                 builds the indexes (or run: holdfast migrate)"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn a_searched_text_means_itself() {
        assert_eq!(contains(" 100%_\\ "), r"%100\%\_\\%");
    }
}
