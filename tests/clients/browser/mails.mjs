// Every built-in mail as its recipient sees it: light and dark (as the system prefers), on a desk and on a phone, in English and Russian, without
// images, with the built-in look and with one of an organisation. Each text must be readable on what is behind it, no page wider than its
// window, no link without words or address, no picture without words for it.
import assert from "node:assert/strict";
import { browser, shoot, step, url } from "./harness.mjs";

const looks = [
  { name: "light", width: 900, theme: "light" },
  { name: "dark", width: 900, theme: "dark" },
  { name: "phone", width: 360, theme: "light" },
  { name: "phone-dark", width: 360, theme: "dark" },
];
const languages = ["en", "ru"];
// A colour that nothing white can be read on, and a logo that no mail program here loads.
const branding = { name: "Harbour", color: "#ffe600", logo_url: "https://logo.example/harbour.png", footer: "Harbour Ltd\n1 Quay" };

/** Asks the appliance as the signed-in person. */
const ask = (page, method, path, body) =>
  page.evaluate(async ([method, path, body]) => {
    const headers = { "content-type": "application/json", "x-csrf-token": document.querySelector('meta[name="csrf"]').content };
    const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    return { status: answer.status, text: await answer.text() };
  }, [method, path, body]);

/** What is wrong with the document as it is shown, one line each; runs in the browser. */
function faults({ theme, lang }) {
  const wrong = [];
  const said = (element) => `<${element.localName}> ${JSON.stringify((element.textContent || element.alt || "").trim().slice(0, 60))}`;
  const channels = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (color) => {
    const [red, green, blue] = color.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const over = ([red, green, blue, alpha = 1], below) => [red, green, blue].map((value, n) => value * alpha + below[n] * (1 - alpha));
  /** What is behind an element: the backgrounds of it and of those around it, down to the canvas. */
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const layer = channels(getComputedStyle(at).backgroundColor);
      if (layer.length && (layer[3] ?? 1) > 0) layers.push(layer);
      if ((layer[3] ?? 1) === 1) break;
    }
    return layers.reduceRight((below, layer) => over(layer, below), theme === "dark" ? [18, 18, 18] : [255, 255, 255]);
  };
  const isShown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && element.getBoundingClientRect().width > 0;
  const check = (element) => {
    const style = getComputedStyle(element);
    const background = behind(element);
    const [one, other] = [luminance(over(channels(style.color), background)), luminance(background)];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    // WCAG 2.2, level AA.
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (contrast < least) wrong.push(`${said(element)}: contrast ${contrast.toFixed(2)} (${style.color} on rgb(${background.map(Math.round)}))`);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const checked = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (walker.currentNode.data.trim() && !checked.has(element) && isShown(element)) {
      checked.add(element);
      check(element);
    }
  }
  if (checked.size < 3) wrong.push(`only ${checked.size} texts are shown`);
  for (const image of document.images) {
    if (!image.alt.trim()) wrong.push(`a picture without words for it: ${image.src}`);
    // Its words stand where it was not loaded.
    else check(image);
  }
  for (const link of document.querySelectorAll("a")) {
    const words = link.textContent.trim() || [...link.querySelectorAll("img")].map((image) => image.alt).join("").trim();
    if (!words) wrong.push(`a link without words: ${link.getAttribute("href")}`);
    if (!/^(https?:\/\/[^/\s]+|mailto:[^\s]+@|tel:\+?\d)/.test(link.getAttribute("href") ?? "")) wrong.push(`${said(link)}: a link to ${link.getAttribute("href")}`);
  }
  const tooWide = document.documentElement.scrollWidth - innerWidth;
  if (tooWide > 0) wrong.push(`${tooWide} px wider than the window`);
  if (document.documentElement.lang !== lang) wrong.push(`its language is ${document.documentElement.lang}`);
  if (/[а-яё]/i.test(document.body.innerText) !== (lang === "ru")) wrong.push("it is in another language");
  const ground = luminance(behind(document.body));
  if (theme === "dark" ? ground > 0.1 : ground < 0.8) wrong.push(`its background is not ${theme}`);
  return wrong;
}

