//! Trace context of a piece of work: its trace (W3C Trace Context, level 1) and the HTTP request that caused it.
//!
//! A task carries its context; [`crate::lifecycle::Lifecycle::spawn`] passes it to new tasks, jobs store it in the queue, and
//! outgoing calls propagate it. Every log line reads it here.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::Either;
use uuid::Uuid;

use super::crypto;

tokio::task_local! {
    static CURRENT: Context;
}

/// Locally started traces whose last 56 bits are below this are not recorded.
static THRESHOLD: OnceLock<u64> = OnceLock::new();

/// Trace context. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    work: Arc<Work>,
    /// Id of the current span: 16 lower-case hexadecimal digits.
    span_id: String,
}

/// Shared by all parts of one request or job.
#[derive(Debug)]
struct Work {
    /// 32 lower-case hexadecimal digits, not all zero.
    trace_id: String,
    parent: Option<Parent>,
    /// Whether the trace is recorded.
    sampled: bool,
    request_id: Option<String>,
    /// Nanoseconds spent in transactions, waiting and open; concurrent ones add up.
    database: AtomicU64,
    transactions: AtomicU32,
}

/// Parent span of a request or a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// 16 lower-case hexadecimal digits.
    pub span_id: String,
    /// Whether it belongs to another program.
    pub is_remote: bool,
}

/// Trace data that the queue stores with a job.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queued<'a> {
    pub trace_id: Option<&'a str>,
    pub span_id: Option<&'a str>,
    pub sampled: Option<bool>,
    pub request_id: Option<&'a str>,
}

impl PartialEq for Context {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Context {
    /// Context of a request: in the caller's trace if `traceparent` is valid, otherwise in a new one.
    pub fn of_request(traceparent: Option<&str>, request_id: String) -> Self {
        let Some((trace_id, span_id, sampled)) = traceparent.and_then(parse) else {
            let trace_id = crypto::hex(&crypto::random_bytes::<16>());
            let sampled = is_sampled(&trace_id);
            return Self::new(trace_id, None, sampled, Some(request_id));
        };
        let parent = Parent { span_id: span_id.to_owned(), is_remote: true };
        Self::new(trace_id.to_owned(), Some(parent), sampled, Some(request_id))
    }

    /// Context of a job: in the trace that enqueued it, below the enqueuing span; otherwise in a trace of its own, shared by all attempts.
    pub fn of_job(job: Uuid, queued: Queued<'_>) -> Self {
        let request_id = queued.request_id.map(str::to_owned);
        let Some(trace_id) = queued.trace_id.filter(|id| is_id(id, 32)) else {
            let trace_id = job.simple().to_string();
            let sampled = is_sampled(&trace_id);
            return Self::new(trace_id, None, sampled, request_id);
        };
        let parent = queued.span_id.filter(|id| is_id(id, 16));
        let parent = parent.map(|id| Parent { span_id: id.to_owned(), is_remote: false });
        // Jobs queued by an older version lack the flag.
        let sampled = queued.sampled.unwrap_or_else(|| is_sampled(trace_id));
        Self::new(trace_id.to_owned(), parent, sampled, request_id)
    }

    fn new(trace_id: String, parent: Option<Parent>, sampled: bool, request_id: Option<String>) -> Self {
        let (database, transactions) = (AtomicU64::new(0), AtomicU32::new(0));
        let work = Work { trace_id, parent, sampled, request_id, database, transactions };
        Self(Arc::new(Inner { work: Arc::new(work), span_id: new_span_id() }))
    }

    /// A part of this work, with a span id of its own.
    pub(crate) fn part(&self) -> Self {
        Self(Arc::new(Inner { work: self.0.work.clone(), span_id: new_span_id() }))
    }

    /// 32 lower-case hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        &self.0.work.trace_id
    }

    /// 16 lower-case hexadecimal digits.
    pub fn span_id(&self) -> &str {
        &self.0.span_id
    }

    /// Parent span of the whole request or job.
    pub fn parent(&self) -> Option<&Parent> {
        self.0.work.parent.as_ref()
    }

    /// Whether this trace is recorded, as decided by the caller or `telemetry.otlp_sample_ratio`.
    pub fn is_sampled(&self) -> bool {
        self.0.work.sampled
    }

