//! Plain text, code, CSV and encodings.

use super::*;

fn read_as(name: &str, bytes: &[u8]) -> Extracted {
    let kind = super::sniff(bytes, name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let document = extract(bytes, kind, &Limits::default()).unwrap();
    check_shape(&document);
    document
}

#[test]
fn a_known_extension_wins() {
    let source = "# Setup\n\n- name: <package>\n- **kwargs and **args\n- __init__\n```\n[a](http://b)\n";
    for name in [
        "a.yaml",
        "a.yml",
        "a.json",
        "a.toml",
        "a.ini",
        "a.cfg",
        "a.conf",
        ".env",
        "a.py",
        "a.sh",
        "a.sql",
        "a.rs",
        "a.js",
        "a.ts",
        "a.css",
        "a.xml",
        "a.log",
        "a.tex",
        "a.rst",
        "a.adoc",
        "Dockerfile",
        "Makefile",
        ".gitignore",
        "A.PY",
    ] {
        let document = read_as(name, source.as_bytes());
        assert_eq!(document.kind, Kind::Code, "{name}");
        assert_eq!(document.text, source.trim_end(), "{name}");
    }
    assert_eq!(read_as("notes.txt", source.as_bytes()).kind, Kind::Text);
    assert_eq!(read_as("notes.strange", source.as_bytes()).kind, Kind::Text);
    assert_eq!(read_as("README", source.as_bytes()).kind, Kind::Markdown);
    assert_eq!(read_as("Minutes v1.2", source.as_bytes()).kind, Kind::Markdown);
    assert_eq!(read_as("run", b"#!/bin/sh\n# one\n\n- two\n").kind, Kind::Code);
    assert_eq!(read_as("page.svg", b"<html><p>x</p></html>").text, "<html><p>x</p></html>");
    let python = "class A:\n    def __init__(self):\n        self.x = 1\n\n\n\n    def b(self):\n        return '''\n        text'''\n\n\nx = A()\n";
    assert_eq!(read_as("a.py", python.as_bytes()).text, python.trim_end().replace("\n\n\nx", "\n\nx"));
}

#[test]
fn tables_as_text_are_tables() {
    for (name, source, text) in [
        ("a.csv", "Region,Q1,Q2\nNorth,10.5,11.2\nSouth,,9\n", "Region | Q1 | Q2\nNorth | 10.5 | 11.2\nSouth | | 9"),
        (
            "a.csv",
            "\u{feff}Регион;I кв.;II кв.\r\nСевер;10,5;11,2\r\nЮг;8,1;9,0\r\n",
            "Регион | I кв. | II кв.\nСевер | 10,5 | 11,2\nЮг | 8,1 | 9,0",
        ),
        ("a.tsv", "k\tv\na, b\t1\n", "k | v\na, b | 1"),
        (
            "a.csv",
            "name,note\n\"Smith, J.\",\"two\nlines \"\"here\"\"\"\n",
            "name | note\nSmith, J. | two lines \"here\"",
        ),
        ("a.csv", "sep=|\na|b\n1|2\n", "a | b\n1 | 2"),
        ("a.csv", "Report 2026\n\nRegion,Q1\nNorth,10.5\n", "Report 2026\n\nRegion | Q1\nNorth | 10.5"),
        ("a.csv", "a,b\n1,2,3\n4\n", "a | b\n1 | 2 | 3\n4"),
        ("a.csv", "only one column\nof words\n", "only one column\nof words"),
        ("a.csv", "a,b\nx|y,2\n", "a | b\nx\\|y | 2"),
        ("a.csv", "Item, unit;Price, net\nBolt, kg;1,50\n", "Item, unit | Price, net\nBolt, kg | 1,50"),
        // An unclosed quote ends with its line, and so does one that would swallow rows.
        ("a.csv", "a,b\n\"x,1\ny,2\nz,3\n", "a | b\n\"x | 1\ny | 2\nz | 3"),
        ("a.csv", "a,b\n\"x,1\ny,2\nw,3\n\"z\",4\n", "a | b\n\"x | 1\ny | 2\nw | 3\nz | 4"),
        ("a.csv", "a, \"b, c\"\n1, \"2, 3\"\n", "a | b, c\n1 | 2, 3"),
    ] {
        let document = read_as(name, source.as_bytes());
        assert_eq!((document.kind, document.text.as_str()), (Kind::Csv, text), "{source:?}");
    }
    let document = read_as("a.csv", b"Region,Q1\nNorth,10.5\n");
    let header: String = document.text.chars().take(document.blocks[0].header_end.unwrap()).collect();
    assert_eq!((header.as_str(), document.report.tables), ("Region | Q1", 1));
    assert_eq!(read_as("a.csv", b"1,2\n3,4\n").blocks[0].header_end, None);
}

#[test]
fn lone_control_characters_do_not_make_a_text_binary() {
    for (bytes, text) in [
        (&b"pump\x0bfour"[..], "pump\nfour"),
        (b"pump\x08 four", "pump four"),
        (b"pump\x7f four", "pump four"),
        (b"pump\0four", "pump four"),
        (b"pump four\r\n\x1a", "pump four"),
        (b"page one\x0cpage two", "page one\n\npage two"),
        (b"\x0b\x08\x7f\0all of them\x1a", "all of them"),
        (b"N\x08NA\x08AM\x08ME\x08E and _\x08x", "NAME and x"),
        (b"\x1b[31mERROR\x1b[0m pump \x1b[1;32mon\x1b[m", "ERROR pump on"),
        (b"a.txt\0b.txt\0", "a.txt b.txt"),
        (b"one\rtwo\rthree", "one\ntwo\nthree"),
        (b"\x1b(B\x1b)0pump\x1b=\x1b7 on\x1b#8", "pump on"),
    ] {
        assert_eq!(read_as("a.txt", bytes).text, text, "{bytes:?}");
    }
    let padded = [&b"short text"[..], &[0; 5000]].concat();
    assert_eq!(read_as("a.txt", &padded).text, "short text");
    let image: Vec<u8> = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &[7; 300]].concat();
    assert!(matches!(super::sniff(&image, "a.txt"), Err(Unsupported::Other(_))));
    let noise: Vec<u8> = (0..4096u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[1]).collect();
    assert!(matches!(super::sniff(&noise, "a.txt"), Err(Unsupported::Other(_))));
}

