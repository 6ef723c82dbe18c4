//! The rules of agents and conversations.

mod agents;
mod attachments;
mod branches;
mod conversations;
mod export;
mod feedback;
mod retention;
mod running;
mod sharing;
mod sight;
mod trying;
mod writing;

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;

use super::{answer::Engine, backend::backend, config::Config, error::AgentError, metrics::Metrics, store};
use images::Pool;
use jobs::{By, Loops};
use knowledge::Knowledge;
use llm::Llm;
use platform::{clock::Clock, db::Db, lifecycle::Lifecycle};
use storage::Storage;

pub use agents::NewVersion;
pub use attachments::FOLDER;
pub use conversations::Ask;
#[cfg(test)]
pub(super) use conversations::{answered, title_of};
pub use running::{Joined, Reader};
use writing::Writers;
pub use writing::{AnswerEvent, Failure};

const SWEEP_EVERY: Duration = Duration::from_secs(15);
/// How often a writer records that its answer is still being written.
const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// Without a record for this long an answer counts as abandoned. Several times [`ALIVE_EVERY`], and more than two
/// hosts' clocks differ.
const SILENT: TimeDelta = TimeDelta::seconds(60);

/// Agents and conversations. Cheap to clone.
#[derive(Clone)]
pub struct Agents(Arc<Inner>);

impl std::fmt::Debug for Agents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agents").finish_non_exhaustive()
    }
}

struct Inner {
    db: Db,
    clock: Clock,
    config: Config,
    lifecycle: Lifecycle,
    engine: Engine,
    writers: Writers,
    /// Pictures of questions: this room's folder of the object store.
    objects: Storage,
    pictures: Pool,
}

/// What the service is built from.
pub struct Deps {
    pub db: Db,
    pub clock: Clock,
    pub config: Config,
    pub lifecycle: Lifecycle,
    pub metrics: Metrics,
    pub knowledge: Knowledge,
    pub llm: Llm,
    /// The room's folder of the object store.
    pub objects: Storage,
    /// Children that decode pictures.
    pub pictures: Pool,
}

impl Agents {
    /// Builds the service and registers `agent/` with the gateway.
    pub fn new(deps: Deps) -> Self {
        let Deps { db, clock, config, lifecycle, metrics, knowledge, llm, objects, pictures } = deps;
        let (model, most) = (config.default_model.clone(), config.max_concurrent_answers);
        let engine = Engine::new(knowledge, llm.clone(), model, metrics, most);
        let writers = Writers::default();
        let agents = Self(Arc::new(Inner { db, clock, config, lifecycle, engine, writers, objects, pictures }));
        llm.register("agent", backend(&agents));
        agents
    }

    /// The model of agents without one of their own.
    pub fn default_model(&self) -> String {
        self.0.engine.default_model()
    }

    /// The gateway, for the list of models that an agent may use.
    pub fn llm(&self) -> &Llm {
        &self.0.engine.llm
    }

    pub fn knowledge(&self) -> &Knowledge {
        &self.0.engine.knowledge
    }

    /// Starts the search for abandoned answers.
    pub fn start_loops(&self, loops: &Loops) {
        let agents = self.clone();
        loops.every("agents.sweep", SWEEP_EVERY, By::Leader, move || {
            let agents = agents.clone();
            async move { Ok(agents.sweep_abandoned().await.map(drop)?) }
        });
    }

    /// Marks answers as failed that a crash left unfinished: no writer has recorded them lately.
    pub async fn sweep_abandoned(&self) -> Result<u64, AgentError> {
        let before = self.0.clock.now() - SILENT;
        let mut tx = self.0.db.system().await?;
        let swept = store::conversations::fail_abandoned(&mut tx, before).await?;
        tx.commit().await?;
        Ok(swept)
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(super) fn db(&self) -> &Db {
        &self.0.db
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn downgrade(&self) -> WeakAgents {
        WeakAgents(Arc::downgrade(&self.0))
    }
}

/// A weak reference to [`Agents`], for parts that the service itself holds.
#[derive(Debug)]
pub struct WeakAgents(std::sync::Weak<Inner>);

impl WeakAgents {
    pub(super) fn upgrade(&self) -> Option<Agents> {
        self.0.upgrade().map(Agents)
    }
}
