//! Health checks: damage, upkeep that is late, quotas, the virus scanner, the S3 port.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{net::TcpStream, time::timeout};

use super::{
    Files, FilesError,
    store::figures::{self, Figures},
};
use platform::{
    error::chain,
    health::{Check, CheckResult},
};

/// A scrub is weekly.
const SCRUB_DAYS: f64 = 10.0;
/// A sweep goes over all folders within a day.
const SWEEP_DAYS: f64 = 3.0;
/// Lifecycle rules run daily.
const LIFECYCLE_HOURS: f64 = 36.0;
/// Stored bytes without a row that are worth a look.
const ORPHANS: i64 = 1 << 30;
const ALMOST: f64 = 0.9;
const PATIENCE: Duration = Duration::from_secs(5);
const DAY: f64 = 86_400.0;

pub fn checks(files: &Files) -> Vec<Box<dyn Check>> {
    vec![
        Box::new(Damage(files.clone())),
        Box::new(Scrub(files.clone())),
        Box::new(Orphans(files.clone())),
        Box::new(Quota(files.clone())),
        Box::new(Lifecycle(files.clone())),
        Box::new(Uploads(files.clone())),
        Box::new(Clamd(files.clone())),
        Box::new(S3Port(files.clone())),
    ]
}

fn unreadable(error: &FilesError) -> CheckResult {
    CheckResult::fail(format!("cannot read the state of files: {}", chain(error)), "see the database check")
}

macro_rules! by_figures {
    ($($name:ident $text:literal $judge:ident)*) => {$(
        struct $name(Files);

        #[async_trait]
        impl Check for $name {
            fn name(&self) -> &'static str {
                $text
            }

            async fn run(&self) -> CheckResult {
                match self.0.figures().await {
                    Ok(figures) => $judge(&figures),
                    Err(error) => unreadable(&error),
                }
            }
        }
    )*};
}

by_figures! {
    Damage "files.damage" damage
    Scrub "files.scrub" scrub
    Orphans "files.orphans" orphans
}

fn damage(figures: &Figures) -> CheckResult {
    let Figures { damaged, missing, objects, .. } = figures;
    if damaged + missing == 0 {
        return CheckResult::pass(format!("no damage is known; {objects} objects"));
    }
    CheckResult::fail(
        format!("{damaged} objects are damaged and {missing} are missing"),
        "`holdfast storage scrub` lists them; `holdfast storage scrub --repair --key-file FILE` brings them back out of a backup",
    )
}

fn scrub(figures: &Figures) -> CheckResult {
    let running = if figures.scrub_running { "; one is running" } else { "" };
    match figures.scrub_age {
        None => CheckResult::pass(format!("there is nothing to scrub yet{running}")),
        Some(age) if age > SCRUB_DAYS * DAY => CheckResult::warn(
            format!("no scrub has ended for {:.0} days{running}", age / DAY),
            "see whether a worker runs and its queue `files` is not paused; `holdfast storage scrub --now` starts one",
        ),
        Some(age) => CheckResult::pass(format!("the last scrub ended {:.1} days ago{running}", age / DAY)),
    }
}

fn orphans(figures: &Figures) -> CheckResult {
    let Figures { orphans, orphan_bytes, garbage, .. } = figures;
    let summary = format!(
        "{orphans} stored objects without a row ({:.1} GiB), {garbage} notes of blobs to look at",
        *orphan_bytes as f64 / f64::from(1 << 30)
    );
    match figures.sweep_age {
        Some(age) if age > SWEEP_DAYS * DAY => CheckResult::warn(
            format!("{summary}; a folder was swept {:.0} days ago", age / DAY),
            "see whether a worker runs and its queue `files` is not paused",
        ),
        _ if *orphan_bytes > ORPHANS => CheckResult::warn(
            summary,
            "those of files go within a day, unless a backup is running or the database was restored; those of other rooms are deleted by their own upkeep",
        ),
        _ => CheckResult::pass(summary),
    }
}

