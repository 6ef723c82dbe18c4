//! The parts of the appliance that the built-in monitors ask. Their texts are shown to strangers on the appliance's status page: no host, address,
//! version or error in them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::TimeDelta;
use tokio::time::timeout;

use backup::{Backups, DrillStatus};
use console::Lang;
use jobs::Jobs;
use kit::Context;
use knowledge::Knowledge;
use llm::Llm;
use mail::Mail;
use platform::{clock::Clock, db::Db, health::Status, http_client::HttpClients, slug::slug_of};
use uptime::{Judgement, SelfCheck};

/// The part that most of the others need: an outage of it is one incident and not one of each.
const DATABASE_KEY: &str = "appliance-database";
/// Longest wait for the database, as the status page promises it.
const DATABASE: Duration = Duration::from_secs(2);
/// Longest wait for the API and for a provider: below the timeout of their monitors.
const ANSWER: Duration = Duration::from_secs(4);
/// A proof of a restore that is older needs attention, days.
const OLD_PROOF: i64 = 35;
/// Backups are made by night and proven after that: so long an installation may be there without a proof, hours.
const FIRST_PROOF: i64 = 36;

/// The rooms that are asked.
pub(super) struct Asked<'a> {
    pub jobs: &'a Jobs,
    pub llm: &'a Llm,
    pub knowledge: &'a Knowledge,
    pub backups: &'a Backups,
    pub mail: &'a Mail,
}

/// All of them, in the order in which the status page shows them.
pub(super) fn all(context: &Context, asked: &Asked<'_>) -> Vec<Arc<dyn SelfCheck>> {
    let mut all: Vec<Arc<dyn SelfCheck>> = vec![
        Arc::new(Api::new(context)),
        Arc::new(Worker(asked.jobs.clone())),
        Arc::new(Database(context.db.clone())),
        Arc::new(Search(asked.knowledge.clone())),
    ];
    for provider in asked.llm.providers() {
        let key = format!("appliance-model-{}", slug_of(&provider.name, 60));
        all.push(Arc::new(Model { llm: asked.llm.clone(), key, provider: provider.name }));
    }
    all.push(Arc::new(Proof(asked.backups.clone(), context.clock.clone())));
    // An appliance that sends no mail has no mail to be down.
    if asked.mail.is_configured() {
        all.push(Arc::new(Outbox(asked.mail.clone())));
    }
    all
}

/// The whole way: a connection to the listener, and an answer of the router that has asked the database.
struct Api {
    http: HttpClients,
    url: String,
    /// Whether the address is what people use, and not only where this process may listen itself.
    is_public: bool,
}

impl Api {
    fn new(context: &Context) -> Self {
        let (base, is_public) = address(&context.server);
        Self { http: context.http.clone(), url: format!("{base}/readyz"), is_public }
    }
}

/// Where the API is asked, and whether that is what people use. With `probe_seconds = 0` the operator says that this host cannot reach its own public
/// address.
fn address(server: &platform::http::Config) -> (String, bool) {
    if !server.public_url.is_empty() && server.probe_seconds > 0 {
        return (server.base_url(), true);
    }
    let mut listen = server.listen;
    if listen.ip().is_unspecified() {
        listen.set_ip([127, 0, 0, 1].into());
    }
    (format!("http://{listen}"), false)
}

#[async_trait]
impl SelfCheck for Api {
    fn key(&self) -> &'static str {
        "appliance-api"
    }

    fn name(&self, lang: Lang) -> String {
        either(lang, "API and console", "API и консоль")
    }

    fn parent(&self) -> Option<&'static str> {
        Some(DATABASE_KEY)
    }

    async fn run(&self) -> Judgement {
        match self.http.probe().get(&self.url).timeout(ANSWER).send().await {
            Ok(answer) if answer.status().is_success() => Judgement::Well(None),
            Ok(_) => Judgement::Down("it is not ready".to_owned()),
            // A worker on a host of its own: only the public address says where the API is.
            Err(error) if error.is_connect() && !self.is_public => Judgement::Off("it runs elsewhere".to_owned()),
            Err(_) => Judgement::Down("it does not answer".to_owned()),
        }
    }
}

/// The index of documents.
struct Search(Knowledge);

