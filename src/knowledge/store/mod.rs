//! The only SQL of knowledge. Functions take a tenant transaction's connection unless they say `system`.

pub mod bases;
pub mod chunks;
pub mod documents;
pub mod system;

/// A search term as a substring pattern for `ILIKE`.
fn contains(search: Option<&str>) -> Option<String> {
    let word = search.map(str::trim).filter(|word| !word.is_empty())?;
    let escaped = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    Some(format!("%{escaped}%"))
}
