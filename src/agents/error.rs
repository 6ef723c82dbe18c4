//! Errors of agents and conversations, and their HTTP answers.

use std::time::Duration;

use axum::http::StatusCode;

use images::ImageError;
use knowledge::KnowledgeError;
use llm::LlmError;
use platform::{
    db::DbError,
    error::{ApiError, FieldError},
};
use storage::StorageError;

/// An operation on agents or conversations failed.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("no such {0}")]
    NotFound(&'static str),
    #[error("an agent with the slug {0} exists")]
    SlugTaken(String),
    #[error("the request is invalid")]
    Invalid(Vec<FieldError>),
    #[error("the agent was changed by someone else in the meantime")]
    Changed,
    #[error("this conversation is being answered already")]
    Busy,
    #[error("too many answers are being written at once")]
    Overloaded,
    #[error("the conversation has {0} messages already")]
    ConversationFull(u32),
    #[error("there is no answer to regenerate")]
    NothingToRegenerate,
    #[error("there is no answer to continue")]
    NothingToContinue,
    /// A picture that was given with a question.
    #[error(transparent)]
    Picture(#[from] ImageError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("a conversation cannot be written as a file")]
    Json(#[from] serde_json::Error),
    #[error("knowledge")]
    Knowledge(#[from] KnowledgeError),
    #[error("model")]
    Llm(#[from] LlmError),
    #[error(transparent)]
    Db(#[from] DbError),
}

platform::from_sqlx!(AgentError);

impl From<AgentError> for ApiError {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::NotFound(thing) => Self::not_found(thing),
            AgentError::SlugTaken(slug) => Self {
                errors: vec![FieldError::new("/slug", "slug_taken", format!("{slug} is taken"))],
                ..Self::conflict("slug_taken", format!("an agent with the slug {slug} exists; choose another"))
            },
            AgentError::Invalid(errors) => Self::validation(errors),
            AgentError::Changed => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "agent_changed",
                "the agent has changed since you read it; read it again and repeat your change",
            ),
            AgentError::Busy => {
                Self::conflict("conversation_busy", "this conversation is being answered; wait, or stop the answer")
            }
            // 429, not 503: nothing is broken, and clients of both APIs retry by themselves.
            AgentError::Overloaded => Self {
                retry_after: Some(Duration::from_secs(5)),
                ..Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too_many_answers",
                    "too many answers are being written right now; try again in a few seconds",
                )
            },
            AgentError::ConversationFull(most) => Self::conflict(
                "conversation_full",
                format!("this conversation has reached its limit of {most} messages; start a new one"),
            ),
            AgentError::NothingToRegenerate => {
                Self::conflict("nothing_to_regenerate", "the conversation has no answer yet")
            }
            AgentError::NothingToContinue => Self::conflict(
                "nothing_to_continue",
                "the conversation does not end with an answer that was cut off, stopped or interrupted",
            ),
            AgentError::Picture(error) => of_picture(error),
            AgentError::Storage(error) => error.into(),
            AgentError::Json(error) => Self::internal(error),
            AgentError::Knowledge(error) => error.into(),
            AgentError::Llm(error) => error.into(),
            AgentError::Db(error) => error.into(),
        }
    }
}

fn of_picture(error: ImageError) -> ApiError {
    let text = error.to_string();
    let refuse = |status, code: &'static str| ApiError::new(status, code, text.clone());
    match error {
        ImageError::Format | ImageError::Avif => refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "image_format"),
        ImageError::Refused { .. } => refuse(StatusCode::UNPROCESSABLE_ENTITY, "image_too_large"),
        ImageError::Malformed | ImageError::Crop { .. } => refuse(StatusCode::UNPROCESSABLE_ENTITY, "image_damaged"),
        ImageError::Busy => ApiError::unavailable(Duration::from_secs(2), text),
        ImageError::Child(_) => ApiError::internal(error),
    }
}
