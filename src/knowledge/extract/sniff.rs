//! Detects the kind of a file: PDF, Word and HTML by content. The kind of a text file cannot be told reliably by
//! content, and a wrong guess would change the text, so a known extension wins there.

use std::io::{Cursor, Read};

use super::{Kind, Unsupported, decode::decode, mail::is_mail};

/// Signs of a text format are at its beginning.
const SAMPLE_BYTES: usize = 64 << 10;

/// `filename` as given by the user; it may have no extension.
pub fn sniff(bytes: &[u8], filename: &str) -> Result<Kind, Unsupported> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Unsupported::Empty);
    }
    if is_pdf(bytes) {
        return Ok(Kind::Pdf);
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return zipped(bytes);
    }
    if bytes.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return Err(compound_file(bytes));
    }
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES)];
    for (magic, name) in [(&b"{\\rtf"[..], "an RTF document"), (b"%!PS", "a PostScript file")] {
        if sample.starts_with(magic) {
            return Err(Unsupported::Other(name.to_owned()));
        }
    }
    // Check for text first: `infer` identifies many formats by two letters, and a text may start with "BM" or "MZ".
    if !is_text(sample) {
        return Err(Unsupported::Other(binary_name(sample)));
    }
    let text = decode(sample, None);
    if let Some(name) = other_markup(&text) {
        return Err(Unsupported::Other(name.to_owned()));
    }
    Ok(text_kind(&text, sample, filename))
}

/// The header may follow some junk (ISO 32000-1, Annex H), but a text that mentions "%PDF-" is not a PDF.
fn is_pdf(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(1024)];
    let Some(at) = find(head, b"%PDF-") else { return false };
    head[..at].trim_ascii().is_empty()
        || head.starts_with(b"\xef\xbb\xbf")
        // Objects identify it even if its end is padded or missing.
        || (find(&bytes[at..], b" obj").is_some() && find(&bytes[at..], b"endobj").is_some())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn zipped(bytes: &[u8]) -> Result<Kind, Unsupported> {
    let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(bytes)) else {
        // A truncated upload: extraction will report the damage.
        return if find(bytes, b"word/document.xml").is_some() {
            Ok(Kind::Docx)
        } else {
            Err(Unsupported::Other("a damaged ZIP archive".to_owned()))
        };
    };
    let has = |name: &str| archive.index_for_name(name).is_some();
    if super::docx::is_word(bytes) {
        return Ok(Kind::Docx);
    }
    let name = if has("xl/workbook.xml") || has("xl/workbook.bin") {
        "an Excel workbook".to_owned()
    } else if has("ppt/presentation.xml") {
        "a PowerPoint presentation".to_owned()
    } else {
        let mut mime = String::new();
        if let Ok(entry) = archive.by_name("mimetype") {
            // If the entry is unreadable the name stays empty, and the file counts as a plain ZIP archive.
            let _ = entry.take(100).read_to_string(&mut mime);
        }
        match mime.trim() {
            "application/vnd.oasis.opendocument.text" => "an OpenDocument text: save it as .docx or PDF".to_owned(),
            "application/epub+zip" => "an EPUB book".to_owned(),
            m if m.starts_with("application/vnd.oasis.opendocument") => "an OpenDocument file".to_owned(),
            _ => "a ZIP archive".to_owned(),
        }
    };
    Err(Unsupported::Other(name))
}

/// OLE2: stream names in the directory are UTF-16.
fn compound_file(bytes: &[u8]) -> Unsupported {
    let has = |name: &str| find(bytes, &name.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()).is_some();
    if has("EncryptedPackage") {
        Unsupported::EncryptedOffice
    } else if has("WordDocument") {
        Unsupported::LegacyWord
    } else if has("Workbook") {
        Unsupported::Other("an Excel workbook in the old .xls format".to_owned())
    } else {
        Unsupported::Other("an old Office file".to_owned())
    }
}

fn is_text(sample: &[u8]) -> bool {
    let text = decode(complete(sample), None);
    // Padding and the end-of-file mark of old systems.
    let text = text.trim_end_matches(['\0', '\u{1a}']);
    // Printer and terminal control characters are common in text files; see `decode::tidy`.
    let odd = |c: &char| {
        (c.is_control()
            && !matches!(c, '\n' | '\r' | '\t' | '\u{8}' | '\u{b}' | '\u{c}' | '\u{1b}' | '\u{7f}' | '\u{85}'))
            || *c == '\u{fffd}'
    };
    let (all, odd) = (text.chars().count(), text.chars().filter(odd).count());
    // A few stray control characters are acceptable in a text; more mean a binary file, as do a few after a known
    // signature.
    all > 0 && odd <= 3 + all / 50 && (odd <= 3 || infer::get(sample).is_none())
}

