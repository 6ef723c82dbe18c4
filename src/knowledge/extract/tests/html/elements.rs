use super::*;

#[test]
fn code_and_tables_within_lists_are_blocks() {
    let document = page("<ul><li>Do<pre>mkdir foo\ncd foo</pre>then<li>Next</ul>");
    assert_eq!(document.text, "- Do\n\nmkdir foo\ncd foo\n\nthen\n- Next");
    assert_eq!(block_with(&document, "mkdir").kind, BlockKind::Code);
    let document = page("<ol><li>Read<table><tr><th>a<th>b<tr><td>1<td>2</table><li>Go</ol>");
    assert_eq!(document.text, "1. Read\n\na | b\n1 | 2\n\n2. Go");
    assert_eq!(block_with(&document, "1 | 2").kind, BlockKind::Table);
    for (html, expected) in [
        ("<ul><li>a<blockquote>b</blockquote>c</ul>", "- a b c"),
        ("<ul><li><p>a</p><p>b</p></ul>", "- a b"),
        ("<ul><li><dl><dt>t<dd>d</dl></ul>", "- t d"),
        ("<ul><li><div>a</div><div>b</div><ul><li>c</ul>d</ul>", "- a b\n  - c d"),
        ("<ol start=3><li>a<li value=7>b<li>c</ol>", "3. a\n7. b\n8. c"),
        ("<ul><li><h3>Head</h3><p>text</p></ul>", "Head\n\ntext"),
        ("<li>alone</li><li>too</li>", "alone\n\ntoo"),
    ] {
        assert_eq!(text(html), expected, "{html}");
    }
}

#[test]
fn words_in_headings_and_titles_stay_separate() {
    let document = page("<title>A\n page</title><h1><span>One</span><br><div>Two</div><div>Three</div></h1><p>x</p>");
    assert_eq!(document.title.as_deref(), Some("A page"));
    assert_eq!(blocks(&document, BlockKind::Heading), ["One Two Three"]);
    let document = page("<svg><title>Icon</title></svg><h1>Real</h1>");
    assert_eq!(document.title.as_deref(), Some("Real"));
}

#[test]
fn fields_of_forms_show_their_values() {
    let document = page(
        "<form><label>Name <input value='Ann Smith'></label><label>Colour <select><option>red<option selected>green</select></label>
        <textarea>Two\nlines</textarea><label><input type=checkbox checked>Agreed</label><input type=checkbox> Sent
        <select><option>first<option>second</select><input type=password value=secret></form>",
    );
    assert_eq!(document.text, "Name Ann Smith Colour green Two lines [x] Agreed [ ] Sent first");
    assert_eq!(document.report.form_fields, 4);
    assert_eq!(left_out(&document, LeftOutKind::Navigation), ["red", "second"]);
}

#[test]
fn images_have_alternative_text_or_are_counted() {
    let document = page(
        "<p>See<img src=a alt='the plan'>here</p><img src=b alt=''><img src=c><img data-src=d title='A pump'>
        <figure><img src=e><figcaption>Figure 1</figcaption></figure><svg><title>Flow</title><text>12 bar</text></svg>",
    );
    assert_eq!(document.text, "See the plan here\n\nA pump\n\nFigure 1\n\nFlow 12 bar");
    assert_eq!(document.report.images_without_text, 1);
}