/// Is an organisation's quota used up?
struct Quota(Files);

#[async_trait]
impl Check for Quota {
    fn name(&self) -> &'static str {
        "files.quota"
    }

    async fn run(&self) -> CheckResult {
        let found: Result<_, FilesError> = async {
            let mut tx = self.0.inner.db.system().await?;
            Ok(figures::fullest(&mut tx, self.0.limits()).await?)
        }
        .await;
        match found {
            Err(error) => unreadable(&error),
            Ok(None) => CheckResult::pass("no organisation has a quota"),
            Ok(Some((slug, ratio))) => quota(&slug, ratio),
        }
    }
}

fn quota(slug: &str, ratio: f64) -> CheckResult {
    let summary = format!("organisation {slug} uses {:.0} % of its quota, most of all", ratio * 100.0);
    if ratio < ALMOST {
        return CheckResult::pass(summary);
    }
    CheckResult::warn(
        summary,
        format!("`holdfast storage du {slug}` shows where; its trash counts, and can be emptied"),
    )
}

/// Do lifecycle rules run?
struct Lifecycle(Files);

#[async_trait]
impl Check for Lifecycle {
    fn name(&self) -> &'static str {
        "files.lifecycle"
    }

    async fn run(&self) -> CheckResult {
        let found: Result<_, FilesError> = async {
            let age = self.0.figures().await?.lifecycle_age;
            let mut tx = self.0.inner.db.system().await?;
            Ok((age, figures::lifecycle_problems(&mut tx).await?))
        }
        .await;
        match found {
            Err(error) => unreadable(&error),
            Ok((None, _)) => CheckResult::pass("no bucket has lifecycle rules"),
            Ok((Some(age), problems)) => lifecycle(age, &problems),
        }
    }
}

fn lifecycle(age: f64, problems: &[(String, String)]) -> CheckResult {
    let hours = age / 3600.0;
    if hours > LIFECYCLE_HOURS {
        return CheckResult::warn(
            format!("the rules of a bucket ran {hours:.0} hours ago"),
            "see whether a worker runs and its queue `files` is not paused",
        );
    }
    match problems.first() {
        None => CheckResult::pass(format!("the rules of all buckets ran within {hours:.0} hours")),
        Some((bucket, problem)) => CheckResult::warn(
            format!("{} buckets have a problem with their rules; {bucket}: {problem}", problems.len()),
            "change the rules in the bucket's settings",
        ),
    }
}

/// Do uploads stay unfinished?
struct Uploads(Files);

#[async_trait]
impl Check for Uploads {
    fn name(&self) -> &'static str {
        "files.uploads"
    }

    async fn run(&self) -> CheckResult {
        let found: Result<_, FilesError> = async {
            let open = self.0.figures().await?.uploads;
            let mut tx = self.0.inner.db.system().await?;
            Ok((open, figures::oldest_upload(&mut tx).await?))
        }
        .await;
        let (open, oldest) = match found {
            Ok(found) => found,
            Err(error) => return unreadable(&error),
        };
        let days = oldest.map_or(0, |at| (self.0.inner.clock.now() - at).num_days());
        let summary = format!("{open} unfinished uploads, the oldest {days} days old");
        // A day more than they may become: the job that gives them up runs each hour.
        if days > i64::from(self.0.inner.config.max_upload_days) + 1 {
            return CheckResult::warn(summary, "see whether a worker runs and its queue `files` is not paused");
        }
        CheckResult::pass(summary)
    }
}

/// Does the virus scanner answer?
struct Clamd(Files);

