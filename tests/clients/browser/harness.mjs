// What the browser tests share: one Chromium, steps with their times, pictures, and what may not happen on any page.
import { existsSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const url = process.env.APPLIANCE_URL;
export const email = process.env.APPLIANCE_EMAIL;
export const password = "correct horse battery staple 42";
export const screenshots = process.env.SCREENSHOTS ?? mkdtempSync(join(tmpdir(), "holdfast-screenshots-"));
mkdirSync(screenshots, { recursive: true });

export const fixture = (name) => fileURLToPath(new URL(`../../fixtures/documents/${name}`, import.meta.url));

const executablePath = ["/usr/bin/chromium", "/usr/bin/google-chrome", "/usr/bin/chromium-browser"].find(existsSync);
export const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });

/** What the browser complained about so far; must be empty at the end. */
export const complaints = [];

/** A page in a browser of its own, watched: script errors, what the content security policy refused, requests elsewhere. */
export async function newPage(options = {}) {
  const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => complaints.push(`script: ${error.message} at ${page.url()}`));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`console: ${message.text()} (${message.location().url}) at ${page.url()}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(`${url}/`) && !/^(data|blob|about):/.test(request.url())) complaints.push(`request to another host: ${request.url()} at ${page.url()}`);
  });
  return page;
}

/** Chromium notes each refusal (4xx) of a request in its console: takes back those that the test has just provoked. */
export function expected(pattern) {
  complaints.push(...complaints.splice(0).filter((text) => !pattern.test(text)));
}

let passed = 0;
export const count = () => passed;

/** A step of the run; `page` is pictured where it fails. */
export async function step(page, name, action) {
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

export const shoot = (page, name, fullPage = true) => page.screenshot({ path: join(screenshots, `${name}.png`), fullPage });

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The serious and critical violations that axe finds on the page as it is shown now, one line each. */
export async function barriers(page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  const violations = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ["violations"] })).violations);
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, help, nodes }) => `${id} (${help}): ${nodes.map((node) => node.target.join(" ")).slice(0, 5).join(", ")}`);
}

export async function signIn(page, who, secret) {
  await page.getByLabel("E-mail").fill(who);
  await page.getByLabel("Password", { exact: true }).fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
}
