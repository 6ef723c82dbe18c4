//! What the room makes by itself: a component for each of the appliance's built-in monitors, and a rule that tells its operators, made again if they are
//! missing; and once for each organisation a rule that tells its administrators. Harmless if two processes do it at once.

use serde_json::json;
use sqlx::PgConnection;

use super::{Changed, Incidents, ROOM_ITSELF, code};
use crate::{
    IncidentsError,
    model::{
        ChannelId, ChannelKind, ChannelSettings, ComponentId, ComponentMonitor, ComponentStatus, Matches, Owner,
        RuleId, Step,
    },
    store::{channels, components, rules},
};
use console::Lang;
use platform::ids::OrgId;
use uptime::ManagedBy;

/// A channel and a rule that the room makes by itself.
struct Made {
    /// Of both.
    key: &'static str,
    name: &'static str,
    managed_by: Option<ManagedBy>,
}

const OF_OPERATORS: Made =
    Made { key: "appliance-operators", name: "Operators, by mail", managed_by: Some(ManagedBy::Builtin) };
const OF_ADMINISTRATORS: Made = Made { key: "administrators", name: "Administrators, by mail", managed_by: None };
/// After every rule that a person makes.
const LAST: i32 = 1_000_000;

impl Incidents {
    pub(super) async fn make_builtin(&self) -> Result<(), IncidentsError> {
        let mut tx = self.system().await?;
        let known = components::keys(&mut tx, None).await?;
        let mut changes = Vec::new();
        for check in self.inner.rooms.uptime.self_checks() {
            if known.iter().any(|known| known.key == check.key()) {
                continue;
            }
            // Its monitor may not be there yet: then in the next round.
            let uptime = &self.inner.rooms.uptime;
            let Some(monitor_id) = uptime.find_monitor(&mut tx, Owner::Installation, check.key()).await? else {
                continue;
            };
            let id = ComponentId::generate(&self.inner.clock);
            let new = components::NewComponent {
                id,
                org: None,
                key: check.key(),
                code: &code(),
                name: &check.name(Lang::En),
                description: "",
                announce: false,
                managed_by: Some(ManagedBy::Builtin),
                created_by: ROOM_ITSELF,
                now: self.inner.clock.now(),
            };
            if components::insert(&mut tx, &new).await? {
                let monitor = ComponentMonitor { monitor_id, weight: ComponentStatus::MajorOutage };
                components::set_monitors(&mut tx, None, id, &[monitor]).await?;
                self.refresh_components(&mut tx, &[id], None).await?;
                changes.push(Changed::Component(id));
            }
        }
        self.make_rule(&mut tx, None, &OF_OPERATORS).await?;
        let organisations = rules::without_default(&mut tx).await?;
        tx.commit().await?;
        self.announce(&changes);
        for org in organisations {
            let mut tx = self.begin(Owner::Org(org)).await?;
            self.make_default(&mut tx, org).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// The rule that mails outages to the administrators of an organisation: made once, with its first monitor or its first outage, so that nobody has to
    /// set anything up to be told. It is theirs: who changes or deletes it keeps that. Who had made rules before has decided otherwise.
    pub(super) async fn make_default(&self, conn: &mut PgConnection, org: OrgId) -> Result<(), IncidentsError> {
        if rules::take_default(conn, org, self.inner.clock.now()).await?
            && rules::all(conn, Some(org)).await?.is_empty()
        {
            self.make_rule(conn, Some(org), &OF_ADMINISTRATORS).await?;
            tracing::info!(org_id = %org, "rule made: outages are mailed to the administrators of the organisation");
        }
        Ok(())
    }

    /// Incidents that monitors open are mailed to those who administrate. Not those of alerts: `notices` mails alerts.
    async fn make_rule(&self, conn: &mut PgConnection, org: Option<OrgId>, made: &Made) -> Result<(), IncidentsError> {
        let (clock, now) = (&self.inner.clock, self.inner.clock.now());
        let found = channels::keys(conn, org).await?.into_iter().find(|(key, ..)| key == made.key);
        let channel = match found {
            Some((_, id, _)) => id,
            None => {
                let id = ChannelId::generate(clock);
                let draft = channels::Draft {
                    key: made.key,
                    name: made.name,
                    kind: ChannelKind::Mail,
                    settings: &ChannelSettings::default(),
                    secrets: None,
                    language: Lang::En.code(),
                    zone: "UTC",
                    managed_by: made.managed_by,
                };
                if !channels::insert(conn, org, id, &draft, ROOM_ITSELF, now).await? {
                    return Ok(());
                }
                id
            }
        };
        if rules::all(conn, org).await?.iter().any(|rule| rule.key == made.key) {
            return Ok(());
        }
        let step = Step { after_seconds: 0, channels: vec![channel], rota: None, repeat_seconds: None };
        let matches: Matches = serde_json::from_value(json!({ "sources": ["monitor"] }))?;
        let draft = rules::Draft {
            key: made.key,
            name: made.name,
            position: LAST,
            matches: &matches,
            steps: &[step],
            after_seconds: 0,
            group_wait_ms: 2000,
            group_interval_seconds: 300,
            flap_changes: 6,
            flap_minutes: 30,
            quiet: &[],
            proceed: false,
            disabled: false,
            managed_by: made.managed_by,
        };
        rules::insert(conn, org, RuleId::generate(clock), &draft, ROOM_ITSELF, now).await?;
        Ok(())
    }
}