/** A page that loads nothing from anywhere, as a mail program that blocks images. */
async function reader({ width, theme }) {
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: theme, locale: "en-GB" });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  await page.route("**/*", (route) => route.abort());
  return page;
}

/** Every mail in every language and look. */
async function judge(mails, what, pictured) {
  for (const look of looks) {
    const page = await reader(look);
    await step(page, `every built-in mail, ${what}, ${look.name}`, async () => {
      const wrong = [];
      for (const { name, lang, html } of mails) {
        await page.setContent(html, { waitUntil: "domcontentloaded" });
        wrong.push(...(await page.evaluate(faults, { theme: look.theme, lang })).map((fault) => `${name} (${lang}): ${fault}`));
        if (pictured) await shoot(page, `mails-${name}-${lang}-${look.name}`);
      }
      assert.deepEqual(wrong, []);
    });
    await page.context().close();
  }
}

/** As the preview of the console gives them. */
async function previews(page) {
  const listed = await ask(page, "GET", "/api/v1/mail/templates");
  const names = JSON.parse(listed.text).data.map(({ name }) => name);
  assert.ok(names.length >= 12, `there are only ${names}`);
  const mails = [];
  for (const name of names) {
    for (const lang of languages) {
      const { status, text } = await ask(page, "GET", `/settings/mail/templates/${name}/${lang}/html`);
      assert.equal(status, 200, `${name} (${lang}): ${text}`);
      mails.push({ name, lang, html: text });
    }
  }
  return mails;
}

export async function everyMail(page) {
  const blank = await reader(looks[0]);
  await step(blank, "faults of a mail are seen", async () => {
    const bad = (body) => `<!doctype html><html lang="en"><body style="background: #fff"><p>One</p><p>Two</p><p>Three</p>${body}</body></html>`;
    for (const [body, fault] of [
      ['<p style="color: #aaa">pale</p>', /contrast 2\.3/],
      ['<div style="background: #ffe600"><b style="color: #fff">yellow</b></div>', /contrast 1\./],
      ['<p style="color: rgba(0, 0, 0, 0.3)">faint</p>', /contrast/],
      ['<a href="https://example.com/"></a>', /link without words/],
      ['<a href="">Open</a>', /a link to/],
      ['<a href="/relative">Open</a>', /a link to/],
      ['<img src="https://example.com/a.png" alt="">', /picture without words/],
      ['<div style="width: 2000px">wide</div>', /px wider/],
      ["<p>Привет</p>", /another language/],
    ]) {
      await blank.setContent(bad(body));
      const found = await blank.evaluate(faults, { theme: "light", lang: "en" });
      assert.ok(found.some((text) => fault.test(text)), `${body}: ${found}`);
      assert.equal(found.length, 1, `${body}: ${found}`);
    }
    await blank.setContent(bad(""));
    assert.deepEqual(await blank.evaluate(faults, { theme: "light", lang: "en" }), []);
    assert.match((await blank.evaluate(faults, { theme: "dark", lang: "ru" })).join(), /language.*not dark/);
  });
  await blank.context().close();

  await page.goto(`${url}/settings/mail`);
  await judge(await previews(page), "built-in look", true);
  const set = await ask(page, "PUT", "/api/v1/mail/branding", branding);
  assert.equal(set.status, 200, set.text);
  const branded = await previews(page);
  assert.ok(branded.every(({ html }) => html.includes(branding.logo_url)), "the logo is not in each mail");
  await judge(branded, "an organisation's look, images blocked", false);
  const reset = await ask(page, "PUT", "/api/v1/mail/branding", {});
  assert.equal(reset.status, 200, reset.text);
}
