//! Health checks: `uptime.prober`, `uptime.icmp`, `uptime.files`, `uptime.clock`, `uptime.file`, `uptime.rollup`, `uptime.resolver`, `uptime.outside`.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::timeout;

use super::{
    Failure, Figures, Reason, Uptime, UptimeError,
    spec::Family,
    store::{monitors, prober},
    target::{Policy, Resolver, literal, resolve},
};
use platform::{
    error::chain,
    health::{Check, CheckResult},
};

/// The prober writes at least every few seconds.
const LATE: i64 = 60;
/// Above it slots may be missed.
const LAG_MS: u32 = 5000;
/// Hours are rolled up within five minutes of their end.
const WAITING: i64 = 3;
/// A prober that is so far ahead of the database has another clock; behind it is always, because it says only each few seconds that it is alive.
const AHEAD: TimeDelta = TimeDelta::seconds(5);
/// A jump is told for so long.
const REMEMBERED: TimeDelta = TimeDelta::days(1);
/// Monitors among which one with a name is looked for.
const ASKED: i64 = 20;

pub fn checks(uptime: &Uptime) -> Vec<Box<dyn Check>> {
    vec![
        Box::new(Prober(uptime.clone())),
        Box::new(Icmp(uptime.clone())),
        Box::new(Files(uptime.clone())),
        Box::new(Clock(uptime.clone())),
        Box::new(File(uptime.clone())),
        Box::new(Rollup(uptime.clone())),
        Box::new(Names(uptime.clone())),
        Box::new(Outside(uptime.clone())),
    ]
}

fn unreadable(what: &str, error: &UptimeError) -> CheckResult {
    CheckResult::fail(format!("cannot read {what}: {}", chain(error)), "see the database check")
}

/// When the prober said last that it is alive, and how it was then; `None`: there was none yet.
async fn last_alive(uptime: &Uptime) -> Result<Option<(DateTime<Utc>, Figures)>, UptimeError> {
    let mut tx = uptime.system().await?;
    let last = prober::last(&mut tx).await?;
    Ok(last.map(|(at, figures)| (at, serde_json::from_value(figures).unwrap_or_default())))
}

/// Are the monitors checked?
struct Prober(Uptime);

#[async_trait]
impl Check for Prober {
    fn name(&self) -> &'static str {
        "uptime.prober"
    }

    async fn run(&self) -> CheckResult {
        let (alive_at, figures) = match last_alive(&self.0).await {
            Ok(Some(found)) => found,
            Ok(None) => {
                let remedy =
                    "start a worker: holdfast serve --role all or worker; a moment after its start this passes";
                return CheckResult::warn("no worker has checked monitors yet", remedy);
            }
            Err(error) => return unreadable("the prober's state", &error),
        };
        let age = (self.0.now() - alive_at).num_seconds();
        if age > LATE {
            let remedy = "start a worker, or see its log: the one that has the lease `prober` checks all monitors";
            return CheckResult::warn(format!("no monitor has been checked for {age} s"), remedy);
        }
        let Figures { monitors, lag_ms, in_flight, in_memory, .. } = figures;
        let summary = format!(
            "{monitors} monitors are checked; {in_flight} checks are running, the longest delay is {lag_ms} ms"
        );
        if lag_ms > LAG_MS {
            let remedy = "give the worker more CPU, raise uptime.in_flight, or make intervals longer";
            return CheckResult::warn(format!("{summary}: checks start late"), remedy);
        }
        if in_memory > 10_000 {
            return CheckResult::warn(format!("{summary}; {in_memory} wait to be written"), "see the database check");
        }
        CheckResult::pass(summary)
    }
}

/// May this process send echo requests?
struct Icmp(Uptime);

#[async_trait]
impl Check for Icmp {
    fn name(&self) -> &'static str {
        "uptime.icmp"
    }

    async fn run(&self) -> CheckResult {
        let found: Result<i64, UptimeError> = async {
            let mut tx = self.0.system().await?;
            Ok(monitors::count_of_kind(&mut tx, "icmp").await?)
        }
        .await;
        match found {
            Ok(0) => return CheckResult::pass("no monitor sends echo requests"),
            Ok(_) => {}
            Err(error) => return unreadable("the monitors", &error),
        }
        if self.0.probes().may_echo() {
            return CheckResult::pass("this process may send echo requests");
        }
        let range = tokio::fs::read_to_string("/proc/sys/net/ipv4/ping_group_range").await.unwrap_or_default();
        match groups(&range) {
            Some((first, last)) if first <= last => {
                CheckResult::pass(format!("echo requests are permitted to the groups {first} to {last}"))
            }
            _ => CheckResult::warn(
                "this host permits echo requests to no group: monitors of kind icmp are unknown, never down",
                "sysctl -w net.ipv4.ping_group_range=\"0 2147483647\", and the same line in /etc/sysctl.d",
            ),
        }
    }
}

