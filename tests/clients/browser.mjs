// The main job in a real browser against a running appliance: sign in with the one-time password, choose another, make a
// knowledge base, upload documents by button and by drop, watch them become ready, search, make an agent, ask, see the
// answer stream in with citations, open a cited passage. Screenshots (light, dark, phone, Russian) go to $SCREENSHOTS.
//
// Run by scripts/test through with_appliance.py, which sets the environment. Any error in the browser's console (a broken
// script, a refused inline style) fails the run.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const url = process.env.APPLIANCE_URL;
const email = process.env.APPLIANCE_EMAIL;
const oneTimePassword = process.env.APPLIANCE_ONE_TIME_PASSWORD;
const password = "correct horse battery staple 42";
const screenshots = process.env.SCREENSHOTS ?? mkdtempSync(join(tmpdir(), "holdfast-screenshots-"));
mkdirSync(screenshots, { recursive: true });

const warranty = "The Aurora kettle carries a warranty of 27 months from the date of purchase.";
const documents = [
  { name: "kettle.md", mimeType: "text/markdown", buffer: Buffer.from(`# Aurora kettle\n\n## Warranty\n\n${warranty}\n\n## Cleaning\n\nDescale it with citric acid every eight weeks.\n`) },
  { name: "отпуск.txt", mimeType: "text/plain", buffer: Buffer.from("Ежегодный отпуск\n\nКаждому сотруднику положено 28 календарных дней оплачиваемого отпуска в год.\n") },
];
const dropped = { name: "office.html", type: "text/html", text: "<html><body><h1>Office</h1><p>The office opens at half past seven in the morning.</p></body></html>" };

const executablePath = ["/usr/bin/chromium", "/usr/bin/google-chrome", "/usr/bin/chromium-browser"].find(existsSync);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1280, height: 860 } });
const page = await context.newPage();
page.setDefaultTimeout(15_000);
const complaints = [];
page.on("pageerror", (error) => complaints.push(`script: ${error.message}`));
page.on("console", (message) => {
  if (message.type() === "error") complaints.push(`console: ${message.text()} (${message.location().url})`);
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
const shoot = (name) => page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
const navigate = (name) => page.getByRole("navigation").getByRole("link", { name, exact: true }).first().click();

async function drop(target, file) {
  const transfer = await page.evaluateHandle(({ name, type, text }) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name, { type }));
    return data;
  }, file);
  for (const event of ["dragenter", "dragover", "drop"]) await target.dispatchEvent(event, { dataTransfer: transfer });
}

async function main() {
  await step("the console asks to sign in", async () => {
    await page.goto(url);
    await page.getByLabel(/e-?mail/i).waitFor();
    await shoot("sign-in");
  });

  await step("a wrong password is refused", async () => {
    await page.getByLabel(/e-?mail/i).fill(email);
    await page.getByLabel(/^password/i).fill("wrong password here");
    await page.getByRole("button", { name: /sign in/i }).click();
    await page.getByRole("alert").waitFor();
    complaints.length = 0; // the browser notes the 401 itself
  });

  await step("the one-time password leads to choosing another", async () => {
    await page.getByLabel(/e-?mail/i).fill(email);
    await page.getByLabel(/^password/i).fill(oneTimePassword);
    await page.getByRole("button", { name: /sign in/i }).click();
    await page.getByLabel(/new password/i).first().waitFor();
    const current = page.getByLabel(/current|one-time/i);
    if (await current.count()) await current.first().fill(oneTimePassword);
    for (const field of await page.getByLabel(/new password|repeat|again|confirm/i).all()) await field.fill(password);
    await page.locator("main").getByRole("button").last().click();
    await page.getByRole("navigation").getByRole("link", { name: "Overview" }).first().waitFor();
    await shoot("overview-empty");
  });

  await step("a knowledge base is made", async () => {
    await navigate("Knowledge");
    await page.getByRole("link", { name: /(new|create).*knowledge base/i }).or(page.getByRole("button", { name: /(new|create).*knowledge base/i })).first().click();
    await page.getByLabel(/^name/i).first().fill("Handbook");
    await page.getByRole("button", { name: /^create/i }).last().click();
    await page.getByRole("heading", { name: "Handbook" }).waitFor();
  });

  await step("documents are uploaded by button and by drop", async () => {
    await page.locator("input[type=file]").first().setInputFiles(documents);
    await page.getByText("kettle.md").first().waitFor();
    await drop(page.locator("[data-dropzone], .dropzone").first(), dropped);
    await page.getByText(dropped.name).first().waitFor();
  });

  await step("each becomes ready while one watches", async () => {
    for (const name of [...documents.map((d) => d.name), dropped.name]) {
      await page.getByRole("row").filter({ hasText: name }).getByText("Ready", { exact: true }).waitFor({ timeout: 60_000 });
    }
    await shoot("knowledge");
  });

  await step("search finds the passage", async () => {
    await page.getByRole("link", { name: /search/i }).or(page.getByRole("tab", { name: /search/i })).first().click();
    await page.getByRole("searchbox").first().fill("how long is the kettle's warranty");
    await page.getByRole("searchbox").first().press("Enter");
    await page.getByText("27 months").first().waitFor();
    await shoot("search");
  });

  await step("an agent is made on it", async () => {
    await navigate("Agents");
    await page.getByRole("link", { name: /(new|create).*agent/i }).first().click();
    await page.getByLabel(/^name/i).first().fill("Handbook helper");
    await page.getByLabel("Handbook", { exact: true }).check();
    await page.getByRole("button", { name: /^create/i }).last().click();
    await page.getByRole("heading", { name: "Handbook helper" }).waitFor();
  });

  await step("it answers from the documents, with citations", async () => {
    await ask("How long is the warranty of the Aurora kettle?");
    await page.getByRole("log").getByText("27 months").first().waitFor({ timeout: 60_000 });
    await page.getByRole("log").getByRole("link", { name: /1/ }).first().waitFor();
    await shoot("console");
  });

  await step("a citation opens the passage in its document", async () => {
    await page.getByRole("log").getByRole("link", { name: /1/ }).first().click();
    await page.getByText(warranty).first().waitFor();
    await shoot("citation");
  });

  await step("dark, phone width and Russian", async () => {
    await page.emulateMedia({ colorScheme: "dark" });
    await page.goto(`${url}/agents`);
    await shoot("agents-dark");
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(`${url}/knowledge`);
    await shoot("knowledge-phone");
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `the page is ${overflow} px wider than a phone`);
    await page.setViewportSize({ width: 1280, height: 860 });
    await page.goto(url);
    await page.locator("details.user-menu > summary").first().click();
    await page.getByRole("button", { name: /русский/i }).first().click();
    await page.getByRole("navigation").getByRole("link", { name: "Агенты" }).first().waitFor();
    await shoot("overview-russian");
  });

  assert.deepEqual(complaints, [], "the browser complained");
}

async function ask(question) {
  await page.getByRole("textbox", { name: /message|question|ask/i }).last().fill(question);
  await page.getByRole("button", { name: /send|ask/i }).last().click();
}

try {
  await main();
  console.log(`browser: ${passed} passed, 0 failed`);
} catch (error) {
  console.error(error);
  console.log(`browser: ${passed} passed, 1 failed`);
  process.exitCode = 1;
} finally {
  await browser.close();
  console.log(`screenshots: ${screenshots}`);
}
