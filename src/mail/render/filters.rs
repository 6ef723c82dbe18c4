//! Filters and tests of templates: those for numbers, sizes and times, in the language of the mail, and the harmless ones of `MiniJinja`.

use chrono::{DateTime, Datelike as _, NaiveDateTime};
use console::Lang;
use minijinja::{Environment, Error, ErrorKind, Value, filters, tests as checks};

pub fn add(env: &mut Environment<'static>, lang: Lang) {
    env.add_filter("escape", filters::escape);
    env.add_filter("e", filters::escape);
    env.add_filter("capitalize", filters::capitalize);
    env.add_filter("default", filters::default);
    env.add_filter("d", filters::default);
    env.add_filter("first", filters::first);
    env.add_filter("last", filters::last);
    env.add_filter("length", length);
    env.add_filter("count", length);
    env.add_filter("lines", filters::lines);
    env.add_filter("lower", filters::lower);
    env.add_filter("replace", filters::replace);
    env.add_filter("trim", filters::trim);
    env.add_filter("upper", filters::upper);
    env.add_test("defined", checks::is_defined);
    env.add_test("undefined", checks::is_undefined);
    env.add_test("none", checks::is_none);
    env.add_test("number", checks::is_number);
    env.add_test("string", checks::is_string);
    env.add_filter("number", move |value: i64| console::integer(value, lang));
    env.add_filter("bytes", move |value: i64| console::bytes(value, lang));
    env.add_filter("duration", move |seconds: i64| duration(seconds, lang));
    env.add_filter("date", move |value: String| Ok::<_, Error>(date(parse(&value)?.0, lang)));
    env.add_filter("time", move |value: String| {
        let (at, zone) = parse(&value)?;
        Ok::<_, Error>(format!("{}, {} {zone}", date(at, lang), at.format("%H:%M")))
    });
    env.add_filter("severity", move |severity: String| match (lang, severity.as_str()) {
        (Lang::Ru, "critical") => "критическая".to_owned(),
        (Lang::Ru, "warning") => "предупреждение".to_owned(),
        (Lang::Ru, "info") => "информация".to_owned(),
        (Lang::Ru, "none") => "не указана".to_owned(),
        // An alert rule may say what it likes.
        _ => severity,
    });
    // `{{ n|plural("answer", "answers") }}`; in Russian `{{ n|plural("ответ", "ответа", "ответов") }}`.
    env.add_filter("plural", move |n: i64, one: String, few: String, many: Option<String>| {
        plural(n, lang, [&one, &few, many.as_deref().unwrap_or(&few)])
    });
}

/// What does not exist has no length: `MiniJinja`'s own would say zero.
fn length(value: &Value) -> Result<usize, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    filters::length(value)
}

/// What a clock shows, and the name of its time zone: of the one that stands behind the time (RFC 9557, `2026-08-03T12:41:00+03:00[Europe/Moscow]`),
/// otherwise in UTC.
fn parse(value: &str) -> Result<(NaiveDateTime, &str), Error> {
    let (time, zone) = match value.strip_suffix(']').and_then(|value| value.split_once('[')) {
        Some((time, zone)) => (time, Some(zone)),
        None => (value, None),
    };
    let is_name =
        |zone: &str| !zone.is_empty() && zone.chars().all(|c| c.is_ascii_alphanumeric() || "/_+-".contains(c));
    match (DateTime::parse_from_rfc3339(time), zone) {
        (Ok(at), None) => Ok((at.naive_utc(), "UTC")),
        (Ok(at), Some(zone)) if is_name(zone) => Ok((at.naive_local(), zone)),
        _ => Err(Error::new(ErrorKind::InvalidOperation, format!("{value:?} is not a time in the form of RFC 3339"))),
    }
}

