//! Who may work outside a tenant. Each function that calls `db.system()` is listed here with its reason: row-level security shows it the rows
//! of all organisations.

use std::collections::BTreeSet;

use super::{differences, find, is_word, places, set};

/// File, functions, reason. A method of a trait is named with its type.
const CALLERS: &[(&str, &str, &str)] = &[
    // The ground floor.
    ("platform/db/mod.rs", "ping server_version server_time", "the server's own state, no rows"),
    ("platform/db/mod.rs", "other_collation searching", "the state of the database's indexes"),
    ("platform/db/statistics.rs", "sees_others_sessions", "the server's own figures"),
    ("platform/http/idempotency/mod.rs", "purge", "retention"),
    // Leasing, schedules and retention are for the jobs of all organisations.
    ("jobs/doctor.rs", "due progress DeadLetters::run LeaderCheck::run", "checks of all queues"),
    ("jobs/figures.rs", "refresh", "gauges of all queues"),
    ("jobs/leader.rs", "stand resign", "the leader's lease is the installation's"),
    ("jobs/service.rs", "begin", "a job of the installation, which has no organisation"),
    ("jobs/service.rs", "set_paused set_limits", "queues are the installation's"),
    ("jobs/service.rs", "maintain", "retention"),
    ("jobs/worker/heartbeat.rs", "beat", "extends the leases of a worker, whosever jobs it runs"),
    ("jobs/worker/mod.rs", "seen leave", "the worker's own row"),
    ("jobs/worker/mod.rs", "lease", "takes the next job, whosever it is"),
    ("jobs/worker/run.rs", "lost_before write", "how an attempt ended is the worker's to record"),
    ("jobs/worker/upkeep.rs", "prepare fire_schedules bring_back", "queues and schedules are the installation's"),
    ("jobs/worker/upkeep.rs", "rescue see_waiting", "jobs of all organisations whose worker is lost, or that wait"),
    // One cursor of each reader goes over the events of all organisations.
    ("events/doctor.rs", "Readers::run", "check of all readers"),
    ("events/service.rs", "dispatch", "jobs for new events of all organisations"),
    ("events/service.rs", "refresh_gauges", "gauges"),
    ("events/service.rs", "maintain", "retention"),
    // Services.
    ("auth/authenticate.rs", "load_session load_key", "the tenant is what the session or the key says"),
    ("auth/doctor.rs", "Admin::run", "check of all accounts"),
    ("auth/first_password.rs", "opens", "an account that belongs to no one organisation"),
    ("auth/service/administration.rs", "list_organisations create_organisation", "an operator's work"),
    ("auth/service/administration.rs", "list_users create_user reset_password", "an operator's work"),
    ("auth/service/administration.rs", "operators", "operators are of the installation"),
    ("auth/service/administration.rs", "add_to_organisation", "an operator's work"),
    ("auth/service/bootstrap.rs", "bootstrap", "there is no organisation yet"),
    ("auth/service/languages.rs", "languages keep_language", "of people, whatever organisations they belong to"),
    ("auth/service/links.rs", "create_reset_link create_link", "the person may belong to several organisations"),
    ("auth/service/links.rs", "find_link join join_as_new reset_by_link", "the link is all that the caller has"),
    ("auth/service/sessions.rs", "list_sessions end_session end_other_sessions", "of a person, in all organisations"),
    ("auth/service/sessions.rs", "device", "as these"),
    ("auth/service/sign_in.rs", "find_account sign_in", "the tenant is not known yet"),
    ("auth/service/sign_in.rs", "sign_out switch_organisation", "a person's own session, in all organisations"),
    ("auth/service/sign_in.rs", "change_password rename_self", "a person's own account, in all organisations"),
    ("auth/upkeep.rs", "write_usage", "last use of many sessions and keys in one statement"),
    ("auth/upkeep.rs", "purge", "retention"),
    ("files/service/cors.rs", "cors_of", "a browser asks before it sends a key that names its organisation"),
    ("files/service/keys.rs", "load_access_key", "a signature names its key before the organisation is known"),
    ("llm/jobs.rs", "remove_batches", "retention"),
    ("llm/service/console.rs", "settings_version", "providers are the installation's"),
    ("llm/service/mod.rs", "cost_between", "the report of the installation"),
    ("mail/doctor.rs", "Domains::run all_waiting", "checks of all mail"),
    ("mail/service/domains.rs", "check_domains", "verified domains of all owners are checked again"),
    ("mail/service/domains.rs", "is_given_up", "a domain that its former owner has given up, whoever that is"),
    ("files/service/links.rs", "open_link", "the link is all that the caller has"),
    ("files/service/public.rs", "organisation only_organisation", "whose a public address is"),
    ("mail/service/attachments.rs", "drop_unused", "files of all organisations that no mail was made of"),
    // A lane is a domain of recipients, whosever the mails are; the SMTP account sends the mail of all.
    (
        "mail/service/account.rs",
        "admit account_failed account_untried account_works try_without_mail",
        "the account is the installation's",
    ),
    ("mail/service/log.rs", "account retry_account", "as these"),
    ("mail/service/suppressions.rs", "takes", "what the organisation and the installation suppress"),
    ("mail/service/suppressions.rs", "unsuppress", "an operator's work, on the command line"),
    ("mail/service/mod.rs", "begin", "mail of the installation, which has no organisation"),
    ("mail/service/mod.rs", "system", "for the functions of this room that are listed here"),
    ("mail/service/results.rs", "exchange_once", "the next mail of a lane, whosever it is"),
    ("mail/service/sending.rs", "deliver", "as this"),
    ("mail/service/sources.rs", "known_source use_token", "the address of a webhook says whose it is"),
    ("mail/service/sources.rs", "mailbox note_mailbox", "the mailbox of bounces is the installation's"),
    ("mail/service/upkeep.rs", "wake_lanes wake_each expire", "lanes of all organisations"),
    ("mail/service/upkeep.rs", "refresh_gauges", "gauges"),
    ("mail/service/upkeep.rs", "maintain", "retention"),
    ("webhooks/doctor.rs", "Endpoints::run", "check of all receivers"),
    ("webhooks/service/fan_out.rs", "fan_out", "deliveries for new events of all organisations"),
    ("webhooks/service/mod.rs", "begin", "endpoints of the installation, which has no organisation"),
    ("webhooks/service/upkeep.rs", "wake_waiting", "receivers of all organisations"),
    ("webhooks/service/upkeep.rs", "refresh_gauges", "gauges"),
    ("webhooks/service/upkeep.rs", "maintain", "retention"),
    // Products.
    ("agents/service/agents.rs", "answers_between", "the report of the installation"),
    ("agents/service/mod.rs", "sweep_abandoned", "answers of all organisations that a crash left unfinished"),
    // A scrub and a sweep go over what all organisations have stored.
    ("files/collect.rs", "settle_some delete_gone purge_due", "garbage, trash and uploads of all organisations"),
    ("files/inventory.rs", "expected_blobs known_blobs note_blob", "blobs of all organisations"),
    ("files/repair.rs", "found_damage note_damage found_whole repair count_repaired", "objects of all rooms"),
    ("files/scrub.rs", "current_scrub save_scrub damage scrubs sweeps scrub_now", "the scrub is the installation's"),
    ("files/service/compact.rs", "compact", "objects of all organisations"),
    ("files/service/lifecycle.rs", "carry_out_rules", "whose turn it is, of all buckets"),
    ("files/sweep.rs", "sweep is_safe", "the store is the installation's"),
    ("knowledge/inventory.rs", "expected_originals known_originals", "documents of all organisations"),
    ("mail/inventory.rs", "expected_files known_files", "mails of all owners"),
    ("knowledge/doctor.rs", "compare check_ocr WordsOnlyCheck::run", "checks of all bases"),
    ("knowledge/jobs/maintain.rs", "run_maintain fail_abandoned embed_words_only", "upkeep of all bases"),
    ("knowledge/jobs/reconcile.rs", "reconcile_soon reconcile", "compares all bases with their indexes"),
    ("knowledge/jobs/reconcile.rs", "remove_orphan_tables remove_orphan_objects", "files that no row names"),
    ("knowledge/service/mod.rs", "refresh_gauges", "gauges"),
    ("files/doctor.rs", "Quota::run Lifecycle::run Uploads::run", "checks of all organisations"),
    ("files/service/figures.rs", "figures", "gauges"),
    ("files/service/scan.rs", "scan_waiting", "objects of all organisations that wait for the virus scanner"),
    // One prober checks the monitors of all organisations, and one file may describe those of any.
    ("uptime/doctor.rs", "Icmp::run Names::run last_alive", "checks of all monitors"),
    (
        "uptime/file/apply.rs",
        "adopt apply_file look_at_file owner_of_file refuse",
        "the file says whose monitors it has",
    ),
    ("uptime/prober/beats.rs", "store_beats", "a beat is known by its token before its organisation is"),
    ("uptime/prober/load.rs", "load", "one prober checks the monitors of all organisations"),
    ("uptime/prober/reader.rs", "read", "changed monitors and beats of all organisations"),
    ("uptime/prober/writer.rs", "write", "what was found of all organisations"),
    (
        "uptime/service/badges.rs",
        "badge",
        "strangers name no organisation: the monitor itself says whether they may see it",
    ),
    ("uptime/service/file.rs", "file_state owner_named", "the file is the installation's, whosever monitors it has"),
    ("uptime/service/mod.rs", "begin", "monitors of the installation, which has no organisation"),
    ("uptime/service/mod.rs", "system", "for the functions of this room that are listed here"),
    ("uptime/service/rollup.rs", "forget roll_up roll_up_hour waiting_hours", "an hour of all monitors"),
    ("uptime/service/upkeep.rs", "make_built_in", "the appliance's own monitors"),
    ("uptime/service/upkeep.rs", "refresh_figures", "gauges"),
    ("uptime/service/upkeep.rs", "maintain", "retention"),
    (
        "incidents/service/alerts.rs",
        "alert_changed monitor_came_up monitor_went_down",
        "alerts are the installation's, and an event says whose the monitor is",
    ),
    ("incidents/service/builtin.rs", "make_builtin", "what the appliance itself has"),
    ("incidents/service/endings.rs", "check_endings monitor_ending", "an event says whose the monitor is"),
    ("incidents/service/health.rs", "channels_found empty_rotas", "checks of all channels and rotas"),
    ("incidents/service/mod.rs", "begin", "incidents of the installation, which has no organisation"),
    ("incidents/service/mod.rs", "system", "for the functions of this room that are listed here"),
    ("incidents/service/shown.rs", "reconcile_components", "components of all organisations"),
    ("incidents/service/upkeep.rs", "move_maintenances settle", "what the clock changes, of all organisations"),
    ("incidents/service/upkeep.rs", "refresh_gauges", "gauges"),
    ("incidents/service/upkeep.rs", "maintain", "retention"),
    // Whoever reads a page belongs to no organisation; one process renders the pages of all.
    ("status_page/doctor.rs", "Domains::run Renders::run", "checks of all pages"),
    ("status_page/service/builtin.rs", "make_builtin remove_builtin", "the appliance's own page"),
    ("status_page/service/closing.rs", "tell_closed", "subscribers of a page, whosever it is"),
    ("status_page/service/domains.rs", "check_domains look_at", "domains of all pages"),
    (
        "status_page/service/endpoints.rs",
        "load_badges",
        "badges of all organisations' monitors, which each process serves",
    ),
    ("status_page/service/loader.rs", "load", "each process serves the pages of all organisations"),
    ("status_page/service/mod.rs", "begin", "pages of the installation, which has no organisation"),
    ("status_page/service/mod.rs", "system", "for the functions of this room that are listed here"),
    ("status_page/service/renderer.rs", "begin look render", "one process renders the pages of all organisations"),
    (
        "status_page/service/subscribers.rs",
        "choose component_names confirm open_link owner_of subscribe unsubscribe",
        "the page or the link is all that the caller has",
    ),
    ("status_page/service/tell.rs", "begin_telling go_on_telling tell_some", "subscribers of a page, whosever it is"),
    ("status_page/service/upkeep.rs", "start_upkeep", "gauges"),
    ("status_page/service/upkeep.rs", "maintain", "retention"),
    ("status_page/service/written.rs", "write", "one process renders the pages of all organisations"),
    // Alerts are of the whole installation.
    ("alerting/service/intake.rs", "take", "what Alertmanager sends"),
    ("alerting/service/mod.rs", "list fired_between firing worst get watchdog", "read by operators"),
    ("alerting/service/passing.rs", "hand_over", "deliveries of an earlier version"),
    ("alerting/service/upkeep.rs", "compare end", "comparison with Alertmanager"),
    ("alerting/service/upkeep.rs", "maintain", "retention"),
    ("alerting/service/upkeep.rs", "refresh_gauges", "gauges"),
    // Alerts, backups and the weekly report are told to operators.
    ("notices/service/mod.rs", "begin", "notices about the installation"),
    // Backups are of the whole installation.
    ("backup/jobs.rs", "run_job", "whether a backup is due"),
    ("backup/routes.rs", "enqueue_for", "a job of the installation"),
    ("backup/service/adopt.rs", "adopt take_in", "backups found at a destination"),
    ("backup/service/drill.rs", "drill write_down_drill", "a restore on trial"),
    ("backup/service/gauges.rs", "refresh_gauges", "gauges"),
    ("backup/service/mod.rs", "list outcomes get drills last_proven installed_at hold", "read and held by operators"),
    ("backup/service/mod.rs", "destinations open_destination", "where backups are"),
    ("backup/service/prune.rs", "note_pruned", "retention"),
    ("backup/service/run/conclude.rs", "conclude", "how a backup ended"),
    ("backup/service/run/mod.rs", "run", "a backup begins"),
    ("backup/service/run/mod.rs", "installation", "the installation's own id"),
    ("backup/service/run/save.rs", "save_database save_tree", "files that are in an earlier backup"),
    ("backup/service/run/steps.rs", "note_steps", "how far a backup is"),
    ("backup/service/verify.rs", "write_down", "whether a copy is whole"),
];

