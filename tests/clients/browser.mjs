// The main job in a real browser against a running appliance: sign in with the one-time password, choose another, make a
// knowledge base, upload real documents by button and by drop, watch them become ready, search, make an agent, ask, see
// the answer stream in with citations, open a cited passage; then every page in every look: light, dark, phone, Russian.
// Pictures go to $SCREENSHOTS.
//
// Run by scripts/test through with_appliance.py, which sets the environment. Any error in the browser's console (a broken
// script, what the content security policy refused), any dead link, and any page wider than a phone fails the run.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const url = process.env.APPLIANCE_URL;
const email = process.env.APPLIANCE_EMAIL;
const oneTimePassword = process.env.APPLIANCE_ONE_TIME_PASSWORD;
const password = "correct horse battery staple 42";
const screenshots = process.env.SCREENSHOTS ?? mkdtempSync(join(tmpdir(), "holdfast-screenshots-"));
mkdirSync(screenshots, { recursive: true });

const fixture = (name) => fileURLToPath(new URL(`../fixtures/documents/${name}`, import.meta.url));
const chosen = ["report.en.docx", "page.utf-8.html", "notes.md", "letter.utf-8.txt"];
const dropped = "chromium.en.pdf";
const question = "How long may a pump run dry before its seal is destroyed?";
const fact = /forty seconds/;

const executablePath = ["/usr/bin/chromium", "/usr/bin/google-chrome", "/usr/bin/chromium-browser"].find(existsSync);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1280, height: 800 } });
const page = await context.newPage();
page.setDefaultTimeout(15_000);
const complaints = [];
page.on("pageerror", (error) => complaints.push(`script: ${error.message}`));
page.on("console", (message) => {
  if (message.type() === "error") complaints.push(`console: ${message.text()} (${message.location().url}) at ${page.url()}`);
});

let passed = 0;
async function step(name, action) {
  const started = Date.now();
  try {
    await action();
  } catch (error) {
    await page.screenshot({ path: join(screenshots, "failure.png"), fullPage: true }).catch(() => {});
    console.log(`FAIL  ${name} at ${page.url()}, picture in ${screenshots}/failure.png`);
    throw error;
  }
  passed += 1;
  console.log(`ok    ${name} (${((Date.now() - started) / 1000).toFixed(2)} s)`);
}

const shoot = (name, fullPage = true) => page.screenshot({ path: join(screenshots, `${name}.png`), fullPage });
const button = (name) => page.locator("main").getByRole("button", { name, exact: true }).first();
const heading = (name) => page.getByRole("heading", { level: 1, name });
const navigate = (name) => page.getByRole("navigation").getByRole("link", { name, exact: true }).first().click();
const message = () => page.locator("#chat .message.assistant").last();

async function signIn(secret) {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
}

async function drop(target, path) {
  const transfer = await page.evaluateHandle(
    ([name, base64]) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
      return data;
    },
    [path.split("/").pop(), readFileSync(path).toString("base64")],
  );
  for (const event of ["dragenter", "dragover", "drop"]) await target.dispatchEvent(event, { dataTransfer: transfer });
}