fn groups(range: &str) -> Option<(u64, u64)> {
    let mut numbers = range.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// May this process hold enough connections?
struct Files(Uptime);

#[async_trait]
impl Check for Files {
    fn name(&self) -> &'static str {
        "uptime.files"
    }

    async fn run(&self) -> CheckResult {
        let in_flight = self.0.config().in_flight;
        let needed = u64::try_from(in_flight).unwrap_or(u64::MAX).saturating_mul(2).saturating_add(500);
        let limits = tokio::fs::read_to_string("/proc/self/limits").await.unwrap_or_default();
        match open_files(&limits) {
            Some(most) if most < needed => CheckResult::warn(
                format!("this process may open {most} files; {in_flight} checks at once can need {needed}"),
                "set LimitNOFILE in the unit (or ulimit -n), or lower uptime.in_flight",
            ),
            Some(most) => CheckResult::pass(format!("this process may open {most} files")),
            None => CheckResult::pass("the number of open files is not limited here, or not known"),
        }
    }
}

/// The hard limit: `serve` takes all of it.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(4)?.parse().ok()
}

/// Does the prober's clock run evenly?
struct Clock(Uptime);

#[async_trait]
impl Check for Clock {
    fn name(&self) -> &'static str {
        "uptime.clock"
    }

    async fn run(&self) -> CheckResult {
        let server = match self.0.inner.db.server_time().await {
            Ok(server) => server,
            Err(error) => return unreadable("the database's clock", &error.into()),
        };
        match last_alive(&self.0).await {
            Ok(found) => judge_clock(found, server),
            Err(error) => unreadable("the prober's state", &error),
        }
    }
}

/// `server`: the time of the database.
fn judge_clock(found: Option<(DateTime<Utc>, Figures)>, server: DateTime<Utc>) -> CheckResult {
    let remedy = "synchronise the clock of the worker's host with NTP (chrony, systemd-timesyncd), and never set it by hand: a jump \
        leaves times in which nobody knows how the monitors were";
    let Some((alive_at, figures)) = found else { return CheckResult::pass("no worker has checked monitors yet") };
    let ahead = alive_at - server;
    if ahead > AHEAD {
        let seconds = ahead.num_seconds();
        return CheckResult::warn(format!("the prober's clock is {seconds} s ahead of the database's"), remedy);
    }
    match figures.stepped_at {
        Some(at) if server - at < REMEMBERED => {
            CheckResult::warn(format!("the clock of the prober's host jumped at {}", at.format("%F %T UTC")), remedy)
        }
        _ => CheckResult::pass("the prober's clock has not jumped within a day"),
    }
}

/// Is the file of monitors applied?
struct File(Uptime);

#[async_trait]
impl Check for File {
    fn name(&self) -> &'static str {
        "uptime.file"
    }

    async fn run(&self) -> CheckResult {
        match self.0.file_state().await {
            Err(error) => unreadable("the state of the file of monitors", &error),
            Ok(state) => match (state.path, state.read_at, state.problems.as_slice()) {
                (None, _, _) => CheckResult::pass("no file of monitors is set"),
                (Some(path), None, _) => CheckResult::warn(
                    format!("{path} has not been read yet"),
                    "a worker reads it within a few seconds of its start",
                ),
                (Some(path), Some(_), []) => {
                    let counts = state.counts;
                    let kept = counts.created + counts.changed + counts.unchanged;
                    CheckResult::pass(format!("{path} is applied: it manages {kept} things"))
                }
                (Some(path), Some(_), problems) => {
                    let told: Vec<String> = problems
                        .iter()
                        .take(5)
                        .map(|problem| format!("line {}: {} {}", problem.line, problem.setting, problem.problem))
                        .collect();
                    let more = problems.len().saturating_sub(told.len());
                    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
                    CheckResult::warn(
                        format!("{path} is refused, and what runs stays as it was: {}{more}", told.join("; ")),
                        "correct the file: it is read again by itself; holdfast uptime apply --dry-run says what it would do",
                    )
                }
            },
        }
    }
}

/// Are hours rolled up?
struct Rollup(Uptime);

