//! The log filter, which can be changed at run time for a limited time.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracing::{Metadata, Subscriber, level_filters::LevelFilter, subscriber::Interest};
use tracing_subscriber::{Layer, filter::Targets, layer::Context};

use crate::{clock::Clock, lifecycle::Lifecycle};

/// Requests the configured filter.
pub const DEFAULT: &str = "default";
/// Longest temporary change, seconds: permanent ones belong in the configuration.
pub const MOST_SECONDS: u64 = 24 * 3600;

/// These modules log their internals at `info`, and `async_imap` at `trace` all that it sends, the password too. Placed before the requested
/// filter, which overrides them.
const QUIET: &str = "lance=warn,lancedb=warn,sqlx::postgres::notice=warn,async_imap=debug";

/// Each room is a package, so the target of its lines begins so; in lines and filters it is `holdfast::<room>`.
const PACKAGE: &str = "holdfast_";

/// A target as lines show it and filters name it.
pub fn shown(target: &str) -> Cow<'_, str> {
    target.strip_prefix(PACKAGE).map_or(Cow::Borrowed(target), |rest| Cow::Owned(format!("holdfast::{rest}")))
}

/// An invalid filter, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadFilter(String);

/// The filter of the process's logger. Callsite interest is cached and rebuilt after each change; span context is ignored. Clones share it.
#[derive(Clone, Debug)]
pub struct Filter(Arc<RwLock<Targets>>);

impl Filter {
    pub fn new(targets: Targets) -> Self {
        Self(Arc::new(RwLock::new(targets)))
    }

    pub fn set(&self, targets: Targets) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = targets;
        tracing::callsite::rebuild_interest_cache();
    }

    fn targets(&self) -> RwLockReadGuard<'_, Targets> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for Filter {
    fn register_callsite(&self, place: &'static Metadata<'static>) -> Interest {
        Layer::<S>::register_callsite(&*self.targets(), place)
    }

    fn enabled(&self, place: &Metadata<'_>, context: Context<'_, S>) -> bool {
        Layer::<S>::enabled(&*self.targets(), place, context)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Layer::<S>::max_level_hint(&*self.targets())
    }
}

/// Parses a filter. Stricter than [`Targets`], which takes a misspelt level for a module name and would silence all others.
pub fn parse(filter: &str) -> Result<Targets, BadFilter> {
    let bad = |why: String| Err(BadFilter(why));
    if filter.trim().is_empty() {
        return bad("a filter is a level, or levels for modules: info, debug, info,holdfast::jobs=debug".into());
    }
    if filter.contains('[') {
        return bad(format!("{filter:?} names a span: levels are for modules, as in info,holdfast::jobs=debug"));
    }
    let parts: Vec<&str> = filter.split(',').map(str::trim).collect();
    for part in &parts {
        let level = part.rsplit_once('=').map_or(*part, |(_, level)| level);
        let is_level = ["off", "error", "warn", "info", "debug", "trace"].iter().any(|l| level.eq_ignore_ascii_case(l));
        if !is_level && part.contains('=') {
            return bad(format!("{level:?} in {part:?} is not a level: off, error, warn, info, debug or trace"));
        }
        if !is_level {
            return bad(format!(
                "{part:?} is not a level (off, error, warn, info, debug, trace); for a module write {part}=debug"
            ));
        }
    }
    let both = parts.iter().flat_map(|part| {
        let package = part.strip_prefix("holdfast::").map(|rest| format!("{PACKAGE}{rest}"));
        [Some((*part).to_owned()), package]
    });
    let directives: Vec<String> = both.flatten().collect();
    format!("{QUIET},{}", directives.join(",")).parse().map_err(|e| BadFilter(format!("{filter:?}: {e}")))
}

/// The current filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LevelStatus {
    /// The filter in force.
    pub filter: String,
    /// The filter of the configuration.
    pub configured: String,
    /// When the configured filter is restored; null while it is in force.
    pub until: Option<DateTime<Utc>>,
}

/// The filter of the process's logger, and its expiry. Cheap to clone.
#[derive(Clone)]
pub struct Levels(Arc<Inner>);

struct Inner {
    filter: Filter,
    state: Mutex<State>,
}

struct State {
    status: LevelStatus,
    /// Incremented by each change, so that the expiry of an older one does not undo a newer one.
    change: u64,
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Levels").field(&self.status()).finish()
    }
}

