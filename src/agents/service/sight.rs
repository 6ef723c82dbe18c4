//! Sight of answers for those whom the organisation lets see them.

use super::Agents;
use crate::{answer::TraceRow, error::AgentError, store};
use platform::db::Tx;

impl Agents {
    /// Stores how an answer came about: figures always; texts where the organisation already let its administrators read them when it was asked.
    pub(super) async fn keep_trace(&self, tx: &mut Tx, row: &TraceRow) -> Result<(), AgentError> {
        let since = store::traces::visible_since(tx).await?;
        let is_kept = since.is_some_and(|since| row.asked_at >= since);
        store::traces::insert(tx, row, is_kept).await?;
        if is_kept {
            store::traces::insert_detail(tx, row).await?;
        }
        if !row.documents.is_empty() {
            store::traces::count_uses(tx, &row.documents, row.asked_at).await?;
        }
        Ok(())
    }
}
