//! `[channels.<key>]`

use sqlx::PgConnection;

use super::{
    CHANNELS, FilePart,
    format::ChannelEntry,
    put::{BY, TAKEN, action, is_right, is_taken, setting},
};
use crate::{IncidentsError, model::ChannelId, service::channels::channel_faults, store::channels};
use platform::names::tidy;
use uptime::{
    ManagedBy,
    file::{Action, Changes, Entry, Problems, Scope},
};

impl FilePart {
    pub(super) async fn put_channels(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        changes: &mut Changes,
        problems: &mut Problems,
    ) -> Result<(), IncidentsError> {
        let known = channels::keys(conn, scope.owner.org()).await?;
        for entry in &self.channels {
            let found = known.iter().find(|(key, ..)| *key == entry.key);
            if found.is_some_and(|(_, _, by)| is_taken(by.as_deref())) {
                problems.push(&entry.place, setting(CHANNELS, &entry.key), TAKEN);
                continue;
            }
            if let Some(action) = self.put_channel(conn, scope, entry, found.map(|(_, id, _)| *id), problems).await? {
                changes.note(action, CHANNELS, entry.key.clone());
            }
        }
        for (key, id, by) in known {
            if !is_taken(by.as_deref()) && !self.channels.iter().any(|entry| entry.key == key) {
                channels::delete(conn, id).await?;
                changes.note(Action::Removed, CHANNELS, key);
            }
        }
        Ok(())
    }

    async fn put_channel(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        entry: &Entry<ChannelEntry>,
        was: Option<ChannelId>,
        problems: &mut Problems,
    ) -> Result<Option<Action>, IncidentsError> {
        let (incidents, value) = (&self.incidents, &entry.value);
        let (kind, settings, secrets) = match value.read() {
            Ok(read) => read,
            Err(why) => {
                problems.push(&entry.place, setting(CHANNELS, &entry.key), why);
                return Ok(None);
            }
        };
        let name = tidy(value.name.as_deref().unwrap_or(&entry.key));
        let (language, zone) = (value.language.as_deref().unwrap_or("en"), value.zone.as_deref().unwrap_or("UTC"));
        let errors = channel_faults(kind, &name, (language, zone), &settings, &secrets, true);
        if !is_right(errors, CHANNELS, &entry.key, &entry.place, problems) {
            return Ok(None);
        }
        let id = was.unwrap_or_else(|| ChannelId::generate(&incidents.inner.clock));
        let sealed = incidents.seal_secrets(id, &secrets)?;
        let draft = channels::Draft {
            key: &entry.key,
            name: &name,
            kind,
            settings: &settings,
            secrets: sealed.as_deref(),
            language,
            zone,
            managed_by: Some(ManagedBy::File),
        };
        let Some(old) = channels::read(conn, scope.owner.org(), &[id.0]).await?.pop() else {
            channels::insert(conn, scope.owner.org(), id, &draft, BY, scope.now).await?;
            return Ok(Some(Action::Created));
        };
        if old.kind() != kind {
            let why = "its kind has changed: give it another key";
            problems.push(&entry.place, setting(CHANNELS, &entry.key), why);
            return Ok(None);
        }
        // A chat that became a supergroup has another id here than in the file: the file's is the older one, and is kept only as long as it stays.
        let is_same = old.name == name
            && old.settings() == settings
            && (old.language.as_str(), old.zone.as_str()) == (language, zone)
            && incidents.open_secrets(&old).is_ok_and(|known| known == secrets);
        if !is_same {
            channels::update(conn, id, &draft, scope.now).await?;
        }
        Ok(Some(action(false, !is_same)))
    }
}