impl Levels {
    /// `filter` must match `configured`.
    pub fn new(configured: &str, filter: Filter) -> Self {
        let status = LevelStatus { filter: configured.to_owned(), configured: configured.to_owned(), until: None };
        Self(Arc::new(Inner { filter, state: Mutex::new(State { status, change: 0 }) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn status(&self) -> LevelStatus {
        self.state().status.clone()
    }

    /// Applies `filter` for `span` ([`DEFAULT`]: restores the configured one now). Not kept across restarts.
    pub fn change(
        &self,
        filter: &str,
        span: Duration,
        clock: &Clock,
        lifecycle: &Lifecycle,
    ) -> Result<LevelStatus, BadFilter> {
        if filter == DEFAULT {
            let mut state = self.state();
            state.change += 1;
            return self.restore(&mut state);
        }
        let parsed = parse(filter)?;
        let mut state = self.state();
        self.0.filter.set(parsed);
        state.change += 1;
        let until = clock.now() + span;
        state.status = LevelStatus { filter: filter.to_owned(), until: Some(until), ..state.status.clone() };
        let (status, change) = (state.status.clone(), state.change);
        drop(state);
        tracing::warn!(filter, until = %until, "log levels changed");
        let (levels, stop) = (self.clone(), lifecycle.soft().clone());
        lifecycle.spawn("log.levels", async move {
            tokio::select! { () = tokio::time::sleep(span) => {}, () = stop.cancelled() => return }
            let mut state = levels.state();
            if state.change == change {
                // The configured filter was valid before.
                let _ = levels.restore(&mut state);
            }
        });
        Ok(status)
    }

    fn restore(&self, state: &mut State) -> Result<LevelStatus, BadFilter> {
        let configured = state.status.configured.clone();
        self.0.filter.set(parse(&configured)?);
        state.status = LevelStatus { filter: configured.clone(), configured, until: None };
        tracing::warn!(filter = state.status.filter, "log levels are as configured again");
        Ok(state.status.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_filter_says_what_is_wrong() {
        for fine in ["info", "DEBUG", "off", "info,holdfast::jobs=debug", "warn, sqlx=trace", "info,lance=debug"] {
            parse(fine).unwrap_or_else(|e| panic!("{fine}: {e}"));
        }
        for (bad, why) in [
            ("", "a filter is a level"),
            ("debgu", "\"debgu\" is not a level"),
            ("info,holdfast=loud", "\"loud\" in \"holdfast=loud\" is not a level"),
            ("hyper", "for a module write hyper=debug"),
            ("info,,debug", "\"\" is not a level"),
            ("info,[http.request{route=x}]=debug", "levels are for modules"),
        ] {
            let error = parse(bad).unwrap_err().to_string();
            assert!(error.contains(why), "{bad:?}: {error}");
        }
    }

    #[test]
    fn a_room_is_named_alike_in_lines_and_filters() {
        let filter = parse("warn,holdfast::jobs=debug").unwrap();
        let hears = |target, level| filter.would_enable(target, &level);
        assert!(
            hears("holdfast_jobs::worker", tracing::Level::DEBUG) && hears("holdfast::jobs", tracing::Level::DEBUG)
        );
        assert!(
            !hears("holdfast_llm::chat", tracing::Level::INFO) && !hears("holdfast::request", tracing::Level::INFO)
        );
        assert_eq!(shown("holdfast_jobs::worker"), "holdfast::jobs::worker");
        assert_eq!((&*shown("holdfast::request"), &*shown("hyper::proto")), ("holdfast::request", "hyper::proto"));
        let all = parse("off,holdfast=info").unwrap();
        assert!(all.would_enable("holdfast_jobs::worker", &tracing::Level::INFO), "all rooms");
        // Its own lines bear the name of this package.
        assert!(module_path!().starts_with("holdfast_platform::"), "{}", module_path!());
    }

    #[tokio::test]
    async fn a_change_ends_by_itself_and_a_newer_one_is_not_undone() {
        let filter = Filter::new(parse("info").unwrap());
        let hears = |level| filter.targets().would_enable("holdfast", &level);
        let levels = Levels::new("info", filter.clone());
        let (clock, lifecycle) = (Clock::system(), Lifecycle::new());
        let change = |filter: &str, millis| levels.change(filter, Duration::from_millis(millis), &clock, &lifecycle);
        let wait = |millis| tokio::time::sleep(Duration::from_millis(millis));
        change("debug", 600).unwrap();
        wait(300).await;
        assert!(change("debgu", 600).is_err());
        assert_eq!(levels.status().filter, "debug", "a bad filter changes nothing");
        assert!(hears(tracing::Level::DEBUG) && !hears(tracing::Level::TRACE));
        change("trace", 900).unwrap();
        wait(450).await;
        assert_eq!(levels.status().filter, "trace", "the end of the first change is not the end of the second");
        wait(900).await;
        assert_eq!(levels.status(), LevelStatus { filter: "info".into(), configured: "info".into(), until: None });
        assert!(!hears(tracing::Level::DEBUG));
        change("debug", 60_000).unwrap();
        assert!(hears(tracing::Level::DEBUG));
        change(DEFAULT, 1).unwrap();
        assert_eq!(levels.status().until, None);
        assert!(hears(tracing::Level::INFO) && !hears(tracing::Level::DEBUG));
        lifecycle.drain(Duration::from_secs(1)).await;
    }
}
