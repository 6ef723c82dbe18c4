// The main job in a real browser against a running appliance: sign in with the one-time password, choose another, make a
// knowledge base, upload real documents by button and by drop, watch them become ready, search, make an agent, ask, see
// the answer stream in with citations, open a cited passage; mail, and every built-in mail as its recipient sees it; pages that show what changes; the main job without JavaScript;
// and with --tour every page in every look: light, dark, phone, Russian. Pictures go to $SCREENSHOTS.
//
// Run by scripts/test through with_appliance.py, which sets the environment. Any error in a browser's console (a broken
// script, what the content security policy refused), any request to another host, any serious barrier that axe finds, any
// dead link, and any page wider than its window fails the run.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as harness from "./browser/harness.mjs";
import { live } from "./browser/live.mjs";
import { mail, mailWithoutScript } from "./browser/mail.mjs";
import { everyMail } from "./browser/mails.mjs";
import { withoutScript } from "./browser/no_script.mjs";
import { statusPage } from "./browser/status_page.mjs";
import { tour } from "./browser/tour.mjs";

const { browser, complaints, email, expected, fixture, password, screenshots, url } = harness;
const oneTimePassword = process.env.APPLIANCE_ONE_TIME_PASSWORD;
const chosen = ["report.en.docx", "page.utf-8.html", "notes.md", "letter.utf-8.txt"];
const dropped = "chromium.en.pdf";
const question = "How long may a pump run dry before its seal is destroyed?";
const fact = /forty seconds/;

const page = await harness.newPage();
const step = (name, action) => harness.step(page, name, action);
const shoot = (name, fullPage) => harness.shoot(page, name, fullPage);
const signIn = (secret) => harness.signIn(page, email, secret);
const button = (name) => page.locator("main").getByRole("button", { name, exact: true }).first();
const heading = (name) => page.getByRole("heading", { level: 1, name });
const navigate = (name) => page.getByRole("navigation").getByRole("link", { name, exact: true }).first().click();
const message = () => page.locator("#chat .message.assistant").last();

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

async function makeAgent(name, model, longest = "") {
  await navigate("Agents");
  await page.getByRole("link", { name: "New agent" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByRole("checkbox", { name: /Pump station/ }).check();
  await page.getByLabel("Model", { exact: true }).selectOption(model);
  if (longest) {
    await page.getByText("Retrieval, temperature and limits").click();
    await page.getByLabel("Sources", { exact: true }).fill("2");
    await page.getByLabel("Maximum answer length, tokens").fill(longest);
  }
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
    expected(/status of (401|422)/);
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
    expected(/status of 415/);
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
      // On two busy cores it writes a few tokens a second.
      await makeAgent("Small model", process.env.APPLIANCE_CHAT_MODEL, "48");
      await ask(question);
      await answered(120_000);
      const said = await message().locator(".prose").textContent();
      assert.ok(said.trim().length > 10, `it said ${said}`);
      console.log(`      it said: ${said.trim().replace(/\s+/g, " ").slice(0, 200)}`);
    });
  }
  return { agent, conversation, citation, quoted };
}

