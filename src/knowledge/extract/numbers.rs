//! List numbering in all formats: 3, c, iii, 三. Format names are Word's.

pub(super) fn number_in(number: u64, format: &str) -> String {
    match format {
        "none" => String::new(),
        "lowerLetter" => letters(number, "abcdefghijklmnopqrstuvwxyz"),
        "upperLetter" => letters(number, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        "russianLower" => letters(number, "абвгдежзиклмнопрстуфхцчшщэюя"),
        "russianUpper" => letters(number, "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЭЮЯ"),
        "lowerRoman" => roman(number).to_lowercase(),
        "upperRoman" => roman(number),
        "decimalZero" => format!("{number:02}"),
        "numberInDash" => format!("- {number} -"),
        "hex" => format!("{number:X}"),
        "arabicAlpha" => letters(number, "أبتثجحخدذرزسشصضطظعغفقكلمنهوي"),
        "hebrew2" => letters(number, "אבגדהוזחטיכלמנסעפצקרשת"),
        "ganada" => letters(number, "가나다라마바사아자차카타파하"),
        "aiueo" | "aiueoFullWidth" => letters(
            number,
            "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン",
        ),
        "chineseCounting"
        | "chineseCountingThousand"
        | "taiwaneseCounting"
        | "taiwaneseCountingThousand"
        | "japaneseCounting" => counted(number),
        "ordinal" => ordinal(number),
        "cardinalText" => in_words(number, false),
        "ordinalText" => in_words(number, true),
        "chicago" => {
            let signs = ["*", "†", "‡", "§"];
            let index = usize::try_from(number.max(1) - 1).unwrap_or(0);
            signs[index % signs.len()].repeat((index / signs.len() + 1).min(30))
        }
        "lowerAlphabet" => alphabetic(number).to_lowercase(),
        "upperAlphabet" => alphabetic(number),
        _ => number.to_string(),
    }
}

/// a to z, then aa to zz: the letter repeated, as in Word.
fn letters(number: u64, alphabet: &str) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let Some(index) = number.checked_sub(1).and_then(|n| usize::try_from(n).ok()) else { return String::new() };
    let times = (index / alphabet.len() + 1).min(30);
    std::iter::repeat_n(alphabet[index % alphabet.len()], times).collect()
}

fn roman(number: u64) -> String {
    let signs = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let mut left = number.min(100_000);
    let mut out = String::new();
    for (value, sign) in signs {
        while left >= value {
            out.push_str(sign);
            left -= value;
        }
    }
    out
}

/// A to Z, then AA, AB, as in browsers.
fn alphabetic(mut number: u64) -> String {
    let mut out = Vec::new();
    while number > 0 {
        out.push(b'A' + u8::try_from((number - 1) % 26).unwrap_or(0));
        number = (number - 1) / 26;
    }
    out.iter().rev().map(|letter| char::from(*letter)).collect()
}

/// East Asian numerals, up to 9999.
fn counted(number: u64) -> String {
    const DIGITS: [&str; 10] = ["〇", "一", "二", "三", "四", "五", "六", "七", "八", "九"];
    if number == 0 || number > 9999 {
        return if number == 0 { DIGITS[0].to_owned() } else { number.to_string() };
    }
    let digits = number.to_string();
    let mut out = String::new();
    let mut skipped = false;
    for (at, digit) in digits.bytes().map(|b| usize::from(b - b'0')).enumerate() {
        let place = digits.len() - 1 - at;
        if digit == 0 {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            out.push_str(DIGITS[0]);
        }
        // 十二, not 一十二.
        if digit != 1 || place != 1 || number > 19 {
            out.push_str(DIGITS[digit]);
        }
        out.push_str(["", "十", "百", "千"][place]);
    }
    out
}

/// 1st, 2nd, 11th: Word uses the language of the text, which the list does not tell; we use English.
fn ordinal(number: u64) -> String {
    let end = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

/// One, Twenty-two; First, Twenty-second. From a hundred on in digits.
fn in_words(number: u64, is_ordinal: bool) -> String {
    const ONES: [&str; 20] = [
        "Zero",
        "One",
        "Two",
        "Three",
        "Four",
        "Five",
        "Six",
        "Seven",
        "Eight",
        "Nine",
        "Ten",
        "Eleven",
        "Twelve",
        "Thirteen",
        "Fourteen",
        "Fifteen",
        "Sixteen",
        "Seventeen",
        "Eighteen",
        "Nineteen",
    ];
    const TENS: [&str; 10] = ["", "", "Twenty", "Thirty", "Forty", "Fifty", "Sixty", "Seventy", "Eighty", "Ninety"];
    let Some(small) = usize::try_from(number).ok().filter(|number| *number < 100) else {
        return if is_ordinal { ordinal(number) } else { number.to_string() };
    };
    let word = match (small / 10, small % 10) {
        (0 | 1, _) => ONES[small].to_owned(),
        (tens, 0) => TENS[tens].to_owned(),
        (tens, ones) => format!("{}-{}", TENS[tens], ONES[ones].to_lowercase()),
    };
    if !is_ordinal {
        return word;
    }
    let irregular = [
        ("one", "first"),
        ("two", "second"),
        ("three", "third"),
        ("five", "fifth"),
        ("eight", "eighth"),
        ("nine", "ninth"),
        ("twelve", "twelfth"),
    ];
    let lower = word.to_lowercase();
    if let Some((cardinal, ordinal)) = irregular.iter().find(|(cardinal, _)| lower.ends_with(cardinal)) {
        let stem = &word[..word.len() - cardinal.len()];
        let first = if stem.is_empty() { ordinal[..1].to_uppercase() } else { ordinal[..1].to_owned() };
        return format!("{stem}{first}{}", &ordinal[1..]);
    }
    match word.strip_suffix('y') {
        Some(stem) => format!("{stem}ieth"),
        None => format!("{word}th"),
    }
}
