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
        match self.0.searching().await {
            Ok(searching) => searching.judge(),
            Err(error) => {
                CheckResult::fail(format!("cannot read the indexes: {}", chain(&error)), "see database.reachable")
            }
        }
    }
}

/// What lists are searched with.
pub(super) struct Searching {
    /// Search indexes that do not exist.
    pub missing: Vec<String>,
    /// Whether я and Я are the same letter, as `LC_CTYPE` says.
    pub folds_case: bool,
    /// Name of the database.
    pub database: String,
}

impl Searching {
    fn judge(&self) -> CheckResult {
        let Self { missing, folds_case, database } = self;
        if !missing.is_empty() {
            return CheckResult::warn(
                format!(
                    "searching a list reads all rows of the organisation: these indexes are missing: {}",
                    missing.join(", ")
                ),
                format!(
                    "let the server's administrator install PostgreSQL's contrib modules if they are missing, and run in the database \
                     {database}:\nCREATE EXTENSION IF NOT EXISTS pg_trgm;\nCREATE EXTENSION IF NOT EXISTS btree_gin;\nALTER EXTENSION \
                     pg_trgm SET SCHEMA public;\nThen restart Holdfast, which builds the indexes (or run: holdfast migrate)"
                ),
            );
        }
        if !folds_case {
            return CheckResult::warn(
                format!(
                    "searching a list tells small letters and capitals other than A to Z apart, and no index serves them: the database {database} \
                     has the locale C"
                ),
                "restore a backup into a database that was made with: CREATE DATABASE ... TEMPLATE template0 LOCALE 'C.UTF-8'",
            );
        }
        CheckResult::pass("lists are searched by their indexes")
    }
}

#[cfg(test)]
mod tests {
    use super::{Searching, contains};
    use crate::health::Status;

    #[test]
    fn a_searched_text_means_itself() {
        assert_eq!(contains(" 100%_\\ "), r"%100\%\_\\%");
    }

    #[test]
    fn letters_that_are_not_folded_are_said() {
        let judge = |missing: &[&str], folds_case| {
            let missing = missing.iter().map(|name| (*name).to_owned()).collect();
            Searching { missing, folds_case, database: "holdfast".into() }.judge()
        };
        assert_eq!(judge(&[], true).status, Status::Pass);
        let warned = judge(&[], false);
        assert!(warned.status == Status::Warn && warned.summary.contains("locale"), "{warned:?}");
        assert!(judge(&["users_search_idx"], false).summary.contains("users_search_idx"));
    }
}
