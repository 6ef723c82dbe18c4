// Live parts: a page that is open shows what changes, and disturbs nobody who works on it.
import assert from "node:assert/strict";
import { email, expected, newPage, password, signIn, step, url } from "./harness.mjs";

export async function live() {
  const page = await newPage();
  const at = (name, action) => step(page, `live: ${name}`, action);
  const note = page.locator(".live [role=status]");
  const refresh = page.locator(".live").getByRole("link", { name: "Refresh" });
  /** The page asks as soon as it is seen, and not in its own time. */
  const look = () => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  const keys = async () => Number(await page.locator(".stat", { has: page.getByText("API keys", { exact: true }) }).locator(".stat-value").textContent());
  /** Looks until there are so many keys: another page may have been told the old number within this second. */
  const becomes = async (n) => {
    for (let tries = 0; (await keys()) !== n; tries += 1) {
      assert.ok(tries < 50, `it shows ${await keys()}, not ${n}`);
      await look();
      await page.waitForTimeout(200);
    }
  };
  const isLive = (request) => "x-live" in request.headers();
  let asked = 0;
  page.on("request", (request) => { asked += isLive(request); });
  /** As another window or program would. */
  const makeKey = () =>
    page.evaluate(async () => {
      const { api } = await import(document.querySelector('script[src$="console.js"]').src.replace("console.js", "http.js"));
      await api("POST", "/api/v1/api-keys", { name: "Seen", scopes: ["inference"] });
    });

  await page.goto(url);
  await signIn(page, email, password);
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();

  await at("a figure changes, while focus, scrolling and an open menu stay", async () => {
    assert.equal(await refresh.isVisible(), false, "a link that nobody needs");
    const before = await keys();
    const link = page.locator("#overview .stat a").last();
    await link.focus();
    const name = await link.textContent();
    await page.locator("aside details.user-menu").evaluate((menu) => { menu.open = true; });
    await page.setViewportSize({ width: 1280, height: 400 });
    await page.evaluate(() => scrollTo(0, 60));
    const scrolled = await page.evaluate(() => scrollY);
    await makeKey();
    await becomes(before + 1);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), name, "the focus is lost");
    assert.equal(await page.evaluate(() => scrollY), scrolled);
    assert.ok(await page.locator("aside details.user-menu").evaluate((menu) => menu.open), "the menu was closed");
    assert.equal(await note.textContent(), "", "a screen reader was told of a figure");
    await page.keyboard.press("Escape");
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  await at("text that is selected stays until it is let go", async () => {
    const before = await keys();
    await page.evaluate(() => getSelection().selectAllChildren(document.getElementById("overview")));
    await makeKey();
    asked = 0;
    await look();
    assert.equal(asked, 0);
    assert.match(await page.evaluate(() => String(getSelection())), /API keys/);
    await page.evaluate(() => getSelection().removeAllRanges());
    await becomes(before + 1);
  });

  await at("a server that is away is said, and found again", async () => {
    await page.route("**/*", (route) => (isLive(route.request()) ? route.abort() : route.continue()));
    await look();
    await look();
    await note.filter({ hasText: "The server does not answer" }).waitFor();
    await page.unroute("**/*");
    await look();
    await page.waitForFunction(() => document.querySelector(".live [role=status]").textContent === "");
    expected(/ERR_FAILED/);
  });

  await at("a page that nobody sees asks nothing", async () => {
    const show = (hidden) => page.evaluate((value) => Object.defineProperty(document, "hidden", { value, configurable: true }), hidden);
    await show(true);
    asked = 0;
    await look();
    assert.equal(asked, 0);
    await show(false);
    await Promise.all([page.waitForResponse((response) => isLive(response.request())), look()]);
    assert.equal(asked, 1);
  });

  await at("a page whose session has ended says so and stops", async () => {
    const other = await page.context().newPage();
    await other.goto(url);
    await other.locator("aside details.user-menu > summary").click();
    await other.locator("aside form[action='/logout'] button").click();
    await other.waitForURL(/\/login/);
    await other.close();
    await look();
    await note.filter({ hasText: "You are signed out" }).waitFor();
    expected(/status of 401/);
    await refresh.click();
    await page.waitForURL(/\/login/);
  });
  await page.context().close();
}
