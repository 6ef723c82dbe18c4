//! Incidents as strangers read them: each has an update at its beginning and, once it is over, one at its end, and each update has a text. Nobody writes
//! those of incidents that monitors open and end, and what says its status by itself is stored without a text; programs read the text of
//! `incident_updates[0]` nevertheless, and readers of feeds want to know of the end. Pure.

use chrono::{DateTime, Utc};

use super::{
    html::incident_status,
    page::{PageModel, is_automatic},
    words::Words,
};
use incidents::{Affected, ComponentStatus, IncidentKind, IncidentStatus, IncidentView, Update, UpdateId};
use platform::crypto;

/// The page with what is missing in its incidents, in the language of these words.
pub fn told(model: &PageModel, words: &Words) -> PageModel {
    let mut told = model.clone();
    told.incidents.iter_mut().for_each(|view| complete(view, words));
    told
}

fn complete(view: &mut IncidentView, words: &Words) {
    let of = &view.incident;
    let (begin, first, last) = match of.kind {
        IncidentKind::Incident => (of.started_at, IncidentStatus::Investigating, IncidentStatus::Resolved),
        IncidentKind::Maintenance => {
            (of.published_at.unwrap_or(of.created_at), IncidentStatus::Scheduled, IncidentStatus::Completed)
        }
    };
    // What says its status by itself says so when it is published, a little later.
    let is_first = |update: &Update| update.display_at <= begin || (update.status == first && update.body.is_empty());
    // What a person opens begins with what the person says, if that is anything.
    let has_first = if is_automatic(of) { view.updates.iter().any(is_first) } else { !view.updates.is_empty() };
    let has_last = view.updates.first().is_some_and(|update| update.status.is_over());
    let first = (!has_first).then(|| made(view, first, begin, words));
    let end = of.resolved_at.filter(|_| of.status.is_over() && !has_last);
    let last = end.map(|end| made(view, last, end, words));
    speak(&mut view.updates, words);
    // Newest first.
    view.updates.extend(first);
    if let Some(last) = last {
        view.updates.insert(0, last);
    }
}

/// Gives a text to updates without one. Of several that say the same status one after the other, as those of incidents that became one do, the first stays.
fn speak(updates: &mut Vec<Update>, words: &Words) {
    // Newest first.
    let mut before = None;
    let mut kept = Vec::with_capacity(updates.len());
    for mut update in updates.drain(..).rev() {
        let says_more = !update.body.is_empty() || before != Some(update.status);
        before = Some(update.status);
        if says_more {
            if update.body.is_empty() {
                update.body = text_of(update.status, words);
            }
            kept.push(update);
        }
    }
    kept.reverse();
    *updates = kept;
}

/// What a status says where nobody has written more.
fn text_of(status: IncidentStatus, words: &Words) -> String {
    match status {
        IncidentStatus::Investigating => words.t("status-page-began"),
        IncidentStatus::Resolved => words.t("status-page-ended"),
        status => incident_status(status, words),
    }
}

/// An update that nobody has written. Its id is always the same.
fn made(view: &IncidentView, status: IncidentStatus, at: DateTime<Utc>, words: &Words) -> Update {
    let of = &view.incident;
    let body = text_of(status, words);
    let is_over = status.is_over();
    let affected = view.components.iter().map(|(component, during)| {
        let (old, new) =
            if is_over { (*during, ComponentStatus::Operational) } else { (ComponentStatus::Operational, *during) };
        Affected { component: *component, old, new }
    });
    Update {
        id: UpdateId(of.id.0),
        code: crypto::hex(&crypto::sha256(format!("{}/{}", of.code, status.as_str()))[..6]),
        incident_id: of.id,
        status,
        body,
        // Announced work does nothing to them yet.
        affected: if status == IncidentStatus::Scheduled { Vec::new() } else { affected.collect() },
        display_at: at,
        published: true,
        notify: false,
        created_by: of.opened_by.clone(),
        created_at: at,
        updated_at: at,
    }
}
