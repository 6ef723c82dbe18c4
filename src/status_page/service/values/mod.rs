//! What a page may be: every field is judged, and everything that is wrong is told at once.

mod parts;

use chrono_tz::Tz;
use ipnet::IpNet;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    StatusPageError,
    html::styles,
    model::{Page, PageGroupId, Theme, Visibility},
};
use console::Lang;
use platform::{clock::Clock, crypto, error::FieldError, names::tidy};
use uptime::MonitorId;

pub use parts::{PutComponent, PutGroup};
use parts::{put_components, put_groups};

const MOST_CHARTS: usize = 4;
const MOST_NETWORKS: usize = 100;
/// Slugs that addresses of this program need.
const RESERVED: [&str; 3] = ["domains", "en", "ru"];

/// Changes of a page; what is absent stays as it is.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusPageChanges, example = json!({"slug": "shop", "name": "Shop"}))]
pub struct PageUpdate {
    /// In its address: lower-case letters, digits and hyphens.
    #[schema(example = "shop", max_length = 60)]
    pub slug: Option<String>,
    #[schema(max_length = 100)]
    pub name: Option<String>,
    #[schema(max_length = 1000)]
    pub about: Option<String>,
    pub visibility: Option<Visibility>,
    /// Empty string: none. Strangers of a public page are asked for it.
    pub password: Option<String>,
    /// Networks that it is shown to; empty: all.
    pub networks: Option<Vec<String>>,
    /// Such as `Europe/Berlin`.
    pub zone: Option<String>,
    /// `en`, `ru`, or both; the first is shown to those who want neither.
    pub languages: Option<Vec<String>>,
    pub theme: Option<Theme>,
    /// Empty string: none.
    pub home_url: Option<String>,
    /// Empty string: none.
    pub contact_url: Option<String>,
    /// Monitors with a chart, at most four.
    pub charts: Option<Vec<MonitorId>>,
    pub subscribe: Option<bool>,
    /// All groups in their order; those without an id are new, those that are missing are removed.
    pub groups: Option<Vec<PutGroup>>,
    /// All components in their order.
    pub components: Option<Vec<PutComponent>>,
}

/// A code as Statuspage has them: twelve of [a-z0-9].
pub fn new_code() -> String {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    crypto::random_bytes::<12>().iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}

/// A page before its owner has chosen anything.
pub fn blank(id: crate::PageId, installation: bool, now: chrono::DateTime<chrono::Utc>) -> Page {
    Page {
        id,
        installation,
        code: new_code(),
        slug: String::new(),
        name: String::new(),
        about: String::new(),
        visibility: Visibility::Private,
        has_password: false,
        has_key: false,
        networks: Vec::new(),
        zone: "UTC".to_owned(),
        languages: vec!["en".to_owned(), "ru".to_owned()],
        theme: Theme::default(),
        has_logo: false,
        home_url: None,
        contact_url: None,
        charts: Vec::new(),
        subscribe: true,
        groups: Vec::new(),
        components: Vec::new(),
        domains: Vec::new(),
        managed_by: None,
        created_at: now,
        updated_at: now,
    }
}

/// The page with the changes, if all of them are fine.
pub fn changed(mut page: Page, update: &PageUpdate, clock: &Clock) -> Result<Page, StatusPageError> {
    let mut errors = Vec::new();
    let mut wrong = |pointer: &str, why: String| errors.push(FieldError::new(pointer, "invalid", why));
    if let Some(slug) = &update.slug {
        page.slug.clone_from(slug);
    }
    if let Err(why) = check_slug(&page.slug) {
        wrong("/slug", why);
    }
    if let Some(name) = &update.name {
        page.name = tidy(name);
    }
    if page.name.is_empty() || page.name.chars().count() > 100 {
        wrong("/name", "a name has 1 to 100 characters".into());
    }
    if let Some(about) = &update.about {
        about.trim().clone_into(&mut page.about);
    }
    if page.about.chars().count() > 1000 || page.about.contains('\0') {
        wrong("/about", "it has at most 1000 characters, and no U+0000 among them".into());
    }
    page.visibility = update.visibility.unwrap_or(page.visibility);
    if let Some(password) = update.password.as_ref().filter(|password| !password.is_empty())
        && !(8..=512).contains(&password.chars().count())
    {
        wrong("/password", "a password has 8 to 512 characters".into());
    }
    if let Some(zone) = &update.zone {
        page.zone.clone_from(zone);
    }
    if page.zone.parse::<Tz>().is_err() {
        wrong("/zone", "write a time zone such as Europe/Berlin".into());
    }
    page.subscribe = update.subscribe.unwrap_or(page.subscribe);
    put_networks(&mut page, update, &mut errors);
    put_looks(&mut page, update, &mut errors);
    if let Some(groups) = &update.groups {
        page.groups = put_groups(&page, groups, clock, &mut errors);
    }
    if let Some(components) = &update.components {
        page.components = put_components(&page, components, &mut errors);
    } else {
        // Those of a group that is removed are of none.
        let left: Vec<PageGroupId> = page.groups.iter().map(|group| group.id).collect();
        for place in &mut page.components {
            place.group_id = place.group_id.filter(|id| left.contains(id));
        }
    }
    if errors.is_empty() { Ok(page) } else { Err(StatusPageError::Invalid(errors)) }
}