    /// Id of the HTTP request, as in its log line; `None` for work without one.
    pub fn request_id(&self) -> Option<&str> {
        self.0.work.request_id.as_deref()
    }

    /// Adds the time of a transaction: waiting and open.
    pub fn spent_in_database(&self, took: Duration) {
        self.0.work.database.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.0.work.transactions.fetch_add(1, Ordering::Relaxed);
    }

    /// Total time of its transactions so far, and their number.
    pub fn database(&self) -> (Duration, u32) {
        let nanos = self.0.work.database.load(Ordering::Relaxed);
        (Duration::from_nanos(nanos), self.0.work.transactions.load(Ordering::Relaxed))
    }

    /// `traceparent` header for outgoing calls.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id(), self.span_id(), u8::from(self.is_sampled()))
    }

    /// Runs `future` in this context.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }
}

/// The context of the current task, if any.
pub fn current() -> Option<Context> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Id of the HTTP request that the current task serves or works for, if any.
pub fn current_request_id() -> Option<String> {
    current().and_then(|context| context.request_id().map(str::to_owned))
}

/// Runs `future` in the caller's context.
pub fn carry<F: Future>(future: F) -> impl Future<Output = F::Output> {
    inside(current(), future)
}

/// Runs `future` in `context`; if `None`, in the context of the polling task.
pub fn inside<F: Future>(context: Option<Context>, future: F) -> impl Future<Output = F::Output> {
    match context {
        Some(context) => Either::Left(CURRENT.scope(context, future)),
        None => Either::Right(future),
    }
}

/// Runs `work` on this thread in `context`.
pub fn within<T>(context: Option<Context>, work: impl FnOnce() -> T) -> T {
    match context {
        Some(context) => CURRENT.sync_scope(context, work),
        None => work(),
    }
}

/// Sets the share of locally started traces that is recorded, 0 to 1; only the first call has an effect. Before it all are, because called
/// servers may record them.
pub fn set_sample_ratio(ratio: f64) {
    let _ = THRESHOLD.set(threshold(ratio));
}

/// Whether a locally started trace is recorded.
fn is_sampled(trace_id: &str) -> bool {
    THRESHOLD.get().is_none_or(|threshold| is_recorded(trace_id, *threshold))
}

/// Decided by the trace id alone, so that all participants of a trace decide alike: its last 56 bits are random (W3C Trace Context,
/// level 2; for a job the last bits of its `UUIDv7`).
fn is_recorded(trace_id: &str, threshold: u64) -> bool {
    let random = trace_id.get(trace_id.len().saturating_sub(14)..);
    random.and_then(|hex| u64::from_str_radix(hex, 16).ok()).is_some_and(|random| random >= threshold)
}

/// Share of all 56-bit numbers that is not recorded.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 2^56")]
fn threshold(ratio: f64) -> u64 {
    ((1.0 - ratio.clamp(0.0, 1.0)) * (1_u64 << 56) as f64) as u64
}

fn new_span_id() -> String {
    crypto::hex(&crypto::random_bytes::<8>())
}

