//! What the appliance makes of itself: a component for each of its built-in monitors, and a rule that tells its operators. Made again if it is missing;
//! harmless if two processes do it at once.

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
use uptime::ManagedBy;

/// Keys of the channel and of the rule.
const OPERATORS: &str = "appliance-operators";
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
        self.make_rule(&mut tx).await?;
        tx.commit().await?;
        self.announce(&changes);
        Ok(())
    }

    /// Incidents that monitors of the installation open are mailed to its operators. Not those of alerts: `notices` mails alerts.
    async fn make_rule(&self, conn: &mut PgConnection) -> Result<(), IncidentsError> {
        let (clock, now) = (&self.inner.clock, self.inner.clock.now());
        let found = channels::keys(conn, None).await?.into_iter().find(|(key, ..)| key == OPERATORS);
        let channel = match found {
            Some((_, id, _)) => id,
            None => {
                let id = ChannelId::generate(clock);
                let draft = channels::Draft {
                    key: OPERATORS,
                    name: "Operators, by mail",
                    kind: ChannelKind::Mail,
                    settings: &ChannelSettings::default(),
                    secrets: None,
                    language: Lang::En.code(),
                    zone: "UTC",
                    managed_by: Some(ManagedBy::Builtin),
                };
                if !channels::insert(conn, None, id, &draft, ROOM_ITSELF, now).await? {
                    return Ok(());
                }
                id
            }
        };
        if rules::all(conn, None).await?.iter().any(|rule| rule.key == OPERATORS) {
            return Ok(());
        }
        let step = Step { after_seconds: 0, channels: vec![channel], rota: None, repeat_seconds: None };
        let matches: Matches = serde_json::from_value(json!({ "sources": ["monitor"] }))?;
        let draft = rules::Draft {
            key: OPERATORS,
            name: "Operators, by mail",
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
            managed_by: Some(ManagedBy::Builtin),
        };
        rules::insert(conn, None, RuleId::generate(clock), &draft, ROOM_ITSELF, now).await?;
        Ok(())
    }
}
