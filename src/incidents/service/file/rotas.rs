//! `[rotas.<key>]`

use sqlx::PgConnection;

use super::{
    FilePart, ROTAS,
    format::{HoursEntry, RotaEntry},
    put::{BY, TAKEN, action, is_right, is_taken, setting},
};
use crate::{
    IncidentsError,
    model::{Layer, Owner, Rota, RotaId},
    service::rota::layers_faults,
    store::rota,
};
use platform::{http::Slice, ids::UserId, names::tidy};
use uptime::{
    ManagedBy,
    file::{Action, Changes, Entry, Problems, Scope},
};

impl FilePart {
    pub(super) async fn put_rotas(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        changes: &mut Changes,
        problems: &mut Problems,
    ) -> Result<(), IncidentsError> {
        let org = scope.owner.org();
        let known = rota::keys(conn, org).await?;
        for entry in &self.rotas {
            let found = known.iter().find(|(key, ..)| *key == entry.key);
            if found.is_some_and(|(_, _, by)| is_taken(by.as_deref())) {
                problems.push(&entry.place, setting(ROTAS, &entry.key), TAKEN);
                continue;
            }
            let Some(layers) = self.layers(scope.owner, entry, problems).await? else { continue };
            let errors = layers_faults(&entry.value.zone, &layers);
            if !is_right(errors, ROTAS, &entry.key, &entry.place, problems) {
                continue;
            }
            let name = tidy(entry.value.name.as_deref().unwrap_or(&entry.key));
            let zone = entry.value.zone.as_str();
            let old = match found {
                Some((_, id, _)) => rota::read(conn, org, &[id.0]).await?.pop(),
                None => None,
            };
            let outcome = match old {
                None => {
                    let new = Rota {
                        id: RotaId::generate(&self.incidents.inner.clock),
                        installation: org.is_none(),
                        key: entry.key.clone(),
                        name,
                        zone: zone.to_owned(),
                        layers,
                        managed_by: Some(ManagedBy::File),
                        created_at: scope.now,
                        updated_at: scope.now,
                    };
                    rota::insert(conn, org, &new, BY).await?;
                    Action::Created
                }
                Some(old) => {
                    let is_same = old.name == name && old.zone == zone && old.layers == layers;
                    if !is_same {
                        rota::update(conn, old.id, (&name, zone, &layers), scope.now).await?;
                    }
                    action(false, !is_same)
                }
            };
            changes.note(outcome, ROTAS, entry.key.clone());
        }
        for (key, id, by) in known {
            if !is_taken(by.as_deref()) && !self.rotas.iter().any(|entry| entry.key == key) {
                rota::delete(conn, id).await?;
                changes.note(Action::Removed, ROTAS, key);
            }
        }
        Ok(())
    }

    /// People are named by their addresses. `None`: one of them is not here.
    async fn layers(
        &self,
        owner: Owner,
        entry: &Entry<RotaEntry>,
        problems: &mut Problems,
    ) -> Result<Option<Vec<Layer>>, IncidentsError> {
        let mut layers = Vec::new();
        let mut is_complete = true;
        for layer in &entry.value.layers {
            let mut people = Vec::new();
            for email in &layer.people {
                match self.person(owner, email).await? {
                    Some(user) => people.push(user),
                    None => {
                        is_complete = false;
                        problems.push(
                            &entry.place,
                            setting(ROTAS, &entry.key),
                            format!("there is no person {email} here"),
                        );
                    }
                }
            }
            let hours = layer.hours.iter().map(HoursEntry::read).collect::<Result<Vec<_>, _>>();
            match (layer.first(), layer.turn(), hours) {
                (Ok(starts), Ok(turn), Ok(hours)) => layers.push(Layer { people, starts, turn, hours }),
                (starts, turn, hours) => {
                    is_complete = false;
                    let whys = [starts.err(), turn.err(), hours.err()];
                    for why in whys.into_iter().flatten() {
                        problems.push(&entry.place, setting(ROTAS, &entry.key), why);
                    }
                }
            }
        }
        Ok(is_complete.then_some(layers))
    }

    async fn person(&self, owner: Owner, email: &str) -> Result<Option<UserId>, IncidentsError> {
        let auth = &self.incidents.inner.rooms.auth;
        let found = auth.list_users(Some(email), &Slice::first(50)).await?;
        let Some(user) = found.into_iter().find(|user| user.email.eq_ignore_ascii_case(email)) else { return Ok(None) };
        let is_here = match owner {
            Owner::Org(org) => auth.membership(org, user.id).await?.is_some(),
            Owner::Installation => user.is_operator,
        };
        Ok(is_here.then_some(user.id))
    }
}