async function makeAgent(name, model) {
  await navigate("Agents");
  await page.getByRole("link", { name: "New agent" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByRole("checkbox", { name: /Pump station/ }).check();
  await page.getByLabel("Model", { exact: true }).selectOption(model);
  await button("Create").click();
  await heading(name).waitFor();
}

async function ask(text) {
  await page.getByRole("textbox", { name: "Question" }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

/** The answer is complete: the server's own rendering has replaced the stream. */
const answered = (timeout = 60_000) => message().locator(".message-meta").waitFor({ timeout });

async function signInAndChoosePassword() {
  await step("the console asks to sign in", async () => {
    await page.goto(url);
    await page.getByLabel("E-mail").waitFor();
  });

  await step("a wrong password is refused", async () => {
    await signIn("wrong password here");
    await page.getByRole("alert").waitFor();
    const unexpected = complaints.splice(0).filter((text) => !/status of (401|422)/.test(text)); // the browser notes the refusal itself
    complaints.push(...unexpected);
  });

  await step("the one-time password leads to choosing another", async () => {
    await signIn(oneTimePassword);
    await page.getByLabel("New password").waitFor();
    await shoot("password-forced-light");
    await page.getByLabel("Current password").fill(oneTimePassword);
    await page.getByLabel("New password").fill(password);
    await button("Change password").click();
    await page.waitForURL((at) => at.pathname !== "/account/password");
    await page.goto(url);
    await heading("Overview").waitFor();
    await shoot("overview-empty-light");
  });
}

async function fillKnowledge() {
  await step("a knowledge base is made", async () => {
    await navigate("Knowledge");
    await shoot("knowledge-empty-light");
    await page.getByRole("link", { name: "New knowledge base" }).first().click();
    await page.getByLabel("Name", { exact: true }).fill("Pump station");
    await button("Create").click();
    await heading("Pump station").waitFor();
    await shoot("base-empty-light");
  });

  await step("documents are uploaded by button and by drop", async () => {
    await page.locator("input[type=file]").setInputFiles(chosen.map(fixture));
    await drop(page.locator("[data-dropzone]"), fixture(dropped));
    for (const name of [...chosen, dropped]) await page.getByRole("row").filter({ hasText: name }).waitFor();
    await shoot("base-working-light");
  });

  await step("each becomes ready while one watches", async () => {
    for (const name of [...chosen, dropped]) {
      await page.getByRole("row").filter({ hasText: name }).getByText("Ready", { exact: true }).waitFor({ timeout: 60_000 });
    }
    assert.equal(await page.locator(".uploads .note-error").count(), 0, "an upload was refused");
  });

  await step("what is no document is refused with its reason", async () => {
    await page.locator("input[type=file]").setInputFiles(fixture("image.png"));
    await page.locator(".uploads .note-error").waitFor();
    const unexpected = complaints.splice(0).filter((text) => !/status of 415/.test(text));
    complaints.push(...unexpected);
  });

  const base = new URL(page.url()).pathname;
  await step("search finds the passage", async () => {
    await page.getByRole("link", { name: "Search", exact: true }).click();
    await page.getByRole("searchbox").fill(question);
    await page.getByRole("searchbox").press("Enter");
    await page.locator(".passage").first().filter({ hasText: fact }).waitFor();
  });
  return { base, search: page.url().slice(url.length) };
}

async function askAgents() {
  await step("an agent is made on it", () => makeAgent("Night shift", "mock/mock-echo"));
  const agent = new URL(page.url()).pathname;

  await step("it answers from the documents, word by word, with citations", async () => {
    await page.evaluate(() => {
      window.seen = new Set();
      const look = () => window.seen.add(document.querySelector("#chat .streamed")?.textContent ?? "");
      new MutationObserver(look).observe(document.getElementById("chat"), { childList: true, subtree: true, characterData: true });
    });
    await ask(question);
    await answered();
    await message().getByText(fact).first().waitFor();
    assert.ok((await page.evaluate(() => window.seen.size)) > 3, "the answer came in one piece");
    await message().locator(".source").first().waitFor();
  });
  const conversation = new URL(page.url()).pathname;

  await step("a citation opens the passage in its document", async () => {
    await message().locator(".prose").getByRole("link", { name: "1" }).first().click();
    await page.locator("mark#passage").filter({ hasText: fact }).waitFor();
    const seen = await page.locator("mark#passage").evaluate((mark) => mark.getBoundingClientRect().top < innerHeight);
    assert.ok(seen, "the passage is not in view");
  });
  const citation = page.url().slice(url.length);

  await step("an answer can be had again", async () => {
    await page.goto(url + conversation);
    const before = await message().getAttribute("data-message");
    await page.getByRole("button", { name: "Answer again" }).click();
    await page.waitForFunction((id) => document.querySelector(`#chat .message.assistant[data-message]:not([data-message="${id}"])`), before);
    await message().getByText(fact).first().waitFor();
  });

  await step("an answer can be stopped", async () => {
    await makeAgent("Slow", "mock/mock-slow");
    await ask("Count, please.");
    await message().getByText("word3").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await answered(5_000);
    await message().getByText("word3").waitFor();
  });

  await step("without a language model it quotes", async () => {
    await makeAgent("Handbook", "builtin/extractive");
    await ask(question);
    await answered();
    await message().getByText(fact).first().waitFor();
    await message().locator(".source").first().waitFor();
    await page.evaluate(() => scrollTo(0, 0));
    await shoot("console", false);
  });
  const quoted = new URL(page.url()).pathname;

  if (process.env.APPLIANCE_CHAT_MODEL) {
    await step(`a real language model answers (${process.env.APPLIANCE_CHAT_MODEL})`, async () => {
      await makeAgent("Small model", process.env.APPLIANCE_CHAT_MODEL);
      await ask(question);
      await answered(120_000);
      const said = await message().locator(".prose").textContent();
      assert.ok(said.trim().length > 10, `it said ${said}`);
      console.log(`      it said: ${said.trim().replace(/\s+/g, " ").slice(0, 200)}`);
    });
  }
  return { agent, conversation, citation, quoted };
}

async function keys() {
  await step("an API key is made, works, and is revoked", async () => {
    await navigate("API keys");
    await page.getByLabel("Name", { exact: true }).fill("Website");
    await button("Create").click();
    const secret = (await page.locator("#secret").textContent()).trim();
    await shoot("api-key-made-light");
    const models = () => fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${secret}` } });
    assert.equal((await models()).status, 200);
    await page.getByText("Revoke", { exact: true }).first().click();
    await page.getByRole("button", { name: "Revoke", exact: true }).last().click();
    await page.getByText("API key revoked").waitFor();
    assert.equal((await models()).status, 401);
  });

}

async function members() {
  await step("a member is added by a one-time link", async () => {
    await navigate("Members");
    await page.getByLabel("E-mail", { exact: true }).fill("ada@example.com");
    await button("Make a link").click();
    const link = (await page.locator("#secret").textContent()).trim();
    await shoot("member-link-light");
    const other = await browser.newContext({ locale: "en-GB" });
    const guest = await other.newPage();
    await guest.goto(link);
    await guest.getByLabel("Your name").fill("Ada");
    await guest.getByLabel(/password/i).fill(password);
    await guest.screenshot({ path: join(screenshots, "accept-light.png") });
    await guest.locator("main").getByRole("button").last().click();
    await guest.getByRole("heading", { level: 1 }).filter({ hasText: "Overview" }).waitFor();
    await other.close();
    await page.goto(`${url}/settings/members`);
    await page.getByRole("row").filter({ hasText: "ada@example.com" }).waitFor();
  });
}

/** Every page in every look; each fits its window. */
async function everyPage(paths) {
  const looks = [
    { name: "light", width: 1280, theme: "light", lang: "en" },
    { name: "dark", width: 1280, theme: "dark", lang: "en" },
    { name: "phone", width: 390, theme: "light", lang: "en" },
    { name: "russian", width: 1280, theme: "light", lang: "ru" },
    { name: "russian-phone", width: 390, theme: "dark", lang: "ru" },
  ];
  for (const look of looks) {
    await step(`every page, ${look.name}`, async () => {
      await page.setViewportSize({ width: 1280, height: 800 });
      await page.goto(url);
      await page.locator("aside details.user-menu > summary").click();
      await page.locator(`aside .preferences button[value="${look.lang}"]`).click();
      await page.waitForFunction((lang) => document.documentElement.lang === lang, look.lang);
      await page.emulateMedia({ colorScheme: look.theme });
      await page.setViewportSize({ width: look.width, height: 844 });
      const wide = [];
      for (const [name, path] of Object.entries(paths)) {
        const response = await page.goto(url + path);
        assert.equal(response.status(), 200, path);
        await page.evaluate(() => scrollTo(0, 0));
        await shoot(`${name}-${look.name}`);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (over > 0) wide.push(`${name} by ${over} px`);
      }
      assert.deepEqual(wide, [], "pages wider than the window");
    });
  }
}

async function everyLink(paths) {
  await step("every link leads somewhere", async () => {
    const links = new Set();
    for (const path of Object.values(paths)) {
      await page.goto(url + path);
      for (const link of await page.locator("a[href]").evaluateAll((all) => all.map((a) => a.href.split("#")[0]))) {
        if (link.startsWith(`${url}/`)) links.add(link);
      }
    }
    const dead = [];
    for (const link of links) {
      const { status } = await page.evaluate(async (at) => ({ status: (await fetch(at)).status }), link);
      if (status !== 200) dead.push(`${status} ${link}`);
    }
    complaints.push(...complaints.splice(0).filter((text) => !dead.some((link) => text.includes(link.slice(4)))));
    assert.deepEqual(dead, []);
  });
}

async function main() {
  await signInAndChoosePassword();
  const { base, search } = await fillKnowledge();
  const { agent, conversation, citation, quoted } = await askAgents();
  await keys();
  // Every page in every look and every link takes minutes: scripts/test-slow asks for it.
  if (process.env.HOLDFAST_TOUR) await tour({ base, search, agent, conversation, citation, quoted });
  assert.deepEqual(complaints, [], "the browser complained");
}

async function tour({ base, search, agent, conversation, citation, quoted }) {
  await members();
  await page.goto(`${url}/jobs?q=knowledge`);
  const job = await page.locator("#jobs tbody a[href^='/jobs/']").first().getAttribute("href");
  const document = citation.split("?")[0];
  const paths = {
    overview: "/", agents: "/agents", "agent-new": "/agents/new", agent, "agent-edit": `${agent}/edit`, "agent-versions": `${agent}/versions`,
    conversation, quoted, knowledge: "/knowledge", "knowledge-new": "/knowledge/new", base, search, "base-settings": `${base}/settings`,
    citation, document, passages: `${document}?view=passages`, jobs: "/jobs", job, models: "/settings/models", "api-keys": "/settings/api-keys",
    members: "/settings/members", organisation: "/settings", account: "/account", password: "/account/password", "api-docs": "/api/docs",
  };
  await everyLink(paths);
  await everyPage(paths);

  await step("signing out ends the session", async () => {
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(url);
    await page.locator("aside details.user-menu > summary").click();
    await page.locator("aside form[action='/logout'] button").click();
    await page.waitForURL(/\/login/);
    for (const [look, width, colorScheme] of [["light", 1280, "light"], ["dark", 1280, "dark"], ["phone", 390, "light"]]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 844 });
      await shoot(`sign-in-${look}`);
    }
    await page.goto(`${url}/agents`);
    await page.waitForURL(/\/login/);
  });
}

try {
  await main();
  console.log(`browser: ${passed} passed, 0 failed`);
} catch (error) {
  console.error(error);
  if (complaints.length) console.error("the browser complained:", complaints);
  console.log(`browser: ${passed} passed, 1 failed`);
  process.exitCode = 1;
} finally {
  await browser.close();
  console.log(`screenshots: ${screenshots}`);
}
