//! What an incident affects, as forms ask for it: a choice for each component.

use super::MOST_COMPONENTS;
use crate::{
    AffectedDraft, Incidents,
    model::{ComponentId, ComponentStatus, Owner},
};
use console::Shell;
use platform::{error::ApiError, http::Slice};

/// A component that can be chosen.
pub(super) struct Choice {
    pub id: ComponentId,
    pub name: String,
    pub installation: bool,
    /// What was chosen, or nothing.
    pub status: &'static str,
}

impl Choice {
    pub fn is_chosen(&self) -> bool {
        !self.status.is_empty()
    }
}

/// Fields of a form: `<component>:<status>`, or nothing.
pub(super) fn read(fields: &[String]) -> Vec<AffectedDraft> {
    let one = |field: &String| {
        let (component, status) = field.split_once(':')?;
        Some(AffectedDraft { component: component.parse().ok()?, status: status.parse().ok()? })
    };
    fields.iter().filter_map(one).collect()
}

/// All components of these owners, by name.
pub(super) async fn choices(
    incidents: &Incidents,
    owners: &[Owner],
    chosen: &[AffectedDraft],
) -> Result<Vec<Choice>, ApiError> {
    let mut all = Vec::new();
    for owner in owners {
        for component in incidents.list_components(*owner, None, &Slice::first(MOST_COMPONENTS)).await? {
            let affected = chosen.iter().find(|affected| affected.component == component.id);
            all.push(Choice {
                id: component.id,
                name: component.name,
                installation: component.installation,
                status: affected.map_or("", |affected| affected.status.as_str()),
            });
        }
    }
    all.sort_by(|a, b| (a.installation, &a.name, a.id).cmp(&(b.installation, &b.name, b.id)));
    Ok(all)
}

pub(super) fn status_name(shell: &Shell, status: ComponentStatus) -> String {
    shell.t(format!("incidents-component-{}", status.as_str().replace('_', "-"))).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_chosen_is_left_out() {
        let id = "0190b5a0-0000-7000-8000-000000000001";
        let fields = [String::new(), format!("{id}:major_outage"), "x:major_outage".into(), format!("{id}:broken")];
        let read = read(&fields);
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].component.to_string().as_str(), read[0].status), (id, ComponentStatus::MajorOutage));
    }
}
