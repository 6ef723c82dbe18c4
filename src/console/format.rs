//! Formatting of numbers, sizes and times on pages.

use chrono::{DateTime, SecondsFormat, Utc};

use super::i18n::Lang;

/// Trusted markup: templates print it with `|safe`.
pub type Html = String;

/// Whole numbers as passed by templates: by value or reference. Saturate at the limits of `i64`.
pub trait Whole {
    fn whole(&self) -> i64;
}

impl<T: Whole> Whole for &T {
    fn whole(&self) -> i64 {
        (**self).whole()
    }
}

macro_rules! whole {
    ($($number:ty)*) => {$(
        impl Whole for $number {
            fn whole(&self) -> i64 {
                i64::try_from(*self).unwrap_or(i64::MAX)
            }
        }
    )*};
}
whole!(i16 i32 i64 u8 u16 u32 u64 usize);

/// Digits in groups of three: `12,345` in English, `12 345` (no-break space) in Russian.
pub fn integer(value: i64, lang: Lang) -> String {
    let separator = match lang {
        Lang::En => ',',
        Lang::Ru => '\u{a0}',
    };
    let digits = value.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    if value < 0 {
        out.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

/// A size in bytes with a decimal unit, as limits are written and as most systems show files: `512 B`, `1.5 MB`; in
/// Russian `512 Б`, `1,5 МБ`.
pub fn bytes(value: i64, lang: Lang) -> String {
    let (units, point) = match lang {
        Lang::En => (["B", "kB", "MB", "GB", "TB"], "."),
        Lang::Ru => (["Б", "кБ", "МБ", "ГБ", "ТБ"], ","),
    };
    let mut scaled = value.max(0) as f64;
    let mut unit = 0;
    // 999.95 would be rounded to 1000.
    while scaled >= 999.5 && unit < units.len() - 1 {
        scaled /= 1000.0;
        unit += 1;
    }
    let text = if unit == 0 || scaled >= 99.95 { format!("{scaled:.0}") } else { format!("{scaled:.1}") };
    format!("{}\u{a0}{}", text.trim_end_matches(".0").replace('.', point), units[unit])
}

/// A duration in seconds as the translation key of a suitable unit (with `$n`) and the number in it: `1.5` and `console-hours`.
pub fn duration(seconds: f64, lang: Lang) -> (&'static str, String) {
    let (key, value) = match seconds {
        s if s > 0.0 && s < 1.0 => ("console-milliseconds", s * 1e3),
        s if s < 60.0 => ("console-seconds", s),
        s if s < 3600.0 => ("console-minutes", s / 60.0),
        s if s < 48.0 * 3600.0 => ("console-hours", s / 3600.0),
        s => ("console-days", s / 86_400.0),
    };
    let text = if value >= 9.95 { format!("{value:.0}") } else { format!("{value:.1}") };
    let text = text.trim_end_matches(".0");
    (key, if lang == Lang::Ru { text.replace('.', ",") } else { text.to_owned() })
}

/// Browser and system of a `User-Agent`, such as `Firefox · Windows`: enough to tell one's own sessions apart. `None` for unknown browsers.
pub fn browser(user_agent: &str) -> Option<String> {
    // Order matters: Edge and Opera also contain Chrome, Chrome also Safari, Android also Linux.
    const BROWSERS: [(&str, &str); 7] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("YaBrowser/", "Yandex Browser"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let find = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    let browser = find(&BROWSERS)?;
    Some(find(&SYSTEMS).map_or_else(|| browser.to_owned(), |system| format!("{browser} · {system}")))
}

/// A `<time>` element in UTC; `console.js` turns it into "5 minutes ago" with the viewer's own time in the tooltip.
pub fn time(at: DateTime<Utc>) -> Html {
    format!(
        r#"<time datetime="{}">{}</time>"#,
        at.to_rfc3339_opts(SecondsFormat::Secs, true),
        at.format("%Y-%m-%d %H:%M\u{a0}UTC")
    )
}

/// `CommonMark` (tables, strikethrough) as HTML. Raw HTML in the source is escaped, and only http(s), mailto and local links stay links,
/// because the source may come from a model or a document. For other links and images the URL is shown after their text.
pub fn markdown(source: &str) -> Html {
    use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
    let allowed = |url: &str| {
        let scheme = |start: &&str| url.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
        ["https://", "http://", "mailto:", "/", "#"].iter().any(scheme) && !url.starts_with("//")
    };
    // For each open link: its URL if it is refused, and its text so far.
    let mut open: Vec<Option<(CowStr<'_>, String)>> = Vec::new();
    let parser = Parser::new_ext(source, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let events = parser.filter_map(|event| match event {
        // A remote image would tell its server who reads this page; the policy blocks it anyway.
        Event::Start(Tag::Link { dest_url, .. }) if !allowed(&dest_url) => {
            open.push(Some((dest_url, String::new())));
            None
        }
        Event::Start(Tag::Image { dest_url, .. }) => {
            open.push(Some((dest_url, String::new())));
            None
        }
        Event::Start(Tag::Link { .. }) => {
            open.push(None);
            Some(event)
        }
        Event::End(TagEnd::Link | TagEnd::Image) => match open.pop().flatten() {
            // An autolink: the URL is the text.
            Some((address, text)) if *address == *text || address.is_empty() => None,
            Some((address, text)) if text.is_empty() => Some(Event::Text(address)),
            Some((address, _)) => Some(Event::Text(format!(" ({address})").into())),
            None => Some(event),
        },
        event => {
            let event = if let Event::Html(raw) | Event::InlineHtml(raw) = event { Event::Text(raw) } else { event };
            if let Event::Text(text) | Event::Code(text) = &event {
                open.iter_mut().flatten().for_each(|(_, said)| said.push_str(text));
            }
            Some(event)
        }
    });
    let mut out = String::with_capacity(source.len() * 3 / 2);
    html::push_html(&mut out, events);
    // Long code lines scroll sideways and must be reachable by keyboard. Raw HTML was escaped, so every `<pre>` is ours.
    out.replace("<pre>", "<pre tabindex=\"0\">")
}

/// Escapes `text` for HTML content and quoted attributes.
pub fn escape(text: &str) -> Html {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(integer(-1_234_567, Lang::En), "-1,234,567");
        assert_eq!(integer(1_234, Lang::Ru), "1\u{a0}234");
        assert_eq!(integer(999, Lang::En), "999");
        assert_eq!((bytes(512, Lang::En).as_str(), bytes(1_540_000, Lang::En).as_str()), ("512\u{a0}B", "1.5\u{a0}MB"));
        assert_eq!(
            (bytes(999_960, Lang::En).as_str(), bytes(100_000_000, Lang::Ru).as_str()),
            ("1\u{a0}MB", "100\u{a0}МБ")
        );
        assert_eq!(bytes(1_540, Lang::Ru), "1,5\u{a0}кБ");
    }

    #[test]
    fn durations_have_a_suitable_unit() {
        for (seconds, unit, number) in [
            (0.0, "seconds", "0"),
            (0.25, "milliseconds", "250"),
            (42.4, "seconds", "42"),
            (90.0, "minutes", "1.5"),
            (7200.0, "hours", "2"),
            (10_200.0, "hours", "2.8"),
            (259_200.0, "days", "3"),
        ] {
            assert_eq!(duration(seconds, Lang::En), (&*format!("console-{unit}"), number.to_owned()), "{seconds}");
        }
        assert_eq!(duration(90.0, Lang::Ru).1, "1,5");
    }

    #[test]
    fn browsers_have_names() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
        assert_eq!(browser(chrome).as_deref(), Some("Chrome · Linux"));
        assert_eq!(browser(&format!("{chrome} Edg/141.0")).as_deref(), Some("Edge · Linux"));
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1";
        assert_eq!(browser(phone).as_deref(), Some("Safari · iPhone"));
        assert_eq!(browser("curl/8.5.0"), None);
    }

    #[test]
    fn markdown_is_harmless() {
        let html =
            markdown("**b** <script>x</script> [l](javascript:alert(1)) ![i](https://evil/x.png)\n\n<img src=x>");
        assert!(html.contains("<strong>b</strong>") && html.contains("&lt;script&gt;"), "{html}");
        assert!(markdown("[l](HTTPS://example.org)").contains("href=\"HTTPS://example.org\""));
        assert!(!html.contains("<script") && !html.contains("=\"javascript:") && !html.contains("<img"), "{html}");
    }

    #[test]
    fn refused_links_keep_their_address_as_text() {
        for (source, shown) in [
            ("See [the file](docs/a.md).", "See the file (docs/a.md)."),
            ("[x](javascript:alert(1))", "x (javascript:alert(1))"),
            ("![plan](https://example.org/p.png)", "plan (https://example.org/p.png)"),
            ("![](p.png) [](//host/x)", "p.png //host/x"),
            ("<ftp://example.org>", "ftp://example.org"),
            ("[**bold** `c`](file:///a)", "<strong>bold</strong> <code>c</code> (file:///a)"),
            ("[![alt](i.png)](tel:1)", "alt (i.png) (tel:1)"),
            ("[a]\n\n[a]: ftp://b", "a (ftp://b)"),
        ] {
            assert_eq!(markdown(source).trim(), format!("<p>{shown}</p>"), "{source}");
        }
        let kept = markdown("[![alt](i.png)](https://example.org)");
        assert!(kept.contains("<a href=\"https://example.org\">alt (i.png)</a>"), "{kept}");
    }
}