/// The functions of a source that work outside a tenant: `name`, or `Type::name` in the implementation of a trait.
fn callers(code: &str) -> BTreeSet<String> {
    let (mut implementor, mut function) = (None, String::new());
    let mut found = BTreeSet::new();
    for line in code.lines() {
        if line.starts_with("impl") {
            implementor = line.split_once(" for ").map(|(_, rest)| word(rest));
        }
        if let Some(name) = places(line, "fn").find_map(|at| line[at..].strip_prefix("fn ")).map(word) {
            let of = implementor.filter(|_| line.starts_with(' '));
            function = of.map_or_else(|| name.to_owned(), |of| format!("{of}::{name}"));
        }
        if line.contains(".system()") || line.contains("Db::system") {
            found.insert(function.clone());
        }
    }
    found
}

/// The word that a text begins with.
fn word(text: &str) -> &str {
    text.split(|c| !is_word(c)).next().unwrap_or_default()
}

#[test]
fn only_listed_functions_work_outside_a_tenant() {
    let wrong = differences(&find(|_, code| callers(code)), CALLERS);
    assert!(wrong.is_empty(), "functions that call `db.system()`, and the list here:\n{}", wrong.join("\n"));
}

#[test]
fn a_new_function_outside_a_tenant_is_seen() {
    let text = "
impl<T> Shop<T> {
    pub(super) async fn listed(&self) {
        let mut tx = self.db.system().await?;
    }
    fn other(&self, clock: Clock) -> usize { Clock::system(); 1 }
}

impl Check for Till {
    async fn run(&self) -> CheckResult {
        self.db
            .system()
    }
}

async fn sneak(db: &Db) {
    let open = Db::system;
}
";
    assert_eq!(callers(text), set(&["Till::run", "listed", "sneak"]));
}