#[test]
fn formulas_are_read_once() {
    for (html, expected) in [
        ("<math><mfrac><mi>a</mi><mi>b</mi></mfrac></math>", "a/b"),
        ("<math><mfrac><mrow><mi>a</mi><mo>+</mo><mn>1</mn></mrow><mn>2</mn></mfrac></math>", "(a+1)/2"),
        ("<math><msup><mi>x</mi><mn>2</mn></msup><mo>=</mo><msqrt><mi>y</mi></msqrt></math>", "x^2=sqrt(y)"),
        ("<math><mroot><mi>x</mi><mn>3</mn></mroot></math>", "root(3, x)"),
        (
            "<math><munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><mi>i</mi></math>",
            "∑_(i=1)^ni",
        ),
        ("<math><mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr></mtable></math>", "[1, 2]"),
        ("<math alttext='E=mc^2'></math>", "E=mc^2"),
        (
            "<math><semantics><mrow><mi>E</mi></mrow><annotation encoding='application/x-tex'>E = mc^2</annotation></semantics></math>",
            "E = mc^2",
        ),
        (
            "<span class=katex><span class=katex-mathml><math><semantics><mrow><mi>E</mi></mrow><annotation encoding='application/x-tex'>E=mc^2</annotation></semantics></math></span><span class=katex-html aria-hidden=true><span class=mord>E</span>=mc2</span></span>",
            "E=mc^2",
        ),
        (
            "<span class=katex><span class=katex-html aria-hidden=true><span>E=</span><span>mc2</span></span></span>",
            "E=mc2",
        ),
        (
            "<span class=MathJax_Preview></span><span class=MathJax>E=mc2</span><script type='math/tex'>E=mc^2</script>",
            "E=mc^2",
        ),
        (
            "<mjx-container><mjx-math aria-hidden=true><mjx-c></mjx-c></mjx-math><mjx-assistive-mml><math><mi>x</mi><mo>+</mo><mn>1</mn></math></mjx-assistive-mml></mjx-container>",
            "x+1",
        ),
        (
            "<span class=mwe-math-element><span class=mwe-math-mathml-inline style='display: none;'><math><semantics><mi>y</mi><annotation encoding='application/x-tex'>{\\displaystyle y}</annotation></semantics></math></span><img class=mwe-math-fallback-image alt='{\\displaystyle y}'></span>",
            "y",
        ),
    ] {
        assert_eq!(text(&format!("<p>so {html} is</p>")), format!("so {expected} is"), "{html}");
    }
    assert_eq!(text("<p>\\(x^2\\) and $$y$$</p>"), "\\(x^2\\) and $$y$$");
}

#[test]
fn inline_elements_keep_words_and_numbers_intact() {
    for (html, expected) in [
        ("10<sup>2</sup>", "10^2"),
        ("10<sup>-3</sup> m<sup>2</sup>", "10^-3 m^2"),
        ("1<sup>st</sup> and H<sub>2</sub>O", "1st and H2O"),
        ("word<sup>[1]</sup>, x<sup>n</sup>", "word[1], x^n"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>", "漢(kan)"),
        (
            "<abbr title='World Health Organization'>WHO</abbr>, <abbr title='World Health Organization'>WHO</abbr>",
            "WHO (World Health Organization), WHO",
        ),
        ("a<br>b<wbr>c&shy;d&nbsp;e&amp;f&lt;g", "a bcd e&f<g"),
        ("<a href=/a>One</a><a href=/b>Two</a>", "One (/a) Two (/b)"),
        ("<x-tab>One</x-tab><x-tab>Two</x-tab>", "One Two"),
        ("foo<b>bar</b>", "foobar"),
        ("<p>Price: <s>100</s><b>90</b></p>", "Price: ~~100~~ 90"),
        ("<i class='fa fa-x' aria-hidden=true>expand_more</i><span aria-hidden=true>4.87</span> m", "4.87 m"),
        ("<q>yes</q>", "\"yes\""),
        ("<span style='display:block'>a</span><span style='display: block'>b</span>", "a\n\nb"),
        ("<!--[if IE]>old<![endif]-->new<![if !IE]> too<![endif]>", "new too"),
        ("<xmp><b>raw</b></xmp>", "<b>raw</b>"),
        ("<listing>a\nb</listing>", "a\nb"),
        ("a<plaintext><b>", "a\n\n<b>"),
        ("<pre><div>one</div><div>two </div><div>three</div></pre>", "one\ntwo\nthree"),
        ("<object data=x.pdf>Instead</object>", "Instead"),
        ("<dl><dt>Term<dd>Meaning</dl>", "Term\n\nMeaning"),
    ] {
        assert_eq!(text(html), expected, "{html}");
    }
}