/** How answers end that are none, or not whole. */
async function endings() {
  await step("an answer that was cut off says so, and goes on", async () => {
    await makeAgent("Long", "mock/mock-long");
    await ask("Everything, please.");
    await message().getByText("cut off at its length limit").waitFor();
    const id = await message().getAttribute("data-message");
    await page.getByRole("button", { name: "Continue" }).click();
    await message().getByText("This begins well and here it ends.").waitFor();
    await answered(5_000);
    assert.equal(await message().getAttribute("data-message"), id, "it went on in another message");
    assert.equal(await page.getByRole("button", { name: "Continue" }).count(), 0);
  });

  await step("thinking is folded, apart from the answer, and cites nothing", async () => {
    await makeAgent("Thinker", "mock/mock-think");
    await ask(question);
    await answered();
    const thought = message().locator("details.thinking > .thought");
    assert.equal(await thought.isVisible(), false, "it is open");
    await message().getByText("Thinking", { exact: true }).click();
    await thought.getByText("First I look at [1] and [2].").waitFor();
    assert.doesNotMatch(await message().locator(".prose").textContent(), /think|First I look/);
    assert.equal(await message().locator(".source").count(), 1);
    assert.deepEqual(await harness.barriers(page), []);
  });

  const once = async (text) => {
    await page.getByRole("alert").filter({ hasText: text }).waitFor();
    assert.equal(await page.locator("#chat [role=alert]").count(), 1, "it is said more than once");
    assert.doesNotMatch(await page.locator("#chat [role=alert]").textContent(), /provider_|answer_/);
  };
  await step("a failed answer says why once, in words, also after a reload", async () => {
    await makeAgent("Mute", "mock/mock-mute");
    await ask("Well?");
    await once(/did not get to an answer/);
    await page.reload();
    await once(/did not get to an answer/);
    await page.locator("aside details.user-menu > summary").click();
    await page.locator('aside .preferences button[value="ru"]').click();
    await once(/не дошла до ответа/);
    await page.locator("aside details.user-menu > summary").click();
    await page.locator('aside .preferences button[value="en"]').click();
  });

  await step("a connection that broke off keeps what was written", async () => {
    await makeAgent("Cut", "mock/mock-cut");
    await ask("one two three four");
    await once(/broke off in the middle/);
    assert.match(await message().locator(".prose").textContent(), /\w/, "what was written is gone");
    await page.getByRole("button", { name: "Continue" }).waitFor();
  });

  await step("offline, the question goes back to where it was written", async () => {
    await page.context().setOffline(true);
    await ask("Anybody?");
    await page.getByRole("alert").filter({ hasText: "The server cannot be reached" }).waitFor();
    assert.equal(await page.getByRole("textbox", { name: "Question" }).inputValue(), "Anybody?");
    await page.context().setOffline(false);
    expected(/ERR_INTERNET_DISCONNECTED/);
  });

  await step("a question whose answer never came back is shown, not sent twice", async () => {
    await makeAgent("Patchy", "mock/mock-echo");
    await ask("The first one?");
    await answered();
    const asked = (text) => page.locator("#chat .message.user", { hasText: text }).count();
    const box = () => page.getByRole("textbox", { name: "Question" }).inputValue();
    // It arrives, and the connection breaks off before a word comes back.
    const arrives = async (route) => {
      await route.fetch().catch(() => {});
      await route.abort();
    };
    await page.route("**/messages", arrives, { times: 1 });
    await ask("The second one?");
    await page.waitForFunction(() => document.querySelectorAll("#chat .message.user[data-message]").length === 2);
    assert.equal(await box(), "");
    assert.equal(await asked("The second one?"), 1);
    // It does not arrive: it stays in its box, and is sent once.
    await page.route("**/messages", (route) => route.abort(), { times: 1 });
    await ask("The third one?");
    await page.getByRole("alert").filter({ hasText: "The server cannot be reached" }).waitFor();
    assert.equal(await box(), "The third one?");
    await page.getByRole("button", { name: "Send" }).click();
    await page.waitForFunction(() => document.querySelectorAll("#chat .message.user[data-message]").length === 3);
    await answered();
    assert.equal(await asked("The third one?"), 1);
    expected(/ERR_FAILED/);
  });

  await step("an answer that cannot be made anew stays", async () => {
    const before = await message().getAttribute("data-message");
    await page.route("**/regenerate", (route) => route.abort(), { times: 1 });
    await page.getByRole("button", { name: "Answer again" }).click();
    await page.getByRole("alert").filter({ hasText: "The server cannot be reached" }).waitFor();
    assert.equal(await message().getAttribute("data-message"), before);
    assert.equal(await message().isVisible(), true);
    expected(/ERR_FAILED/);
  });

  await step("a second window says that the conversation is being answered", async () => {
    await makeAgent("Busy", "mock/mock-slow");
    await ask("Count, please.");
    await message().getByText("word1").waitFor();
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.getByRole("textbox", { name: "Question" }).fill("And?");
    await other.getByRole("button", { name: "Send" }).click();
    await other.getByRole("alert").filter({ hasText: "in another window" }).waitFor();
    assert.equal(await other.getByRole("textbox", { name: "Question" }).inputValue(), "And?");
    await other.close();
    await page.getByRole("button", { name: "Stop" }).click();
    await answered(5_000);
    expected(/status of 409/);
  });
}

async function keys() {
  await step("an API key is made, works, and is revoked", async () => {
    await navigate("API keys");
    await page.getByLabel("Name", { exact: true }).fill("Website");
    await button("Create").click();
    const secret = (await page.locator("#secret").textContent()).trim();
    await shoot("api-key-made");
    const models = () => fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${secret}` } });
    assert.equal((await models()).status, 200);
    await page.getByText("Revoke", { exact: true }).first().click();
    await page.getByRole("button", { name: "Revoke", exact: true }).last().click();
    await page.getByText("API key revoked").waitFor();
    assert.equal((await models()).status, 401);
  });
}

async function backups() {
  const row = (table, text) => page.locator(`section[aria-labelledby='${table}'] tbody tr`).first().getByText(text, { exact: true });
  await step("a backup is made, and read back", async () => {
    await navigate("Backups");
    await shoot("backups-empty");
    await button("Back up now").click();
    await page.getByText("A backup is queued.").waitFor();
    await row("all", "verified").waitFor({ timeout: 60_000 });
  });
  await step("a restore drill runs and passes", async () => {
    await page.reload();
    await button("Run a restore drill").click();
    await page.getByText("A restore drill is queued.").waitFor();
    await row("drills", "passed").waitFor({ timeout: 60_000 });
  });
  await step("a backup is held, verified and let go", async () => {
    await button("Hold").click();
    await row("all", "held").waitFor();
    await button("Verify").click();
    await page.getByText("The backup will be read again").waitFor();
    await button("Release").click();
    await page.getByText("Retention may remove this backup").waitFor();
    await shoot("backups", true);
  });
}

async function main() {
  await signInAndChoosePassword();
  const { base, search } = await fillKnowledge();
  const { agent, conversation, citation, quoted } = await askAgents();
  await endings();
  await keys();
  await backups();
  const mails = await mail(page);
  await everyMail(page);
  await live();
  await withoutScript();
  await mailWithoutScript();
  await statusPage(page);
  // Every page in every look and every link takes minutes: `scripts/test tour`, which scripts/test-slow runs.
  if (process.argv.includes("--tour")) await tour(page, { base, search, agent, conversation, citation, quoted, mails });
  assert.deepEqual(complaints, [], "the browser complained");
}

try {
  await main();
  console.log(`browser: ${harness.count()} passed, 0 failed`);
} catch (error) {
  console.error(error);
  if (complaints.length) console.error("the browser complained:", complaints);
  console.log(`browser: ${harness.count()} passed, 1 failed`);
  process.exitCode = 1;
} finally {
  await browser.close();
  console.log(`screenshots: ${screenshots}`);
}
