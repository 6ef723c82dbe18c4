//! Style sheets in the page that hide, strike out or number.

use super::*;

fn styled(css: &str, body: &str) -> Extracted {
    page(&format!("<style>{css}</style><p>Seen text.</p>{body}"))
}

#[test]
fn text_hidden_by_embedded_styles_is_left_out_and_reported() {
    for (css, body) in [
        (".gone { display: none }", "<p class='note gone'>trap</p>"),
        ("/* a } */ .gone{color:red;display:none!important}", "<div class=gone><p>trap</p></div>"),
        ("#x{visibility:hidden}", "<p id=x>trap</p>"),
        ("p.a.b{display:none}", "<p class='a b'>trap</p>"),
        ("@media all{.gone{display:none}}", "<p class=gone>trap</p>"),
        (".a,.b{position:absolute;left:-9999px}", "<p class=b>trap</p>"),
        (".a{text-indent:-999em}", "<p class=a>trap</p>"),
        (".a{font-size:0}", "<p class=a>trap</p>"),
        (".a{opacity:0}", "<p class=a>trap</p>"),
        (".a{color:#FFF}", "<p>and <span class=a>trap</span></p>"),
        (".a{color:#abcdef;background:#ABCDEF}", "<p class=a>trap</p>"),
        ("", "<p style='color:white'>trap</p>"),
        ("", "<p style='color:rgb(255, 255, 255)'>trap</p>"),
        ("", "<p style='font-size:0px'>trap</p>"),
        ("", "<p style='position: absolute; top: -5000px'>trap</p>"),
    ] {
        let document = styled(css, body);
        assert!(!document.text.contains("trap"), "{css} {body}: {}", document.text);
        assert_eq!(left_out(&document, LeftOutKind::Hidden), ["trap"], "{css} {body}");
        assert_eq!(document.report.doubts, [Doubt::HiddenText], "{css} {body}");
    }
}

#[test]
fn a_page_of_hidden_text_only_says_so() {
    let error = extract(b"<p style='display:none'>trap</p>", Kind::Html, &Limits::default()).unwrap_err();
    assert!(error.code() == "no_text" && error.to_string().contains("hidden"), "{error}");
}

#[test]
fn text_visible_in_some_state_is_kept() {
    for (css, body) in [
        // Opened by a click, on a small screen or by a script, or only removed in print.
        (".tab{display:none} .tab.active{display:block}", "<p class=tab>kept</p>"),
        (".menu p{display:none} .menu:hover .sub{display:block} .sub{display:none}", "<p class=sub>kept</p>"),
        (".m{display:none} @media (max-width:600px){.m{display:block}}", "<p class=m>kept</p>"),
        ("@media print{.m{display:none}}", "<p class=m>kept</p>"),
        (".m{display:none}", "<p class=m id=more>kept</p><a onclick=\"show('more')\">x</a>"),
        (".more{display:none}", "<p class=more>kept</p><script>q('.more').show()</script>"),
        // A later rule shows it.
        (".a{display:none} .b{display:block}", "<p class='a b'>kept</p>"),
        (".a .b{display:none}", "<p class=b>kept</p>"),
        // For screen readers.
        (".sr-only{position:absolute;left:-9999px}", "<p class=sr-only>kept</p>"),
        // On a dark or unknown background.
        ("body{background:#123}", "<p style='color:white'>kept</p>"),
        (".h{background-image:url(x)}", "<div class=h><p style='color:white'>kept</p></div>"),
        ("", "<table bgcolor=black><tr><td style='color:#fff'>kept<td>b</table>"),
        ("", "<link rel=stylesheet href=a.css><p style='color:white'>kept</p>"),
        // Boxes without space between them, and pages that fade in.
        (".row{font-size:0}", "<div class=row><p style='font-size:14px'>kept</p></div>"),
        (".fade{opacity:0;transition:opacity 1s}", "<p class=fade>kept</p>"),
        ("", "<p style='opacity:0'>kept</p><script src=a.js></script>"),
        ("@font-face{font-family:x} @import 'a.css'; .a{", "<p class=a>kept</p>"),
    ] {
        assert!(styled(css, body).text.contains("kept"), "{css} {body}");
    }
}

#[test]
fn struck_paragraphs_items_and_tables_stay_marked() {
    assert_eq!(
        text("<del><p>Old rule</p><p>Old <b>fee</b></p></del><p>New rule</p>"),
        "~~Old rule~~\n\n~~Old fee~~\n\nNew rule"
    );
    assert_eq!(text("<del><ul><li>one<li>two</ul></del>"), "- ~~one~~\n- ~~two~~");
    assert_eq!(text("<ul><li><del>one</del> two<li>three</ul>"), "- ~~one~~ two\n- three");
    assert_eq!(text("<del><table><tr><td>a<td>b</table></del>"), "~~a~~ | ~~b~~");
    assert_eq!(text("<p>a <s>b<br>c</s> d</p>"), "a ~~b c~~ d");
    assert_eq!(text("<s>a<p>b</s>c</p>"), "~~a~~\n\n~~b~~ c");
}

#[test]
fn list_items_are_numbered_as_in_a_browser() {
    for (html, expected) in [
        ("<ol type=a><li>x<li>y</ol>", "a. x\nb. y"),
        ("<ol type=I start=4><li>x<li value=9>y</ol>", "IV. x\nIX. y"),
        ("<ol reversed><li>x<li>y<li>z</ol>", "3. x\n2. y\n1. z"),
        ("<ol start=-1><li>x<li>y<li>z</ol>", "-1. x\n0. y\n1. z"),
        ("<ol style='list-style-type: lower-roman'><li>x<li>y</ol>", "i. x\nii. y"),
        ("<ol style='list-style: none'><li>x</ol>", "- x"),
        ("<style>.l{list-style:upper-alpha inside}</style><ol class=l start=26><li>x<li>y</ol>", "Z. x\nAA. y"),
        ("<ol><li>x<ol type=a><li>y</ol><li>z</ol>", "1. x\n  a. y\n2. z"),
    ] {
        assert_eq!(text(html), expected, "{html}");
    }
}

#[test]
fn an_empty_field_shows_its_placeholder() {
    assert_eq!(
        text("<p><input placeholder='Contract number'> <input value=17 placeholder=x></p>"),
        "Contract number 17"
    );
    assert_eq!(text("<p>a <textarea placeholder='Your words'></textarea></p>"), "a Your words");
}

#[test]
fn many_images_empty_scripts_and_formulas_take_no_time() {
    let start = std::time::Instant::now();
    let figure = format!("<figure>{}<figcaption>x</figcaption></figure><img src=b>", "<img src=a>".repeat(20_000));
    assert_eq!(page(&figure).report.images_without_text, 1);
    assert_eq!(text(&format!("<p>a</p>{}", "<script/>".repeat(20_000))), "a");
    text(&format!("<script type=math/tex>x</script>{}", "<span class=MathJax>y</span>".repeat(10_000)));
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}
