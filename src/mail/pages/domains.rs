//! Domains that mail is sent from, with their DNS records.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{SHOWN, said};
use crate::{DnsCheck, DnsStatus, Domain, DomainId, Mail, dns, routes::owner};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use platform::http::{ListQuery, Path, Query, Scope, Slice};

const PATH: &str = "/settings/mail/domains";

/// Watches without changing what receivers do, until the reports are read.
const FIRST_DMARC: &str = "v=DMARC1; p=none";

/// Checks that have words of their own.
const KNOWN: [&str; 5] = ["dkim_rsa", "dkim_ed25519", "spf", "dmarc", "reverse"];

/// A domain to add.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct DomainForm {
    domain: String,
    installation: String,
}

impl DomainForm {
    fn is_of_installation(&self) -> bool {
        !self.installation.is_empty()
    }
}

#[derive(Template)]
#[template(path = "mail/templates/domains.html")]
struct List<'a> {
    shell: &'a Shell,
    domains: Vec<Domain>,
    /// Of the installation, for operators.
    installation: Vec<Domain>,
    operator: bool,
    pager: Pager,
    form: DomainForm,
    errors: FormErrors,
}

#[derive(Template)]
#[template(path = "mail/templates/domain.html")]
struct Show<'a> {
    shell: &'a Shell,
    domain: Domain,
}

impl List<'_> {
    /// The organisation's, and those of the installation under a heading.
    fn groups(&self) -> Vec<(String, &[Domain])> {
        let all =
            [(String::new(), &self.domains), (self.shell.t("mail-whose-installation").to_string(), &self.installation)];
        all.into_iter().filter(|(_, list)| !list.is_empty()).map(|(heading, list)| (heading, list.as_slice())).collect()
    }

    fn is_empty(&self) -> bool {
        self.domains.is_empty() && self.installation.is_empty()
    }

    /// Colours and texts of its badges: whether mail is sent from it, and the records that are not as they should be.
    fn marks(&self, domain: &Domain) -> Vec<(&'static str, String)> {
        let wrong = domain.checks.iter().filter(|check| matches!(check.status, DnsStatus::Fail | DnsStatus::Warn));
        let wrong = wrong.map(|check| (check.status.tone(), short_name(&check.name)));
        [verified(self.shell, domain)].into_iter().chain(wrong).collect()
    }
}

/// A record to publish.
struct Record {
    what: String,
    host: String,
    value: String,
}

impl Show<'_> {
    /// The records whose value is known here: the keys, and a first DMARC policy.
    fn records(&self) -> Vec<Record> {
        let keys = ["dkim_rsa", "dkim_ed25519"].into_iter().zip(&self.domain.records);
        let keys = keys.map(|(name, record)| (name, record.host.clone(), record.value.clone()));
        let dmarc = ("dmarc", dns::dmarc_host(&self.domain.domain), FIRST_DMARC.to_owned());
        keys.chain([dmarc])
            .map(|(name, host, value)| Record { what: self.words("mail-domains-what", name), host, value })
            .collect()
    }

    fn verified(&self) -> (&'static str, String) {
        verified(self.shell, &self.domain)
    }

    /// What a record is for.
    fn what(&self, check: &DnsCheck) -> String {
        self.words("mail-domains-what", &check.name)
    }

    /// What to do about it; empty where nothing is.
    fn advice(&self, check: &DnsCheck) -> String {
        match check.status {
            DnsStatus::Pass => String::new(),
            DnsStatus::Unknown => self.shell.t("mail-domains-do-again").to_string(),
            DnsStatus::Warn | DnsStatus::Fail => self.words("mail-domains-do", &check.name),
        }
    }

    /// What is wrong with it, unless only the name server's own words are known.
    fn detail(&self, check: &DnsCheck) -> Option<String> {
        said::detail(self.shell, &check.detail)
    }

    fn status(&self, check: &DnsCheck) -> String {
        self.shell.t(format!("mail-domains-state-{}", check.status.as_str())).to_string()
    }

    fn words(&self, key: &str, name: &str) -> String {
        if KNOWN.contains(&name) {
            self.shell.t(format!("{key}-{}", name.replace('_', "-"))).to_string()
        } else {
            name.to_owned()
        }
    }
}

impl DnsStatus {
    /// Badge colour.
    fn tone(self) -> &'static str {
        match self {
            Self::Pass => "ok",
            Self::Warn => "warn",
            Self::Fail => "error",
            Self::Unknown => "neutral",
        }
    }
}

/// Badge that says whether mail is sent from the domain.
fn verified(shell: &Shell, domain: &Domain) -> (&'static str, String) {
    let (tone, key) = match domain.verified_at {
        Some(_) if domain.failing_since.is_some() => ("error", "mail-domains-failing"),
        Some(_) => ("ok", "mail-domains-verified"),
        None => ("warn", "mail-domains-not-verified"),
    };
    (tone, shell.t(key).to_string())
}

/// `spf` is SPF, `dkim_rsa` DKIM RSA: the same in every language, but for the reverse name.
fn short_name(name: &str) -> String {
    match name {
        "dkim_ed25519" => "DKIM Ed25519".to_owned(),
        "reverse" => "PTR".to_owned(),
        name => name.replace('_', " ").to_uppercase(),
    }
}

async fn render(shell: &Shell, mail: &Mail, query: ListQuery, refused: Option<(DomainForm, FormErrors)>) -> PageResult {
    let who = shell.principal();
    let own = owner(mail, who, false)?;
    let query = query.sized(SHOWN);
    let slice = query.slice()?;
    let page = slice.page(mail.domains(own, &slice).await?, |domain| domain.id.0);
    let operator = who.is_operator();
    let installation = if operator && query.cursor.is_empty() {
        mail.domains(owner(mail, who, true)?, &Slice::first(SHOWN.into())).await?
    } else {
        Vec::new()
    };
    let pager = Pager::new(PATH, &[], &query, page.next_cursor.as_deref());
    let is_refused = refused.is_some();
    let (form, errors) = refused.unwrap_or_default();
    let page = List { shell, domains: page.data, installation, operator, pager, form, errors };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(shell: Shell, State(mail): State<Mail>, Query(query): Query<ListQuery>) -> PageResult {
    render(&shell, &mail, query, None).await
}

pub(super) async fn add(shell: Shell, State(mail): State<Mail>, Form(form): Form<DomainForm>) -> PageResult {
    let owner = owner(&mail, shell.principal(), form.is_of_installation())?;
    match mail.add_domain(shell.principal(), owner, &form.domain).await {
        Ok(domain) => Ok(shell.redirect(&format!("{PATH}/{}", domain.id), &Flash::ok("mail-domains-added"))),
        Err(error) => {
            let errors = said::form_errors(&shell, error)?;
            render(&shell, &mail, ListQuery::default(), Some((form, errors))).await
        }
    }
}

pub(super) async fn show(shell: Shell, State(mail): State<Mail>, Path(id): Path<DomainId>) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let domain = mail.get_domain(shell.principal(), id).await?;
    shell.render(&Show { shell: &shell, domain })
}

pub(super) async fn check(
    shell: Shell,
    State(mail): State<Mail>,
    Path(id): Path<DomainId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    mail.check_domain(shell.principal(), id).await?;
    Ok(shell.redirect(&format!("{PATH}/{id}"), &Flash::ok("mail-domains-was-checked")))
}

pub(super) async fn delete(
    shell: Shell,
    State(mail): State<Mail>,
    Path(id): Path<DomainId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    mail.delete_domain(shell.principal(), id).await?;
    Ok(shell.redirect(PATH, &Flash::ok("mail-domains-deleted")))
}
