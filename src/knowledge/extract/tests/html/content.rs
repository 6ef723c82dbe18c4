use super::*;

/// Text outside of any declared main part is read too.
#[test]
fn a_main_element_does_not_hide_text_beside_it() {
    for (html, expected) in [
        ("<p>alpha</p><article>teaser</article>", "alpha\n\nteaser"),
        ("<main></main><div>text</div>", "text"),
        ("<main>short</main><div>long text beside it</div>", "short\n\nlong text beside it"),
        ("<div role=main>a</div><div role=main>b</div>", "a\n\nb"),
        ("<main hidden>old</main><div>text</div>", "text"),
        ("<main style='display:none'>old</main><section>text</section>", "text"),
        ("<article>one</article><article>two</article>", "one\n\ntwo"),
        ("<article><h2>Box</h2></article><table><tr><td>a<td>b</table>", "Box\n\na | b"),
        ("<main>a</main><footer>Contract No. 17 of 2026</footer>", "a\n\nContract No. 17 of 2026"),
    ] {
        assert_eq!(text(html), expected, "{html}");
    }
}

#[test]
fn menus_are_left_out_and_reported() {
    let document = page(
        "<nav><ul><li><a href=/>Home</a><li><a href=/a>About</a></ul></nav>
        <div class='main-menu'><a href=/x>Products</a> <a href=/y>Prices</a></div>
        <header><a href=/>Logo</a></header>
        <main><h1>Title</h1><p>Text</p><aside>Never open the valve.</aside><ul class=links><li><a href=/b>A link that counts</a></ul></main>
        <aside><a href=/1>Read also</a></aside><footer><a href=/i>Imprint</a> <a href=/p>Privacy</a></footer>",
    );
    assert_eq!(document.text, "Title\n\nText\n\nNever open the valve.\n\n- A link that counts (/b)");
    assert_eq!(
        left_out(&document, LeftOutKind::Navigation),
        ["Home About", "Products Prices", "Logo", "Read also", "Imprint Privacy"]
    );
    // Called a menu, but is none.
    let dishes = "<nav>Today we serve soup, then fish with potatoes. <a href=/x>More</a></nav>";
    assert_eq!(text(dishes), "Today we serve soup, then fish with potatoes. More (/x)");
    let one = "<p>Text</p><div class=menu><a href=/x>Menu of the week</a></div>";
    assert_eq!(text(one), "Text\n\nMenu of the week (/x)");
    let prices = "<p>Text</p><div class=menu><table><tr><td><a href=/a>Soup</a><td><a href=/b>4.50</a></table></div>";
    assert_eq!(text(prices), "Text\n\nSoup (/a) | 4.50 (/b)");
    // A page with only links.
    assert_eq!(text("<nav><a href=/a>One</a><a href=/b>Two</a></nav>"), "One Two");
}

#[test]
fn cookie_banners_are_left_out_and_texts_about_cookies_are_not() {
    let document = page("<div id=cookie-banner role=dialog>We use cookies. <button>Accept</button></div><p>Text</p>");
    assert_eq!(document.text, "Text");
    assert_eq!(left_out(&document, LeftOutKind::Navigation), ["We use cookies. Accept"]);
    let policy = "<main><div class=cookie-policy><h1>Cookie policy</h1><p>We keep cookies for a day.</p></div></main>";
    assert_eq!(text(policy), "Cookie policy\n\nWe keep cookies for a day.");
    assert_eq!(text("<div class=recipe-cookies><p>Bake the cookies.</p></div>"), "Bake the cookies.");
}

#[test]
fn scripts_and_hidden_text_are_left_out_and_reported() {
    let document = page(
        "<style>.a{}</style><script>let x = 'secret';</script><p>Shown</p><p hidden>one</p><p style='DISPLAY : none'>two</p>
        <div style='visibility:hidden'>three</div><template><p>four</p></template><input type=hidden value=five>",
    );
    assert_eq!(document.text, "Shown");
    assert_eq!(left_out(&document, LeftOutKind::Hidden), ["one", "two", "three", "four"]);
    assert_eq!(left_out(&document, LeftOutKind::Script), [".a{}", "let x = 'secret';"]);
    assert!(document.report.doubts.contains(&Doubt::HiddenText));
    // Some hidden words are normal on a web page.
    let usual = page(&format!("<p>{}</p><template>menu</template>", "word ".repeat(100)));
    assert_eq!((usual.report.hidden_characters, usual.report.doubts.as_slice()), (4, [].as_slice()));
}

