//! Rules of a bucket: who may do what below a prefix.

use super::{Files, permit};
use crate::{Bucket, BucketRule, BucketRuleId, Caller, FilesError, Subject, Verb, store};
use platform::error::FieldError;

/// Most rules of a bucket: each request reads all of them.
const MOST: usize = 100;

/// A rule to write.
#[derive(Clone, Debug)]
pub struct NewBucketRule {
    /// As [`Subject::parse`] reads it.
    pub subject: String,
    pub prefix: String,
    pub verbs: Vec<Verb>,
}

impl Files {
    /// The rules of a bucket: for its admins.
    pub async fn rules(&self, who: &Caller, bucket: &Bucket) -> Result<Vec<BucketRule>, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::Admin, "").await?;
        let rules = store::rules::list(&mut tx, bucket.id).await?;
        drop(tx);
        Ok(rules)
    }

    /// Replaces the rules of a bucket: whole lists, so that nobody sees half of a change.
    pub async fn set_rules(
        &self,
        who: &Caller,
        bucket: &Bucket,
        new: Vec<NewBucketRule>,
    ) -> Result<Vec<BucketRule>, FilesError> {
        let subjects = check(&new)?;
        let now = self.inner.clock.now();
        let rule = |(new, subject): (NewBucketRule, Subject)| BucketRule {
            id: BucketRuleId::generate(&self.inner.clock),
            subject,
            prefix: new.prefix,
            verbs: new.verbs,
            created_by: who.subject.clone(),
            created_at: now,
        };
        let rules: Vec<BucketRule> = new.into_iter().zip(subjects).map(rule).collect();
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::Admin, "").await?;
        if !store::buckets::lock(&mut tx, bucket.id).await? {
            return Err(FilesError::BucketNotFound);
        }
        store::rules::replace(&mut tx, (bucket.org, bucket.id), &rules).await?;
        tx.commit().await?;
        tracing::info!(bucket = %bucket.id, rules = rules.len(), "rules of bucket {} changed", bucket.id);
        Ok(rules)
    }
}

/// The subjects, if all rules can be written; otherwise everything that is wrong, each with its place.
fn check(new: &[NewBucketRule]) -> Result<Vec<Subject>, FilesError> {
    let (mut errors, mut subjects) = (Vec::new(), Vec::new());
    if new.len() > MOST {
        errors.push(FieldError::new("", "too_many", format!("at most {MOST} rules")));
    }
    for (n, rule) in new.iter().enumerate() {
        match Subject::parse(&rule.subject).filter(is_storable) {
            Some(subject) => subjects.push(subject),
            None => {
                let forms = "anyone, role:<role>, scope:<scope>, key:<id> or user:<id>";
                errors.push(FieldError::new(format!("/{n}/subject"), "invalid", forms));
            }
        }
        if rule.prefix.len() > 1024 || rule.prefix.contains('\0') {
            let text = "at most 1024 bytes, without U+0000";
            errors.push(FieldError::new(format!("/{n}/prefix"), "invalid", text));
        }
        if rule.verbs.is_empty() || rule.verbs.contains(&Verb::Admin) {
            let text = "at least one of list, read, write, delete";
            errors.push(FieldError::new(format!("/{n}/verbs"), "invalid", text));
        }
    }
    if errors.is_empty() { Ok(subjects) } else { Err(FilesError::Invalid(errors)) }
}

/// Whether the name of a scope is one.
fn is_storable(subject: &Subject) -> bool {
    match subject {
        Subject::Scope(name) => {
            (1..=60).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_said_with_its_place() {
        let rule = |subject: &str, verbs: &[Verb]| NewBucketRule {
            subject: subject.to_owned(),
            prefix: String::new(),
            verbs: verbs.to_vec(),
        };
        assert_eq!(check(&[rule("anyone", &[Verb::Read])]).unwrap(), [Subject::Anyone]);
        let wrong = [
            rule("role:king", &[Verb::Read]),
            rule("scope:Files", &[]),
            rule("anyone", &[Verb::Admin]),
            NewBucketRule { prefix: "\0".into(), ..rule("anyone", &[Verb::List]) },
        ];
        let Err(FilesError::Invalid(errors)) = check(&wrong) else { panic!("taken") };
        let places: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(places, ["/0/subject", "/1/subject", "/1/verbs", "/2/verbs", "/3/prefix"]);
    }
}
