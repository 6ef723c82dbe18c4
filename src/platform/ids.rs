//! `UUIDv7` identifiers, one type for each kind of thing, so that a conversation's id cannot be passed for an agent's.

use uuid::{NoContext, Timestamp, Uuid};

use super::clock::Clock;

/// A fresh `UUIDv7` at the clock's time: ids sort by creation, which keeps indexes dense and makes them page cursors.
pub fn new_uuid(clock: &Clock) -> Uuid {
    let now = clock.now();
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
}

/// Declares an id type: a transparent UUID for serde, sqlx and the API description.
#[macro_export]
macro_rules! id_type {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(
            Clone,
            Copy,
            Debug,
            PartialEq,
            Eq,
            Hash,
            PartialOrd,
            Ord,
            serde::Serialize,
            serde::Deserialize,
            sqlx::Type,
            utoipa::ToSchema,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        #[schema(value_type = String, format = Uuid)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            /// A new id at the clock's time.
            pub fn generate(clock: &$crate::platform::clock::Clock) -> Self {
                Self($crate::platform::ids::new_uuid(clock))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.parse().map(Self)
            }
        }

        impl From<uuid::Uuid> for $name {
            fn from(id: uuid::Uuid) -> Self {
                Self(id)
            }
        }
    };
}

id_type!(OrgId, "An organisation: the tenant that rows belong to.");
id_type!(UserId, "A person who can sign in; may be a member of several organisations.");
