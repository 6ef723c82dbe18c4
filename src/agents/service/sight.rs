//! Sight of answers for those whom the organisation lets see them.

use crate::{answer::TraceRow, error::AgentError, store::traces as store};
use platform::db::Tx;

/// Stores how an answer came about: figures always; texts where the organisation already let its administrators read them when it was asked.
pub(super) async fn keep_trace(tx: &mut Tx, row: &TraceRow) -> Result<(), AgentError> {
    let since = store::visible_since(tx).await?;
    let is_kept = since.is_some_and(|since| row.asked_at >= since);
    store::insert(tx, row, is_kept).await?;
    if is_kept {
        store::insert_detail(tx, row).await?;
    }
    if !row.documents.is_empty() {
        store::count_uses(tx, &row.documents, row.asked_at).await?;
    }
    Ok(())
}
