//! Carrying out lifecycle rules, and emptying buckets. What a rule deletes is deleted as a person would: into the trash, behind a marker; what is locked
//! stays.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use uuid::Uuid;

use super::Files;
use crate::{
    Bucket, BucketId, Caller, Conditions, Expire, FilesError, LifecycleRule, LifecycleRun, VersionRef, lifecycle,
    metrics,
    store::{
        self,
        lifecycle::{After, Due},
        uploads::Hold,
    },
};
use platform::ids::OrgId;

/// Before all.
const BEGIN: After = (DateTime::UNIX_EPOCH, Uuid::nil());

/// What came of some of what is due.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    done: i64,
    /// Versions that are locked, or objects whose key the target of a move has already.
    kept: i64,
}

/// What is done with current objects that are due.
enum Action<'a> {
    Expire,
    Move(&'a Bucket),
}

impl Files {
    /// Carries out the rules of buckets that have not had their turn today. True: all have; false: time is up, or it is to stop.
    pub(crate) async fn carry_out_rules(
        &self,
        time: Duration,
        is_cancelled: impl Fn() -> bool + Send + Sync,
    ) -> Result<bool, FilesError> {
        let Some(lock) = self.inner.db.try_session_lock("files.lifecycle").await? else { return Ok(true) };
        let begin = Instant::now();
        loop {
            let today = lifecycle::due_until(0, self.inner.clock.now());
            let mut tx = self.inner.db.system().await?;
            let next = store::lifecycle::next_bucket(&mut tx, today).await?;
            drop(tx);
            let Some((org, bucket)) = next else { break };
            self.carry_out(org, bucket, &is_cancelled).await?;
            if begin.elapsed() > time || is_cancelled() {
                lock.release().await;
                return Ok(false);
            }
        }
        lock.release().await;
        Ok(true)
    }

