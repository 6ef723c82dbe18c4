use super::super::plausible::share;

fn many(text: &str) -> f32 {
    share(&format!("{text} ").repeat(12)).unwrap_or_else(|| panic!("too few words in {text:?}"))
}

#[test]
fn languages_code_and_names_are_plausible() {
    for text in [
        "The reading must settle between 4.2 and 4.8 bar; anything else is a reason to stop and to call the duty engineer.",
        "Насос, который работает всухую дольше сорока секунд, теряет торцевое уплотнение, а новое везут одиннадцать дней.",
        "Die Rechtsschutzversicherung übernimmt gemäß § 5 die Kosten für Schwarzarbeit nicht; Angstschweiß hilft wenig.",
        "Être ou ne pas être, voilà la question : où sont passées les élèves à Noël ?",
        "Wszczęcie postępowania w sprawie Krzysztofa Brzęczyszczykiewicza z Chrząszczyżewoszyc nastąpiło wczoraj.",
        "Người dùng được phép đọc những tài liệu đã chia sẻ với họ trong hệ thống.",
        "这是一份关于水泵站的手册。 它是由夜班人员编写的。 每次工作改变都会修改。 请仔细阅读。",
        "ポンプ場の手引きです。 夜勤の人が書きました。 毎回読んでください。",
        "هذا دليل محطة الضخ على النهر وقد كتبه العاملون في المناوبة الليلية",
        "המדריך הזה מתאר כיצד משמרת הלילה מפעילה את תחנת השאיבה",
        "fn main() { let mut values: Vec<u32> = read_numbers(&path)?; values.sort(); println!(\"{:?}\", values); }",
        "SELECT name, count(*) FROM orders WHERE status = 'open' GROUP BY name ORDER BY count DESC LIMIT 10;",
        "Anna Schmidt, Peter Müller, John Smith, Мария Иванова, Łukasz Żółty, O’Brien, Jean-Luc Picard",
        "https://example.com/docs/reading?page=2 admin@example.com README.md src/main.rs v1.2.3",
    ] {
        assert!(many(text) > 0.8, "{} {text}", many(text));
    }
    assert_eq!(share(&"12.5 17 3,141 2026-11-28 EUR 99% A-17 B12 ".repeat(20)), None);
}

#[test]
fn ciphers_and_misread_encodings_are_implausible() {
    let shifted: String =
        "The reading must settle between four and five bar, and anything else is a reason to stop the pump and call."
            .chars()
            .map(|c| {
                if c.is_ascii_graphic() {
                    char::from(u8::try_from(c as u32).unwrap().wrapping_sub(29).max(33))
                } else {
                    c
                }
            })
            .collect();
    for text in [
        shifted.as_str(),
        "/g12 /g45/g7 (cid:12)(cid:7) (cid:33) g12 g7 glyph9",
        "Ð\u{9f}Ñ\u{80}Ð¸Ð²ÐµÑ\u{82} Ð¼Ð¸Ñ\u{80} Ð½Ð°Ñ\u{81}Ð¾Ñ\u{81}",
        "Íàñîñ êîòîðûé ðàáîòàåò âñóõóþ äîëüøå ñîðîêà ñåêóíä",
        "re\u{fffd}ding m\u{fffd}st s\u{fffd}ttle b\u{fffd}tween",
        "Hасос rаботает дольshe сорoka sекунд",
        "xkcd bvnm qwrtz plkjh mnbvc zxcvb dfghj wrtzp",
    ] {
        assert!(many(text) < 0.6, "{} {text}", many(text));
    }
}