/// The sample without a character that its end cuts.
fn complete(sample: &[u8]) -> &[u8] {
    match std::str::from_utf8(sample) {
        Err(error) if error.error_len().is_none() => &sample[..error.valid_up_to()],
        _ => sample,
    }
}

fn binary_name(sample: &[u8]) -> String {
    match infer::get(sample) {
        Some(kind) => {
            let (extension, mime) = (kind.extension().to_uppercase(), kind.mime_type());
            match kind.matcher_type() {
                infer::MatcherType::Image => format!("an image ({extension})"),
                infer::MatcherType::Audio => format!("an audio file ({extension})"),
                infer::MatcherType::Video => format!("a video ({extension})"),
                infer::MatcherType::Archive => format!("an archive ({extension})"),
                _ => format!("a file of type {mime}"),
            }
        }
        None => "a binary file".to_owned(),
    }
}

/// Single-file XML office documents, whose tags would otherwise be read as words.
fn other_markup(text: &str) -> Option<&'static str> {
    let start = text.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']);
    let start = &start[..start.floor_char_boundary(2000)];
    let is_xml =
        start.starts_with("<?xml") || start.starts_with("<w:wordDocument") || start.starts_with("<pkg:package");
    if !is_xml {
        None
    } else if ["<?mso-application", "<w:wordDocument", "<pkg:package"].iter().any(|sign| start.contains(sign)) {
        Some("an Office document in an XML format: save it as .docx or PDF")
    } else if start.contains("<office:document") {
        Some("an OpenDocument file in the flat XML format: save it as .docx or PDF")
    } else {
        None
    }
}

/// A known extension wins: a wrong guess would change the text (`<package>`, `__name__`).
fn text_kind(text: &str, sample: &[u8], filename: &str) -> Kind {
    let extension = extension(filename);
    let start = skip_prologue(text).get(..200).unwrap_or(skip_prologue(text)).to_ascii_lowercase();
    let is_page = ["<!doctype html", "<html", "<head", "<body"].iter().any(|tag| start.starts_with(tag));
    match extension.as_deref() {
        Some("md" | "markdown" | "mdown" | "mkd" | "mkdn" | "mdx" | "qmd" | "rmd") => return Kind::Markdown,
        Some("csv" | "tsv" | "tab" | "psv") => return Kind::Csv,
        Some(extension) if CODE.split(' ').any(|known| known == extension) => return Kind::Code,
        // The plain text reader detects mail by the same sign.
        _ if is_mail(sample) => return Kind::Text,
        // Without any tag, it is text structured by its lines.
        Some("html" | "htm" | "xhtml" | "xht" | "shtml") if is_page || has_html_tag(text) => {
            return Kind::Html;
        }
        _ if is_code_name(filename) || text.starts_with("#!") => return Kind::Code,
        _ => {}
    }
    if is_page {
        return Kind::Html;
    }
    let signs = markdown_signs(text);
    // An HTML fragment; a README often starts with a few tags, too.
    let fragment = [
        "<div",
        "<p>",
        "<p ",
        "<h1",
        "<h2",
        "<h3",
        "<h4",
        "<table",
        "<article",
        "<section",
        "<main",
        "<ul",
        "<ol",
        "<dl",
        "<blockquote",
        "<meta",
        "<title",
    ];
    if fragment.iter().any(|tag| start.starts_with(tag)) && signs == 0 {
        return Kind::Html;
    }
    match extension.as_deref() {
        // The extension contradicts the content, so ignore it.
        None => {}
        Some(extension) if NO_TEXT.split(' ').any(|known| known == extension) => {}
        Some(_) => return Kind::Text,
    }
    if signs >= 2 { Kind::Markdown } else { Kind::Text }
}

