//! Pictures and documents given with a question.

use bytes::Bytes;

use super::Agents;
use crate::{
    error::AgentError,
    model::{Agent, AgentId, Attachment, AttachmentId, AttachmentKind},
    store::{self, attachments::NewAttachment},
};
use images::{Accepts, Fit, Format, Kind, Limits, Options, Order, Want};
use llm::estimate_tokens;
use platform::{crypto::sha256, error::FieldError, http::Principal, ids::OrgId, names::tidy};
use storage::Object;

/// Folder of the pictures in the object store.
pub const FOLDER: &str = "agents";
/// Longer side of a picture, pixels: models make larger ones smaller themselves.
const SIDE: u32 = 1568;
/// Largest picture that is taken, bytes.
const PICTURE_BYTES: u64 = 8 << 20;
/// As the column has it.
const LONGEST_NAME: usize = 255;

/// Key of a picture, below [`FOLDER`].
pub(crate) fn key(org: OrgId, agent: AgentId, object: uuid::Uuid) -> String {
    format!("{org}/{agent}/{object}")
}

impl Agents {
    /// Stores a picture, made smaller and without what its file says of place and camera, or the text of a document. Unless it is asked about, it
    /// is removed after a day.
    pub async fn attach(
        &self,
        who: &Principal,
        agent: AgentId,
        filename: &str,
        bytes: Bytes,
    ) -> Result<Attachment, AgentError> {
        let agent = self.get(who.org_id, agent).await?;
        let name: String = tidy(filename).chars().take(LONGEST_NAME).collect();
        let filename = if name.is_empty() { "file".to_owned() } else { name };
        let attachment = Attachment {
            id: AttachmentId::generate(&self.0.clock),
            kind: AttachmentKind::Document,
            filename,
            media_type: "text/plain".to_owned(),
            size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            width: None,
            height: None,
            cut: false,
            created_at: self.0.clock.now(),
        };
        match Kind::of(&bytes) {
            Some(kind) => self.attach_picture(who, &agent, attachment, kind, bytes).await,
            None => self.attach_document(who, &agent, attachment, bytes).await,
        }
    }

    async fn attach_picture(
        &self,
        who: &Principal,
        agent: &Agent,
        attachment: Attachment,
        source: Kind,
        bytes: Bytes,
    ) -> Result<Attachment, AgentError> {
        if !agent.settings.pictures {
            let text = "this agent's model takes no pictures";
            return Err(AgentError::Invalid(vec![FieldError::new("/file", "pictures_not_taken", text)]));
        }
        let options = Options {
            width: Some(SIDE),
            height: Some(SIDE),
            fit: Fit::Inside,
            format: Format::Jpeg,
            ..Options::default()
        };
        let want = Want::Variant { options, accepts: Accepts::default() };
        let limits = Limits { input_bytes: PICTURE_BYTES, ..Limits::default() };
        let made = self.0.pictures.run(&Order { want, limits, source }, bytes).await?;
        let object = attachment.id.0;
        let sha256 = sha256(&made.bytes);
        let attachment = Attachment {
            kind: AttachmentKind::Picture,
            media_type: made.format.media_type().to_owned(),
            size: i64::try_from(made.bytes.len()).unwrap_or(i64::MAX),
            width: i32::try_from(made.width).ok(),
            height: i32::try_from(made.height).ok(),
            ..attachment
        };
        // Before its row: none points at what is not there.
        self.0.objects.put(&key(who.org_id, agent.id, object), made.bytes).await?;
        self.insert_attachment(who, agent, &attachment, Some((object, sha256)), "").await?;
        Ok(attachment)
    }

    async fn attach_document(
        &self,
        who: &Principal,
        agent: &Agent,
        attachment: Attachment,
        bytes: Bytes,
    ) -> Result<Attachment, AgentError> {
        let read = self.knowledge().read_text(&attachment.filename, bytes).await?;
        let (most, tokens) = (self.0.config.attachment_tokens, estimate_tokens(&read.text));
        let cut = tokens > most;
        let text = if cut {
            let chars = read.text.chars().count() as u64;
            let kept = usize::try_from(chars.saturating_mul(most) / tokens.max(1)).unwrap_or(usize::MAX);
            read.text.chars().take(kept).collect()
        } else {
            read.text
        };
        let attachment = Attachment { media_type: read.kind.media_type().to_owned(), cut, ..attachment };
        self.insert_attachment(who, agent, &attachment, None, &text).await?;
        Ok(attachment)
    }

    async fn insert_attachment(
        &self,
        who: &Principal,
        agent: &Agent,
        attachment: &Attachment,
        object: Option<(uuid::Uuid, [u8; 32])>,
        text: &str,
    ) -> Result<(), AgentError> {
        let subject = who.subject();
        let new = NewAttachment { org: who.org_id, agent: agent.id, subject: &subject, attachment, object, text };
        let mut tx = self.0.db.tenant(who.org_id).await?;
        store::attachments::insert(&mut tx, &new).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A picture that one gave, or that stands in a conversation that one may read.
    pub async fn attachment(
        &self,
        who: &Principal,
        agent: AgentId,
        id: AttachmentId,
    ) -> Result<(Attachment, Object), AgentError> {
        let mut tx = self.0.db.tenant(who.org_id).await?;
        let found = store::attachments::get(&mut tx, agent, id).await?;
        drop(tx);
        let found = found.ok_or(AgentError::NotFound("attachment"))?;
        if found.subject != who.subject() {
            let conversation = found.conversation.ok_or(AgentError::NotFound("attachment"))?;
            self.access(who, agent, conversation).await?;
        }
        let object = found.object.ok_or(AgentError::NotFound("attachment"))?;
        let object = self.0.objects.get(&key(who.org_id, agent, object)).await?;
        Ok((found.attachment, object))
    }
}
