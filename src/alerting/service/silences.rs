//! Silences: validated here, kept by Alertmanager.

use std::{collections::HashSet, time::Duration};

use chrono::TimeDelta;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Alerting;
use crate::{
    AlertingError,
    alertmanager::{Matcher, NewSilence, Silence},
    model::Alert,
};
use platform::{error::FieldError, http::Principal};

/// Durations offered by the form, hours.
pub const DURATIONS: [i64; 8] = [1, 2, 4, 8, 24, 72, 168, 720];
/// A year: instead of a longer silence, change the rule.
const LONGEST: i64 = 365 * 24 * 3600;
const LONGEST_COMMENT: usize = 1000;
/// Expired silences shown.
const EXPIRED_SHOWN: usize = 50;
/// How long a page waits for its silence marks, which are optional.
const AT_ONCE: Duration = Duration::from_millis(500);

/// A request for a silence.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SilenceRequest {
    /// An alert is silenced when all matchers match.
    pub matchers: Vec<Matcher>,
    /// From now on, 60 to 31 536 000.
    pub duration_seconds: i64,
    /// The reason, for others.
    pub comment: String,
}

impl SilenceRequest {
    fn check(&self) -> Result<(), AlertingError> {
        let mut errors = Vec::new();
        if self.matchers.is_empty() {
            errors.push(FieldError::new("/matchers", "required", "name at least one label, e.g. alertname"));
        }
        for (at, matcher) in self.matchers.iter().enumerate() {
            if !is_label(&matcher.name) {
                let text = format!("{:?} is not a label name", matcher.name);
                errors.push(FieldError::new(format!("/matchers/{at}/name"), "invalid", text));
            }
            if !OPERATORS.contains(&matcher.operator.as_str()) {
                let text = format!("{:?} is not one of = != =~ !~", matcher.operator);
                errors.push(FieldError::new(format!("/matchers/{at}/operator"), "invalid", text));
            }
        }
        if !(60..=LONGEST).contains(&self.duration_seconds) {
            let text = format!("{} is outside 60 to {LONGEST}", self.duration_seconds);
            errors.push(FieldError::new("/duration_seconds", "out_of_range", text));
        }
        let comment = self.comment.trim();
        if comment.is_empty() || comment.chars().count() > LONGEST_COMMENT {
            let text = format!("say why, in at most {LONGEST_COMMENT} characters");
            errors.push(FieldError::new("/comment", "required", text));
        }
        if errors.is_empty() { Ok(()) } else { Err(AlertingError::Invalid(errors)) }
    }
}

const OPERATORS: [&str; 4] = ["=~", "!~", "!=", "="];

fn is_label(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// One matcher per line, as Prometheus writes them: `severity=~"warning|info"`. Quotation marks are optional.
pub fn parse_matchers(text: &str) -> Result<Vec<Matcher>, AlertingError> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(parse_matcher).collect()
}

fn parse_matcher(line: &str) -> Result<Matcher, AlertingError> {
    let invalid = || {
        let text = format!("{line:?} is not a matcher: write one per line, such as alertname=\"JobsStuck\"");
        AlertingError::Invalid(vec![FieldError::new("/matchers", "invalid_matcher", text)])
    };
    let at = line.find(['=', '!']).ok_or_else(invalid)?;
    let (name, rest) = line.split_at(at);
    let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator)).ok_or_else(invalid)?;
    let raw = rest[operator.len()..].trim();
    let value = match raw.strip_prefix('"') {
        // The same escapes as in JSON: \" \\ \n.
        Some(_) => serde_json::from_str(raw).map_err(|_| invalid())?,
        None => raw.to_owned(),
    };
    Some(Matcher { name: name.trim().to_owned(), operator: operator.to_owned(), value })
        .filter(|matcher| is_label(&matcher.name))
        .ok_or_else(invalid)
}

/// Matchers that silence only this alert.
pub fn silence_of(alert: &Alert) -> Vec<Matcher> {
    let of = |(name, value): (&String, &String)| Matcher {
        name: name.clone(),
        operator: "=".to_owned(),
        value: value.clone(),
    };
    alert.labels.iter().map(of).collect()
}

impl Alerting {
    /// Active and pending ones first, soonest end first; then the last expired ones.
    pub async fn silences(&self) -> Result<Vec<Silence>, AlertingError> {
        Ok(self.inner.alertmanager.silences(EXPIRED_SHOWN).await?)
    }

    /// Fingerprints of silenced alerts. Empty when Alertmanager does not answer at once: the page of firing alerts must
    /// work without it.
    pub async fn silenced(&self) -> HashSet<String> {
        let asked = tokio::time::timeout(AT_ONCE, self.inner.alertmanager.silenced()).await;
        asked.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Returns the silence as Alertmanager stored it.
    pub async fn create_silence(&self, who: &Principal, request: &SilenceRequest) -> Result<Silence, AlertingError> {
        request.check()?;
        let now = self.inner.clock.now();
        let new = NewSilence {
            matchers: request.matchers.clone(),
            starts_at: now,
            ends_at: now + TimeDelta::seconds(request.duration_seconds),
            created_by: who.user().map_or_else(|| who.subject(), |user| user.email.clone()),
            comment: request.comment.trim().to_owned(),
        };
        let id = self.inner.alertmanager.create(&new).await?;
        tracing::info!(silence_id = id, by = who.subject(), seconds = request.duration_seconds, "alerts silenced");
        Ok(self.inner.alertmanager.silence(&id).await?)
    }

    /// Ends a silence now.
    pub async fn expire_silence(&self, who: &Principal, id: &str) -> Result<(), AlertingError> {
        self.inner.alertmanager.expire(id).await?;
        tracing::info!(silence_id = id, by = who.subject(), "silence ended");
        Ok(())
    }
}
