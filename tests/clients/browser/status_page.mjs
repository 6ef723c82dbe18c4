// The public status page in Chromium: in every look, without JavaScript, and with the automated check of accessibility.
import assert from "node:assert/strict";
import { barriers, browser, expected, newPage, shoot, step, url } from "./harness.mjs";

const looks = [
  { name: "light", options: { locale: "en-GB", colorScheme: "light" } },
  { name: "dark", options: { locale: "en-GB", colorScheme: "dark" } },
  { name: "phone", options: { locale: "en-GB", viewport: { width: 390, height: 844 } } },
  { name: "russian", options: { locale: "ru-RU" }, words: "Текущее состояние" },
  { name: "russian-phone-dark", options: { locale: "ru-RU", colorScheme: "dark", viewport: { width: 390, height: 844 } }, words: "Текущее состояние" },
];
const LARGEST = 50_000;

/** The page of this visitor; waits until it is served. */
async function open(page, path) {
  for (const until = Date.now() + 30_000; Date.now() < until; await page.waitForTimeout(200)) {
    const response = await page.goto(url + path);
    if (response.status() === 200) return response;
  }
  throw new Error(`${path} is not served`);
}

export async function statusPage(console) {
  for (const { name, options, words = "Current status" } of looks) {
    const page = await newPage(options);
    await step(page, `status page, ${name}`, async () => {
      const response = await open(page, "/status");
      expected(/status of 404/);
      assert.ok((await response.body()).length < LARGEST, "the page is too large");
      await page.getByRole("link", { name: words }).waitFor();
      await page.getByText(/Database|База данных/).first().waitFor();
      const wrong = await barriers(page);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (over > 0) wrong.push(`it is ${over} px wider than the window`);
      await shoot(page, `status-page-${name}`);
      await page.goto(`${url}/status/appliance/history`);
      wrong.push(...(await barriers(page)));
      assert.deepEqual(wrong, []);
    });
    await page.context().close();
  }

  const context = await browser.newContext({ javaScriptEnabled: false, locale: "en-GB" });
  const plain = await context.newPage();
  await step(plain, "status page without JavaScript", async () => {
    await open(plain, "/status/appliance");
    await plain.locator("details > summary").first().click();
    await plain.getByLabel("E-mail address").fill("visitor@example.com");
    await plain.getByRole("button", { name: "Subscribe" }).click();
    await plain.getByRole("heading", { name: "Look into your mailbox" }).waitFor();
  });
  await context.close();

  await step(console, "the console shows the page and its settings", async () => {
    await console.goto(`${url}/settings/status-pages`);
    await console.getByRole("link", { name: "Holdfast", exact: true }).last().click();
    await console.getByLabel("Components").waitFor();
    await console.getByRole("link", { name: "Look at it" }).click();
    await console.getByRole("link", { name: "Current status" }).waitFor();
  });
}
