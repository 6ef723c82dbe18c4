//! The only SQL of this capability.
//!
//! `accounts` and `sessions` run as role `system` (sign-in has no organisation yet); `keys`, `members` and `links` run
//! inside the organisation's transaction, except functions whose comment says otherwise.

pub mod accounts;
pub mod keys;
pub mod links;
pub mod members;
pub mod sessions;