/// Elements that indicate a web page; a text may well mention `<region>`.
fn has_html_tag(text: &str) -> bool {
    let names = "p div span h1 h2 h3 h4 h5 h6 ul ol li dl dt dd table tr td th tbody thead a b i em strong u br hr img \
        pre code blockquote section article main header footer nav aside form input button label select details summary \
        figure font center small sup sub style script title meta link";
    text.split('<').skip(1).any(|rest| {
        let name = rest.strip_prefix('/').unwrap_or(rest);
        let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
        let (name, after) = name.split_at(end);
        after.starts_with(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))
            && rest.contains('>')
            && names.split_whitespace().any(|known| known.eq_ignore_ascii_case(name))
    })
}

/// Extensions of formats whose lines are kept as they are.
const CODE: &str = "yaml yml json jsonl ndjson json5 jsonc geojson ipynb toml ini cfg conf config cnf env properties editorconfig \
    reg inf desktop service unit timer socket plist xml xsd xsl xslt svg rss atom wsdl kml gpx dtd py pyi pyw sh \
    bash zsh fish ksh bat cmd ps1 psm1 sql ddl rs js mjs cjs ts mts cts jsx tsx vue svelte astro css scss sass \
    less c h cc cpp cxx hpp hh cs java kt kts scala groovy gradle go rb php pl pm lua r jl swift m mm dart ex exs \
    erl hrl hs ml mli fs fsx clj cljs lisp el scm vb vbs bas pas f f90 asm s v sv vhd vhdl tf tfvars hcl nix proto \
    thrift graphql gql prisma cmake mk mak dockerfile log out err tex ltx sty bib cls adoc asciidoc diff patch ics \
    vcf ldif rules awk sed j2 jinja tmpl tpl ejs hbs mustache erb po pot srt vtt plantuml puml mmd dot gv lock sum \
    mod bicep zig nim sol rst rest pod org textile wiki mediawiki ftl strings csproj sln http";

/// Extensions of non-text formats: the kind of a text with such a name is guessed.
const NO_TEXT: &str =
    "pdf docx doc odt rtf png jpg jpeg gif webp bmp tif tiff zip gz xlsx xls pptx ppt bin exe dat tmp bak html htm";

/// In lower case; `None` for a name such as "Minutes v1.2" or "Dr. Smith".
fn extension(filename: &str) -> Option<String> {
    let (_, extension) = filename.rsplit_once('.')?;
    let plausible = (1..=12).contains(&extension.len())
        && extension.chars().all(|c| c.is_ascii_alphanumeric())
        && !extension.bytes().all(|b| b.is_ascii_digit());
    plausible.then(|| extension.to_ascii_lowercase())
}

/// Well-known file names without an extension.
fn is_code_name(filename: &str) -> bool {
    let name = filename.to_ascii_lowercase();
    let names =
        ["makefile", "gnumakefile", "dockerfile", "containerfile", "jenkinsfile", "vagrantfile", "gemfile", "rakefile"];
    let more = [
        "procfile",
        "caddyfile",
        "justfile",
        "crontab",
        "hosts",
        "fstab",
        "sshd_config",
        "cmakelists.txt",
        "requirements.txt",
    ];
    names.contains(&name.as_str())
        || more.contains(&name.as_str())
        || names.iter().any(|known| name.starts_with(&format!("{known}.")))
        || (name.starts_with('.') && (name.ends_with("rc") || name.ends_with("ignore") || name.starts_with(".env")))
}

/// Skips white space, the XML declaration and comments.
fn skip_prologue(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let end = if rest.starts_with("<?xml") {
            rest.find("?>").map(|at| at + 2)
        } else if rest.starts_with("<!--") {
            rest.find("-->").map(|at| at + 3)
        } else {
            None
        };
        match end {
            Some(end) => rest = rest[end..].trim_start(),
            None => return rest,
        }
    }
}

/// Number of different Markdown constructs in the text. A single one may be a coincidence: `# comment`.
fn markdown_signs(text: &str) -> usize {
    let line = |test: fn(&str) -> bool| usize::from(text.lines().any(test));
    line(|l| {
        l.starts_with('#')
            && l.trim_start_matches('#').starts_with(' ')
            && l.split(' ').next().is_some_and(|h| h.len() <= 6)
    }) + line(|l| l.trim_start().starts_with("```"))
        + line(|l| l.contains("|--") || l.contains("| --") || l.contains("|:-"))
        + line(|l| l.contains("](http") || l.contains("](/") || l.contains("](#") || l.contains("](./"))
        + line(|l| l.matches("**").count() >= 2)
        + line(|l| l.starts_with("- ") || l.starts_with("* ") || l.starts_with("> "))
}
