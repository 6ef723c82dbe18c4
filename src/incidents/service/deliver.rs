//! A message to its receivers: once each, in the caller's transaction.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::{
    Incidents, ROOM_ITSELF,
    people::{People, Person},
};
use crate::{
    IncidentsError,
    channel::{self, Words},
    message::Message,
    metrics::ToldOutcome,
    model::{ChannelId, ChannelKind, Held, IncidentId, LogKind, Owner, RuleId, Told, ToldId, What},
    store::{channels, rota, told},
};
use jobs::JobsError;
use mail::{Address, Content, MailError, NewMail, kinds};
use platform::{crypto, error::chain, ids::UserId};
use webhooks::{DeliveryId, WebhooksError};

/// Who gets a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Receiver {
    Channel(ChannelId),
    Person(UserId),
}

impl std::fmt::Display for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Channel(id) => write!(f, "channel-{id}"),
            Self::Person(id) => write!(f, "person-{id}"),
        }
    }
}

/// A message, and why it is sent.
pub(super) struct Telling<'a> {
    pub owner: Owner,
    /// `None`: a test.
    pub incident: Option<IncidentId>,
    pub rule: Option<RuleId>,
    /// `<what>/<number>/<rule>/<step>`: with the receiver it decides once.
    pub once: String,
    pub message: &'a Message,
}

/// A mail or a delivery that is to be written, sorted by what it locks: two transactions with another order could wait for each other.
struct Out {
    /// Domain of the recipient, or the channel.
    lane: String,
    way: Way,
    channel: Option<ChannelId>,
    kind: ChannelKind,
    user: Option<UserId>,
    language: String,
    zone: String,
    settings: crate::model::ChannelSettings,
}

enum Way {
    Mail(Address, String),
    Post,
}

impl Incidents {
    /// Returns how many receivers got it. What was decided on before is left out.
    pub(super) async fn deliver(
        &self,
        conn: &mut PgConnection,
        telling: &Telling<'_>,
        receivers: &[Receiver],
        people: &People,
    ) -> Result<usize, IncidentsError> {
        let org = telling.owner.org();
        let mut sorted = receivers.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut outs = Vec::new();
        for receiver in sorted {
            if let Some(incident) = telling.incident {
                let once = format!("{}/{receiver}", telling.once);
                if !told::take(conn, org, incident, &once).await? {
                    continue;
                }
            }
            let found = match receiver {
                Receiver::Channel(id) => self.outs_of_channel(conn, telling.owner, id, None, people).await?,
                Receiver::Person(user) => self.outs_of_person(conn, telling.owner, user, people).await?,
            };
            match found {
                Ok(found) => outs.extend(found.into_iter().map(|out| (receiver, out))),
                Err((held, kind)) => self.hold(conn, telling, receiver, held, kind).await?,
            }
        }
        outs.sort_by(|(_, a), (_, b)| a.lane.cmp(&b.lane));
        let mut reached = BTreeSet::new();
        for (receiver, out) in &outs {
            // What cannot be written undoes only this one: the other receivers are told.
            let mut point = conn.begin().await?;
            match self.write_out(&mut point, telling, out).await {
                Ok(delivery) => {
                    point.commit().await?;
                    self.note_told(conn, telling, out.channel, out.user, Some(delivery), None).await?;
                    self.inner.metrics.told(out.kind, ToldOutcome::Enqueued, telling.message.kind, telling.incident);
                    reached.insert(*receiver);
                }
                Err(error) if is_passing(&error) => return Err(error),
                Err(error) => {
                    point.rollback().await?;
                    self.inner.metrics.not_written(telling.incident, &receiver.to_string(), &chain(&error));
                    self.hold(conn, telling, *receiver, Held::Failed, out.kind).await?;
                }
            }
        }
        Ok(reached.len())
    }

