//! The style of public pages, and its colours. Contrast is at least 4.5:1 for text and 3:1 for signs in both looks: a test computes it.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{StatusPageError, Theme};
use platform::crypto;

/// The house's own.
const ACCENT: &str = "#0b57d0";

/// A colour in both looks.
struct Pair {
    name: &'static str,
    light: &'static str,
    dark: &'static str,
}

const BACKGROUND: Pair = Pair { name: "bg", light: "#ffffff", dark: "#0b0e12" };
const COLORS: [Pair; 8] = [
    Pair { name: "fg", light: "#1b1f24", dark: "#e6eaf0" },
    Pair { name: "soft", light: "#57606a", dark: "#9aa4b0" },
    Pair { name: "line", light: "#8b949e", dark: "#6e7681" },
    Pair { name: "o", light: "#1a7f37", dark: "#3fb950" },
    Pair { name: "u", light: "#0b57d0", dark: "#79b0ff" },
    Pair { name: "d", light: "#8a6100", dark: "#d9a514" },
    Pair { name: "p", light: "#b04500", dark: "#f0883e" },
    Pair { name: "m", light: "#c01c28", dark: "#ff7b72" },
];

const RULES: &str = "*{box-sizing:border-box}body{margin:0 auto;max-width:50rem;padding:1rem;font:1rem/1.5 system-ui,sans-serif;color:var(--fg);\
background:var(--bg);overflow-wrap:anywhere}a{color:inherit}header{border-top:.4rem solid var(--accent);padding:.5rem 0;display:flex;gap:1rem;\
align-items:center;flex-wrap:wrap}header img{max-height:3rem;max-width:12rem}h1{font-size:1.5rem;margin:0}h2{font-size:1.2rem;margin:2rem 0 .5rem}\
h3,article h2{font-size:1rem;margin:1rem 0 .25rem}nav{display:flex;gap:1rem;flex-wrap:wrap}.all{border:.15rem solid;border-radius:.5rem;\
padding:.75rem 1rem;font-weight:600;font-size:1.2rem}.warn{border:.15rem solid var(--p);border-radius:.5rem;padding:.75rem 1rem}.o{color:var(--o)}.u{\
color:var(--u)}.d{color:var(--d)}.p{color:var(--p)}.m{color:var(--m)}.soft{color:var(--soft)}ul{list-style:none;padding:0;margin:0}li{\
padding:.5rem 0;border-bottom:1px solid var(--line)}summary{cursor:pointer}summary b,li b{float:right}svg{display:block;width:100%;clear:both}\
.k svg path{fill:none;transform:translateX(.5px);stroke-width:.7;stroke:currentColor}.k .n{color:var(--line)}.c path{fill:none;stroke-width:1.5;\
vector-effect:non-scaling-stroke}article{border-left:.25rem solid;padding-left:1rem;margin:1rem 0}article>*{color:var(--fg)}time{color:var(--soft)}\
input,select,button{font:inherit;padding:.4rem .6rem;color:inherit;background:var(--bg);border:1px solid var(--line);border-radius:.3rem}button{\
background:var(--accent);color:var(--on);border-color:var(--accent)}.hp{position:absolute;left:-100rem}:focus-visible{outline:.2rem solid var(--u);\
outline-offset:.1rem}table{border-collapse:collapse}td,th{padding:.1rem .6rem;text-align:left;overflow-wrap:normal}pre{overflow:auto}footer{\
margin:2rem 0;font-size:.9rem}";

/// One of the two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Light,
    Dark,
}

impl Look {
    fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        [Self::Light, Self::Dark].into_iter().find(|look| look.name() == name)
    }

    /// Its colours as variables.
    fn colors(self) -> String {
        let mut out = String::new();
        for pair in std::iter::once(&BACKGROUND).chain(&COLORS) {
            let color = match self {
                Self::Light => pair.light,
                Self::Dark => pair.dark,
            };
            out.extend(["--", pair.name, ":", color, ";"]);
        }
        out
    }
}

/// The style element's content: the look is the one that the browser prefers.
pub fn css(theme: &Theme) -> String {
    let (light, dark) = (Look::Light.colors(), Look::Dark.colors());
    let accent = accent(theme);
    format!(
        ":root{{color-scheme:light dark;{accent}{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}{RULES}"
    )
}

