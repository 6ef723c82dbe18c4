//! The runbooks of `docs/runbooks`, compiled in: they are needed most when the network or everything else is down.

use rust_embed::RustEmbed;

use super::model::Alert;
use console::{Html, markdown};

#[derive(RustEmbed)]
#[folder = "../../docs/runbooks/"]
#[allow_missing = true]
struct Files;

/// All runbook names, sorted: each is the name of its alert.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = Files::iter()
        .filter_map(|file| file.strip_suffix(".md").map(str::to_owned))
        .filter(|name| is_name(name))
        .collect();
    names.sort();
    names
}

/// A runbook as HTML; `None` when there is none of this name.
pub fn html(name: &str) -> Option<Html> {
    Some(render(&source(name)?, &names()))
}

/// Links between runbooks name the files, so that they also work in the repository.
pub(super) fn render(text: &str, names: &[String]) -> Html {
    let link = |text: String, name: &String| text.replace(&format!("]({name}.md"), &format!("](/runbooks/{name}"));
    markdown(&names.iter().fold(text.to_owned(), link))
}

fn source(name: &str) -> Option<String> {
    let file = is_name(name).then(|| Files::get(&format!("{name}.md")))??;
    String::from_utf8(file.data.into_owned()).ok()
}

/// Accepts names, not paths. Debug builds read the files from their folder on each request.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 100 && name.chars().all(|c| c.is_ascii_alphanumeric())
}

/// URL of an alert's runbook: from its annotation, else ours; empty when there is none.
pub fn href(alert: &Alert) -> String {
    let said = alert.annotation("runbook_url");
    if said.starts_with("https://") || said.starts_with("http://") {
        return said.to_owned();
    }
    if is_name(&alert.name) && Files::get(&format!("{}.md", alert.name)).is_some() {
        return format!("/runbooks/{}", alert.name);
    }
    String::new()
}
