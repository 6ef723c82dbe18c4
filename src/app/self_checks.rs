//! The parts of the appliance that the built-in monitors ask. Their texts are shown to strangers on the appliance's status page: no host, address,
//! version or error in them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::timeout;

use backup::Backups;
use console::Lang;
use jobs::Jobs;
use mail::Mail;
use platform::{clock::Clock, db::Db, health::Status};
use uptime::{Judgement, SelfCheck};

/// Longest wait for the database, as the status page promises it.
const DATABASE: Duration = Duration::from_secs(2);
/// A proof of a restore that is older needs attention, days.
const OLD_PROOF: i64 = 35;

/// All of them, in the order in which the status page shows them.
pub(super) fn all(db: &Db, clock: &Clock, jobs: &Jobs, backups: &Backups, mail: &Mail) -> Vec<Arc<dyn SelfCheck>> {
    vec![
        Arc::new(Worker(jobs.clone())),
        Arc::new(Database(db.clone())),
        Arc::new(Proof(backups.clone(), clock.clone())),
        Arc::new(Outbox(mail.clone())),
    ]
}

fn either(lang: Lang, en: &str, ru: &str) -> String {
    match lang {
        Lang::En => en.to_owned(),
        Lang::Ru => ru.to_owned(),
    }
}

struct Worker(Jobs);

#[async_trait]
impl SelfCheck for Worker {
    fn key(&self) -> &'static str {
        "appliance-worker"
    }

    fn name(&self, lang: Lang) -> String {
        either(lang, "Background work", "Фоновая работа")
    }

    async fn run(&self) -> Judgement {
        match self.0.progress().status {
            Status::Pass => Judgement::Well(None),
            Status::Warn => Judgement::Degraded("jobs are slow".to_owned()),
            Status::Fail => Judgement::Down("jobs are due and none is taken".to_owned()),
        }
    }
}

struct Database(Db);

#[async_trait]
impl SelfCheck for Database {
    fn key(&self) -> &'static str {
        "appliance-database"
    }

    fn name(&self, lang: Lang) -> String {
        either(lang, "Database", "База данных")
    }

    async fn run(&self) -> Judgement {
        match timeout(DATABASE, self.0.ping()).await {
            Ok(Ok(())) => Judgement::Well(None),
            Ok(Err(_)) => Judgement::Down("it does not answer".to_owned()),
            Err(_) => Judgement::Down(format!("no answer within {} s", DATABASE.as_secs())),
        }
    }
}

/// Backups are as good as their last restore on trial.
struct Proof(Backups, Clock);

#[async_trait]
impl SelfCheck for Proof {
    fn key(&self) -> &'static str {
        "appliance-backups"
    }

    fn name(&self, lang: Lang) -> String {
        either(lang, "Backups", "Резервные копии")
    }

    async fn run(&self) -> Judgement {
        if !self.0.config().is_on() {
            return Judgement::Off("backups are off".to_owned());
        }
        match self.0.last_proven().await {
            Err(_) => Judgement::Down("it cannot be read when a restore was proven".to_owned()),
            Ok(None) => Judgement::Degraded("no restore has been proven yet".to_owned()),
            Ok(Some((at, _))) => {
                let proven = format!("restore proven on {}", at.format("%Y-%m-%d"));
                let is_old = (self.1.now() - at).num_days() > OLD_PROOF;
                if is_old { Judgement::Degraded(proven) } else { Judgement::Well(Some(proven)) }
            }
        }
    }
}

struct Outbox(Mail);

#[async_trait]
impl SelfCheck for Outbox {
    fn key(&self) -> &'static str {
        "appliance-mail"
    }

    fn name(&self, lang: Lang) -> String {
        either(lang, "Mail", "Почта")
    }

    async fn run(&self) -> Judgement {
        if !self.0.is_configured() {
            return Judgement::Off("mail is not configured".to_owned());
        }
        match self.0.account().await {
            Ok(account) if account.failing_since.is_none() => Judgement::Well(None),
            Ok(_) => Judgement::Down("the mail server does not take mail".to_owned()),
            Err(_) => Judgement::Down("it cannot be read whether mail is sent".to_owned()),
        }
    }
}
