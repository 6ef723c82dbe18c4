//! Trying settings that are not saved: beside the form of an agent.

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Agents, AnswerEvent, Reader,
    sight::keep_trace,
    writing::{EVENTS, Outcome},
};
use crate::{
    answer::{Overrides, Permit, Question, Trace, Via},
    error::AgentError,
    model::{Agent, AgentId, Draft, Message, MessageStatus, Speaker},
};
use platform::{error::FieldError, http::Principal, ids::OrgId};

/// What is tried.
struct Trial {
    org: OrgId,
    actor: String,
    via: Via,
    agent: Agent,
    history: Vec<Message>,
    question: String,
    permit: Permit,
}

impl Agents {
    /// Answers a question with settings that are not saved. Nothing is stored but a trace; what was asked before comes with the question.
    pub async fn try_draft(
        &self,
        who: &Principal,
        draft: Draft,
        history: Vec<Message>,
        question: String,
    ) -> Result<Reader, AgentError> {
        let draft = draft.check().map_err(AgentError::Invalid)?;
        self.check_references(who.org_id, &draft).await?;
        let question = self
            .check_question(&question)
            .map_err(|why| AgentError::Invalid(vec![FieldError::new("/content", "invalid_length", why)]))?;
        let now = self.0.clock.now();
        let agent = Agent {
            id: AgentId(Uuid::nil()),
            slug: draft.slug,
            name: draft.name,
            description: draft.description,
            version: 0,
            settings: draft.settings,
            created_at: now,
            updated_at: now,
        };
        let permit = self.0.engine.enter()?;
        let trial =
            Trial { org: who.org_id, actor: who.subject(), via: Via::of(who), agent, history, question, permit };
        let (events, receiver) = mpsc::channel(EVENTS);
        let agents = self.clone();
        self.0.lifecycle.spawn("agents.trial", async move {
            Box::pin(agents.run_trial(trial, events)).await;
        });
        Ok(Reader::new(receiver))
    }

    async fn run_trial(&self, trial: Trial, events: mpsc::Sender<AnswerEvent>) {
        let began = Instant::now();
        let Trial { org, actor, via, agent, history, question, permit } = trial;
        let question = Question {
            org,
            actor,
            agent: &agent,
            history: &history,
            text: &question,
            conversation: None,
            overrides: Overrides::default(),
            begun: None,
        };
        let mut trace = Trace::new(&question, via, self.0.clock.now());
        let stop = CancellationToken::new();
        let answering = self.stream(&question, permit, &stop, &events, &mut trace);
        let (answer, end) = Box::pin(answering).await;
        let message = self.message(Speaker::Assistant, MessageStatus::Streaming, String::new(), Some(&agent));
        let Outcome { message, row, error } = self.outcome(message, answer, end, None, (trace, began));
        let stored: Result<(), AgentError> = async {
            let mut tx = self.0.db.tenant(org).await?;
            keep_trace(&mut tx, &row).await?;
            tx.commit().await?;
            Ok(())
        }
        .await;
        if let Err(error) = stored {
            tracing::warn!(%error, "the trace of a trial could not be stored");
        }
        let _ = events.send(AnswerEvent::end(message, error)).await;
    }
}
