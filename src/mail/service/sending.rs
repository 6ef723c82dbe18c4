//! Sending what is due in a lane.
//!
//! A run takes as many messages as it may have connections, and sends them at once; whenever some end, one transaction records their results and
//! takes the next. So a message that is `sending` is really being sent, and a process that is killed leaves as few as it had connections.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use tokio::time::{Instant, sleep};

use super::{Mail, account::Admitted, log::forget_secrets};
use crate::{
    Address, MailError, MessageId, Owner, Signing,
    compose::{self, Outgoing},
    dkim::{self, DomainKeys},
    events::{MessageFailed, MessageSent},
    kinds,
    metrics::{Attempted, MessageOutcome},
    model::{AttemptOutcome, Reason, State},
    smtp::{Account, Answer, Envelope, Failure},
    store::attempts::{self, SealedKeys, Settled, Taken},
};
use jobs::{JobContext, JobError};
use platform::{crypto, db::Tx, error::chain};
use storage::StorageError;

/// Messages per run of a job: other jobs wait for a worker, too.
const TURN: usize = 200;
/// After this long a job lets others run: otherwise a few slow lanes keep the workers for minutes.
const TURN_TIME: Duration = Duration::from_secs(5);
/// Waits for the next attempt, minutes, each for a mail that is tried for less than so many seconds: attempts come about 1, 6, 21, 81 and 201
/// minutes after the first, then every four hours. Who greylists wants a second attempt after a minute or more.
const RETRIES: [(i64, u64); 5] = [(30, 1), (200, 5), (900, 15), (3600, 60), (9000, 120)];
const LAST_RETRY: u64 = 240;
/// How often results are written again while the database is away, a second apart: an unwritten one means that a mail arrives twice.
const PATIENCE: u32 = 60;
/// Purpose of the key that encrypts keys of domains.
pub(super) const KEYS: &str = "mail.dkim";

/// An attempt that ended.
struct Ended {
    taken: Taken,
    began_at: DateTime<Utc>,
    took: Duration,
    result: Result<Answer, Stopped>,
}

enum Stopped {
    /// The recipient was suppressed after the mail was queued.
    Suppressed,
    Failed(Failure),
}

/// What a turn came to.
struct Turn {
    /// Messages that it took.
    begun: usize,
    /// Whether one of them was to be sent.
    tried: bool,
    /// Why the account failed.
    failure: Option<Answer>,
    /// More may be due.
    more: bool,
}