#[async_trait]
impl Check for Clamd {
    fn name(&self) -> &'static str {
        "files.clamd"
    }

    async fn run(&self) -> CheckResult {
        let Some(scanner) = &self.0.inner.scanner else {
            return CheckResult::pass("no virus scanner is configured (files.clamd)");
        };
        match timeout(PATIENCE, scanner.version()).await {
            Ok(Ok(version)) => CheckResult::pass(format!("the virus scanner answers: {version}")),
            Ok(Err(error)) => CheckResult::fail(chain(&error), remedy(scanner.address())),
            Err(_) => CheckResult::fail("the virus scanner did not answer in time", remedy(scanner.address())),
        }
    }
}

fn remedy(address: &crate::ScannerAddress) -> String {
    format!(
        "see whether clamd runs and listens at {address} (files.clamd), and whether this user may connect; nothing is called clean meanwhile"
    )
}

/// Does the port of the S3 API answer?
struct S3Port(Files);

#[async_trait]
impl Check for S3Port {
    fn name(&self) -> &'static str {
        "files.s3"
    }

    async fn run(&self) -> CheckResult {
        let at = self.0.public_url();
        let Some(address) = self.0.config().s3_address() else {
            return CheckResult::pass(format!("the S3 API is at {at}/s3; it has no port of its own (files.s3_listen)"));
        };
        match timeout(PATIENCE, TcpStream::connect(reachable(address))).await {
            Ok(Ok(_)) => CheckResult::pass(format!("the S3 API answers at {address}, and at {at}/s3")),
            Ok(Err(error)) => CheckResult::warn(
                format!("nothing listens at {address} (files.s3_listen): {error}"),
                "start `holdfast serve`; if it runs, see its log",
            ),
            Err(_) => CheckResult::warn(format!("{address} does not answer"), "see whether a firewall is between"),
        }
    }
}

/// Where a port of all addresses is reached from here.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::health::Status;

    #[test]
    fn damage_fails_and_late_upkeep_warns() {
        let fine = Figures { objects: 3, scrub_age: Some(DAY), sweep_age: Some(DAY), ..Figures::default() };
        for (figures, of_damage, of_scrub, of_orphans) in [
            (Figures::default(), Status::Pass, Status::Pass, Status::Pass),
            (fine.clone(), Status::Pass, Status::Pass, Status::Pass),
            (Figures { damaged: 1, ..fine.clone() }, Status::Fail, Status::Pass, Status::Pass),
            (Figures { missing: 1, ..fine.clone() }, Status::Fail, Status::Pass, Status::Pass),
            (Figures { scrub_age: Some(11.0 * DAY), ..fine.clone() }, Status::Pass, Status::Warn, Status::Pass),
            (Figures { sweep_age: Some(4.0 * DAY), ..fine.clone() }, Status::Pass, Status::Pass, Status::Warn),
            (Figures { orphan_bytes: ORPHANS + 1, ..fine }, Status::Pass, Status::Pass, Status::Warn),
        ] {
            let found = (damage(&figures).status, scrub(&figures).status, orphans(&figures).status);
            assert_eq!(found, (of_damage, of_scrub, of_orphans), "{figures:?}");
        }
    }

    #[test]
    fn a_quota_that_is_almost_used_up_and_rules_that_do_not_run_warn() {
        assert_eq!((quota("a", 0.89).status, quota("a", 0.9).status), (Status::Pass, Status::Warn));
        assert_eq!(lifecycle(30.0 * 3600.0, &[]).status, Status::Pass);
        assert_eq!(lifecycle(37.0 * 3600.0, &[]).status, Status::Warn);
        let problem = lifecycle(0.0, &[("b".to_owned(), "no such bucket".to_owned())]);
        assert!(problem.status == Status::Warn && problem.summary.contains("b: no such bucket"), "{problem:?}");
    }

    #[test]
    fn a_port_of_all_addresses_is_asked_at_this_host() {
        assert_eq!(reachable("0.0.0.0:9000".parse().unwrap()), "127.0.0.1:9000".parse().unwrap());
        assert_eq!(reachable("10.0.0.1:9000".parse().unwrap()), "10.0.0.1:9000".parse().unwrap());
    }
}
