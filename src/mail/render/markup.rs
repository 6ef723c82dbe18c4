//! The HTML that a template may contain. Scripts, forms, frames and handlers have no place in a mail: mail programs ignore them, and spam filters
//! do not. What is accepted here is a part of HTML that every parser reads in the same way: known elements, all closed in order, attributes
//! in quotation marks and without `<`. So nothing of a template can break out of the layout around it.

use super::secret;

/// Elements that a template may use.
const ELEMENTS: &str = "a abbr b blockquote br caption center code col colgroup dd div dl dt em font h1 h2 h3 h4 hr i img li ol p pre s small \
    span strong sub sup table tbody td tfoot th thead tr tt u ul wbr";
/// Those whose content is shown in the line with what is before them.
const WITHIN_LINE: &str = "a abbr b code em font i img s small span strong sub sup tt u wbr";
/// Those without an end tag.
const VOID: &str = "br col hr img wbr";
/// Attributes that hold an address.
const ADDRESSES: &str = "href src background cite longdesc usemap";
/// Attributes that do something.
const NO_ATTRIBUTES: &str = "action formaction ping srcdoc srcset";
const SCHEMES: [&str; 4] = ["https://", "http://", "mailto:", "tel:"];

/// `Err` says what is not accepted, and what to do.
pub fn check(html: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if rest.starts_with('!') {
            return Err("write comments as {# .. #}: HTML comments are sent to the recipients".to_owned());
        }
        let end = tag_end(rest).ok_or_else(|| format!("`<{}` has no end; write &lt; for the character", head(rest)))?;
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            close(&mut open, name.trim_ascii_end())?;
            continue;
        }
        let (name, attributes) = word(tag);
        if !listed(ELEMENTS, name) {
            return Err(format!("`<{}>` cannot be used in a mail", head(tag)));
        }
        check_attributes(attributes)?;
        if !listed(VOID, name) {
            open.push(name);
        }
    }
    match open.last() {
        Some(name) => Err(format!("`<{name}>` is not closed")),
        None => Ok(()),
    }
}

fn close<'a>(open: &mut Vec<&'a str>, name: &'a str) -> Result<(), String> {
    match open.pop() {
        Some(last) if last.eq_ignore_ascii_case(name) => Ok(()),
        Some(last) => Err(format!("`</{}>` stands where `</{last}>` is expected", head(name))),
        None => Err(format!("`</{}>` closes nothing", head(name))),
    }
}

/// Position of the `>` that ends the tag: not one within quotation marks. `tag` begins behind the `<`.
pub fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    tag.char_indices().find_map(|(at, c)| match quote {
        Some(mark) => {
            if c == mark {
                quote = None;
            }
            None
        }
        None if c == '>' => Some(at),
        None => {
            if c == '"' || c == '\'' {
                quote = Some(c);
            }
            None
        }
    })
}

/// Whether a tag begins or ends an element that is shown in the line with what is before it.
pub fn is_within_line(tag: &str) -> bool {
    listed(WITHIN_LINE, word(tag.trim_start_matches('/')).0)
}

fn check_attributes(mut rest: &str) -> Result<(), String> {
    loop {
        let next = rest.trim_ascii_start();
        if next.is_empty() || next == "/" {
            return Ok(());
        }
        let (name, after) = word(next);
        if name.is_empty() || next.len() == rest.len() {
            return Err(format!("`{}` is not an attribute such as style=\"..\"", head(next)));
        }
        rest = after;
        let mut value = "";
        if let Some(quoted) = after.strip_prefix('=') {
            let mark = quoted.chars().next().filter(|c| matches!(c, '"' | '\''));
            let inner = mark.and_then(|mark| quoted[1..].split_once(mark));
            let Some((inside, behind)) = inner else {
                return Err(format!("the value of `{name}` needs quotation marks"));
            };
            (value, rest) = (inside, behind);
        }
        check_attribute(name, value)?;
    }
}

