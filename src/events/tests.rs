use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Event, EventType, doctor, reference, store::Backlog};
use platform::health::Status;

#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Happened {
    /// Whom it happened to.
    name: String,
    /// How often.
    times: i64,
}

impl Event for Happened {
    const TOPIC: &'static str = "test.thing.happened";
    const ABOUT: &'static str = "A thing happened.";
    fn key(&self) -> String {
        self.name.clone()
    }
}

#[test]
fn the_catalogue_lists_each_field_with_its_meaning() {
    let text = reference(&[EventType::of::<Happened>()]);
    for line in [
        "## test.thing.happened",
        "A thing happened. Version 1.",
        "| `name` | text | Whom it happened to. |",
        "| `times` | whole number | How often. |",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line:?} in\n{text}");
    }
}

#[test]
fn a_reader_that_is_behind_is_named() {
    let backlog = |reader: &str, seconds| Backlog { reader: reader.into(), seconds };
    assert_eq!(doctor::judge(&[backlog("subscribers", 3.0)]).status, Status::Pass);
    let found = doctor::judge(&[backlog("subscribers", 3.0), backlog("webhooks", 300.0)]);
    assert!(found.status == Status::Warn && found.summary.contains("webhooks for 300 s"), "{found:?}");
}