    /// What goes to a channel; Err: why nothing does.
    async fn outs_of_channel(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        id: ChannelId,
        user: Option<UserId>,
        people: &People,
    ) -> Result<Result<Vec<Out>, (Held, ChannelKind)>, IncidentsError> {
        let Some(row) = channels::read(conn, owner.org(), &[id.0]).await?.pop() else {
            return Ok(Err((Held::Disabled, ChannelKind::Webhook)));
        };
        let (kind, settings) = (row.kind(), row.settings());
        if row.disabled_at.is_some() {
            return Ok(Err((Held::Disabled, kind)));
        }
        let out = |lane: String, way: Way| Out {
            lane,
            way,
            channel: Some(id),
            kind,
            user,
            language: row.language.clone(),
            zone: row.zone.clone(),
            settings: settings.clone(),
        };
        if kind != ChannelKind::Mail {
            return Ok(Ok(vec![out(format!("{}{id}", channel::PREFIX), Way::Post)]));
        }
        if !self.inner.rooms.mail.is_configured() {
            return Ok(Err((Held::NoMail, kind)));
        }
        let to: Vec<(Address, String)> = if settings.to.is_empty() {
            people.admins.iter().filter_map(of_person).collect()
        } else {
            let parsed = settings.to.iter().filter_map(|to| Address::parse(to).ok());
            parsed
                .map(|to| {
                    let name = to.name().to_owned();
                    (to, name)
                })
                .collect()
        };
        if to.is_empty() {
            return Ok(Err((Held::NoAddress, kind)));
        }
        let mail = |(to, name): (Address, String)| out(format!("mail/{}", to.domain()), Way::Mail(to, name));
        Ok(Ok(to.into_iter().map(mail).collect()))
    }

    /// What goes to a person: to the channels that they named, or by mail.
    async fn outs_of_person(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        user: UserId,
        people: &People,
    ) -> Result<Result<Vec<Out>, (Held, ChannelKind)>, IncidentsError> {
        let settings = rota::person(conn, owner.org(), user).await?;
        let mut outs = Vec::new();
        let (channels, language) = settings.unwrap_or_default();
        for id in channels {
            if let Ok(found) = self.outs_of_channel(conn, owner, id, Some(user), people).await? {
                outs.extend(found);
            }
        }
        if !outs.is_empty() {
            return Ok(Ok(outs));
        }
        if !self.inner.rooms.mail.is_configured() {
            return Ok(Err((Held::NoMail, ChannelKind::Mail)));
        }
        let Some((to, name)) = people.by_id.get(&user).and_then(of_person) else {
            return Ok(Err((Held::NoAddress, ChannelKind::Mail)));
        };
        let language = if language.is_empty() { "en".to_owned() } else { language };
        Ok(Ok(vec![Out {
            lane: format!("mail/{}", to.domain()),
            way: Way::Mail(to, name),
            channel: None,
            kind: ChannelKind::Mail,
            user: Some(user),
            language,
            zone: "UTC".to_owned(),
            settings: crate::model::ChannelSettings::default(),
        }]))
    }

    /// Writes a mail or a delivery; its id.
    async fn write_out(
        &self,
        conn: &mut PgConnection,
        telling: &Telling<'_>,
        out: &Out,
    ) -> Result<Uuid, IncidentsError> {
        let words = Words::new(self.inner.texts.clone(), &out.language, &out.zone);
        match &out.way {
            Way::Mail(to, name) => {
                let mut data = mail_data(telling.message, name, &words);
                if let (Some(user), Some(incident)) = (out.user, telling.incident)
                    && !telling.message.is_over()
                {
                    data["acknowledge_url"] = self.acknowledge_link(telling.owner, incident, user).into();
                }
                self.write_mail(conn, telling, out, to, data).await
            }
            Way::Post => {
                let id = DeliveryId::generate(&self.inner.clock);
                let topic = topic(telling.message.kind);
                let body = match channel::body(out.kind, telling.message, &words, &out.settings) {
                    Some(body) => serde_json::to_string(&body)?,
                    None => {
                        self.inner.rooms.webhooks.signed_body(id, topic, &serde_json::to_value(telling.message)?)?
                    }
                };
                let subject = telling.incident.map_or_else(|| "test".to_owned(), |incident| incident.to_string());
                let message = webhooks::Message { topic, subject, body };
                self.inner.rooms.webhooks.post(conn, telling.owner, &out.lane, id, &message).await?;
                Ok(id.0)
            }
        }
    }

