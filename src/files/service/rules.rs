//! Rules of a bucket: who may do what below a prefix.

use super::{Files, permit};
use crate::{Bucket, BucketRule, BucketRuleId, Caller, FilesError, NewBucketRule, Subject, Verb, store};
use platform::error::FieldError;

/// Most rules of a bucket: all of them are read with each request.
const MOST: usize = 100;

impl Files {
    /// The rules of a bucket; none: the defaults count.
    pub async fn rules(&self, who: &Caller, bucket: &Bucket) -> Result<Vec<BucketRule>, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::Admin, "").await?;
        let found = store::rules::list(&mut tx, bucket.id).await?;
        drop(tx);
        Ok(found)
    }

    /// Gives a bucket these rules instead of those that it has.
    pub async fn set_rules(
        &self,
        who: &Caller,
        bucket: &Bucket,
        new: Vec<NewBucketRule>,
    ) -> Result<Vec<BucketRule>, FilesError> {
        let rules = self.checked(who, new)?;
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::Admin, "").await?;
        // Two who replace them do so one after the other.
        store::buckets::lock_settings(&mut tx, bucket.id).await?.ok_or(FilesError::BucketNotFound)?;
        store::rules::replace(&mut tx, (bucket.org, bucket.id), &rules).await?;
        tx.commit().await?;
        tracing::info!(bucket = %bucket.id, rules = rules.len(), "the rules of bucket {} changed", bucket.id);
        Ok(rules)
    }

    fn checked(&self, who: &Caller, new: Vec<NewBucketRule>) -> Result<Vec<BucketRule>, FilesError> {
        let (mut errors, mut rules) = (Vec::new(), Vec::new());
        if new.len() > MOST {
            errors.push(FieldError::new("/rules", "too_many", format!("at most {MOST} rules")));
        }
        for (n, rule) in new.into_iter().enumerate() {
            let subject = Subject::parse(&rule.subject).filter(|subject| subject.to_string() == rule.subject);
            let is_scope = |name: &str| {
                (1..=60).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
            };
            let subject = subject.filter(|subject| match subject {
                Subject::Scope(name) => is_scope(name),
                _ => true,
            });
            if rule.verbs.is_empty() || rule.verbs.contains(&Verb::Admin) {
                let text = "one or more of list, read, write, delete";
                errors.push(FieldError::new(format!("/rules/{n}/verbs"), "invalid", text));
            }
            if rule.prefix.len() > 1024 || rule.prefix.contains('\0') {
                errors.push(FieldError::new(format!("/rules/{n}/prefix"), "invalid", "at most 1024 bytes, no U+0000"));
            }
            match subject {
                Some(subject) => rules.push(BucketRule {
                    id: BucketRuleId::generate(&self.inner.clock),
                    subject,
                    prefix: rule.prefix,
                    verbs: rule.verbs,
                    created_by: who.subject.clone(),
                    created_at: self.inner.clock.now(),
                }),
                None => {
                    let text = "anyone, role:viewer|member|admin|owner, scope:<name>, key:<id> or user:<id>";
                    errors.push(FieldError::new(format!("/rules/{n}/subject"), "invalid", text));
                }
            }
        }
        if errors.is_empty() { Ok(rules) } else { Err(FilesError::Invalid(errors)) }
    }
}
