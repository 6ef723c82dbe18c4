//! `UUIDv7` ids, one type per kind of object, so that a conversation's id cannot be passed for an agent's.

use uuid::{Builder, Uuid};

use super::{clock::Clock, crypto};

/// A new `UUIDv7` at the clock's time: ids sort by creation, which keeps indexes dense and makes ids page cursors. The 12 bits after the
/// milliseconds hold their fraction (RFC 9562 section 6.2, method 3), because a question and its answer are stored a few microseconds apart
/// and must keep their order.
pub fn new_uuid(clock: &Clock) -> Uuid {
    let micros = u64::try_from(clock.now().timestamp_micros()).unwrap_or_default();
    let [_, _, _, _, _, _, high, low] = ((micros % 1000) * 4096 / 1000).to_be_bytes();
    let mut tail = crypto::random_bytes::<10>();
    tail[..2].copy_from_slice(&[high, low]);
    Builder::from_unix_timestamp_millis(micros / 1000, &tail).into_uuid()
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
            pub fn generate(clock: &$crate::clock::Clock) -> Self {
                Self($crate::ids::new_uuid(clock))
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

/// Whose something is that organisations and the installation can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    Org(OrgId),
    /// The installation's; operators only.
    Installation,
}

impl Owner {
    pub fn org(self) -> Option<OrgId> {
        match self {
            Self::Org(org) => Some(org),
            Self::Installation => None,
        }
    }

    pub fn of(org: Option<OrgId>) -> Self {
        org.map_or(Self::Installation, Self::Org)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_millisecond_keep_their_order() {
        let clock = Clock::system();
        let mut before = new_uuid(&clock);
        for _ in 0..2000 {
            std::thread::sleep(std::time::Duration::from_micros(2));
            let id = new_uuid(&clock);
            assert!(id > before, "{before} was made before {id}");
            assert_eq!(id.get_version_num(), 7);
            before = id;
        }
    }
}
