//! Locks of an object's version.

use std::str::FromStr as _;

use axum::extract::State;
use serde::Deserialize;

use super::{caller, form, object::OfObject};
use crate::{Caller, Files, FilesError, Lock, LockMode};
use console::{Flash, Form, PageResult, Shell};
use platform::http::Path;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LockForm {
    key: String,
    version: String,
    /// Empty: no lock.
    mode: String,
    until: String,
    hold: String,
}

/// Locks a version until a time, and holds it or lets go of it.
pub async fn lock(
    shell: Shell,
    State(files): State<Files>,
    Path(name): Path<String>,
    Form(form): Form<LockForm>,
) -> PageResult {
    shell.principal().require(crate::ADMIN)?;
    let LockForm { key, version, mode, until, hold } = form;
    let (who, of) = (Caller { bypass_governance: true, ..caller(&shell) }, OfObject { key, version });
    let (bucket, object) = of.find(&files, &who, &name).await?;
    let flash = match lock_of(&mode, &until) {
        Err(key) => Flash::error(key),
        Ok(lock) => {
            let hold = form::is_on(&hold);
            let changed = async {
                if lock != object.lock {
                    files.set_lock(&who, &object, lock).await?;
                }
                if hold != object.legal_hold {
                    files.set_hold(&who, &object, hold).await?;
                }
                Ok::<_, FilesError>(())
            };
            match changed.await {
                Ok(()) => Flash::ok("files-lock-changed"),
                Err(FilesError::Locked(why)) => Flash::error("files-object-locked").with("reason", &why),
                Err(error) => return Err(error.into()),
            }
        }
    };
    Ok(shell.redirect(&of.address(&bucket.name), &flash))
}

/// The lock of a form; Err with the message.
fn lock_of(mode: &str, until: &str) -> Result<Option<Lock>, &'static str> {
    if mode.is_empty() {
        return Ok(None);
    }
    let mode = LockMode::from_str(mode).map_err(|_| "files-lock-needs-time")?;
    match form::time(until) {
        Ok(Some(until)) => Ok(Some(Lock { mode, until })),
        Ok(None) | Err(()) => Err("files-lock-needs-time"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_a_mode_and_a_time() {
        assert_eq!(lock_of("", "2026-11-30T12:00"), Ok(None));
        let lock = lock_of("governance", "2026-11-30T12:00").unwrap().unwrap();
        assert_eq!((lock.mode, lock.until.to_rfc3339().as_str()), (LockMode::Governance, "2026-11-30T12:00:00+00:00"));
        assert!(lock_of("governance", "").is_err() && lock_of("other", "2026-11-30T12:00").is_err());
    }
}