fn check_attribute(name: &str, value: &str) -> Result<(), String> {
    let handler = name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("on"));
    if handler || listed(NO_ATTRIBUTES, name) {
        return Err(format!("the attribute `{name}` cannot be used in a mail"));
    }
    // Also because styles are written into everything that looks like a tag.
    if value.contains('<') {
        return Err(format!("`{name}` contains `<`; write &lt; for the character"));
    }
    if secret::is_misplaced(name, value) {
        return Err(format!("`url` opens an account: it stands alone in `href`, not in `{name}`"));
    }
    let begins = |scheme: &&str| value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    if listed(ADDRESSES, name) && !SCHEMES.iter().any(begins) {
        return Err(format!(
            "`{name}=\"{}\"`: an address begins with {}; a field that may be empty needs {{% if %}}",
            head(value),
            SCHEMES.join(", ")
        ));
    }
    Ok(())
}

/// The name that `text` begins with, and what follows it.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(text.len()))
}

fn listed(names: &str, name: &str) -> bool {
    names.split(' ').any(|known| known.eq_ignore_ascii_case(name))
}

/// The beginning, for a message.
fn head(text: &str) -> String {
    text.chars().take_while(|c| !c.is_control()).take(30).collect()
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn harmless_markup_passes() {
        for html in [
            "",
            "plain &lt; text > more",
            "<p>a<br>b<br/>c</p>",
            "<P Class='x' style=\"color: red\">A</p >",
            "<table><tr><td width=\"10\" nowrap>1</td></tr></table>",
            "<a href=\"https://example.org/?a=1&amp;b=>\">x</a><a href='MAILTO:a@b.c'>y</a>",
            "<img src=\"https://example.org/a.png\" alt=\"\">",
        ] {
            assert_eq!(check(html), Ok(()), "{html}");
        }
    }

    #[test]
    fn what_could_do_something_is_refused() {
        for (html, what) in [
            ("<script>x</script>", "`<script>` cannot be used"),
            ("<SCRIPT src=//x>", "`<SCRIPT src=//x>` cannot be used"),
            ("<form action='https://x'></form>", "cannot be used"),
            ("<iframe></iframe>", "cannot be used"),
            ("<style>p{}</style>", "cannot be used"),
            ("<svg/onload=alert(1)>", "cannot be used"),
            ("< script>", "cannot be used"),
            ("<p onclick=\"x\">a</p>", "attribute `onclick`"),
            ("<p ONCLICK='x'>a</p>", "attribute `ONCLICK`"),
            ("<p\nonclick='x'>a</p>", "attribute `onclick`"),
            ("<p/onclick='x'>a</p>", "is not an attribute"),
            ("<p style=\"a\"onclick=\"b\">a</p>", "is not an attribute"),
            ("<p style=a>b</p>", "needs quotation marks"),
            ("<p style=\"a>b</p>", "has no end"),
            ("<a href=\"javascript:alert(1)\">x</a>", "an address begins with"),
            ("<a href=\" javascript:alert(1)\">x</a>", "an address begins with"),
            ("<a href=\"&#106;avascript:alert(1)\">x</a>", "an address begins with"),
            ("<a href=\"\">x</a>", "an address begins with"),
            ("<img src=\"data:image/png;base64,AA\">", "an address begins with"),
            ("<img alt=\"<p>\" src=\"https://example.org\">", "`alt` contains `<`"),
            ("<p title='a<b'>x</p>", "`title` contains `<`"),
            ("<!-- x -->", "write comments as"),
            ("<!doctype html>", "write comments as"),
            ("a < b", "has no end"),
        ] {
            let refused = check(html).expect_err(html);
            assert!(refused.contains(what), "{html}: {refused}");
        }
    }

    #[test]
    fn nothing_breaks_out_of_the_layout() {
        for (html, what) in [
            ("<p>a", "`<p>` is not closed"),
            ("</td></tr></table>", "`</td>` closes nothing"),
            ("<b><i>a</b></i>", "`</b>` stands where `</i>` is expected"),
            ("<br></br>", "`</br>` closes nothing"),
        ] {
            assert_eq!(check(html), Err(what.to_owned()), "{html}");
        }
    }
}