    async fn write_mail(
        &self,
        conn: &mut PgConnection,
        telling: &Telling<'_>,
        out: &Out,
        to: &Address,
        data: Value,
    ) -> Result<Uuid, IncidentsError> {
        // The address is hashed: keys are shorter than addresses may be.
        let about = |incident: IncidentId| {
            let hashed = crypto::sha256_hex(format!("{}/{}", telling.once, to.key()));
            format!("incident/{incident}/{}", &hashed[..32])
        };
        let new = NewMail {
            kind: &kinds::INCIDENT,
            to,
            language: &out.language,
            content: Content::Template { name: kinds::INCIDENT.name, data },
            attachments: Vec::new(),
            send_at: None,
            expires_at: None,
            idempotency_key: telling.incident.map(about),
            reply_to: None,
            from: None,
            created_by: ROOM_ITSELF.to_owned(),
        };
        let mail = &self.inner.rooms.mail;
        let id = match telling.incident {
            Some(incident) => {
                mail.enqueue_in_thread(conn, telling.owner, &new, &format!("incident-{incident}")).await?
            }
            None => mail.enqueue(conn, telling.owner, &new).await?,
        };
        Ok(id.0)
    }

    /// Notes that a receiver was not told, and why.
    async fn hold(
        &self,
        conn: &mut PgConnection,
        telling: &Telling<'_>,
        receiver: Receiver,
        held: Held,
        kind: ChannelKind,
    ) -> Result<(), IncidentsError> {
        let (channel, user) = match receiver {
            Receiver::Channel(id) => (Some(id), None),
            Receiver::Person(id) => (None, Some(id)),
        };
        self.note_told(conn, telling, channel, user, None, Some(held)).await?;
        self.inner.metrics.told(kind, ToldOutcome::Unable, telling.message.kind, telling.incident);
        if let Some(incident) = telling.incident {
            self.inner.metrics.held(held, incident);
            let detail = json!({ "what": telling.message.kind, "to": receiver.to_string(), "reason": held });
            self.log(conn, telling.owner.org(), incident, LogKind::Held, ROOM_ITSELF, detail).await?;
        }
        Ok(())
    }

    async fn note_told(
        &self,
        conn: &mut PgConnection,
        telling: &Telling<'_>,
        channel_id: Option<ChannelId>,
        user_id: Option<UserId>,
        delivery_id: Option<Uuid>,
        held: Option<Held>,
    ) -> Result<(), IncidentsError> {
        let clock = &self.inner.clock;
        let told = Told {
            id: ToldId::generate(clock),
            incident_id: telling.incident,
            rule_id: telling.rule,
            channel_id,
            user_id,
            what: telling.message.kind,
            delivery_id,
            held,
            created_at: clock.now(),
        };
        Ok(told::insert(conn, telling.owner.org(), &told).await?)
    }
}

/// Whether all of it is to be tried again soon: the database is away, or somebody else holds a lock.
fn is_passing(error: &IncidentsError) -> bool {
    let of_jobs = |error: &JobsError| matches!(error, JobsError::Db(error) if error.is_unavailable());
    match error {
        IncidentsError::Db(error)
        | IncidentsError::Mail(MailError::Db(error))
        | IncidentsError::Webhooks(WebhooksError::Db(error)) => error.is_unavailable(),
        IncidentsError::Jobs(error)
        | IncidentsError::Mail(MailError::Jobs(error))
        | IncidentsError::Webhooks(WebhooksError::Jobs(error)) => of_jobs(error),
        _ => false,
    }
}

fn of_person(person: &Person) -> Option<(Address, String)> {
    // A name that no header takes is left out, the address is what counts.
    Some((Address::parse(&person.email).ok()?, person.name.clone()))
}

/// Topic of a signed message.
fn topic(kind: What) -> &'static str {
    match kind {
        What::Opened => "incidents.incident.opened",
        What::Resolved => "incidents.incident.resolved",
        What::Test => "incidents.test",
        What::Grown | What::Reminder | What::Escalated | What::Flapping | What::Updated => "incidents.incident.updated",
    }
}

/// Fields of the template `incident`.
fn mail_data(message: &Message, name: &str, words: &Words) -> Value {
    json!({
        "name": name,
        "kind": message.kind,
        "incident": message.name,
        "severity": message.severity,
        "started_at": words.mail_time(message.started_at),
        "ended_at": message.ended_at.map(|at| words.mail_time(at)),
        "late": message.late,
        "monitors": message.monitors,
        "more": message.more,
        "components": message.components.join(", "),
        "text": message.text,
        "url": message.url,
        "acknowledge_url": message.acknowledge_url,
        "runbook_url": message.runbook_url,
    })
}