#[async_trait]
impl Check for Rollup {
    fn name(&self) -> &'static str {
        "uptime.rollup"
    }

    async fn run(&self) -> CheckResult {
        match self.0.waiting_hours().await {
            Err(error) => unreadable("the hours that wait", &error),
            Ok(waiting) if waiting > WAITING => CheckResult::warn(
                format!("{waiting} hours of checks are not rolled up: charts of these days are incomplete"),
                "see jobs.progress, and the log of the job uptime.rollup",
            ),
            Ok(_) => CheckResult::pass("checks are rolled up"),
        }
    }
}

/// Do the name servers of this host answer?
struct Names(Uptime);

#[async_trait]
impl Check for Names {
    fn name(&self) -> &'static str {
        "uptime.resolver"
    }

    async fn run(&self) -> CheckResult {
        let found: Result<Vec<String>, UptimeError> = async {
            let mut tx = self.0.system().await?;
            Ok(monitors::urls(&mut tx, ASKED).await?)
        }
        .await;
        let urls = match found {
            Ok(urls) => urls,
            Err(error) => return unreadable("the monitors", &error),
        };
        // A network without a way out has no other names than its own.
        let Some(host) = urls.iter().find_map(|url| host_name(url)) else {
            return CheckResult::pass("no monitor asks a website by its name");
        };
        let resolver = Resolver::default();
        let policy = Policy::default();
        let asked = resolve(&resolver, &host, 443, Family::Auto, &policy);
        let remedy = "see /etc/resolv.conf: without name servers every monitor of a name is down or unknown";
        match timeout(Duration::from_secs(5), asked).await {
            // An answer, whatever it says: about the name itself its monitor tells.
            Ok(Ok(_)) => CheckResult::pass("the name servers of this host answer"),
            Ok(Err(Failure { reason: Reason::NameNotFound | Reason::PrivateAddress, .. })) => {
                CheckResult::pass("the name servers of this host answer")
            }
            Ok(Err(failure)) => CheckResult::warn(format!("the name servers do not answer: {}", failure.text), remedy),
            Err(_) => CheckResult::warn("the name servers of this host did not answer within 5 s", remedy),
        }
    }
}

/// The host of an address, if it is a name.
fn host_name(url: &str) -> Option<String> {
    let url: reqwest::Url = url.parse().ok()?;
    url.host_str().filter(|host| literal(host).is_none() && *host != "localhost").map(str::to_owned)
}

/// Does anybody outside learn that this appliance, which watches everything else, is down?
struct Outside(Uptime);

#[async_trait]
impl Check for Outside {
    fn name(&self) -> &'static str {
        "uptime.outside"
    }

    async fn run(&self) -> CheckResult {
        if self.0.inner.is_watched {
            return CheckResult::pass("a heartbeat is sent to alerting.heartbeat_url");
        }
        CheckResult::warn(
            "while this appliance is down nobody is told: neither of that, nor of any monitor",
            "set alerting.heartbeat_url to a service that tells you when it stops (another Holdfast's heartbeat monitor does), \
             or let a monitor elsewhere ask /status/appliance/up",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::health::Status;

    #[test]
    fn a_clock_that_jumped_today_is_told_and_one_that_did_long_ago_is_not() {
        let now: DateTime<Utc> = "2026-11-30T12:00:00Z".parse().unwrap();
        let judged = |ahead: i64, hours: Option<i64>| {
            let stepped_at = hours.map(|hours| now - TimeDelta::hours(hours));
            let figures = Figures { stepped_at, ..Figures::default() };
            judge_clock(Some((now + TimeDelta::seconds(ahead), figures)), now).status
        };
        assert_eq!((judged(-5, None), judged(-5, Some(30))), (Status::Pass, Status::Pass));
        assert_eq!((judged(-5, Some(2)), judged(60, None)), (Status::Warn, Status::Warn));
        assert_eq!(judge_clock(None, now).status, Status::Pass);
    }

    #[test]
    fn a_name_is_taken_out_of_an_address() {
        let found =
            ["https://shop.example/x", "http://10.0.0.1/", "http://[::1]/", "http://localhost/", "{{secret.x}}"];
        assert_eq!(found.map(host_name), [Some("shop.example".to_owned()), None, None, None, None]);
    }

    #[test]
    fn what_the_kernel_says_is_read() {
        assert_eq!(groups("1\t0\n"), Some((1, 0)));
        assert_eq!(groups(""), None);
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
            Max open files            1024                 524288               files\n";
        assert_eq!(open_files(limits), Some(524_288));
        assert_eq!(open_files("Max open files            unlimited            unlimited            files"), None);
    }
}
