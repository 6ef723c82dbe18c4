//! Styles of `inline.css`, written into the tags: Outlook, and Gmail for accounts elsewhere, read no style sheet.

use std::sync::LazyLock;

use super::Branding;

/// What is searched for in a document, and what takes its place.
type Rule = (String, String);

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| include_str!("inline.css").lines().filter_map(rule).collect());
const FONT: &str = "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";

/// Writes the styles into tags that are written exactly as a rule expects; a tag with a `style` of its own keeps it.
pub fn styles(html: String, branding: &Branding) -> String {
    RULES.iter().fold(html, |html, (tag, styled)| {
        if !html.contains(tag.as_str()) {
            return html;
        }
        let styled = styled
            .replace("var(--font)", FONT)
            .replace("var(--brand)", branding.color())
            .replace("var(--on-brand)", branding.on_color())
            .replace("var(--link)", branding.link_color());
        html.replace(tag.as_str(), &styled)
    })
}

/// A line `selector { declarations }`. Selectors: `p` for `<p>`, `p.small` for `<p class="small"`, `a[href]` for `<a href=`.
fn rule(line: &str) -> Option<Rule> {
    let (selector, rest) = line.split_once(" { ")?;
    let style = rest.strip_suffix(" }")?;
    Some(if let Some((tag, class)) = selector.split_once('.') {
        let start = format!("<{tag} class=\"{class}\"");
        (start.clone(), format!("{start} style=\"{style}\""))
    } else if let Some((tag, attribute)) = selector.strip_suffix(']').and_then(|start| start.split_once('[')) {
        (format!("<{tag} {attribute}="), format!("<{tag} style=\"{style}\" {attribute}="))
    } else {
        (format!("<{selector}>"), format!("<{selector} style=\"{style}\">"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_file_is_a_rule() {
        let lines = include_str!("inline.css").lines().filter(|line| !line.starts_with("/*")).count();
        assert!(lines > 10 && RULES.len() == lines, "{lines} lines, {} rules", RULES.len());
    }

    #[test]
    fn only_tags_without_a_style_get_one() {
        let branding = Branding { color: "#123456".to_owned(), ..Branding::built_in("") };
        let html = "<p>a</p><p class=\"small\">b</p><p style=\"x\">c</p><a href=\"d\">e</a>".to_owned();
        let styled = styles(html, &branding);
        assert!(styled.starts_with("<p style=\"margin:"), "{styled}");
        assert!(styled.contains("<p class=\"small\" style=\"margin:"), "{styled}");
        assert!(styled.contains("<p style=\"x\">c</p>"), "{styled}");
        assert!(styled.contains("color: #123456") && styled.contains(" href=\"d\">e</a>"), "{styled}");
        assert!(!styled.contains("var("), "{styled}");
    }
}
