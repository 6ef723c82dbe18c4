use super::*;

#[test]
fn chromium_english() {
    let document = read("chromium.en.pdf");
    assert_eq!(document.pages, Some(3));
    assert_eq!(document.title.as_deref(), Some("Pump Station Handbook"));
    assert_in_order(
        &document,
        &[
            "It was written by the people who do the work, and it is changed whenever the work changes.",
            "A pump that runs dry for more than forty seconds destroys its mechanical seal, and a new seal takes eleven days to arrive.",
            "anything else is a reason to stop and to call the duty engineer.",
            "1. Read the level of the wet well.\n2. Check that both float switches hang free.\n3. Start pump A, then pump B after thirty seconds.",
            "The panel shows every alarm with a number. The three alarms below wake the duty engineer; all others wait for the morning.",
            "17 | Wet well above 3.10 m | Start the diesel pump\n23 | Motor winding hot | Stop the pump, open the hatch\n41 | Mains lost | Check the generator within five minutes",
            "is written into the log book together with the weather.",
            "The efficient flow of the official fluid through the filter",
            "Replace the strainer basket in April and in October.",
        ],
    );
    assert_eq!(
        blocks(&document, BlockKind::Heading),
        ["Pump Station Handbook", "Starting the pumps", "Order of the checks", "Alarms", "Maintenance"]
    );
    let checks = block_with(&document, "Read the level");
    assert_eq!(checks.heading, ["Pump Station Handbook", "Starting the pumps", "Order of the checks"]);
    assert_eq!((checks.page, checks.kind), (Some(1), BlockKind::List));
    assert_eq!(block_with(&document, "Motor winding").page, Some(2));
    assert_eq!(block_with(&document, "Motor winding").heading, ["Pump Station Handbook", "Alarms"]);
    assert_eq!(block_with(&document, "Grease the bearings").page, Some(3));
}

#[test]
fn chromium_russian() {
    let document = read("chromium.ru.pdf");
    assert_eq!(document.pages, Some(3));
    assert_in_order(
        &document,
        &[
            "Его написали те, кто делает эту работу, и его меняют всякий раз, когда меняется сама работа.",
            "Насос, который работает всухую дольше сорока секунд, теряет торцевое уплотнение, а новое уплотнение везут одиннадцать дней.",
            "Показание должно установиться между 4,2 и 4,8 бар; всё остальное — повод остановиться и вызвать дежурного инженера.",
            "3. Пустите насос А, через тридцать секунд — насос Б.",
            "17 | Уровень выше 3,10 м | Пустить дизельный насос",
            "41 | Нет напряжения в сети | Проверить генератор за пять минут",
            "Маслёнки окрашены жёлтой краской, а шприц висит у двери.",
        ],
    );
    assert_eq!(block_with(&document, "Перегрев").heading, ["Руководство насосной станции", "Аварийные сигналы"]);
}

#[test]
fn columns_are_read_one_after_the_other() {
    let document = read("chromium-columns.en.pdf");
    assert_in_order(
        &document,
        &[
            "LEFTONE The first gauge was set into the eastern pier of the old bridge in the spring of the flood.",
            "LEFTTWO When the shed burned down the district engineer asked for a ledger",
            // This paragraph begins at the foot of the left column and ends at the head of the right.
            "because silt closes it and the pen then draws a straight line that looks like a quiet week.",
            "RIGHTONE The pen recorder had a clock that ran for eight days.",
            "RIGHTTWO Pressure sensors came later and were trusted too early.",
            "RIGHTTHREE Today three instruments measure the same water, and the station believes two of them against the third.",
        ],
    );
    let document = read("latex-two-columns.pdf");
    assert_eq!(document.pages, Some(2));
    assert_in_order(
        &document,
        &[
            "The efficient remedy is a second pipe of smaller diameter.",
            "1 Introduction",
            "Earlier reports blame vegetation. Our measurements at nineteen stations show that fine mineral sediment explains most of the blockage",
            "2 Method",
            "Thereafter an observer lowered a calibrated rod through the inspection hatch on the first working day",
            "differed by less than four millimetres.",
            "2.2 Stations",
            "Alder Bridge | 212 | 14\nMill Lane | 87 | 12\nOld Ferry | 301 | 18",
            "3 Results",
            "In those two the pipe had been laid with a counterslope, an installation error that no amount of maintenance can correct.",
            "We recommend the arrangement for every station that cannot be visited monthly.",
        ],
    );
    assert_eq!(block_with(&document, "Two observers").heading, ["Silt in Gauge Wells", "2 Method", "2.1 Instruments"]);
    assert_eq!(block_with(&document, "counterslope").page, Some(2));
}

