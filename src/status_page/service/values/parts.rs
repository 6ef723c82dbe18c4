//! Groups and components of a page.

use chrono::NaiveDate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::new_code;
use crate::model::{Page, PageComponent, PageGroup, PageGroupId};
use incidents::ComponentId;
use platform::{clock::Clock, error::FieldError, names::tidy};

/// Components of a page.
const MOST_COMPONENTS: usize = 150;
const MOST_GROUPS: usize = 50;

/// A group of components.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PutStatusPageGroup)]
pub struct PutGroup {
    /// Absent: a new one.
    #[serde(default)]
    pub id: Option<PageGroupId>,
    #[schema(max_length = 100)]
    pub name: String,
    /// Shown with its components in sight.
    #[serde(default = "yes")]
    pub open: bool,
}

/// A component on the page.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PutStatusPageComponent)]
pub struct PutComponent {
    pub component_id: ComponentId,
    /// Name of its group; absent: of none.
    #[serde(default)]
    pub group: Option<String>,
    /// Absent: the component's own.
    #[serde(default)]
    pub name: Option<String>,
    /// Shown with its bar.
    #[serde(default = "yes")]
    pub showcase: bool,
    #[serde(default)]
    pub only_show_if_degraded: bool,
    /// Its bars begin with it; absent: with the component.
    #[serde(default)]
    pub start_date: Option<NaiveDate>,
}

fn yes() -> bool {
    true
}

pub(super) fn put_groups(
    page: &Page,
    groups: &[PutGroup],
    clock: &Clock,
    errors: &mut Vec<FieldError>,
) -> Vec<PageGroup> {
    let mut put: Vec<PageGroup> = Vec::new();
    if groups.len() > MOST_GROUPS {
        errors.push(FieldError::new("/groups", "invalid", format!("at most {MOST_GROUPS} groups")));
    }
    for (index, group) in groups.iter().enumerate() {
        let pointer = format!("/groups/{index}");
        let name = tidy(&group.name);
        if name.is_empty() || name.chars().count() > 100 {
            errors.push(FieldError::new(format!("{pointer}/name"), "invalid", "a name has 1 to 100 characters"));
        }
        if put.iter().any(|other| other.name == name) {
            errors.push(FieldError::new(format!("{pointer}/name"), "taken", "there is another group of this name"));
        }
        let before = group.id.and_then(|id| page.groups.iter().find(|known| known.id == id));
        if group.id.is_some() && before.is_none() {
            errors.push(FieldError::new(format!("{pointer}/id"), "not_found", "the page has no such group"));
        }
        put.push(PageGroup {
            id: before.map_or_else(|| PageGroupId::generate(clock), |known| known.id),
            code: before.map_or_else(new_code, |known| known.code.clone()),
            name,
            position: i32::try_from(index + 1).unwrap_or(i32::MAX),
            open: group.open,
        });
    }
    put
}

pub(super) fn put_components(
    page: &Page,
    components: &[PutComponent],
    errors: &mut Vec<FieldError>,
) -> Vec<PageComponent> {
    let mut put: Vec<PageComponent> = Vec::new();
    if components.len() > MOST_COMPONENTS {
        errors.push(FieldError::new("/components", "invalid", format!("at most {MOST_COMPONENTS} components")));
    }
    for (index, component) in components.iter().enumerate() {
        let pointer = format!("/components/{index}");
        let group = component.group.as_ref().map(|name| {
            let found = page.groups.iter().find(|group| group.name == tidy(name));
            if found.is_none() {
                errors.push(FieldError::new(
                    format!("{pointer}/group"),
                    "not_found",
                    "the page has no group of this name",
                ));
            }
            found.map(|group| group.id)
        });
        if put.iter().any(|other| other.component_id == component.component_id) {
            errors.push(FieldError::new(format!("{pointer}/component_id"), "taken", "it is on the page already"));
            continue;
        }
        let name = component.name.as_ref().map(|name| tidy(name)).filter(|name| !name.is_empty());
        if name.as_ref().is_some_and(|name| name.chars().count() > 100) {
            errors.push(FieldError::new(format!("{pointer}/name"), "invalid", "a name has at most 100 characters"));
        }
        put.push(PageComponent {
            component_id: component.component_id,
            group_id: group.flatten(),
            name,
            position: i32::try_from(index + 1).unwrap_or(i32::MAX),
            showcase: component.showcase,
            only_show_if_degraded: component.only_show_if_degraded,
            start_date: component.start_date,
        });
    }
    put
}
