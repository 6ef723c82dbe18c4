use super::*;

#[test]
fn html_fragments_are_read() {
    for (html, expected) in [
        ("<tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr>", "a | b\nc | d"),
        ("<td>a</td><td>b</td>", "a | b"),
        ("<thead><tr><th>a<th>b</thead><tbody><tr><td>1<td>2</tbody>", "a | b\n1 | 2"),
        ("text only", "text only"),
        ("</div></p><b>open", "open"),
        ("<p>a<p>b", "a\n\nb"),
    ] {
        assert_eq!(text(html), expected, "{html}");
    }
}

#[test]
fn self_closed_xhtml_elements_are_empty() {
    let start = "<?xml version='1.0' encoding='utf-8'?><!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN' 'x'><html xmlns='http://www.w3.org/1999/xhtml'>";
    for (body, expected) in [
        ("<head><title/><script src='a.js'/><style/></head><body><p>text</p></body>", "text"),
        ("<body><div/><a name='x'/><p>one</p><p/>two<textarea/>three</body>", "one\n\ntwothree"),
        ("<body><h1/><p>plain</p></body>", "plain"),
        ("<body><ul><li/><li>a</li></ul><i class='x' title=\"a > b\"/><p>z</p></body>", "- \n- a\n\nz"),
        ("<body><p><![CDATA[a < b & c]]></p><p>x<br/>y<hr/>z</p></body>", "a < b & c\n\nx y\n\nz"),
        ("<body><table><tr><td/><td>b</td></tr></table></body>", "| b"),
    ] {
        let document = page(&format!("{start}{body}</html>"));
        assert_eq!(document.text, expected.replace("- \n", "-\n"), "{body}");
    }
    // Detected by declaration, doctype or namespace alone.
    for start in ["<?xml version='1.0'?><html>", "<html xmlns='http://www.w3.org/1999/xhtml'>"] {
        assert_eq!(text(&format!("{start}<head><title/></head><body>text</body></html>")), "text", "{start}");
    }
    let prefixed = "<h:html xmlns:h='http://www.w3.org/1999/xhtml'><h:body><h:p>a</h:p><h:p>b</h:p></h:body></h:html>";
    assert_eq!(text(prefixed), "a\n\nb");
    let entities = "<?xml version='1.0'?><!DOCTYPE html [<!ENTITY co \"ACME Ltd\">]><html><body><p>&co; &eacute;</p></body></html>";
    assert_eq!(text(entities), "ACME Ltd é");
}

#[test]
fn an_empty_script_does_not_swallow_the_page() {
    assert_eq!(text("<html><head><script src=a.js /></head><body><p>text</p></body></html>"), "text");
    assert_eq!(text("<title/><p>text</p>"), "text");
    // In HTML, the slash is ignored if there is an end tag.
    assert_eq!(text("<script/>let x</script><p>text</p>"), "text");
}

#[test]
fn too_many_attributes_are_rejected_before_parsing() {
    let element = |count: usize, before: &str| {
        let attributes: String = (0..count).map(|n| format!("{before}a{n}=\"> {n}\"")).collect();
        format!("<html><body><p{attributes}>Words</p></body></html>")
    };
    assert_eq!(text(&element(400, " ")), "Words");
    for html in
        [element(600, " "), element(600, "/"), element(200_000, "\n"), "<p>x</p ".to_owned() + &"b c ".repeat(300)]
    {
        let error = super::super::extract(html.as_bytes(), Kind::Html, &Limits::default()).unwrap_err();
        assert_eq!(error.code(), "malformed");
        assert!(error.to_string().contains("more than 500 attributes"), "{error}");
    }
    // Text that only looks like a tag has no attributes.
    let words = "a b c ".repeat(300);
    for html in [
        format!("<p>Words</p><script>if (a<b {words})</script>"),
        format!("<p>Words</p><!-- <p {words} -->"),
        format!("<style>a<b {words}</style><p title='<b {words}'>Words</p>"),
        format!("<p>Words</p><textarea hidden><b {words}</textarea>"),
    ] {
        assert!(text(&html).starts_with("Words"), "{html}");
    }
}
