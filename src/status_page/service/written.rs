//! Writes what the renderer has made, for the other processes.

use chrono::{DateTime, Utc};

use super::StatusPages;
use crate::{
    ShownComponentChanged, StatusPageError,
    model::{PageId, Render},
    store::renders,
};
use jobs::Duty;
use platform::ids::OrgId;

/// What was rendered of a page.
pub(super) struct Rendered<'a> {
    pub page: PageId,
    pub org: Option<OrgId>,
    pub as_of: DateTime<Utc>,
    /// What is not in the database as it is.
    pub new: &'a [&'a Render],
    pub all: &'a [Render],
    pub changes: &'a [ShownComponentChanged],
}

/// Writes what is new for the other processes; false: the duty is another's by now.
pub(super) async fn write(
    pages: &StatusPages,
    duty: &Duty,
    term: i64,
    rendered: &Rendered<'_>,
) -> Result<bool, StatusPageError> {
    let Rendered { page, org, as_of, new, all, changes } = *rendered;
    let clock = &pages.inner.clock;
    let mut tx = pages.system().await?;
    if !duty.holds(&mut tx, term).await? {
        return Ok(false);
    }
    let Some(version) = renders::next_version(&mut tx, (page, org), term, as_of, clock.now()).await? else {
        return Ok(false);
    };
    for render in new {
        renders::put(&mut tx, (page, org), render, version).await?;
    }
    let paths: Vec<String> = all.iter().map(Render::stored_path).collect();
    renders::keep(&mut tx, page, &paths).await?;
    for change in changes {
        events::publish(&mut tx, clock, org, change).await?;
    }
    tx.commit().await?;
    Ok(true)
}
