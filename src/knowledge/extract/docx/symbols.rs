//! Maps characters of Word's symbol fonts, stored as font-specific codes, to Unicode.

/// The character as text; `None` for a pictogram.
pub(super) fn text(code: u32, font: &str) -> Option<String> {
    let font = font.to_lowercase();
    let is_private = (0xf000..=0xf0ff).contains(&code);
    let is_pictures = font.contains("wingdings") || font.contains("webdings") || font.contains("dingbats");
    let low = if is_private { code - 0xf000 } else { code };
    let c = if font.contains("wingdings") && low < 0x100 {
        wingdings(low)?
    } else if font.contains("symbol") && low < 0x100 {
        symbol(low)
    } else if is_pictures || is_private && font.is_empty() {
        return None;
    } else {
        char::from_u32(if is_private { low } else { code })?
    };
    Some(match c {
        '☑' => "[x]".to_owned(),
        '☐' => "[ ]".to_owned(),
        c => c.to_string(),
    })
}

fn wingdings(code: u32) -> Option<char> {
    Some(match code {
        0x6f | 0x71 | 0xa8 => '☐',
        0x78 | 0xfd | 0xfe | 0x52 | 0x53 => '☑',
        0xfc => '✓',
        0xfb => '✗',
        0xdf | 0xe7 => '←',
        0xe0 | 0xe8 | 0xf0 => '→',
        0xe1 | 0xe9 => '↑',
        0xe2 | 0xea => '↓',
        0x6c | 0x6e | 0x9f | 0xa7 | 0x76 | 0xd8 => '•',
        0x4a => '☺',
        0x28 | 0x29 => '☎',
        0x2a => '✉',
        // Circled digits.
        0x80..=0x8a => char::from_digit((code - 0x80).min(9), 10)?,
        0x8b..=0x95 => char::from_digit((code - 0x8b).min(9), 10)?,
        _ => return None,
    })
}

/// Symbol: Greek letters at the positions of Latin ones, and mathematical signs.
fn symbol(code: u32) -> char {
    const GREEK: &str = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ";
    const SMALL: &str = "αβχδεφγηιϕκλμνοπθρστυϖωξψζ";
    let plain = char::from_u32(code).unwrap_or('\u{fffd}');
    match code {
        0x41..=0x5a => GREEK.chars().nth(code as usize - 0x41).unwrap_or(plain),
        0x61..=0x7a => SMALL.chars().nth(code as usize - 0x61).unwrap_or(plain),
        0x22 => '∀',
        0x24 => '∃',
        0x40 => '≅',
        0xa2 => '′',
        0xa3 => '≤',
        0xa5 => '∞',
        0xab => '↔',
        0xac => '←',
        0xad => '↑',
        0xae => '→',
        0xaf => '↓',
        0xb0 => '°',
        0xb1 => '±',
        0xb3 => '≥',
        0xb4 => '×',
        0xb6 => '∂',
        0xb7 => '•',
        0xb8 => '÷',
        0xb9 => '≠',
        0xba => '≡',
        0xbb => '≈',
        0xbc => '…',
        0xc7 => '∩',
        0xc8 => '∪',
        0xcc => '⊂',
        0xce => '∈',
        0xcf => '∉',
        0xd0 => '∠',
        0xd1 => '∇',
        0xd2 => '®',
        0xd3 => '©',
        0xd4 => '™',
        0xd5 => '∏',
        0xd6 => '√',
        0xd7 => '⋅',
        0xde => '⇒',
        0xe5 => '∑',
        0xf2 => '∫',
        _ => plain,
    }
}
