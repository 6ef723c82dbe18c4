//! Names in URLs.

/// `name` as lower-case Latin letters, digits and single dashes, other scripts transliterated; at most `longest` characters. Empty if no
/// character can be transliterated.
pub fn slug_of(name: &str, longest: usize) -> String {
    let mut slug = slug::slugify(name);
    slug.truncate(longest); // ASCII
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_slugs() {
        for (name, slug) in [
            ("  Acme & Sons, Ltd. ", "acme-sons-ltd"),
            ("Team  Handbook (2026)!", "team-handbook-2026"),
            ("Помощник по отпускам", "pomoshchnik-po-otpuskam"),
            ("Müller & Søn", "muller-son"),
            ("---", ""),
            ("", ""),
        ] {
            assert_eq!(slug_of(name, 64), slug, "{name}");
        }
        assert_eq!(slug_of("Acme Sons", 5), "acme");
    }
}
