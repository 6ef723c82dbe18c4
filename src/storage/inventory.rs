//! What a scrub compares the store with: each room knows which objects it expects, and is told of damage.
//!
//! The traits are here rather than in room files, which scrubs, because the rooms that implement them may not import that one: knowledge, mail,
//! and backup, which brings damaged objects back.

use std::collections::HashSet;

use async_trait::async_trait;

/// An object that a room expects to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Below the room's folder.
    pub key: String,
    pub size: u64,
    /// `None`: the room does not know it; then only presence and size are compared.
    pub sha256: Option<[u8; 32]>,
}

/// What is wrong with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    Missing,
    Size { found: u64 },
    Content,
}

impl Damage {
    /// Fixed text, for rows and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Size { .. } => "size",
            Self::Content => "content",
        }
    }
}

/// A room failed to say what it expects.
#[derive(Debug, thiserror::Error)]
#[error("a room cannot say which objects it expects")]
pub struct InventoryError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl InventoryError {
    pub fn room(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }
}

/// A room that has objects.
#[async_trait]
pub trait Inventory: Send + Sync {
    /// The room's folder: `org`, `mail`, `files`.
    fn room(&self) -> &'static str;

    /// The next expected objects above `after`, in the order of keys, at most `most`. Those that were written after the call began may be left out.
    async fn expected(&self, after: &str, most: usize) -> Result<Vec<Expected>, InventoryError>;

    /// Which of these keys have a row. What has none, and is old, is an orphan.
    async fn known(&self, keys: &[String]) -> Result<HashSet<String>, InventoryError>;

    /// An object is damaged, or (`None`) was repaired: the room marks what depends on it.
    async fn noted(&self, key: &str, damage: Option<Damage>) -> Result<(), InventoryError>;
}

/// An object could not be brought back.
#[derive(Debug, thiserror::Error)]
#[error("an object cannot be read from a backup")]
pub struct RepairError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl RepairError {
    pub fn room(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }
}

/// What has copies of objects.
#[async_trait]
pub trait Repair: Send + Sync {
    /// Writes the object again from the newest backup that has it with these bytes. False: none has.
    async fn repair(&self, room: &'static str, expected: &Expected) -> Result<bool, RepairError>;
}
