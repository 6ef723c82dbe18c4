//! Formats chart values as displayed: dates and percentages are stored as plain numbers (ECMA-376, 18.8.31).

use chrono::{Duration, NaiveDate, NaiveDateTime, Timelike};

/// Day 0 of date values; 1904 in files from old Macs.
const FIRST_DAY: (i32, u32, u32) = (1899, 12, 30);
const FIRST_DAY_1904: (i32, u32, u32) = (1904, 1, 1);
/// The day after the last supported date, 9999-12-31.
const LAST: f64 = 2_958_466.0;

/// Formats `value` by the format `code`: dates as 2024-03-05, percentages as 25%; everything else stays as stored.
pub(super) fn shown(value: &str, code: &str, since_1904: bool) -> String {
    let plain = without_quotes(code);
    let Ok(number) = value.trim().parse::<f64>() else { return value.to_owned() };
    let has = |letters: &str| plain.contains(|c: char| letters.contains(c.to_ascii_lowercase()));
    if plain.contains('%') {
        let share = format!("{:.6}", number * 100.0);
        return format!("{}%", share.trim_end_matches('0').trim_end_matches('.'));
    }
    let (is_date, is_time) = (has("yd"), has("h"));
    if plain.eq_ignore_ascii_case("general") || !(is_date || is_time) || !(0.0..LAST).contains(&number) {
        return value.to_owned();
    }
    match moment(number, since_1904) {
        Some(at) if !is_date => at.format("%H:%M").to_string(),
        Some(at) if is_time && at.num_seconds_from_midnight() > 0 => at.format("%Y-%m-%d %H:%M").to_string(),
        Some(at) => at.format("%Y-%m-%d").to_string(),
        None => value.to_owned(),
    }
}

fn moment(number: f64, since_1904: bool) -> Option<NaiveDateTime> {
    let (year, month, day) = if since_1904 { FIRST_DAY_1904 } else { FIRST_DAY };
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a few thousand years")]
    let seconds = (number * 86_400.0).round() as i64;
    // Spreadsheets treat 1900 as a leap year.
    let seconds = if !since_1904 && number < 60.0 { seconds + 86_400 } else { seconds };
    NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(0, 0, 0)?.checked_add_signed(Duration::seconds(seconds))
}

/// Removes literals, and colours and conditions in brackets, whose letters are not format codes.
fn without_quotes(code: &str) -> String {
    let mut out = String::new();
    let mut chars = code.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => while chars.next().is_some_and(|c| c != '"') {},
            '[' => while chars.next().is_some_and(|c| c != ']') {},
            '\\' | '_' | '*' => drop(chars.next()),
            // Formats for negative numbers, zero and text follow.
            ';' => break,
            c => out.push(c),
        }
    }
    out
}
