//! Recording the results of attempts, and what follows from them.

use std::{
    collections::BTreeSet,
    mem,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};

use super::{Mail, log::forget_secrets, sending::retry_wait};
use crate::{
    Address, MailError, MessageId, Owner,
    events::{MessageFailed, MessageSent},
    kinds,
    metrics::{Attempted, MessageOutcome},
    model::{AttemptOutcome, Reason, State, errors},
    smtp::{Answer, Failure},
    store::attempts::{self, Settled, Taken},
};
use jobs::JobContext;
use platform::{crypto, db::Tx, error::chain};

/// How often a run writes results again while the database is away, a second apart. It has its lease for half a minute only; what it leaves is
/// recorded by a task: see [`Results`].
const PATIENCE: u32 = 60;
/// For how long that task tries: what is not recorded is sent again when the database is back.
const RECORD_FOR: Duration = Duration::from_mins(10);
/// Until a mail is tried again that the server had no connection for.
const BUSY: Duration = Duration::from_secs(30);
/// After this long the time of such a mail runs as if the server had judged it.
const LONG_BUSY: TimeDelta = TimeDelta::hours(1);
/// Waits of a mail that the account failed at, minutes: others try the account meanwhile.
const PUT_OFF: [u64; 3] = [1, 5, 15];

/// What an organisation reads of a failure of the account.
const UNUSABLE: &str = "the mail server cannot be used at the moment: all mail waits for it";

/// An attempt that ended.
pub(super) struct Ended {
    pub taken: Taken,
    pub began_at: DateTime<Utc>,
    pub took: Duration,
    pub result: Result<Answer, Stopped>,
}

pub(super) enum Stopped {
    /// The recipient was suppressed after the mail was queued.
    Suppressed,
    Failed(Failure),
}

impl Ended {
    pub fn account_failure(&self) -> Option<Answer> {
        match &self.result {
            Err(Stopped::Failed(Failure::Account { answer, .. })) => Some(answer.clone()),
            _ => None,
        }
    }
}

/// Results of a run that are not recorded yet. If the run ends before they are, because its job has lost its lease while the database was away, a
/// task goes on: otherwise mail that the server has accepted would be sent again.
pub(super) struct Results {
    mail: Mail,
    lane: String,
    pub ended: Vec<Ended>,
}

impl Results {
    pub fn new(mail: &Mail, lane: &str) -> Self {
        Self { mail: mail.clone(), lane: lane.to_owned(), ended: Vec::new() }
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        // Without a runtime the process is at its end.
        if !self.ended.is_empty() && Handle::try_current().is_ok() {
            self.mail.record_later(mem::take(&mut self.lane), mem::take(&mut self.ended));
        }
    }
}

/// Lanes whose results a task of this process records: no run of theirs begins, which would take their mail for cut off.
#[derive(Debug, Default)]
pub(super) struct Recording(Mutex<BTreeSet<String>>);

impl Recording {
    pub fn has(&self, lane: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(lane)
    }
}

/// Takes the lane out of [`Recording`] however its task ends.
struct Registered(Mail, String);

impl Drop for Registered {
    fn drop(&mut self) {
        let Self(mail, lane) = self;
        mail.inner.recording.0.lock().unwrap_or_else(PoisonError::into_inner).remove(lane);
    }
}

/// What a transaction has taken, and when.
pub(super) struct Exchanged {
    pub taken: Vec<Taken>,
    pub now: DateTime<Utc>,
    /// It was tried again: a transaction that was lost may have taken messages.
    pub was_repeated: bool,
}

impl Mail {
    /// Records results and takes up to `most` messages, in one transaction. While the database is away, results are kept and written again.
    pub(super) async fn exchange(
        &self,
        context: &JobContext,
        lane: &str,
        ended: &[Ended],
        most: usize,
    ) -> Result<Exchanged, MailError> {
        let mut tries = 0;
        loop {
            match self.exchange_once(lane, ended, most).await {
                Err(MailError::Db(error)) if error.is_unavailable() && !ended.is_empty() && tries < PATIENCE => {
                    tries += 1;
                    tracing::debug!(lane, error = chain(&error), "results of mail cannot be recorded: trying again");
                    tokio::select! {
                        () = sleep(Duration::from_secs(1)) => {}
                        // The last try.
                        () = context.cancel.cancelled(), if tries < PATIENCE => tries = PATIENCE,
                    }
                }
                done => return Ok(Exchanged { was_repeated: tries > 0, ..done? }),
            }
        }
    }

