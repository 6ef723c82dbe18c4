//! What the organisation stores, by bucket; what the virus scanner found; for operators also how the store is.

use askama::Template;
use axum::extract::State;

use super::caller;
use crate::{DamagedObject, Files, QuarantinedObject, Scrub, Stored, StoredInBucket};
use console::{PageResult, Shell, svg};

/// Scrubs that are shown.
const SCRUBS: i64 = 10;
/// Bars of a chart.
const BARS: usize = 24;

#[derive(Template)]
#[template(path = "files/templates/usage.html")]
struct Usage<'a> {
    shell: &'a Shell,
    stored: Stored,
    buckets: Vec<StoredInBucket>,
    quarantine: Vec<QuarantinedObject>,
    is_operator: bool,
    scrubs: Vec<Scrub>,
    damage: Vec<DamagedObject>,
}

impl Usage<'_> {
    /// The buckets that have most, side by side.
    fn by_bucket(&self) -> String {
        let values: Vec<f64> =
            self.buckets.iter().take(BARS).map(|bucket| bucket.usage.stored_bytes() as f64).collect();
        svg::bars(&values, &self.shell.t("files-bars").to_string())
    }

    /// Current, former versions, trash.
    fn by_kind(&self) -> String {
        let usage = &self.stored.usage;
        let values = [usage.bytes, usage.version_bytes, usage.trashed_bytes].map(|bytes| bytes as f64);
        svg::bars(&values, &self.shell.t("files-bars-kinds").to_string())
    }

    /// Share of the largest, percent.
    fn share(&self, bucket: &StoredInBucket) -> i64 {
        let all = self.stored.usage.stored_bytes().max(1);
        (i128::from(bucket.usage.stored_bytes()) * 100 / i128::from(all)).try_into().unwrap_or(100)
    }

    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn object(&self, found: &QuarantinedObject) -> String {
        super::object_address(&found.bucket, &found.key)
    }

    fn limit(&self) -> String {
        let bytes = self.stored.most_bytes.map(|most| self.shell.bytes(most));
        let objects = self.stored.most_objects.map(|most| self.shell.tn("files-count-objects", most).to_string());
        let both: Vec<String> = [bytes, objects].into_iter().flatten().collect();
        if both.is_empty() { self.shell.t("files-no-quota").to_string() } else { both.join(", ") }
    }
}

pub async fn show(shell: Shell, State(files): State<Files>) -> PageResult {
    shell.principal().require(crate::READ)?;
    let who = caller(&shell);
    let stored = files.stored(&who).await?;
    let buckets = files.largest_buckets(&who).await?;
    let quarantine = if shell.is_admin() { files.quarantine(&who).await? } else { Vec::new() };
    let is_operator = shell.principal().is_operator();
    let (scrubs, damage) =
        if is_operator { (files.scrubs(SCRUBS).await?, files.damage().await?) } else { (Vec::new(), Vec::new()) };
    shell.render(&Usage { shell: &shell, stored, buckets, quarantine, is_operator, scrubs, damage })
}