#[test]
fn latex_one_column_and_cyrillic() {
    let document = read("latex-one-column.pdf");
    assert_eq!(document.pages, Some(3));
    assert_in_order(
        &document,
        &["photographed before the observation period. Thereafter an observer", "Old Ferry | 301 | 18", "4 Discussion"],
    );
    for name in ["xelatex.ru.pdf", "pdflatex.ru.pdf"] {
        let document = read(name);
        assert_eq!(document.pages, Some(3), "{name}");
        assert_in_order(
            &document,
            &[
                "Ил в водомерных колодцах",
                "Успокоительный колодец гасит волны реки, чтобы поплавок следил за средним уровнем.",
                "Первый признак засорения — слишком гладкая запись, которую легко принять за спокойный сезон.",
                "Наши измерения на девятнадцати постах показывают, что большую часть засорений объясняет мелкий минеральный осадок.",
                "Каждый колодец осушили, вычистили и сфотографировали до начала наблюдений.",
                "Летом отложения росли равномерно, а после осенних паводков удвоились за две недели.",
            ],
        );
        assert_eq!(block_with(&document, "смотровой люк").page, Some(2));
        assert!(block_with(&document, "паводков").heading.last().unwrap().contains("Результаты"));
    }
}

#[test]
fn libreoffice_with_its_running_lines_once() {
    let document = read("libreoffice.en.pdf");
    assert_eq!(document.pages, Some(2));
    assert_in_order(
        &document,
        &[
            "The flood season lasted from the second of March until the ninth of May. The station lost no pump and no record.",
            "Station | Peak (m) | Date\nAlder Bridge | 4.87 | 14 April\nMill Lane | 3.92 | 15 April",
            "- Mill Lane: sensor replaced on the third day.\n- Old Ferry: driftwood removed by boat.",
            "Repairs cost 8,240 euros in total. The insurance paid for the boat but not for the sensor.",
        ],
    );
    for line in ["Alder District - internal", "Report 7/2026"] {
        assert_eq!(document.text.matches(line).count(), 1, "{line}");
        assert!(document.report.left_out.iter().any(|left| left.examples.iter().any(|said| said == line)), "{line}");
    }
    assert_eq!(block_with(&document, "Repairs").heading, ["Flood Season Report", "Costs"]);
    assert_eq!(block_with(&document, "Two gauges").heading, ["Flood Season Report", "Water levels", "Gauge failures"]);
    let document = read("libreoffice.ru.pdf");
    assert_in_order(
        &document,
        &["а поплавок у Старого перевоза зажало плавником.", "Страховая оплатила лодку, но не датчик."],
    );
}

#[test]
fn rotated_pages() {
    let document = read("latex-landscape.pdf");
    assert_in_order(
        &document,
        &[
            "one sentence that is long enough to be broken into two lines of the page.",
            "2 Lying",
            "This page lies on its side, which authors do for wide tables, and its sentences must be read from left to right as they are seen.",
            "The second sentence of the lying page is here, and it is long enough to need another line, surely.",
            "Alpha one | Beta two | Gamma three\nDelta four | Epsilon five | Zeta six\nEta seven | Theta eight | Iota nine",
        ],
    );
}

#[test]
fn broken_files_fail_clearly() {
    assert_eq!(failure("encrypted.pdf"), ExtractError::Encrypted);
    assert_eq!(failure("images-only.pdf"), ExtractError::NoText);
    for name in ["truncated.pdf", "looping-pages.pdf", "looping-objects.pdf"] {
        assert_eq!(failure(name).code(), "malformed", "{name}");
    }
    assert_eq!(failure("looping-form.pdf").code(), "no_text");
    // A password that only protects changes does not prevent reading.
    assert_eq!(read("owner-password.pdf").text, read("chromium.en.pdf").text);
}