/// Trace id, span id and sampled flag of a `traceparent` (W3C Trace Context, section 3.2): `00-<32>-<16>-<2>`; for later versions the same
/// leading parts.
fn parse(header: &str) -> Option<(&str, &str, bool)> {
    let mut parts = header.trim().split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let known_end = version != "00" || parts.next().is_none();
    let is_version = version.len() == 2 && version != "ff" && is_hex(version);
    let flags = u8::from_str_radix(flags, 16).ok().filter(|_| flags.len() == 2 && is_hex(flags))?;
    (known_end && is_version && is_id(trace, 32) && is_id(parent, 16)).then_some((trace, parent, flags & 1 == 1))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_id(text: &str, length: usize) -> bool {
    text.len() == length && is_hex(text) && text.bytes().any(|b| b != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_callers_trace_is_continued_and_a_broken_one_is_not() {
        let fine = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let ours = Context::of_request(Some(&fine), "r".into());
        assert_eq!(ours.trace_id(), TRACE);
        let passed_on = ours.traceparent();
        assert!(passed_on.starts_with(&format!("00-{TRACE}-")) && passed_on.ends_with("-01"), "{passed_on}");
        assert!(!passed_on.contains("00f067aa0ba902b7"), "the span is ours: {passed_on}");
        let unsampled = Context::of_request(Some(&fine.replace("-01", "-00")), "r".into());
        assert!(unsampled.traceparent().ends_with("-00"));
        assert_eq!(
            Context::of_request(Some(&format!("cc-{TRACE}-00f067aa0ba902b7-01-more")), "r".into()).trace_id(),
            TRACE
        );
        for broken in [
            "",
            "00",
            &format!("00-{TRACE}"),
            &format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            &format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            &format!("00-{TRACE}-00f067aa0ba902b7-1"),
            &format!("00-{TRACE}-00f067aa0ba902b7-+1"),
        ] {
            let own = Context::of_request(Some(broken), "r".into());
            assert!(own.trace_id() != TRACE && is_id(own.trace_id(), 32), "{broken:?} gave {own:?}");
        }
    }

    #[test]
    fn a_ratio_is_that_part_of_all_traces_and_the_same_part_for_everybody() {
        for (ratio, least, most) in [(0.0, 0, 0), (0.1, 50, 160), (0.5, 420, 580), (1.0, 1000, 1000)] {
            let threshold = threshold(ratio);
            // Trace ids of requests are random; those of jobs begin with the time.
            for head in ["4bf92f3577b34da6a3", "019a1b2c3d4e7000bf"] {
                let recorded =
                    |_: &u32| is_recorded(&format!("{head}{}", crypto::hex(&crypto::random_bytes::<7>())), threshold);
                let count = (0..1000).filter(recorded).count();
                assert!((least..=most).contains(&count), "{ratio}: {count} of 1000");
            }
        }
    }

    #[test]
    fn all_attempts_of_a_job_without_a_trace_share_one() {
        let job = Uuid::from_u128(7);
        let junk = Queued { trace_id: Some("junk"), span_id: Some("00f067aa0ba902b7"), ..Queued::default() };
        let (first, second) = (Context::of_job(job, Queued::default()), Context::of_job(job, junk));
        assert_eq!(first.trace_id(), second.trace_id());
        assert_eq!((first.parent(), second.parent()), (None, None), "nobody's span is above a trace of its own");
    }

    #[test]
    fn a_job_is_below_what_queued_it_and_as_sampled() {
        let queued = |sampled| Queued {
            trace_id: Some(TRACE),
            span_id: Some("00f067aa0ba902b7"),
            sampled: Some(sampled),
            request_id: Some("r-1"),
        };
        let job = Context::of_job(Uuid::from_u128(7), queued(true));
        assert_eq!((job.trace_id(), job.request_id(), job.is_sampled()), (TRACE, Some("r-1"), true));
        assert_eq!(job.parent(), Some(&Parent { span_id: "00f067aa0ba902b7".into(), is_remote: false }));
        assert!(!Context::of_job(Uuid::from_u128(7), queued(false)).is_sampled());
    }

    #[test]
    fn a_part_has_a_span_of_its_own_and_the_rest_is_shared() {
        let whole = Context::of_request(Some(&format!("00-{TRACE}-00f067aa0ba902b7-01")), "r".into());
        assert_eq!(whole.parent(), Some(&Parent { span_id: "00f067aa0ba902b7".into(), is_remote: true }));
        let part = whole.part();
        assert_eq!((part.trace_id(), part.request_id()), (TRACE, Some("r")));
        assert!(part.span_id() != whole.span_id() && part.traceparent().contains(part.span_id()));
        part.spent_in_database(Duration::from_millis(3));
        assert_eq!(whole.database(), (Duration::from_millis(3), 1));
    }

    #[tokio::test]
    async fn a_context_follows_its_task_and_no_further() {
        assert_eq!(current(), None);
        let context = Context::of_request(None, "r-1".into());
        let expected = context.clone();
        context
            .scope(async {
                assert_eq!(current().as_ref(), Some(&expected));
                let other_thread = std::thread::spawn(current).join().unwrap();
                assert_eq!(other_thread, None);
                let carried = within(current(), current);
                assert_eq!(carried.as_ref(), Some(&expected));
            })
            .await;
        assert_eq!(current(), None);
    }
}
