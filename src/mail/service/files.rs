//! Attachments of mails in the log.

use bytes::Bytes;
use futures::stream::BoxStream;

use super::Mail;
use crate::{Attachment, MailError, MessageId, kinds, store::messages};
use platform::http::Principal;
use storage::{Object, StorageError};

/// A file of a mail, to be read.
pub(crate) struct OpenFile {
    pub attachment: Attachment,
    pub content: BoxStream<'static, Result<Bytes, StorageError>>,
}

impl Mail {
    /// Opens a file of a mail of the caller's organisation or, for operators, of the installation. `number`: 1 for the first.
    pub(crate) async fn open_attachment(
        &self,
        who: &Principal,
        id: MessageId,
        number: usize,
    ) -> Result<OpenFile, MailError> {
        let missing = || MailError::NotFound("mail_attachment");
        let (mut tx, _, message) = self.find_message(who, id).await?;
        let content = messages::content(&mut tx, id, message.created_at).await?.ok_or_else(missing)?;
        // Storage may take its time: no transaction stays open for it.
        tx.rollback().await?;
        if kinds::is_secret(&message.kind) {
            return Err(missing());
        }
        let attachment = number.checked_sub(1).and_then(|at| content.attachments.into_iter().nth(at));
        let attachment = attachment.ok_or_else(missing)?;
        match self.inner.objects.get(&attachment.object).await {
            Ok(Object { stream, .. }) => Ok(OpenFile { attachment, content: stream }),
            Err(StorageError::NotFound) => Err(missing()),
            Err(error) => Err(error.into()),
        }
    }
}
