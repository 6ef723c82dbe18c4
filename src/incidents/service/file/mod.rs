//! This room's part of the file of monitors: `components`, `channels`, `rotas`, `rules`.

mod channels;
mod components;
mod format;
mod put;
mod rotas;
mod rules;

use async_trait::async_trait;
use sqlx::PgConnection;

use super::Incidents;
use format::{ChannelEntry, ComponentEntry, RotaEntry, RuleEntry};
pub(crate) use format::{seconds, time as time_of_day};
use uptime::file::{Changes, Document, Entry, Part, Problems, Scope, Section, is_key};

const COMPONENTS: &str = "components";
const CHANNELS: &str = "channels";
const ROTAS: &str = "rotas";
const RULES: &str = "rules";

/// Reads what the file says of incidents.
pub struct FileSection(pub Incidents);

/// What the file says of incidents.
struct FilePart {
    incidents: Incidents,
    components: Vec<Entry<ComponentEntry>>,
    channels: Vec<Entry<ChannelEntry>>,
    rotas: Vec<Entry<RotaEntry>>,
    rules: Vec<Entry<RuleEntry>>,
}

impl Section for FileSection {
    fn tables(&self) -> &'static [&'static str] {
        &[COMPONENTS, CHANNELS, ROTAS, RULES]
    }

    fn parse(&self, document: &Document<'_>, problems: &mut Problems) -> Box<dyn Part> {
        let place = document.names().find(|(name, _)| *name == RULES).map(|(_, place)| place).unwrap_or_default();
        let listed: Vec<RuleEntry> = document.value(RULES, problems).unwrap_or_default();
        let mut rules: Vec<Entry<RuleEntry>> = Vec::new();
        for value in listed {
            let key = value.key.clone();
            if !is_key(&key) || rules.iter().any(|known| known.key == key) {
                let why =
                    "each rule has a key of its own: 1 to 100 lower-case letters, digits, hyphens and underscores";
                problems.push(&place, format!("{RULES}.{key}"), why);
            } else {
                rules.push(Entry { key, place: place.clone(), value });
            }
        }
        Box::new(FilePart {
            incidents: self.0.clone(),
            components: document.entries(COMPONENTS, problems),
            channels: document.entries(CHANNELS, problems),
            rotas: document.entries(ROTAS, problems),
            rules,
        })
    }
}

#[async_trait]
impl Part for FilePart {
    async fn apply(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        changes: &mut Changes,
        problems: &mut Problems,
    ) -> anyhow::Result<()> {
        self.put_components(conn, scope, changes, problems).await?;
        self.put_channels(conn, scope, changes, problems).await?;
        self.put_rotas(conn, scope, changes, problems).await?;
        self.put_rules(conn, scope, changes, problems).await?;
        Ok(())
    }
}