fn put_networks(page: &mut Page, update: &PageUpdate, errors: &mut Vec<FieldError>) {
    let Some(networks) = &update.networks else { return };
    if networks.len() > MOST_NETWORKS {
        errors.push(FieldError::new("/networks", "invalid", format!("at most {MOST_NETWORKS} networks")));
    }
    page.networks.clear();
    for (index, network) in networks.iter().enumerate() {
        match network.trim().parse::<IpNet>() {
            Ok(network) => page.networks.push(network.trunc().to_string()),
            Err(_) => {
                let why = "write a network such as 10.0.0.0/8";
                errors.push(FieldError::new(format!("/networks/{index}"), "invalid", why));
            }
        }
    }
}

/// Languages, links, charts and theme.
fn put_looks(page: &mut Page, update: &PageUpdate, errors: &mut Vec<FieldError>) {
    let mut wrong = |pointer: &str, why: String| errors.push(FieldError::new(pointer, "invalid", why));
    if let Some(languages) = &update.languages {
        page.languages.clone_from(languages);
    }
    let mut seen = page.languages.clone();
    seen.sort_unstable();
    seen.dedup();
    let known = page.languages.iter().all(|code| Lang::from_code(code).is_some());
    if page.languages.is_empty() || !known || seen.len() != page.languages.len() {
        wrong("/languages", "name en, ru, or both".into());
    }
    for (field, value, target) in [
        ("/home_url", &update.home_url, &mut page.home_url),
        ("/contact_url", &update.contact_url, &mut page.contact_url),
    ] {
        let Some(value) = value else { continue };
        *target = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        if let Some(address) = target.as_deref()
            && !is_link(address)
        {
            wrong(field, "write an address that begins with https://, http:// or mailto:".into());
        }
    }
    if let Some(charts) = &update.charts {
        page.charts.clone_from(charts);
        if charts.len() > MOST_CHARTS {
            wrong("/charts", format!("at most {MOST_CHARTS} charts"));
        }
    }
    if let Some(theme) = &update.theme {
        page.theme = theme.clone();
        if let Some(accent) = &theme.accent
            && let Err(StatusPageError::Invalid(found)) = styles::check_accent(accent)
        {
            errors.extend(found);
        }
    }
}

/// Why it cannot be a slug.
pub fn check_slug(slug: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !(1..=60).contains(&slug.len()) || !slug.chars().all(fits) || slug.starts_with('-') || slug.ends_with('-') {
        return Err("it has 1 to 60 lower-case letters, digits and hyphens, no hyphen at its ends".to_owned());
    }
    if RESERVED.contains(&slug) {
        return Err(format!("{slug} is needed for other addresses"));
    }
    Ok(())
}

fn is_link(address: &str) -> bool {
    let begins = ["https://", "http://", "mailto:"].iter().any(|scheme| address.starts_with(scheme));
    begins && address.len() <= 500 && !address.chars().any(|c| c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PageId;
    use incidents::ComponentId;

    fn page() -> Page {
        let clock = Clock::system();
        Page { slug: "shop".into(), name: "Shop".into(), ..blank(PageId::generate(&clock), true, clock.now()) }
    }

    fn wrong(update: &PageUpdate) -> Vec<String> {
        match changed(page(), update, &Clock::system()) {
            Err(StatusPageError::Invalid(errors)) => errors.into_iter().map(|error| error.pointer).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let update = PageUpdate {
            slug: Some("-x".into()),
            name: Some(" ".into()),
            networks: Some(vec!["10.0.0.0/8".into(), "x".into()]),
            zone: Some("Mars/Olympus".into()),
            languages: Some(vec!["en".into(), "en".into()]),
            home_url: Some("javascript:alert(1)".into()),
            theme: Some(Theme { accent: Some("#ffffff".into()) }),
            ..PageUpdate::default()
        };
        let found = wrong(&update);
        assert_eq!(found, ["/slug", "/name", "/zone", "/networks/1", "/languages", "/home_url", "/theme/accent"]);
        assert_eq!(wrong(&PageUpdate { slug: Some("domains".into()), ..PageUpdate::default() }), ["/slug"]);
        assert_eq!(wrong(&PageUpdate { about: Some("a\0b".into()), ..PageUpdate::default() }), ["/about"]);
    }

    #[test]
    fn groups_keep_their_codes_and_components_find_them_by_name() {
        let clock = Clock::system();
        let group = |id, name: &str| PutGroup { id, name: name.into(), open: true };
        let component = PutComponent {
            component_id: ComponentId::generate(&clock),
            group: Some("Core".into()),
            name: None,
            showcase: true,
            only_show_if_degraded: false,
            start_date: None,
        };
        let update = PageUpdate {
            groups: Some(vec![group(None, "Core"), group(None, "Rest")]),
            components: Some(vec![component]),
            ..PageUpdate::default()
        };
        let first = changed(page(), &update, &clock).unwrap();
        assert_eq!(first.components[0].group_id, Some(first.groups[0].id));
        let renamed =
            PageUpdate { groups: Some(vec![group(Some(first.groups[1].id), "Others")]), ..PageUpdate::default() };
        let second = changed(first.clone(), &renamed, &clock).unwrap();
        assert_eq!((second.groups.len(), &second.groups[0].code), (1, &first.groups[1].code));
        assert_eq!(second.components[0].group_id, None, "its group is gone");
        let twice = PageUpdate { groups: Some(vec![group(None, "A"), group(None, "A")]), ..PageUpdate::default() };
        assert_eq!(wrong(&twice), ["/groups/1/name"]);
    }

    #[test]
    fn codes_are_as_statuspage_has_them() {
        let code = new_code();
        assert!(code.len() == 12 && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{code}");
    }
}