#[test]
fn every_encoding_is_read_or_reported_as_guessed() {
    let russian =
        "Насосная станция номер 4 находится у реки. Просим подготовить помещения и отключить воду до понедельника.\n";
    let japanese = "こんにちは、ポンプ室の温度は二十五度です。点検は毎週月曜日に行います。\n";
    for (label, text) in [
        ("windows-1251", russian),
        ("koi8-r", russian),
        ("ibm866", russian),
        ("shift_jis", japanese),
        ("euc-jp", japanese),
        ("gb18030", "泵房的温度是二十五度。每周一进行检查，请提前准备好所有的房间。\n"),
    ] {
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap();
        let (bytes, _, lossy) = encoding.encode(text);
        assert!(!lossy);
        let document = read_as("a.txt", &bytes);
        assert_eq!(document.text, text.trim_end(), "{label}");
        assert!(document.report.guessed_encoding.is_some(), "{label}");
        // The beginning gives no clue: an ASCII header.
        let late = [b"plain header line\n".repeat(100_000).as_slice(), &bytes].concat();
        assert!(extract(&late, Kind::Text, &Limits::default()).unwrap().text.ends_with(text.trim_end()), "{label}");
    }
    for text in [russian, "Plain ASCII text in four bytes each.", japanese] {
        let utf16 = |to: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to).collect::<Vec<u8>>();
        let utf32 = |to: fn(u32) -> [u8; 4]| text.chars().flat_map(|c| to(c as u32)).collect::<Vec<u8>>();
        let marked = |mark: &[u8], bytes: Vec<u8>| [mark, &bytes].concat();
        let mut all = vec![
            marked(b"\xff\xfe", utf16(u16::to_le_bytes)),
            marked(b"\xfe\xff", utf16(u16::to_be_bytes)),
            marked(b"\xff\xfe\0\0", utf32(u32::to_le_bytes)),
            marked(b"\0\0\xfe\xff", utf32(u32::to_be_bytes)),
            utf32(u32::to_le_bytes),
            utf32(u32::to_be_bytes),
        ];
        if text != japanese {
            all.extend([utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)]);
        }
        for (at, bytes) in all.into_iter().enumerate() {
            assert_eq!(read_as("a.txt", &bytes).text, text.trim_end(), "{at}: {text}");
        }
    }
    assert_eq!(read_as("a.txt", russian.as_bytes()).report.guessed_encoding, None);
    // Seven-bit, with escape sequences similar to those of terminals.
    let mail = b"PO 17: \x1b$BElKL\x1b(B and \x1b$B@>\x1b(J.";
    assert_eq!(read_as("a.txt", mail).text, "PO 17: 東北 and 西.");
}