impl Mail {
    /// Sends what is due, oldest first, until nothing is, or others have to have their turn.
    pub(crate) async fn deliver(&self, context: &JobContext, lane: &str) -> Result<(), JobError> {
        let Some(account) = &self.inner.account else { return Ok(()) };
        let Some(admitted) = self.admit(lane).await? else { return Ok(()) };
        let Turn { tried, failure, more, .. } = self.turn(context, account, lane, admitted).await?;
        match (failure, admitted) {
            (Some(answer), _) => {
                self.account_failed(admitted, &answer).await?;
                return Ok(());
            }
            (None, Admitted::ToTry) if tried => self.account_works().await?,
            (None, Admitted::ToTry) => self.account_untried().await?,
            (None, Admitted::Freely) => {}
        }
        if more {
            // Not a snooze: the lane would have a job more after each turn, since the key of this one is free since its start.
            let mut tx = self.system().await?;
            self.wake(&mut tx, context.org_id, lane).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Sends until nothing is due, or the turn is over.
    async fn turn(
        &self,
        context: &JobContext,
        account: &Account,
        lane: &str,
        admitted: Admitted,
    ) -> Result<Turn, MailError> {
        let begin = Instant::now();
        let (most, connections) = match admitted {
            Admitted::Freely => (TURN, self.inner.config.connections),
            Admitted::ToTry => (1, 1),
        };
        let (mut flying, mut ended) = (FuturesUnordered::new(), Vec::new());
        let mut turn = Turn { begun: 0, tried: false, failure: None, more: true };
        let (mut found_all, mut doubtful) = (false, false);
        loop {
            let stops = context.cancel.is_cancelled() || self.inner.lifecycle.soft().is_cancelled();
            let is_over = found_all || stops || turn.failure.is_some() || begin.elapsed() > TURN_TIME;
            let free = connections.saturating_sub(flying.len()).min(most - turn.begun);
            let free = if is_over { 0 } else { free };
            if free > 0 || !ended.is_empty() {
                let now = self.inner.clock.now();
                let (taken, was_repeated) = self.exchange(context, lane, &ended, free, now).await?;
                ended.clear();
                found_all |= taken.len() < free;
                doubtful |= was_repeated;
                turn.begun += taken.len();
                flying.extend(taken.into_iter().map(|taken| self.attempt(account, taken, now)));
            }
            let Some(first) = flying.next().await else { break };
            ended.push(first);
            // What ended together is recorded together.
            while let Some(Some(next)) = flying.next().now_or_never() {
                ended.push(next);
            }
            turn.tried |= ended.iter().any(|ended| !matches!(ended.result, Err(Stopped::Suppressed)));
            turn.failure = turn.failure.or_else(|| ended.iter().find_map(Ended::account_failure));
        }
        // A transaction that was lost may have taken messages: the next run finds them.
        turn.more = !found_all || doubtful;
        Ok(turn)
    }

    /// Records results and takes the next messages, in one transaction. While the database is away, results are kept and written again; the flag
    /// says whether they were.
    async fn exchange(
        &self,
        context: &JobContext,
        lane: &str,
        ended: &[Ended],
        free: usize,
        now: DateTime<Utc>,
    ) -> Result<(Vec<Taken>, bool), MailError> {
        let mut tries = 0;
        loop {
            match self.exchange_once(lane, ended, free, now).await {
                Err(MailError::Db(error)) if error.is_unavailable() && !ended.is_empty() && tries < PATIENCE => {
                    tries += 1;
                    tracing::debug!(lane, error = chain(&error), "results of mail cannot be recorded: trying again");
                    tokio::select! {
                        () = sleep(Duration::from_secs(1)) => {}
                        // The last try.
                        () = context.cancel.cancelled(), if tries < PATIENCE => tries = PATIENCE,
                    }
                }
                done => return Ok((done?, tries > 0)),
            }
        }
    }

    async fn exchange_once(
        &self,
        lane: &str,
        ended: &[Ended],
        free: usize,
        now: DateTime<Utc>,
    ) -> Result<Vec<Taken>, MailError> {
        let mut tx = self.system().await?;
        let mut kept = Vec::new();
        if !ended.is_empty() {
            let settled: Vec<Settled> = ended.iter().map(|ended| self.settled(ended)).collect();
            let taken_over = attempts::settle(&mut tx, &settled, self.inner.clock.now()).await?;
            for (ended, settled) in ended.iter().zip(settled) {
                if taken_over.contains(&settled.id) {
                    self.follow(&mut tx, ended, &settled).await?;
                    kept.push((ended, settled));
                } else {
                    tracing::warn!(message_id = %settled.id, lane, "another run has taken this mail over");
                }
            }
        }
        let taken = if free > 0 {
            let sender = self.inner.config.sender().map(|sender| sender.address()).unwrap_or_default();
            attempts::take(&mut tx, lane, &sender, i64::try_from(free).unwrap_or(i64::MAX), now).await?
        } else {
            Vec::new()
        };
        tx.commit().await?;
        for (ended, settled) in kept {
            self.tell(lane, ended, &settled);
        }
        Ok(taken)
    }

    /// What the result of an attempt makes of its message.
    fn settled(&self, ended: &Ended) -> Settled {
        let Ended { taken, began_at, took, result } = ended;
        let now = self.inner.clock.now();
        let until = taken.tried_since.unwrap_or(*began_at) + TimeDelta::hours(self.inner.config.retry_hours.into());
        let again = || {
            let since = taken.tried_since.unwrap_or(*began_at);
            let wait = TimeDelta::from_std(retry_wait(now - since)).unwrap_or_default();
            if now < until { (State::Queued, Some((now + wait).min(until))) } else { (State::Failed, None) }
        };
        let suppressed = Answer::own("the recipient was suppressed");
        let (answer, outcome, (state, send_at)) = match result {
            Ok(answer) => (answer, AttemptOutcome::Sent, (State::Sent, None)),
            Err(Stopped::Suppressed) => (&suppressed, AttemptOutcome::Suppressed, (State::Suppressed, None)),
            Err(Stopped::Failed(failure)) => match failure {
                Failure::Before(answer) => (answer, AttemptOutcome::Deferred, again()),
                Failure::Permanent { answer, .. } => (answer, AttemptOutcome::Rejected, (State::Failed, None)),
                Failure::Unknown(answer) => (answer, AttemptOutcome::Unknown, again()),
                Failure::Account(answer) => (answer, AttemptOutcome::Account, (State::Queued, None)),
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
            answer: answer.shown(),
            maybe_sent: outcome == AttemptOutcome::Unknown,
            tried: !matches!(outcome, AttemptOutcome::Account | AttemptOutcome::Suppressed),
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
            answer: &settled.answer,
            end,
            now: self.inner.clock.now().timestamp_millis() as f64 / 1000.0,
        });
    }

    async fn attempt(&self, account: &Account, taken: Taken, began_at: DateTime<Utc>) -> Ended {
        let begin = Instant::now();
        let result = if taken.suppressed {
            Err(Stopped::Suppressed)
        } else {
            self.send_taken(account, &taken, began_at).await.map_err(Stopped::Failed)
        };
        Ended { taken, began_at, took: begin.elapsed(), result }
    }

    async fn send_taken(&self, account: &Account, taken: &Taken, began_at: DateTime<Utc>) -> Result<Answer, Failure> {
        if taken.org_id.is_some() && taken.from_address.is_some() && !taken.owns_domain {
            // It was when the mail was written.
            let text = "the sender's domain is not a verified domain of this organisation any more: check its records on the page Domains";
            return Err(Failure::Permanent { answer: Answer::own(text), of_address: false });
        }
        let (from, own) = match &taken.from_address {
            Some(address) => (Address::new(&taken.from_name, address), false),
            None => {
                // An account has a sender.
                let sender =
                    self.inner.config.sender().ok_or_else(|| Failure::Account(Answer::own("no sender is set")))?;
                let name = Some(taken.from_name.as_str()).filter(|name| !name.is_empty());
                (name.map_or(Ok(sender.clone()), |name| sender.named(name)), true)
            }
        };
        let from = from.map_err(|error| refused(&error))?;
        let to = Address::new(&taken.to_name, &taken.to_address).map_err(|error| refused(&error))?;
        let raw = self.written(taken, &from, &to, began_at).await?;
        let bounces = self.inner.config.bounces_to();
        account.send(&Envelope { from: &from, to: &to, own, bounces: bounces.as_ref() }, &raw).await
    }

    /// The message, signed as the settings say where its sender's domain has keys.
    async fn written(
        &self,
        taken: &Taken,
        from: &Address,
        to: &Address,
        began_at: DateTime<Utc>,
    ) -> Result<Vec<u8>, Failure> {
        let reply_to = taken.reply_to.as_deref().map(Address::parse).transpose().map_err(|error| refused(&error))?;
        let mut files = Vec::new();
        for attachment in &taken.attachments.0 {
            let content = self.inner.objects.get_bytes(&attachment.object).await.map_err(|error| match error {
                StorageError::NotFound => refused(&error),
                error => Failure::Before(Answer::own(format!("an attachment cannot be read: {}", chain(&error)))),
            })?;
            files.push((attachment, content));
        }
        let outgoing = Outgoing {
            from,
            to,
            reply_to: reply_to.as_ref(),
            subject: &taken.subject,
            message_id: &taken.message_id,
            // That of the first attempt: each sends the same mail.
            date: taken.tried_since.unwrap_or(began_at),
            text: &taken.text,
            html: taken.html.as_deref(),
            headers: &taken.headers.0,
            attachments: files,
        };
        let raw = compose::mime(&outgoing).map_err(|error| refused(&error))?;
        let signing = match self.inner.config.signing() {
            Signing::Auto | Signing::Both if !taken.has_ed25519 => Signing::Rsa,
            signing => signing,
        };
        let Some(sealed) = taken.keys().filter(|_| signing != Signing::None) else { return Ok(raw) };
        // Unsigned mail of a domain whose policy demands a signature would be refused, or be called spam.
        let unsigned =
            |error: MailError| Failure::Before(Answer::own(format!("it cannot be signed: {}", chain(&error))));
        let keys = self.signing_keys(&sealed).map_err(unsigned)?;
        dkim::sign(&raw, &keys, signing).map_err(|error| unsigned(error.into()))
    }

    fn signing_keys(&self, sealed: &SealedKeys<'_>) -> Result<Arc<DomainKeys>, MailError> {
        let cache = || self.inner.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = cache().get(&sealed.id) {
            return Ok(keys.clone());
        }
        let open = |private: &[u8]| self.inner.master_key.open(KEYS, sealed.id.0.as_bytes(), private);
        let (rsa, ed25519) = (open(sealed.rsa_private)?, open(sealed.ed25519_private)?);
        let keys = Arc::new(DomainKeys::new(sealed.domain, sealed.selector, &rsa, &ed25519)?);
        cache().insert(sealed.id, keys.clone());
        Ok(keys)
    }
}

impl Ended {
    fn account_failure(&self) -> Option<Answer> {
        match &self.result {
            Err(Stopped::Failed(Failure::Account(answer))) => Some(answer.clone()),
            _ => None,
        }
    }
}

/// It cannot be sent as it is.
fn refused(error: &dyn std::error::Error) -> Failure {
    Failure::Permanent { answer: Answer::own(chain(error)), of_address: false }
}

/// The wait for the next attempt at a mail that is tried for so long, with jitter: mail that was refused together is not tried again together.
/// Attempts are not counted for it: those that failed with the account are not the mail's.
pub(crate) fn retry_wait(tried_for: TimeDelta) -> Duration {
    let early = RETRIES.iter().find(|(until, _)| tried_for < TimeDelta::seconds(*until));
    let minutes = early.map_or(LAST_RETRY, |(_, minutes)| *minutes);
    Duration::from_secs(60 * minutes).mul_f64(0.9 + 0.3 * crypto::random_unit())
}
