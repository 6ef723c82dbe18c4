//! Names and addresses of people who are told. Read before a transaction begins: it would hold one connection and ask for a second.

use std::collections::BTreeMap;

use super::Incidents;
use crate::{IncidentsError, model::Owner};
use platform::{
    http::{Principal, Slice},
    ids::UserId,
};
use uptime::Group;

/// People who are offered.
const MOST: i64 = 200;

/// Somebody who can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    pub name: String,
    pub email: String,
}

/// People of an owner.
#[derive(Clone, Debug, Default)]
pub(super) struct People {
    /// Owners and admins of the organisation, or operators: those whom a mail channel without addresses is for.
    pub admins: Vec<Person>,
    pub by_id: BTreeMap<UserId, Person>,
}

impl Incidents {
    /// Whether mail can be sent: without that channels of kind mail reach nobody.
    pub(crate) fn has_mail(&self) -> bool {
        self.inner.rooms.mail.is_configured()
    }

    /// Groups of monitors, for a form.
    pub(crate) async fn groups(&self, owner: Owner, slice: &Slice) -> Result<Vec<Group>, IncidentsError> {
        Ok(self.inner.rooms.uptime.groups(owner, slice).await?)
    }

    /// Who can be on call for an owner, by name.
    pub async fn candidates(&self, who: &Principal, owner: Owner) -> Result<Vec<(UserId, String)>, IncidentsError> {
        let auth = &self.inner.rooms.auth;
        let mut found: Vec<(UserId, String)> = match owner {
            Owner::Org(_) => {
                let members = auth.list_members(who, None, &Slice::first(MOST)).await?;
                members.into_iter().map(|member| (member.user_id, member.name)).collect()
            }
            Owner::Installation => auth.operators().await?.into_iter().map(|user| (user.id, user.name)).collect(),
        };
        found.sort_by(|a, b| a.1.cmp(&b.1));
        Ok(found)
    }

    /// Those who administrate, and the wanted ones as far as they exist and may sign in.
    pub(super) async fn people(&self, owner: Owner, wanted: &[UserId]) -> Result<People, IncidentsError> {
        let auth = &self.inner.rooms.auth;
        let mut people = People::default();
        match owner {
            Owner::Org(org) => {
                for member in auth.admins(org).await? {
                    let person = Person { name: member.name, email: member.email };
                    people.admins.push(person.clone());
                    people.by_id.insert(member.user_id, person);
                }
                for user in wanted {
                    if people.by_id.contains_key(user) {
                        continue;
                    }
                    if let Some((member, _)) = auth.membership(org, *user).await? {
                        people.by_id.insert(*user, Person { name: member.name, email: member.email });
                    }
                }
            }
            Owner::Installation => {
                for user in auth.operators().await? {
                    let person = Person { name: user.name, email: user.email };
                    people.admins.push(person.clone());
                    people.by_id.insert(user.id, person);
                }
            }
        }
        Ok(people)
    }
}