#[test]
fn lines_of_different_encodings_are_all_read() {
    let good = "Первая строка в новой кодировке, и в ней много букв.\n";
    let (old, ..) = encoding_rs::WINDOWS_1251.encode("Вторая строка в старой кодировке.\n");
    let bytes = [good.as_bytes(), &old, good.as_bytes()].concat();
    let document = read_as("a.log", &bytes);
    assert_in_order(&document, &["Первая строка", "Вторая строка в старой кодировке.", "Первая строка"]);
    assert_eq!(document.report.guessed_encoding.as_deref(), Some("windows-1251"));
    // Equal amounts of both.
    let german = b"\xc3\x9cber\nGr\xf6\xdfe\nGr\xf6\xdfe\n";
    assert_eq!(read_as("a.txt", german).text, "Über\nGröße\nGröße");
    // One invalid byte sequence only costs itself and is reported.
    let broken = [good.as_bytes(), "Третья стро".as_bytes(), b"\xd0", "ка.\n".as_bytes()].concat();
    let document = read_as("a.txt", &broken);
    assert!(document.text.contains("Третья стро\u{fffd}ка."), "{}", document.text);
    assert_eq!((document.report.undecodable_characters, document.report.guessed_encoding.clone()), (1, None));
    assert!(document.report.doubts.contains(&Doubt::UndecodableCharacters));
}

#[test]
fn only_prose_flows() {
    let flows = "This paragraph has been wrapped by hand at seventy characters, as\nmany letters and old documents are, so that its lines end where the\nnext word does not fit.";
    assert_eq!(read_as("a.txt", flows.as_bytes()).text, flows.replace('\n', " "));
    for kept in [
        "- the first item of a list, which is long enough for a whole line of it\n- the second item of a list, which is long enough for a whole line too",
        "> quoted by somebody in a letter, and long enough to look like wrapped text\n> which goes on in the next line of the quotation, with the mark before it",
        "Region        Q1            Q2            Q3            Q4        Total\nNorth         10.5          11.2          12.9          13.0      47.6",
        "+----------------+----------------+----------------+------------------+\n| Region         | Q1             | Q2             | Q3               |\n+----------------+----------------+----------------+------------------+",
        "2026-01-01T00:00:00Z INFO pump four has been started by the operator\n2026-01-01T00:00:01Z WARN short",
        "    indented code of an old manual stands four spaces to the right of it\n    and goes on in the next line",
        "1. the first step of the procedure is described here in quite some words\n2. the second step of the procedure is described here in as many words",
        "Acme Ltd.\n1 Main Street\nLondon",
    ] {
        assert_eq!(read_as("a.txt", kept.as_bytes()).text, kept, "{kept}");
    }
}

#[test]
fn a_table_of_any_width_keeps_every_cell() {
    let row = |start: u32| (start..start + 3000).map(|n| n.to_string()).collect::<Vec<_>>();
    let source = format!("{}\n{}\n", row(10_000).join(","), row(50_000).join(","));
    let text = read_as("a.csv", source.as_bytes()).text;
    assert_eq!(text, format!("{}\n{}", row(10_000).join(" | "), row(50_000).join(" | ")));
}