#[async_trait]
impl SelfCheck for Search {
    fn key(&self) -> &'static str {
        "appliance-search"
    }

    fn name(&self, lang: Lang) -> String {
        either(lang, "Search", "Поиск")
    }

    async fn run(&self) -> Judgement {
        match self.0.probe_index_files().await {
            Ok(()) => Judgement::Well(None),
            Err(_) => Judgement::Down("the index cannot be read".to_owned()),
        }
    }
}

/// A provider of models: asked for its list of models, which costs nothing.
struct Model {
    llm: Llm,
    key: String,
    provider: String,
}

#[async_trait]
impl SelfCheck for Model {
    fn key(&self) -> &str {
        &self.key
    }

    fn name(&self, lang: Lang) -> String {
        let model = either(lang, "Model", "Модель");
        format!("{model}: {}", self.provider)
    }

    async fn run(&self) -> Judgement {
        match timeout(ANSWER, self.llm.reach_provider(&self.provider)).await {
            Ok(Ok(())) => Judgement::Well(None),
            Ok(Err(_)) => Judgement::Down("it refuses or cannot be reached".to_owned()),
            Err(_) => Judgement::Down("it does not answer".to_owned()),
        }
    }
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

    fn parent(&self) -> Option<&'static str> {
        Some(DATABASE_KEY)
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
        DATABASE_KEY
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

    fn parent(&self) -> Option<&'static str> {
        Some(DATABASE_KEY)
    }

    async fn run(&self) -> Judgement {
        if !self.0.config().is_on() {
            return Judgement::Off("backups are off".to_owned());
        }
        match self.0.last_proven().await {
            Err(_) => Judgement::Down("it cannot be read when a restore was proven".to_owned()),
            Ok(None) => match (self.0.installed_at().await, self.0.drills(2).await) {
                (Ok(installed), Ok(newest)) => {
                    let age = self.1.now() - installed;
                    // One that runs says nothing yet.
                    let mut ended =
                        newest.iter().map(|drill| drill.status).filter(|status| *status != DrillStatus::Running);
                    unproven(age, ended.next())
                }
                _ => Judgement::Down("it cannot be read when a restore was proven".to_owned()),
            },
            Ok(Some((at, _))) => {
                let proven = format!("restore proven on {}", at.format("%Y-%m-%d"));
                let is_old = (self.1.now() - at).num_days() > OLD_PROOF;
                if is_old { Judgement::Degraded(proven) } else { Judgement::Well(Some(proven)) }
            }
        }
    }
}

/// Without a proof, after this drill if there was one: a note while the first one is not due yet. After that, or once a drill did not pass, it needs attention.
fn unproven(age: TimeDelta, drill: Option<DrillStatus>) -> Judgement {
    let note = "no restore has been proven yet".to_owned();
    let is_tried = matches!(drill, Some(DrillStatus::Failed | DrillStatus::NoRoom));
    if is_tried || age > TimeDelta::hours(FIRST_PROOF) {
        Judgement::Degraded(note)
    } else {
        Judgement::Well(Some(note))
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

    fn parent(&self) -> Option<&'static str> {
        Some(DATABASE_KEY)
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

#[cfg(test)]
mod tests {
    use super::{address, unproven};
    use backup::DrillStatus::{Failed, NoRoom};
    use chrono::TimeDelta;
    use platform::http::Config;
    use uptime::Judgement;

    #[test]
    fn a_new_installation_is_not_degraded_before_its_first_proof_is_due() {
        for (hours, newest, well) in
            [(1, None, true), (36, None, true), (37, None, false), (1, Some(Failed), false), (1, Some(NoRoom), false)]
        {
            let found = unproven(TimeDelta::hours(hours), newest);
            let (is_well, note) = match found {
                Judgement::Well(note) => (true, note),
                Judgement::Degraded(note) => (false, Some(note)),
                Judgement::Down(_) | Judgement::Off(_) => panic!("{hours} {newest:?}"),
            };
            assert_eq!(
                (is_well, note.as_deref()),
                (well, Some("no restore has been proven yet")),
                "{hours} {newest:?}"
            );
        }
    }

    #[test]
    fn a_public_address_that_this_host_cannot_reach_is_not_asked() {
        let public = Config { public_url: "https://ai.example.com".into(), ..Config::default() };
        assert_eq!(address(&public), (public.base_url(), true));
        let cut_off = Config { probe_seconds: 0, listen: "0.0.0.0:8080".parse().unwrap(), ..public };
        assert_eq!(address(&cut_off), ("http://127.0.0.1:8080".to_owned(), false));
    }
}
