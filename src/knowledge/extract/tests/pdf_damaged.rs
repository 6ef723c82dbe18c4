//! Damaged PDF files, and ones encrypted without a password: the readable part is read, the rest is reported.

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};
use pdf_oxide::crypto::{AesKeySize, HashAlgorithm, Padding, active};

use super::{
    made::{Made, at, body},
    *,
};
use platform::crypto::hex;

fn read_made(bytes: &[u8]) -> Result<Extracted, ExtractError> {
    extract(bytes, Kind::Pdf, &Limits::default())
}

fn open(bytes: &[u8]) -> Extracted {
    let document = read_made(bytes).unwrap_or_else(|error| panic!("{error}"));
    check_shape(&document);
    document
}

fn unread(document: &Extracted) -> String {
    document.report.unread_parts.join("; ")
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A page with this compressed content.
fn page_of_packed(data: &[u8]) -> Vec<u8> {
    let mut made = Made::new();
    let content = made.stream("/Filter [/ASCIIHexDecode /FlateDecode]", &format!("{}>", hex(data)));
    made.page_of(&format!("{content} 0 R"), "", "");
    made.bytes()
}

/// Distinct lines, so that damage in the middle is visible.
fn lines() -> String {
    let noise = |n: i32| {
        (0..8).map(|k| format!("{:x} ", (n * 31 + k).wrapping_mul(1_640_531_527).cast_unsigned())).collect::<String>()
    };
    (0..50).map(|n| at(20, 780 - 15 * n, &format!("Line {n} has {}", noise(n)))).collect()
}

#[test]
fn a_length_that_is_too_short_cuts_nothing_off() {
    // To the library, the data after the short length looks like the end of a stream: a number, an array.
    for second in ["1 0 0 1 0 0 cm ", "[3] 0 d ", "/G gs "] {
        let first = at(60, 700, "First words");
        let content = format!("{first}{second}{}", at(60, 600, "Second words"));
        let mut made = Made::new();
        let stream = made.object(format!("<< /Length {} >>\nstream\n{content}\nendstream", first.len()));
        made.page_of(&format!("{stream} 0 R"), "", "");
        assert_eq!(open(&made.bytes()).text, "First words\n\nSecond words", "{second}");
    }
    // Too long, and one with PDF keywords in its text.
    for length in [9_999_999, 60] {
        let mut made = Made::new();
        let content = at(60, 700, "Words about an obj and a stream");
        let stream = made.object(format!("<< /Length {length} >>\nstream\n{content}\nendstream"));
        made.page_of(&format!("{stream} 0 R"), "", "");
        assert_eq!(open(&made.bytes()).text, "Words about an obj and a stream");
    }
}

#[test]
fn a_stream_whose_end_is_cut_short_is_read() {
    for end in ["\nendstrea\n", "\r\nendst  \n", "\nendstream", "endstream\n"] {
        let content = at(60, 700, "The end of this is cut");
        let mut made = Made::new();
        let stream = made.object(format!("<< /Length {} >>\nstream\n{content}{end}", content.len()));
        made.page_of(&format!("{stream} 0 R"), "", "");
        assert_eq!(open(&made.bytes()).text, "The end of this is cut", "{end:?}");
    }
}

#[test]
fn a_damaged_stream_is_read_in_part_and_reported() {
    let whole = packed(&lines());
    let text = open(&page_of_packed(&whole)).text;
    assert!(text.contains("Line 49 has"), "{text}");
    // No checksum, and a line end before the data: nothing is missing.
    let odd = [b"\n", &whole[..whole.len() - 4]].concat();
    let document = open(&page_of_packed(&odd));
    assert_eq!((document.text.as_str(), unread(&document).as_str()), (text.as_str(), ""));
    // A wrong checksum means that something may be missing.
    let mut wrong = whole.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let document = open(&page_of_packed(&wrong));
    assert_eq!(document.text, text);
    assert!(unread(&document).contains("may be incomplete (its checksum is wrong)"), "{}", unread(&document));
    // The end of the data is missing.
    let document = open(&page_of_packed(&whole[..whole.len() / 2]));
    assert!(document.text.contains("Line 5 has") && !document.text.contains("Line 49 has"));
    assert!(unread(&document).contains("page 1: its content may be incomplete (the end"), "{}", unread(&document));
    // Some bytes in the middle are noise.
    let mut noise = whole.clone();
    let middle = noise.len() / 2;
    for (at, byte) in noise[middle..middle + 40].iter_mut().enumerate() {
        *byte ^= u8::try_from(at * 37 % 255).unwrap() | 1;
    }
    let document = open(&page_of_packed(&noise));
    assert!(document.text.contains("Line 5 has"), "{}", document.text);
    assert!(unread(&document).contains("its content may be incomplete"), "{}", unread(&document));
    assert!(document.report.doubts.contains(&Doubt::UnreadParts));
    // Only noise.
    let error = read_made(&page_of_packed(&[0xff; 200])).unwrap_err();
    assert!(error.to_string().contains("damaged from the start"), "{error}");
}

#[test]
fn a_file_truncated_within_a_page_keeps_the_text_before() {
    let mut made = Made::new();
    made.page_of("5 0 R", "", "");
    made.stream("", &body(&["The first line.", "The second line.", "The third line."]));
    let bytes = made.bytes();
    let end = bytes.windows(9).position(|window| window == b"The third").unwrap();
    let document = open(&bytes[..end]);
    assert!(document.text.contains("The first line.") && document.text.contains("The second line."));
    assert!(unread(&document).contains("the end of the file is missing"), "{}", unread(&document));
}

fn digest(parts: &[&[u8]]) -> Vec<u8> {
    let mut hasher = active().hasher(HashAlgorithm::Sha256).unwrap();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

/// Encrypted like Acrobat 9 (revision 5) with an empty user password; its only page has this content.
fn encrypted(content: &str, password: &[u8]) -> Vec<u8> {
    let (key, check, salt) = ([7; 32], b"checksal", b"key-salt");
    let aes = |key: &[u8], vector: &[u8], data: &[u8], padding| {
        active().symmetric().aes_cbc_encrypt(AesKeySize::Aes256, key, vector, data, padding).unwrap()
    };
    let user = [digest(&[password, check]), check.to_vec(), salt.to_vec()].concat();
    let user_key = aes(&digest(&[password, salt]), &[0; 16], &key, Padding::None);
    let vector = [3; 16];
    let data = [vector.to_vec(), aes(&key, &vector, content.as_bytes(), Padding::Pkcs7)].concat();
    let mut made = Made::new();
    let place = "#".repeat(data.len());
    made.page(&place);
    let encryption = made.object(format!(
        "<< /Filter /Standard /V 5 /R 5 /Length 256 /P -4 /U <{}> /UE <{}> /O <{}> /OE <{}> /Perms <{}> /StmF /StdCF /StrF /StdCF \
         /CF << /StdCF << /CFM /AESV3 /AuthEvent /DocOpen /Length 32 >> >> >>",
        hex(&user),
        hex(&user_key),
        "00".repeat(48),
        "00".repeat(32),
        "00".repeat(16)
    ));
    let bytes = made.bytes();
    let at = bytes.windows(place.len()).position(|window| window == place.as_bytes()).unwrap();
    let mut bytes = [&bytes[..at], &data, &bytes[at + place.len()..]].concat();
    let root = bytes.windows(11).rposition(|window| window == b"/Root 1 0 R").unwrap();
    let more = format!("/Encrypt {encryption} 0 R /ID [<00><00>] ");
    bytes.splice(root..root, more.bytes());
    bytes
}

#[test]
fn a_file_of_acrobat_9_without_a_password_is_read() {
    let bytes = encrypted(&at(60, 700, "Everybody may read this"), b"");
    assert_eq!(open(&bytes).text, "Everybody may read this");
    assert_eq!(read_made(&encrypted(&at(60, 700, "Nobody"), b"secret")).unwrap_err(), ExtractError::Encrypted);
}

#[test]
fn a_wrong_cross_reference_table_is_ignored() {
    let mut made = Made::new();
    made.page(&at(60, 700, "Words of the first page"));
    made.page(&at(60, 700, "Words of the second page"));
    let text = String::from_utf8(made.bytes()).unwrap();
    // Every entry points to the next object.
    let (before, index) = text.split_once("xref\n").unwrap();
    let (head, entries) = index.split_once("0000000000 65535 f \n").unwrap();
    let (entries, trailer) = entries.split_once("trailer").unwrap();
    let mut rows: Vec<&str> = entries.lines().collect();
    rows.rotate_left(1);
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let broken = format!("{before}xref\n{head}0000000000 65535 f \n{rows}trailer{trailer}");
    assert_eq!(open(broken.as_bytes()).text, "Words of the first page\n\nWords of the second page");
    // Its first number is one too large: the free entry at the start of every table is counted as object 1.
    let shifted = text.replacen("xref\n0 ", "xref\n1 ", 1);
    assert_eq!(open(shifted.as_bytes()).text, "Words of the first page\n\nWords of the second page");
}

#[test]
fn excessive_nesting_is_rejected() {
    let deep = |open: &str, close: &str| format!("{} {}", open.repeat(60_000), close.repeat(60_000));
    let mut made = Made::new();
    made.page_with(&at(60, 700, "Words"), "", &format!("/Odd {}", deep("<</a ", ">>")));
    assert!(read_made(&made.bytes()).unwrap_err().to_string().contains("nested too deeply"));
    for (open, close) in [("[", "]"), ("/P <</a ", ">>")] {
        let mut made = Made::new();
        made.page(&deep(open, close));
        made.page(&at(60, 700, "Words"));
        let document = self::open(&made.bytes());
        assert_eq!(document.text, "Words");
        assert!(unread(&document).contains("nested too deeply"), "{}", unread(&document));
    }
    // Marked content has constant cost, however many are open.
    let mut made = Made::new();
    made.page(&format!("{} {}", "/P <</MCID 1>> BDC ".repeat(200_000), at(60, 700, "Words")));
    let start = std::time::Instant::now();
    assert_eq!(self::open(&made.bytes()).text, "Words");
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
    // Many, but not nested.
    let mut made = Made::new();
    made.page(&format!("{} {}", "[1] 0 d ".repeat(60_000), at(60, 700, "Words")));
    assert_eq!(self::open(&made.bytes()).text, "Words");
}

#[test]
fn the_beginning_of_an_oversized_stream_is_read() {
    let filled = |megabytes: usize| {
        let comment = format!("% {}\n", "x".repeat(megabytes << 20));
        open(&page_of_packed(&packed(&[at(60, 700, "Before"), comment, at(60, 600, "after")].concat())))
    };
    let document = filled(101);
    assert_eq!(document.text, "Before");
    assert!(unread(&document).contains("more than 100 MB"), "{}", unread(&document));
    assert_eq!(filled(20).text, "Before\n\nafter");
}