/// `3 August 2026`
fn date(at: NaiveDateTime, lang: Lang) -> String {
    let months = match lang {
        Lang::En => "January February March April May June July August September October November December",
        Lang::Ru => "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    };
    let month = usize::try_from(at.month0()).ok().and_then(|month| months.split(' ').nth(month)).unwrap_or_default();
    format!("{} {month} {}", at.day(), at.year())
}

/// In at most two units: `2 hours 5 minutes`.
fn duration(seconds: i64, lang: Lang) -> String {
    const EN: [(i64, [&str; 3]); 4] = [
        (86_400, ["day", "days", "days"]),
        (3600, ["hour", "hours", "hours"]),
        (60, ["minute", "minutes", "minutes"]),
        (1, ["second", "seconds", "seconds"]),
    ];
    const RU: [(i64, [&str; 3]); 4] = [
        (86_400, ["день", "дня", "дней"]),
        (3600, ["час", "часа", "часов"]),
        (60, ["минута", "минуты", "минут"]),
        (1, ["секунда", "секунды", "секунд"]),
    ];
    let units = match lang {
        Lang::En => EN,
        Lang::Ru => RU,
    };
    let seconds = seconds.max(0);
    let largest = units.iter().position(|(size, _)| seconds >= *size).unwrap_or(units.len() - 1);
    let mut rest = seconds;
    let mut said = Vec::new();
    for (index, (size, forms)) in units.into_iter().enumerate().skip(largest).take(2) {
        if index == largest || rest >= size {
            said.push(plural(rest / size, lang, forms));
        }
        rest %= size;
    }
    said.join(" ")
}

/// The number with the form of a word that belongs to it: for one, for two, for five (Unicode CLDR, whole numbers).
fn plural(n: i64, lang: Lang, [one, few, many]: [&str; 3]) -> String {
    let (last, last_two) = (n.unsigned_abs() % 10, n.unsigned_abs() % 100);
    let form = match lang {
        Lang::En if n == 1 => one,
        Lang::En => few,
        Lang::Ru if last == 1 && last_two != 11 => one,
        Lang::Ru if (2..=4).contains(&last) && !(12..=14).contains(&last_two) => few,
        Lang::Ru => many,
    };
    format!("{} {form}", console::integer(n, lang))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_agree_with_their_number() {
        let answers = |n| plural(n, Lang::Ru, ["ответ", "ответа", "ответов"]);
        for (n, said) in [
            (0, "0 ответов"),
            (1, "1 ответ"),
            (2, "2 ответа"),
            (4, "4 ответа"),
            (5, "5 ответов"),
            (11, "11 ответов"),
            (12, "12 ответов"),
            (21, "21 ответ"),
            (22, "22 ответа"),
            (111, "111 ответов"),
            (1_001, "1\u{a0}001 ответ"),
        ] {
            assert_eq!(answers(n), said);
        }
        assert_eq!(plural(1, Lang::En, ["day", "days", "days"]), "1 day");
        assert_eq!(plural(1_200, Lang::En, ["day", "days", "days"]), "1,200 days");
        assert_eq!(plural(0, Lang::En, ["day", "days", "days"]), "0 days");
    }

    #[test]
    fn durations_have_at_most_two_units() {
        for (seconds, en, ru) in [
            (0, "0 seconds", "0 секунд"),
            (1, "1 second", "1 секунда"),
            (61, "1 minute 1 second", "1 минута 1 секунда"),
            (3600, "1 hour", "1 час"),
            (3_661, "1 hour 1 minute", "1 час 1 минута"),
            (86_400, "1 day", "1 день"),
            (86_460, "1 day", "1 день"),
            (200_000, "2 days 7 hours", "2 дня 7 часов"),
        ] {
            assert_eq!((duration(seconds, Lang::En).as_str(), duration(seconds, Lang::Ru).as_str()), (en, ru));
        }
    }

    #[test]
    fn dates_are_written_out_in_the_zone_that_is_named() {
        let (at, zone) = parse("2026-08-03T01:30:00+03:00").unwrap();
        assert_eq!((date(at, Lang::En).as_str(), zone), ("2 August 2026", "UTC"));
        assert_eq!(date(at, Lang::Ru), "2 августа 2026");
        let (at, zone) = parse("2026-08-03T01:30:00+03:00[Europe/Moscow]").unwrap();
        assert_eq!((date(at, Lang::En).as_str(), zone), ("3 August 2026", "Europe/Moscow"));
        assert_eq!(at.format("%H:%M").to_string(), "01:30");
        for bad in [
            "yesterday",
            "yesterday[UTC]",
            "2026-08-03T01:30:00Z[<b>]",
            "2026-08-03T01:30:00Z[a",
            "[UTC]",
            "2026-08-03T01:30:00Z[]",
            "",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
