//! The only SQL on the tables of mail. Functions take a transaction that sees the owner's rows; `org` selects the owner (`None`: the
//! installation), because role `system` sees all rows.

pub mod attempts;
pub mod bounces;
pub mod branding;
pub mod domains;
pub mod files;
pub mod lanes;
pub mod mailboxes;
pub mod many;
pub mod messages;
pub mod outbox;
pub mod own_templates;
pub mod preferences;
pub mod sources;
pub mod suppressions;
pub mod templates;