/// Text that a click opens is visible to the reader.
#[test]
fn accordions_tabs_and_dialogs_are_read() {
    for html in [
        "<details><summary>Question</summary><p>Answer</p></details>",
        "<button aria-controls=p1 aria-expanded=false>Question</button><div id=p1 hidden>Answer</div>",
        "<a data-toggle=collapse href='#c1'>Question</a><div id=c1 class=collapse style='display:none'>Answer</div>",
        "<h3><button>Question</button></h3><div class='accordion-body' aria-hidden=true style='display:none'>Answer</div>",
        "<p>Question</p><div hidden=until-found>Answer</div>",
        "<ul><li role=tab><a href='#t'>Question</a></ul><div id=t role=tabpanel hidden>Answer</div>",
        "<p>Question</p><dialog>Answer</dialog>",
        "<p>Question</p><dialog open>Answer</dialog>",
        "<p>Question</p><div aria-hidden=true><p>Answer</p></div>",
        "<p>Question</p><div popover id=x>Answer</div>",
    ] {
        let text = text(html);
        assert!(text.contains("Question") && text.contains("Answer"), "{html}: {text}");
        assert!(!text.contains("QuestionAnswer"), "{html}: {text}");
    }
}

#[test]
fn an_article_keeps_its_own_header_footer_and_call_outs() {
    let html = "<article><header><p>By <a href=/ann>Ann Smith</a></p></header><h1>Title</h1><p>Text</p>
        <aside class=note><a href=/safety>Safety first</a></aside><div class='admonition warning'><p>Warning</p><p>Hot</p></div>
        <footer>Filed under <a href=/t>Pumps</a></footer></article>";
    assert_eq!(text(html), "By Ann Smith\n\nTitle\n\nText\n\nSafety first\n\nWarning\n\nHot\n\nFiled under Pumps (/t)");
}

#[test]
fn noscript_is_read_if_there_is_no_other_text() {
    assert_eq!(text("<div id=root></div><noscript><p>The whole text</p></noscript>"), "The whole text");
    let document = page("<p>Text</p><noscript>Turn on scripts</noscript>");
    assert_eq!(document.text, "Text");
    assert_eq!(left_out(&document, LeftOutKind::Script), ["Turn on scripts"]);
    assert_eq!(text("<frameset><frame src=a><noframes><p>No frames</p></noframes></frameset>"), "No frames");
}

#[test]
fn pages_within_the_page_are_read() {
    assert_eq!(
        text("<p>a</p><iframe srcdoc='<p>inner &amp;amp; more</p>'></iframe><p>b</p>"),
        "a\n\ninner & more\n\nb"
    );
    let shadow = "<x-card><template shadowrootmode=open><h2>Card</h2><slot></slot></template><p>Light</p></x-card>";
    assert_eq!(text(shadow), "Card\n\nLight");
}

/// An address that is only visible on a click is part of the page's content, except in menus.
#[test]
fn link_destinations_are_searchable() {
    for (html, expected) in [
        (
            "<p>See <a href='https://example.com/orders/91319'>the order</a>.</p>",
            "See the order (https://example.com/orders/91319).",
        ),
        ("<p>Write to <a href='mailto:ann@example.com'>Ann</a> now</p>", "Write to Ann (ann@example.com) now"),
        ("<p><a href='tel:+49301234'>Call</a></p>", "Call (+49301234)"),
        ("<p><a href='files/form-7.pdf'>The form</a></p>", "The form (files/form-7.pdf)"),
        (
            "<ul><li><a href='https://a.example/x'>One</a><li><a href='https://a.example/y'>Two</a></ul>",
            "- One (https://a.example/x)\n- Two (https://a.example/y)",
        ),
        (
            "<table><tr><th>Part<th>Sheet<tr><td>A1<td><a href='/a1.pdf'>Open</a></table>",
            "Part | Sheet\nA1 | Open (/a1.pdf)",
        ),
        // After a heading and after superscript.
        ("<h2><a href='https://a.example/x'>Title</a></h2><p>Text</p>", "Title\n\nTitle (https://a.example/x)\n\nText"),
        ("<p>So it is<sup><a href='https://a.example/s'>1</a></sup>.</p>", "So it is^1 (https://a.example/s)."),
        // Written once; and not if the text already contains it, nor for anchors, scripts, or code.
        (
            "<p><a href='https://a.example/x'>One</a> <a href='https://a.example/x'>more</a></p>",
            "One (https://a.example/x) more",
        ),
        (
            "<p><a href='https://a.example/'>a.example</a>, <a href='/wiki/New_York'>New York</a></p>",
            "a.example, New York",
        ),
        ("<p><a href='#top'>Up</a> <a href='javascript:go()'>Go</a> <a>None</a></p>", "Up Go None"),
        ("<pre>x = <a href='/api/y'>y</a>()</pre>", "x = y()"),
    ] {
        assert_eq!(text(html), expected, "{html}");
    }
}

/// A price that is no longer valid is not the price.
#[test]
fn struck_text_stays_marked() {
    for html in [
        "<p>Price: <s>100</s> 90</p>",
        "<p>Price: <del>100</del> 90</p>",
        "<p>Price: <strike>100</strike> 90</p>",
        "<p>Price: <span style='text-decoration: line-through'>100</span> 90</p>",
        "<p>Price: <span style='text-decoration-line:line-through'>100 </span>90</p>",
    ] {
        assert_eq!(text(html), "Price: ~~100~~ 90", "{html}");
    }
    assert_eq!(text("<del><p>Gone</p><p>too</p></del>"), "~~Gone~~\n\n~~too~~");
}
