//! Places: `ORG:BUCKET/KEY`, and files of this host.

/// A bucket of an organisation, and a key in it or the beginning of some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub org: String,
    pub bucket: String,
    /// Empty: the whole bucket.
    pub key: String,
}

impl Place {
    /// `None`: it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (org, rest) = text.split_once(':')?;
        let is_slug = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        (is_slug(org) && !bucket.is_empty()).then(|| Self {
            org: org.to_owned(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }

    pub fn expect(text: &str) -> anyhow::Result<Self> {
        Self::parse(text).ok_or_else(|| anyhow::anyhow!("{text:?} is no place: expected ORG:BUCKET/KEY"))
    }

    /// Whether a file goes into it under its own name.
    pub fn is_folder(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }
}

/// One side of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Stored(Place),
    /// A path of this host.
    Local(std::path::PathBuf),
    /// Standard input or output.
    Stream,
}

impl Side {
    /// A path with a colon in it is written with `./` before it.
    pub fn parse(text: &str) -> Self {
        if text == "-" {
            return Self::Stream;
        }
        match Place::parse(text) {
            Some(place) if !text.starts_with(['/', '.']) => Self::Stored(place),
            _ => Self::Local(text.into()),
        }
    }
}

/// A path below a folder of this host for what is behind the prefix of a key; `None`: a file system would understand it as another one.
pub(super) fn path_of(rest: &str) -> Option<std::path::PathBuf> {
    let parts: Vec<&str> = rest.split('/').collect();
    let is_plain = |part: &&str| !part.is_empty() && *part != "." && *part != ".." && !part.contains('\0');
    parts.iter().all(is_plain).then(|| parts.iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_an_organisation_and_a_bucket() {
        let place = |org: &str, bucket: &str, key: &str| {
            Some(Place { org: org.to_owned(), bucket: bucket.to_owned(), key: key.to_owned() })
        };
        assert_eq!(Place::parse("acme:team-files/a/b c.txt"), place("acme", "team-files", "a/b c.txt"));
        assert_eq!(Place::parse("acme:team-files"), place("acme", "team-files", ""));
        assert_eq!(Place::parse("acme:b//x"), place("acme", "b", "/x"));
        for none in ["acme", "acme:", ":b/x", "a b:c", "s3://x"] {
            assert_eq!(Place::parse(none), None, "{none}");
        }
    }

    #[test]
    fn a_side_is_stored_or_of_this_host() {
        assert!(matches!(Side::parse("acme:b/k"), Side::Stored(_)));
        assert_eq!(Side::parse("-"), Side::Stream);
        for local in ["./acme:b/k", "/tmp/a:b", "file.txt", "dir/"] {
            assert_eq!(Side::parse(local), Side::Local(local.into()));
        }
    }

    #[test]
    fn a_key_leads_out_of_no_folder() {
        assert_eq!(path_of("a/b"), Some("a/b".into()));
        for odd in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/"] {
            assert_eq!(path_of(odd), None, "{odd}");
        }
    }
}
