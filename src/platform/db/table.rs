//! The tables that rooms own.

/// A table, declared by the room that owns it: no other room writes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    /// Whether its size and vacuum are metrics.
    pub watched: bool,
}

impl Table {
    /// It grows, or its rows come and go.
    pub const fn watched(name: &'static str) -> Self {
        Self { name, watched: true }
    }

    /// It stays small: some rows for each person, agent or day.
    pub const fn small(name: &'static str) -> Self {
        Self { name, watched: false }
    }
}

/// The tables of `platform`.
pub const TABLES: &[Table] =
    &[Table::watched("idempotency_keys"), Table::small("installation"), Table::small("search_indexes")];
