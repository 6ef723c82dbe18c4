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
use tokio::time::Instant;

use super::{
    Mail,
    account::Admitted,
    results::{Ended, Exchanged, Results, Stopped},
};
use crate::{
    Address, MailError, Signing,
    compose::{self, Outgoing},
    dkim::{self, DomainKeys},
    smtp::{Account, Answer, Envelope, Failure, Slot},
    store::attempts::{SealedKeys, Taken},
};
use jobs::{JobContext, JobError};
use platform::{crypto, error::chain};
use storage::StorageError;

/// Messages per run of a job: other jobs wait for a worker, too.
const TURN: usize = 200;
/// After this long a job lets others run: otherwise a few slow lanes keep the workers for minutes.
const TURN_TIME: Duration = Duration::from_secs(5);
/// Waits for the next attempt, minutes, each for a mail that is tried for less than so many seconds: attempts come about 1, 6, 21, 81 and 201
/// minutes after the first, then every four hours. Who greylists wants a second attempt after a minute or more.
const RETRIES: [(i64, u64); 5] = [(30, 1), (200, 5), (900, 15), (3600, 60), (9000, 120)];
const LAST_RETRY: u64 = 240;
/// A mail that the account failed at so often, although it works for others, is refused for something of its own.
const SUSPECT: i32 = 2;
/// How often a run looks whether the results of the one before it are recorded.
const RECORDED: Duration = Duration::from_secs(1);
/// Purpose of the key that encrypts keys of domains.
pub(super) const KEYS: &str = "mail.dkim";

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
        if self.inner.recording.has(lane) {
            return Err(JobError::Snooze(RECORDED));
        }
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
        let (mut flying, mut results) = (FuturesUnordered::new(), Results::new(self, lane));
        let mut turn = Turn { begun: 0, tried: false, failure: None, more: true };
        let (mut found_all, mut doubtful) = (false, false);
        loop {
            let stops = context.cancel.is_cancelled() || self.inner.lifecycle.soft().is_cancelled();
            let is_over = found_all || stops || turn.failure.is_some() || begin.elapsed() > TURN_TIME;
            let free = connections.saturating_sub(flying.len()).min(most - turn.begun);
            let is_idle = flying.is_empty() && results.ended.is_empty();
            let slots = if is_over { Vec::new() } else { self.slots(context, account, free, is_idle).await };
            if !slots.is_empty() || !results.ended.is_empty() {
                let exchanged = self.exchange(context, lane, &results.ended, slots.len()).await?;
                results.ended.clear();
                let Exchanged { taken, now, was_repeated } = exchanged;
                found_all |= taken.len() < slots.len();
                doubtful |= was_repeated;
                turn.begun += taken.len();
                let begun = taken.into_iter().zip(slots);
                flying.extend(begun.map(|(taken, slot)| self.attempt(account, slot, taken, now, admitted)));
            }
            let Some(first) = flying.next().await else { break };
            results.ended.push(first);
            // What ended together is recorded together.
            while let Some(Some(next)) = flying.next().now_or_never() {
                results.ended.push(next);
            }
            let ended = &results.ended;
            turn.tried |= ended.iter().any(|ended| !matches!(ended.result, Err(Stopped::Suppressed)));
            turn.failure = turn.failure.or_else(|| ended.iter().find_map(Ended::account_failure));
        }
        // A transaction that was lost may have taken messages: the next run finds them.
        turn.more = !found_all || doubtful;
        Ok(turn)
    }

    /// Connections for up to `most` messages, before these are taken: what is `sending` does not wait for one. A run that has nothing else to do
    /// waits; the longest waiting one is the next.
    async fn slots(&self, context: &JobContext, account: &Account, most: usize, waits: bool) -> Vec<Slot> {
        let mut slots = Vec::new();
        if waits && most > 0 {
            tokio::select! {
                slot = account.slot() => slots.extend(slot),
                () = context.cancel.cancelled() => return slots,
                () = self.inner.lifecycle.soft().cancelled() => return slots,
            }
        }
        slots.extend(account.free_slots(most - slots.len()));
        slots
    }

    async fn attempt(
        &self,
        account: &Account,
        slot: Slot,
        taken: Taken,
        began_at: DateTime<Utc>,
        admitted: Admitted,
    ) -> Ended {
        let begin = Instant::now();
        let result = if taken.suppressed {
            Err(Stopped::Suppressed)
        } else {
            self.send_taken(account, &slot, &taken, began_at).await.map_err(Stopped::Failed)
        };
        let is_suspect = admitted == Admitted::Freely && taken.account_failures >= SUSPECT;
        let result = match result {
            Err(Stopped::Failed(Failure::Account { answer, by_mail: true })) if is_suspect => {
                Err(Stopped::Failed(Failure::Before(answer)))
            }
            result => result,
        };
        Ended { taken, began_at, took: begin.elapsed(), result }
    }

    async fn send_taken(
        &self,
        account: &Account,
        slot: &Slot,
        taken: &Taken,
        began_at: DateTime<Utc>,
    ) -> Result<Answer, Failure> {
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
                    self.inner.config.sender().ok_or_else(|| Failure::account(Answer::own("no sender is set")))?;
                let name = Some(taken.from_name.as_str()).filter(|name| !name.is_empty());
                (name.map_or(Ok(sender.clone()), |name| sender.named(name)), true)
            }
        };
        let from = from.map_err(|error| refused(&error))?;
        let to = Address::new(&taken.to_name, &taken.to_address).map_err(|error| refused(&error))?;
        let raw = self.written(taken, &from, &to, began_at).await?;
        let bounces = self.inner.config.bounces_to();
        account.send(slot, &Envelope { from: &from, to: &to, own, bounces: bounces.as_ref() }, &raw).await
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
            let content = self.inner.objects.get_bytes(&attachment.object).await;
            let content = content.map_err(|error| {
                // Where files are stored is nothing for the organisation's log of mail.
                tracing::error!(message_id = %taken.id, error = chain(&error), "an attachment cannot be read");
                match error {
                    StorageError::NotFound => lost(&attachment.name),
                    _ => Failure::Before(Answer::own("an attachment cannot be read at the moment")),
                }
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

fn lost(file: &str) -> Failure {
    Failure::Permanent {
        answer: Answer::own(format!("the attachment {file} is not stored any more")),
        of_address: false,
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