    async fn carry_out(
        &self,
        org: OrgId,
        id: BucketId,
        is_cancelled: &(impl Fn() -> bool + Send + Sync),
    ) -> Result<(), FilesError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let bucket = store::buckets::by_id(&mut tx, id).await?;
        drop(tx);
        let Some(bucket) = bucket else { return Ok(()) };
        let now = self.inner.clock.now();
        let mut run = LifecycleRun { ran_at: now, expired: 0, moved: 0, aborted: 0, problem: String::new() };
        for rule in lifecycle::stored(&bucket.lifecycle)?.iter().filter(|rule| rule.enabled) {
            if is_cancelled() {
                // Its turn comes again: what is done is done.
                return Ok(());
            }
            if let Err(error) = self.carry_out_rule(&bucket, rule, now, &mut run).await {
                if error.is_of_database() {
                    return Err(error);
                }
                add_problem(&mut run, rule, &error.to_string());
            }
        }
        let mut tx = self.inner.db.tenant(org).await?;
        store::lifecycle::save(&mut tx, (org, id), &run).await?;
        tx.commit().await?;
        metrics::lifecycle_ran(id, &run);
        Ok(())
    }

    async fn carry_out_rule(
        &self,
        bucket: &Bucket,
        rule: &LifecycleRule,
        now: DateTime<Utc>,
        run: &mut LifecycleRun,
    ) -> Result<(), FilesError> {
        let who = &Caller { subject: "lifecycle".to_owned(), ..Caller::worker(bucket.org) };
        if let Some(until) = rule.expire.and_then(|expire| lifecycle::expires_until(expire, now)) {
            let done = self.each_current(who, bucket, rule, until, &Action::Expire).await?;
            run.expired += done.done;
            note_kept(run, rule, done, "locked objects stay");
        }
        if matches!(rule.expire, Some(Expire::Markers(true))) {
            run.expired += self.expire_markers(who, bucket, rule).await?;
        }
        if let Some(noncurrent) = rule.noncurrent {
            let until = (lifecycle::due_until(noncurrent.days, now), noncurrent.keep.into());
            let done = self.expire_noncurrent(who, bucket, rule, until).await?;
            run.expired += done.done;
            note_kept(run, rule, done, "locked versions stay");
        }
        if let Some(days) = rule.abort_uploads_days {
            run.aborted += self.abort_uploads(bucket, rule, lifecycle::due_until(days, now)).await?;
        }
        if let Some(to) = rule.move_to {
            let target = self.bucket_by_id(who, to.bucket).await?;
            let (until, action) = (lifecycle::due_until(to.days, now), Action::Move(&target));
            let done = self.each_current(who, bucket, rule, until, &action).await?;
            run.moved += done.done;
            note_kept(run, rule, done, "objects stay, because the target has their keys");
        }
        Ok(())
    }

    async fn each_current(
        &self,
        who: &Caller,
        bucket: &Bucket,
        rule: &LifecycleRule,
        until: DateTime<Utc>,
        action: &Action<'_>,
    ) -> Result<Done, FilesError> {
        let (mut done, mut after) = (Done::default(), BEGIN);
        loop {
            let mut tx = self.inner.db.tenant(bucket.org).await?;
            let due = store::lifecycle::current(&mut tx, bucket.id, rule, until, after).await?;
            drop(tx);
            let Some(last) = due.last() else { return Ok(done) };
            after = (last.at, last.id.0);
            for one in &due {
                let is_done = match action {
                    Action::Expire => self.expire(who, bucket, one).await?,
                    Action::Move(target) => self.move_due(who, bucket, target, one).await?,
                };
                if is_done {
                    done.done += 1;
                } else {
                    done.kept += 1;
                }
            }
        }
    }

    /// Deletes a current object, unless it was replaced since it was found. False: it is locked.
    async fn expire(&self, who: &Caller, bucket: &Bucket, due: &Due) -> Result<bool, FilesError> {
        let current = match self.find(who, bucket, &due.key, None).await {
            Ok(current) => current,
            Err(FilesError::ObjectNotFound) => return Ok(true),
            Err(error) => return Err(error),
        };
        if current.id != due.id {
            return Ok(true);
        }
        // Of another content written meanwhile the condition is not fulfilled; of the same content nothing is lost that was not due.
        let when = Conditions { if_match: Some(crate::EtagList::These(vec![current.etag])), ..Conditions::default() };
        match self.delete(who, bucket, &due.key, None, &when).await {
            Ok(_) | Err(FilesError::Precondition) => Ok(true),
            Err(FilesError::Locked(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn move_due(&self, who: &Caller, from: &Bucket, to: &Bucket, due: &Due) -> Result<bool, FilesError> {
        match self.rename(who, (from, &due.key), (to, due.key.clone()), false).await {
            Ok(_) | Err(FilesError::ObjectNotFound) => Ok(true),
            Err(FilesError::Exists | FilesError::Locked(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn expire_noncurrent(
        &self,
        who: &Caller,
        bucket: &Bucket,
        rule: &LifecycleRule,
        until: (DateTime<Utc>, i64),
    ) -> Result<Done, FilesError> {
        let (mut done, mut after) = (Done::default(), BEGIN);
        loop {
            let mut tx = self.inner.db.tenant(bucket.org).await?;
            let due = store::lifecycle::noncurrent(&mut tx, bucket.id, rule, until, after).await?;
            drop(tx);
            let Some(last) = due.last() else { return Ok(done) };
            after = (last.at, last.id.0);
            let answers = self.delete_due(who, bucket, &due).await?;
            done.done += answers.done;
            done.kept += answers.kept;
        }
    }

    async fn delete_due(&self, who: &Caller, bucket: &Bucket, due: &[Due]) -> Result<Done, FilesError> {
        let keys = due.iter().map(|due| (due.key.clone(), Some(VersionRef::Id(due.id)))).collect();
        let mut done = Done::default();
        for answer in self.delete_many(who, bucket, keys).await? {
            match answer {
                Ok(_) => done.done += 1,
                Err(FilesError::Locked(_)) => done.kept += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    async fn expire_markers(&self, who: &Caller, bucket: &Bucket, rule: &LifecycleRule) -> Result<i64, FilesError> {
        let (mut done, mut after) = (0, String::new());
        loop {
            let mut tx = self.inner.db.tenant(bucket.org).await?;
            let due = store::lifecycle::bare_markers(&mut tx, bucket.id, &rule.prefix, &after).await?;
            drop(tx);
            let Some(last) = due.last() else { return Ok(done) };
            last.key.as_str().clone_into(&mut after);
            done += self.delete_due(who, bucket, &due).await?.done;
        }
    }

    async fn abort_uploads(
        &self,
        bucket: &Bucket,
        rule: &LifecycleRule,
        until: DateTime<Utc>,
    ) -> Result<i64, FilesError> {
        let mut aborted = 0;
        loop {
            let mut tx = self.inner.db.tenant(bucket.org).await?;
            let due = store::lifecycle::uploads(&mut tx, bucket.id, &rule.prefix, until).await?;
            drop(tx);
            if due.is_empty() {
                return Ok(aborted);
            }
            for id in due {
                let mut tx = self.inner.db.tenant(bucket.org).await?;
                let held = store::uploads::hold(&mut tx, id, Hold::Alone).await?;
                if held.is_none_or(|held| held.ended_at.is_some()) {
                    continue;
                }
                store::parts::delete_all(&mut tx, id).await?;
                store::uploads::end(&mut tx, id, None, self.inner.clock.now()).await?;
                tx.commit().await?;
                aborted += 1;
            }
        }
    }

    /// What the rules of a bucket did last; `None`: they have not had their turn.
    pub async fn lifecycle_run(&self, who: &Caller, bucket: &Bucket) -> Result<Option<LifecycleRun>, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        let found = store::lifecycle::last(&mut tx, bucket.id).await?;
        drop(tx);
        Ok(found)
    }

    /// Deletes everything in a bucket for so long. True: what is left is locked; false: time is up, or it is to stop.
    pub(crate) async fn empty_some(
        &self,
        org: OrgId,
        id: BucketId,
        by: &str,
        time: Duration,
        is_cancelled: impl Fn() -> bool + Send + Sync,
    ) -> Result<bool, FilesError> {
        let who = Caller { subject: by.to_owned(), ..Caller::worker(org) };
        let mut tx = self.inner.db.tenant(org).await?;
        let bucket = store::buckets::by_id(&mut tx, id).await?;
        drop(tx);
        let Some(bucket) = bucket else { return Ok(true) };
        let everything = LifecycleRule {
            id: String::new(),
            enabled: true,
            prefix: String::new(),
            tags: crate::Tags::new(),
            larger_than: None,
            smaller_than: None,
            expire: None,
            noncurrent: None,
            abort_uploads_days: None,
            move_to: None,
        };
        self.abort_uploads(&bucket, &everything, self.inner.clock.now() + TimeDelta::days(1)).await?;
        let (begin, mut after) = (Instant::now(), String::new());
        loop {
            let mut tx = self.inner.db.tenant(org).await?;
            let due = store::lifecycle::everything(&mut tx, id, &after).await?;
            drop(tx);
            let Some(last) = due.last() else { return Ok(true) };
            // What was deleted is not found again: only past what stays one goes on.
            if self.delete_due(&who, &bucket, &due).await?.done == 0 {
                last.key.as_str().clone_into(&mut after);
            }
            if begin.elapsed() > time || is_cancelled() {
                return Ok(false);
            }
        }
    }
}

fn note_kept(run: &mut LifecycleRun, rule: &LifecycleRule, done: Done, what: &str) {
    if done.kept > 0 {
        add_problem(run, rule, &format!("{} {what}", done.kept));
    }
}

/// Shown at the bucket.
fn add_problem(run: &mut LifecycleRun, rule: &LifecycleRule, text: &str) {
    if !run.problem.is_empty() {
        run.problem.push_str("; ");
    }
    run.problem.extend([rule.id.as_str(), ": ", text]);
}