/// As [`css`], in this look whatever the browser prefers.
pub fn css_in(theme: &Theme, look: Look) -> String {
    format!(":root{{color-scheme:{};{}{}}}{RULES}", look.name(), accent(theme), look.colors())
}

fn accent(theme: &Theme) -> String {
    let accent = theme.accent.as_deref().unwrap_or(ACCENT);
    format!("--accent:{accent};--on:{};", readable_on(accent))
}

/// The policy of a page with this style: no script, nothing from elsewhere. `root`: where its logo and its forms are, if that is another host.
pub fn policy(css: &str, root: &str) -> String {
    let hash = STANDARD.encode(crypto::sha256(css));
    let also = if root.starts_with("http") { format!(" {root}") } else { String::new() };
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src 'self'{also} data:; form-action 'self'{also}; base-uri 'none'; \
         frame-ancestors 'none'"
    )
}

/// Black or white, whichever is read better on it.
fn readable_on(accent: &str) -> &'static str {
    let on = |text| contrast(accent, text).unwrap_or_default();
    if on("#ffffff") >= on("#000000") { "#ffffff" } else { "#000000" }
}

/// Whether an accent can be told from the background in both looks.
pub fn check_accent(accent: &str) -> Result<(), StatusPageError> {
    let is_color = accent.len() == 7 && accent.starts_with('#') && accent[1..].bytes().all(|b| b.is_ascii_hexdigit());
    if !is_color {
        return Err(StatusPageError::invalid("/theme/accent", "invalid", "write a colour as #rrggbb"));
    }
    for background in [BACKGROUND.light, BACKGROUND.dark] {
        let found = contrast(accent, background).unwrap_or_default();
        if found < 3.0 {
            let text = format!(
                "its contrast with {background} is {found:.1}:1; it must be 3:1 in the light and in the dark look"
            );
            return Err(StatusPageError::invalid("/theme/accent", "low_contrast", text));
        }
    }
    Ok(())
}

/// Contrast of two colours (WCAG 2.2, relative luminance).
fn contrast(one: &str, other: &str) -> Option<f64> {
    let (one, other) = (luminance(one)?, luminance(other)?);
    Some((one.max(other) + 0.05) / (one.min(other) + 0.05))
}

fn luminance(color: &str) -> Option<f64> {
    let part = |at: usize| -> Option<f64> {
        let value = f64::from(u8::from_str_radix(color.get(at..at + 2)?, 16).ok()?) / 255.0;
        Some(if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) })
    };
    Some(0.2126 * part(1)? + 0.7152 * part(3)? + 0.0722 * part(5)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_can_be_read_in_both_looks() {
        for pair in &COLORS {
            // Lines and bars without data are no text.
            let least = if pair.name == "line" { 3.0 } else { 4.5 };
            for (color, background) in [(pair.light, BACKGROUND.light), (pair.dark, BACKGROUND.dark)] {
                let found = contrast(color, background).unwrap();
                assert!(found >= least, "--{}: {color} on {background}: {found:.2}", pair.name);
            }
        }
        assert!((contrast("#000000", "#ffffff").unwrap() - 21.0).abs() < 0.01);
    }

    #[test]
    fn an_accent_that_cannot_be_seen_is_refused() {
        for (accent, fine) in
            [("#0b57d0", true), ("#ffffff", false), ("#101010", false), ("red", false), ("#12345g", false)]
        {
            assert_eq!(check_accent(accent).is_ok(), fine, "{accent}");
        }
        assert_eq!((readable_on("#ffd000"), readable_on("#0b57d0")), ("#000000", "#ffffff"));
    }

    #[test]
    fn a_look_that_is_asked_for_is_the_only_one() {
        let theme = Theme { accent: Some("#c01c28".into()) };
        let dark = css_in(&theme, Look::Dark);
        assert!(dark.starts_with(":root{color-scheme:dark;--accent:#c01c28;--on:#ffffff;--bg:#0b0e12;"), "{dark}");
        assert!(!dark.contains("prefers-color-scheme") && css(&theme).contains("prefers-color-scheme"));
        assert_eq!((Look::named("light"), Look::named("pink")), (Some(Look::Light), None));
    }

    #[test]
    fn badges_are_readable() {
        for status in incidents::ComponentStatus::ALL {
            let color = crate::shields::color(status);
            assert!(contrast(color, "#ffffff").unwrap() >= 4.5, "{color}");
        }
    }
}