    async fn exchange_once(&self, lane: &str, ended: &[Ended], most: usize) -> Result<Exchanged, MailError> {
        let mut tx = self.system().await?;
        let now = self.now(&mut tx).await?;
        let mut kept = Vec::new();
        if !ended.is_empty() {
            let settled: Vec<Settled> = ended.iter().map(|ended| self.settled(ended, now)).collect();
            let recorded = attempts::settle(&mut tx, &settled, now).await?;
            for (ended, settled) in ended.iter().zip(settled) {
                if recorded.contains(&settled.id) {
                    self.follow(&mut tx, ended, &settled).await?;
                    kept.push((ended, settled));
                } else {
                    tracing::warn!(message_id = %settled.id, lane, "another run has taken this mail over");
                }
            }
        }
        let taken = if most > 0 {
            let sender = self.inner.config.sender().map(|sender| sender.address()).unwrap_or_default();
            attempts::take(&mut tx, lane, &sender, i64::try_from(most).unwrap_or(i64::MAX), now).await?
        } else {
            Vec::new()
        };
        tx.commit().await?;
        for (ended, settled) in kept {
            self.tell(lane, ended, &settled);
        }
        Ok(Exchanged { taken, now, was_repeated: false })
    }

    /// Records what a run has left, as soon as the database takes it.
    fn record_later(&self, lane: String, ended: Vec<Ended>) {
        self.inner.recording.0.lock().unwrap_or_else(PoisonError::into_inner).insert(lane.clone());
        let registered = Registered(self.clone(), lane);
        self.inner.lifecycle.spawn("mail.results", async move {
            let Registered(mail, lane) = &registered;
            let begin = Instant::now();
            while let Err(error) = mail.exchange_once(lane, &ended, 0).await {
                if begin.elapsed() > RECORD_FOR {
                    let (error, messages) = (chain(&error), ended.len());
                    tracing::error!(lane, messages, error, "results of mail are lost: it will be sent again");
                    return;
                }
                sleep(Duration::from_secs(1)).await;
            }
            tracing::info!(lane, messages = ended.len(), "results of mail recorded that a run had left");
        });
    }

    /// What the result of an attempt makes of its message.
    fn settled(&self, ended: &Ended, now: DateTime<Utc>) -> Settled {
        let Ended { taken, began_at, took, result } = ended;
        let since = taken.tried_since.unwrap_or(*began_at);
        let until = since + TimeDelta::hours(self.inner.config.retry_hours.into());
        let after = |wait: Duration| now + TimeDelta::from_std(wait).unwrap_or_default();
        let again = || {
            let next = after(retry_wait(now - since)).min(until);
            if now < until { (State::Queued, Some(next)) } else { (State::Failed, None) }
        };
        let suppressed = Answer::own(errors::SUPPRESSED);
        let (answer, outcome, (state, send_at)) = match result {
            Ok(answer) => (answer, AttemptOutcome::Sent, (State::Sent, None)),
            Err(Stopped::Suppressed) => (&suppressed, AttemptOutcome::Suppressed, (State::Suppressed, None)),
            Err(Stopped::Failed(failure)) => match failure {
                Failure::Before(answer) => (answer, AttemptOutcome::Deferred, again()),
                Failure::Busy(answer) if is_tried(ended) && now >= until => {
                    (answer, AttemptOutcome::Deferred, (State::Failed, None))
                }
                Failure::Busy(answer) => {
                    (answer, AttemptOutcome::Deferred, (State::Queued, Some(after(jittered(BUSY)))))
                }
                Failure::Permanent { answer, .. } => (answer, AttemptOutcome::Rejected, (State::Failed, None)),
                Failure::Unknown(answer) => (answer, AttemptOutcome::Unknown, again()),
                Failure::Account { answer, by_mail } => {
                    let next = by_mail.then(|| after(put_off(taken.account_failures)));
                    (answer, AttemptOutcome::Account, (State::Queued, next))
                }
            },
        };
        Settled {
            id: MessageId(taken.id),
            created_at: taken.created_at,
            attempt: taken.attempts,
            began_at: *began_at,
            state,
            send_at,
            outcome,
            status: answer.code.map(i32::from),
            enhanced: answer.enhanced.clone(),
            answer: for_owner(taken, result),
            maybe_sent: outcome == AttemptOutcome::Unknown,
            tried: is_tried(ended),
            busy: matches!(result, Err(Stopped::Failed(Failure::Busy(_)))),
            account_failed: matches!(result, Err(Stopped::Failed(Failure::Account { by_mail: true, .. }))),
            milliseconds: i32::try_from(took.as_millis()).unwrap_or(i32::MAX),
        }
    }

