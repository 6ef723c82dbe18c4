//! Gives search queries priority over documents: somebody waits for a query, and documents take minutes anyway.
//!
//! In this process each priority has threads of its own ([`super::embed::Priority`]) and here a pool of its own. Requests
//! of documents to a provider are limited over all callers, and none starts while a query to that provider is in
//! flight.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::embed::Priority;
use platform::pools::CpuPool;

/// Up to this many texts count as a query.
const QUESTION_TEXTS: usize = 4;
/// Calls of the local model for documents at a time: one runs, and the next is ready when it ends.
pub(super) const PIECES: usize = 2;
/// Concurrent requests for documents to a provider.
pub(super) const CONCURRENCY: usize = 4;
/// How long a document waits for queries before each of its requests: an endless stream of queries must not stop it for
/// good.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The priority of a call with this many texts.
pub(super) fn priority_of(texts: usize) -> Priority {
    if texts <= QUESTION_TEXTS { Priority::Question } else { Priority::Bulk }
}

/// Pools of the local model, and limits of the providers.
pub(super) struct EmbedScheduler {
    questions: CpuPool,
    bulk: CpuPool,
    /// By provider name.
    providers: Mutex<HashMap<String, Arc<ProviderLimit>>>,
}

impl EmbedScheduler {
    /// `threads` of the local model.
    pub fn new(threads: usize) -> Self {
        Self { questions: CpuPool::new(threads), bulk: CpuPool::new(PIECES), providers: Mutex::default() }
    }

    /// The pool of this priority for the local model.
    pub fn pool(&self, priority: Priority) -> &CpuPool {
        if priority == Priority::Question { &self.questions } else { &self.bulk }
    }

    pub fn of_provider(&self, name: &str) -> Arc<ProviderLimit> {
        let mut providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        providers.entry(name.to_owned()).or_default().clone()
    }
}

/// Limits requests for vectors to one provider.
pub(super) struct ProviderLimit {
    permits: Semaphore,
    /// Queries in flight.
    questions: watch::Sender<usize>,
}

impl Default for ProviderLimit {
    fn default() -> Self {
        Self { permits: Semaphore::new(CONCURRENCY), questions: watch::Sender::new(0) }
    }
}

/// The right to send one request; released when dropped.
pub(super) enum RequestPermit<'a> {
    Question(&'a watch::Sender<usize>),
    Bulk { _permit: Option<SemaphorePermit<'a>> },
}

impl ProviderLimit {
    pub async fn take(&self, priority: Priority) -> RequestPermit<'_> {
        self.take_within(priority, MAX_WAIT).await
    }

    async fn take_within(&self, priority: Priority, max_wait: Duration) -> RequestPermit<'_> {
        if priority == Priority::Question {
            self.questions.send_modify(|count| *count += 1);
            return RequestPermit::Question(&self.questions);
        }
        // The semaphore is never closed.
        let permit = self.permits.acquire().await.ok();
        let mut questions = self.questions.subscribe();
        let _ = tokio::time::timeout(max_wait, questions.wait_for(|count| *count == 0)).await;
        RequestPermit::Bulk { _permit: permit }
    }
}

impl Drop for RequestPermit<'_> {
    fn drop(&mut self) {
        if let Self::Question(questions) = self {
            questions.send_modify(|count| *count -= 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Documents occupy all their permits, and would for minutes.
    #[tokio::test]
    async fn a_question_finds_a_place_while_documents_are_worked_on() {
        let scheduler = EmbedScheduler::new(1);
        let (end, running) = (Arc::new(AtomicBool::new(false)), Arc::new(Semaphore::new(0)));
        let documents: Vec<_> = (0..=PIECES)
            .map(|_| {
                let (pool, end, running) = (scheduler.pool(Priority::Bulk).clone(), end.clone(), running.clone());
                Box::pin(async move {
                    let work = move || {
                        running.add_permits(1);
                        while !end.load(Ordering::SeqCst) {
                            std::thread::sleep(Duration::from_millis(1));
                        }
                    };
                    pool.run(work).await
                })
            })
            .collect();
        let all = futures::future::join_all(documents);
        let asked = async {
            running.acquire_many(u32::try_from(PIECES).unwrap()).await.unwrap().forget();
            let question = scheduler.pool(Priority::Question).run(|| "answered");
            let answered = tokio::time::timeout(Duration::from_secs(20), question).await;
            end.store(true, Ordering::SeqCst);
            answered
        };
        let (done, answered) = tokio::join!(all, asked);
        assert_eq!(answered.expect("a question waits for no document").unwrap(), "answered");
        assert!(done.into_iter().all(|done| done.is_ok()));
        assert_eq!((priority_of(1), priority_of(500)), (Priority::Question, Priority::Bulk));
    }

    #[tokio::test]
    async fn documents_step_aside_for_questions_but_not_for_ever() {
        let limit = ProviderLimit::default();
        let (soon, max_wait) = (Duration::from_millis(50), Duration::from_millis(100));
        let question = limit.take(Priority::Question).await;
        let another = limit.take(Priority::Question).await;
        assert!(tokio::time::timeout(soon, limit.take(Priority::Bulk)).await.is_err(), "a question is under way");
        drop(question);
        assert!(tokio::time::timeout(soon, limit.take(Priority::Bulk)).await.is_err(), "another one is");
        drop(another);
        let mut bulk = Vec::new();
        for _ in 0..CONCURRENCY {
            bulk.push(tokio::time::timeout(soon, limit.take(Priority::Bulk)).await.expect("nobody asks"));
        }
        assert!(tokio::time::timeout(soon, limit.take(Priority::Bulk)).await.is_err(), "so many at a time");
        let question =
            tokio::time::timeout(soon, limit.take(Priority::Question)).await.expect("a question never waits");
        bulk.pop();
        let patient = tokio::time::timeout(Duration::from_secs(20), limit.take_within(Priority::Bulk, max_wait)).await;
        assert!(patient.is_ok(), "a question that never ends holds nobody up for ever");
        drop(question);
    }
}
