//! What belongs to a conversation beside its messages: attachments, ratings, sharing, exports.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use platform::{id_type, text_enum};

id_type!(AttachmentId, "A picture or a document given with a question.");
id_type!(TraceId, "The record of how an answer came about.");

text_enum! {
    /// Kind of an attachment.
    #[derive(sqlx::Type)]
    #[sqlx(type_name = "text", rename_all = "lowercase")]
    pub enum AttachmentKind {
        /// The model sees it.
        Picture = "picture",
        /// The model reads its text.
        Document = "document",
    }
}

/// A picture or a document given with a question.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = QuestionAttachment)]
pub struct Attachment {
    pub id: AttachmentId,
    pub kind: AttachmentKind,
    pub filename: String,
    pub media_type: String,
    /// Bytes: of a picture as it is stored, of a document as it was given.
    pub size: i64,
    /// Of a picture.
    pub width: Option<i32>,
    pub height: Option<i32>,
    /// The document's text was longer than the agent takes: its end is left out.
    pub cut: bool,
    pub created_at: DateTime<Utc>,
}

/// What somebody thinks of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AnswerRating)]
#[serde(deny_unknown_fields)]
pub struct Rating {
    pub good: bool,
    /// Why; may be empty.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub comment: String,
}

/// Changes to a conversation; `None` leaves a field unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversationChange {
    pub title: Option<String>,
    pub pinned: Option<bool>,
    /// Readable for the whole organisation by its address.
    pub shared: Option<bool>,
}

text_enum! {
    /// Format of an exported conversation.
    pub enum ExportFormat {
        Markdown = "markdown",
        Json = "json",
    }
}

/// An exported conversation.
#[derive(Clone, Debug)]
pub struct Exported {
    pub filename: String,
    pub media_type: &'static str,
    pub bytes: Bytes,
}

/// As what somebody reads a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Own,
    /// Its owner shares it with the organisation.
    Shared,
    /// The organisation lets its administrators read what was asked since then.
    Sight(DateTime<Utc>),
}