    /// What follows from a result, in its transaction.
    async fn follow(&self, tx: &mut Tx, ended: &Ended, settled: &Settled) -> Result<(), MailError> {
        let taken = &ended.taken;
        if matches!(settled.state, State::Sent | State::Failed | State::Suppressed) {
            forget_secrets(tx, &[(settled.id, taken.kind.as_str())]).await?;
        }
        // Programs ask what became of their mail; notices would only fill the outbox of events.
        if settled.state == State::Sent && taken.kind == kinds::API.name {
            let event = MessageSent { message_id: settled.id, attempts: settled.attempt };
            events::publish(tx, &self.inner.clock, taken.org(), &event).await?;
        }
        if settled.state == State::Failed {
            let event = MessageFailed {
                message_id: settled.id,
                kind: taken.kind.clone(),
                status: settled.status,
                enhanced: settled.enhanced.clone(),
            };
            events::publish(tx, &self.inner.clock, taken.org(), &event).await?;
        }
        if let Err(Stopped::Failed(Failure::Permanent { of_address: true, .. })) = &ended.result
            && let Ok(address) = Address::new("", &taken.to_address)
        {
            let (owner, detail) = (Owner::of(taken.org()), settled.answer.as_str());
            self.suppress_address(tx, owner, &address, "*", Reason::HardBounce, detail, Some(settled.id), "mail")
                .await?;
        }
        Ok(())
    }

    /// Counts and logs a result.
    fn tell(&self, lane: &str, ended: &Ended, settled: &Settled) {
        let end = match settled.state {
            State::Sent => Some(MessageOutcome::Sent),
            State::Failed => Some(MessageOutcome::Failed),
            State::Suppressed => Some(MessageOutcome::Suppressed),
            State::Queued | State::Sending | State::Cancelled => None,
        };
        self.inner.metrics.attempted(&Attempted {
            id: settled.id,
            kind: &ended.taken.kind,
            lane,
            attempt: settled.attempt,
            outcome: settled.outcome,
            took: ended.took,
            answer: &said(&ended.result),
            end,
            now: self.inner.clock.now().timestamp_millis() as f64 / 1000.0,
        });
    }
}

/// The answer, or what happened instead.
fn said(result: &Result<Answer, Stopped>) -> String {
    match result {
        Ok(answer) => answer.shown(),
        Err(Stopped::Suppressed) => errors::SUPPRESSED.to_owned(),
        Err(Stopped::Failed(failure)) => failure.answer().shown(),
    }
}

/// As the message's log shows it. Of the operator's server, account and network an organisation learns that they fail; operators see why.
fn for_owner(taken: &Taken, result: &Result<Answer, Stopped>) -> String {
    match result {
        Err(Stopped::Failed(Failure::Account { .. } | Failure::Busy(_))) if taken.org_id.is_some() => {
            UNUSABLE.to_owned()
        }
        _ => said(result),
    }
}

/// Whether the server has judged the mail, or may have it, or has had no connection for it for a long time: from then on its time runs.
fn is_tried(ended: &Ended) -> bool {
    use Failure::{Account, Before, Busy, Permanent, Unknown};
    match &ended.result {
        Ok(_) | Err(Stopped::Failed(Before(_) | Permanent { .. } | Unknown(_))) => true,
        Err(Stopped::Failed(Busy(_))) => {
            ended.taken.busy_since.is_some_and(|since| ended.began_at - since >= LONG_BUSY)
        }
        Err(Stopped::Suppressed | Stopped::Failed(Account { .. })) => false,
    }
}

/// The wait of a mail that the account has failed at so often before.
fn put_off(failures: i32) -> Duration {
    let before = usize::try_from(failures).unwrap_or_default();
    let minutes = PUT_OFF.get(before).or(PUT_OFF.last()).copied().unwrap_or(1);
    jittered(Duration::from_mins(minutes))
}

/// What was put off together does not come back together.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.9 + 0.3 * crypto::random_unit())
}
