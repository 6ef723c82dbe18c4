//! The badge of a monitor: its name and its status, as a picture and as shields.io reads it. Pure.

use serde::Serialize;

use super::model::Status;
use console::escape;

/// A longer name is cut.
const LONGEST: usize = 40;
/// A character, pixels: texts are stretched to it, so that no table of a font's widths is needed.
const CHARACTER: usize = 7;
/// Left and right of each text, pixels.
const PADDING: usize = 6;
/// Those who show it ask again after this, seconds.
pub const FRESH: u32 = 60;

/// What strangers may know of a monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Badge {
    pub name: String,
    pub status: Status,
}

/// <https://shields.io/badges/endpoint-badge>
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shields {
    schema_version: u8,
    label: String,
    message: &'static str,
    color: &'static str,
    cache_seconds: u32,
}

impl Badge {
    fn label(&self) -> String {
        let cut: String = self.name.chars().take(LONGEST).collect();
        if cut.len() < self.name.len() { format!("{cut}…") } else { cut }
    }

    /// White text is readable on each of them: 4.5 to 1 at least.
    fn color(&self) -> &'static str {
        match self.status {
            Status::Up => "#1a7f37",
            Status::Down => "#b3261e",
            Status::Maintenance => "#0b57d0",
            Status::Paused | Status::Unknown => "#57606a",
        }
    }

    pub fn shields(&self) -> Shields {
        Shields {
            schema_version: 1,
            label: self.label(),
            message: self.status.as_str(),
            color: self.color(),
            cache_seconds: FRESH,
        }
    }

    pub fn svg(&self) -> String {
        let (label, message, color) = (self.label(), self.status.as_str(), self.color());
        let of = |text: &str| text.chars().count() * CHARACTER;
        let (left, right) = (of(&label), of(message));
        let (edge, width) = (left + 2 * PADDING, left + right + 4 * PADDING);
        let (second, label) = (edge + PADDING, escape(&label));
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{label}: {message}"><title>{label}: {message}</title><path fill="#444" d="M0 0h{edge}v20H0z"/><path fill="{color}" d="M{edge} 0H{width}v20H{edge}z"/><g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"><text x="{PADDING}" y="14" textLength="{left}">{label}</text><text x="{second}" y="14" textLength="{right}">{message}</text></g></svg>"##
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn badge(name: &str, status: Status) -> Badge {
        Badge { name: name.to_owned(), status }
    }

    #[test]
    fn a_name_is_text_and_no_markup() {
        let svg = badge("<b>\"Shop\" & co", Status::Up).svg();
        assert!(!svg.contains("<b>") && svg.contains("&lt;b&gt;"), "{svg}");
        assert!(svg.contains("<title>") && svg.contains("role=\"img\"") && svg.contains(": up"), "{svg}");
    }

    #[test]
    fn a_long_name_is_cut_at_a_character() {
        let shields = badge(&"Ж".repeat(200), Status::Down).shields();
        assert_eq!((shields.label.chars().count(), shields.message), (LONGEST + 1, "down"));
        let json = serde_json::to_value(badge("Shop", Status::Up).shields()).unwrap();
        assert_eq!(
            (&json["schemaVersion"], &json["label"], &json["cacheSeconds"]),
            (&1.into(), &"Shop".into(), &60.into())
        );
    }
}
