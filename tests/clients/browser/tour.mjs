// Every page in every look (those of the navigation, and others by name), every link, and what one meets more rarely: another organisation with
// nothing in it yet, a page that one may not see, one that does not exist, a document that cannot be read.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { pages as filePages } from "./files.mjs";
import { barriers, email, expected, fixture, newPage, password, shoot, step, url } from "./harness.mjs";

const looks = [
  { name: "light", width: 1280, theme: "light", lang: "en" },
  { name: "dark", width: 1280, theme: "dark", lang: "en" },
  { name: "phone", width: 390, theme: "light", lang: "en" },
  { name: "russian", width: 1280, theme: "light", lang: "ru" },
  { name: "russian-phone", width: 390, theme: "dark", lang: "ru" },
];

async function wear(page, { width, theme, lang }) {
  await page.context().addCookies([{ name: "hf_lang", value: lang, url }]);
  await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
  await page.setViewportSize({ width, height: 844 });
}

/** Pictures the page, and says what is wrong with it: barriers, wider than its window, in two places of the navigation. */
async function judge(page, name, { axe = true } = {}) {
  await shoot(page, name);
  const wrong = axe ? (await barriers(page)).map((barrier) => `${name}: ${barrier}`) : [];
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (over > 0) wrong.push(`${name} is ${over} px wider than the window`);
  const current = await page.locator("aside .nav a[aria-current]").allTextContents();
  if (current.length > 1) wrong.push(`${name} is in several places of the navigation: ${current}`);
  return wrong;
}

/** Every path in every look; Russian on the desktop adds no colour and no layout, so axe may leave it out. */
async function everyPage(page, paths, what = "every page") {
  for (const look of looks) {
    await step(page, `${what}, ${look.name}`, async () => {
      await wear(page, look);
      const wrong = [];
      for (const [name, path] of Object.entries(paths)) {
        const response = await page.goto(url + path);
        assert.equal(response.status(), 200, path);
        assert.equal(await page.evaluate(() => document.documentElement.lang), look.lang);
        wrong.push(...(await judge(page, `${name}-${look.name}`, { axe: look.name !== "russian" })));
      }
      assert.deepEqual(wrong, []);
    });
  }
  await wear(page, looks[0]);
}

/** The pages that the navigation links to, by name. */
async function navigation(page, prefix = "") {
  await page.goto(url);
  const links = await page.locator("aside .nav a").evaluateAll((all) => all.map((a) => a.pathname));
  assert.ok(links.includes("/") && links.includes("/settings"), `the navigation has only ${links}`);
  return Object.fromEntries(links.map((path) => [prefix + (path.slice(1).replaceAll("/", "-") || "overview"), path]));
}

async function everyLink(page, paths, what = "every link leads somewhere") {
  await step(page, what, async () => {
    const links = new Set();
    for (const path of Object.values(paths)) {
      await page.goto(url + path);
      for (const link of await page.locator("a[href]").evaluateAll((all) => all.map((a) => a.href.split("#")[0]))) {
        assert.ok(link.startsWith(`${url}/`), `${path} links to ${link}`);
        links.add(link);
      }
    }
    const dead = [];
    for (const link of links) {
      const { status } = await page.evaluate(async (at) => ({ status: (await fetch(at)).status }), link);
      if (status !== 200) dead.push(`${status} ${link}`);
    }
    assert.deepEqual(dead, []);
  });
}

/** A member joins by a one-time link, and sees what a member may not. */
async function members(page) {
  let link = "";
  await step(page, "a member is added by a one-time link", async () => {
    await page.goto(`${url}/settings/members`);
    await page.getByLabel("E-mail", { exact: true }).fill("ada@example.com");
    await page.locator("main").getByRole("button", { name: "Create link" }).click();
    link = (await page.locator("#secret").textContent()).trim();
    assert.deepEqual(await judge(page, "member-link"), []);
    const guest = await newPage();
    await guest.goto(link);
    await guest.getByLabel("Your name").fill("Ada");
    await guest.getByLabel(/password/i).fill(password);
    assert.deepEqual(await judge(guest, "accept"), []);
    await guest.locator("main").getByRole("button").last().click();
    await guest.getByRole("heading", { level: 1 }).filter({ hasText: "Overview" }).waitFor();
    const wrong = [];
    for (const look of looks) {
      await wear(guest, look);
      for (const [name, path, status] of [["forbidden", "/settings/members", 403], ["not-found", "/nowhere", 404]]) {
        assert.equal((await guest.goto(url + path)).status(), status);
        wrong.push(...(await judge(guest, `${name}-${look.name}`)));
      }
    }
    expected(/status of (403|404)/);
    assert.deepEqual(wrong, []);
    await guest.context().close();
    await page.goto(`${url}/settings/members`);
    await page.getByRole("row").filter({ hasText: "ada@example.com" }).waitFor();
    await page.goto(link);
    assert.deepEqual(await judge(page, "accept-used"), []);
    expected(/status of 410/);
  });
}

/** Documents that cannot be read, one with a name that no column is made for. */
async function failures(page, base) {
  let document = "";
  await step(page, "a document that cannot be read says why", async () => {
    await page.goto(url + base);
    await page.locator("input[type=file]").setInputFiles([fixture("encrypted.pdf"), fixture("truncated.pdf")]);
    const row = page.getByRole("row").filter({ hasText: "encrypted.pdf" });
    await row.getByText("Failed", { exact: true }).waitFor({ timeout: 60_000 });
    document = await row.getByRole("link").first().getAttribute("href");
    await page.goto(url + document);
    await page.getByLabel("File name").fill("Протокол_совещания_по_подготовке_к_паводковому_периоду_окончательная_редакция_(2).pdf");
    await page.locator("main").getByRole("button", { name: "Rename" }).click();
    await page.getByText("Renamed.").waitFor();
  });
  return document;
}

/** Documents that somebody should look at: the list says so and filters by it, their page says what and why, in both languages. */
async function doubts(page, base) {
  const paths = { doubted: `${base}?status=doubted`, "weak-matches": `${base}/search?q=${encodeURIComponent("Best chocolate cake recipe for a birthday?")}` };
  const look = (name) => page.getByRole("row").filter({ hasText: name });
  await step(page, "a question that nothing answers says so, and what is near stands apart", async () => {
    await page.goto(url + paths["weak-matches"]);
    await page.getByText("Nothing in this base seems to answer that.").waitFor();
    await page.getByRole("heading", { name: "Weak matches" }).waitFor();
  });

  await step(page, "documents with doubts say what to look at, and what was not read", async () => {
    await page.goto(url + base);
    await page.locator("input[type=file]").setInputFiles([fixture("scanned.pdf"), fixture("images-only.pdf")]);
    await look("scanned.pdf").getByText("Ready, with doubts", { exact: true }).waitFor({ timeout: 120_000 });
    await look("images-only.pdf").getByText("Failed", { exact: true }).waitFor({ timeout: 60_000 });
    paths.unread = await look("images-only.pdf").getByRole("link").first().getAttribute("href");
    await page.getByLabel("Status").selectOption({ label: "Ready, with doubts" });
    await page.locator("main").getByRole("button", { name: "Search" }).press("Enter");
    await page.waitForURL(/status=doubted/);
    await look("scanned.pdf").waitFor();
    assert.equal(await look("images-only.pdf").count(), 0, "it is not ready");
    paths.scanned = await look("scanned.pdf").getByRole("link").first().getAttribute("href");
    await look("scanned.pdf").getByRole("link").first().press("Enter");
    const report = page.getByRole("region", { name: "Reading report" });
    await report.getByText("Read from images.").waitFor();
    await report.getByText("2–3").waitFor();
    await page.goto(url + paths.unread);
    await report.getByText(/OCR confidence: \d+\s%/).waitFor();
    await wear(page, looks[3]);
    await page.reload();
    await page.getByText(/уверенность распознавания: \d+\s%/).waitFor();
    await wear(page, looks[0]);
  });

  await step(page, "what was left out unfolds by keyboard", async () => {
    await page.goto(url + base);
    await look("page.utf-8.html").getByRole("link").first().press("Enter");
    await page.waitForURL(/documents/);
    paths["left-out"] = new URL(page.url()).pathname;
    await page.locator("details.left-out > summary").press("Enter");
    await page.getByText("NAV-TEXT").first().waitFor();
    assert.deepEqual(await judge(page, "left-out-open"), []);
  });
  return paths;
}

/** A second organisation, made on the command line: the switcher, and every page before there is anything. */
async function emptyOrganisation(page) {
  const holdfast = (...args) => execFileSync(process.env.APPLIANCE_BINARY, ["--config", process.env.APPLIANCE_CONFIG, ...args]);
  const name = "Северные насосные станции и очистные сооружения";
  const change = async (to) => {
    await page.goto(url);
    await page.locator("aside details.org-menu > summary").click();
    await page.locator("aside .org-menu button").filter({ hasText: to }).click();
    await page.locator("aside .org-menu > summary").filter({ hasText: to }).waitFor();
  };
  await step(page, "the organisation is switched", async () => {
    holdfast("org", "create", name, "--slug", "north");
    holdfast("user", "add-to-org", email, "north", "--role", "owner");
    // The server remembers a session for ten seconds; another process cannot make it forget.
    for (const until = Date.now() + 15_000; Date.now() < until; await page.waitForTimeout(1000)) {
      await page.goto(url);
      if (await page.locator("aside details.org-menu").count()) break;
    }
    await change(name);
  });
  const paths = { ...(await navigation(page, "empty-")), "empty-agent-new": "/agents/new" };
  await everyLink(page, paths, "every link of an empty organisation leads somewhere");
  await everyPage(page, paths, "every page of an empty organisation");
  await change("Default");
}

/** Tab alone reaches the content, a menu and the question, and Escape closes what is open. */
async function keyboard(page, conversation) {
  await step(page, "the keyboard is enough", async () => {
    await page.goto(url);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    const menu = page.locator("aside details.user-menu > summary");
    await menu.focus();
    await page.keyboard.press("Enter");
    await page.locator("aside .user-menu .menu-panel").waitFor();
    assert.deepEqual(await judge(page, "user-menu"), []);
    await page.keyboard.press("Escape");
    await page.locator("aside .user-menu .menu-panel").waitFor({ state: "hidden" });
    assert.ok(await menu.evaluate((summary) => summary === document.activeElement), "the focus is lost");
    await page.goto(url + conversation);
    const remove = page.locator("details.confirm > summary").last();
    await remove.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    assert.deepEqual(await judge(page, "dialog"), []);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    assert.ok(await remove.evaluate((summary) => summary === document.activeElement), "the focus is lost");
  });
}

/** An alert as Alertmanager sends it. Returns the path of its page. */
async function alert(page) {
  const labels = { alertname: "DatabaseDown", severity: "critical", service: "holdfast" };
  const annotations = { summary: "The database does not answer", description: "holdfast_database_up has been 0 for a minute.", runbook_url: `${url}/runbooks/DatabaseDown` };
  const fired = { status: "firing", labels, annotations, startsAt: new Date().toISOString(), endsAt: "0001-01-01T00:00:00Z", generatorURL: "", fingerprint: "1a30ba71cca2921f" };
  const group = { version: "4", groupKey: "{}", truncatedAlerts: 0, status: "firing", receiver: "holdfast", groupLabels: {}, commonLabels: labels, commonAnnotations: annotations, externalURL: "", alerts: [fired] };
  const headers = { Authorization: "Bearer alertmanager-of-these-tests", "Content-Type": "application/json" };
  const answer = await fetch(`${url}/api/v1/alerts`, { method: "POST", headers, body: JSON.stringify(group) });
  assert.ok(answer.ok, `${answer.status} ${await answer.text()}`);
  await page.goto(`${url}/alerts`);
  const path = await page.locator("main a[href^='/alerts/']", { hasText: "DatabaseDown" }).first().getAttribute("href");
  await page.goto(url + path);
  await page.getByRole("link", { name: /runbook/i }).first().click();
  await page.getByRole("heading", { name: "Mitigation" }).waitFor();
  return path;
}

/** Pages of monitors, incidents and status pages that the navigation does not link to: of one thing of each kind, made as a program would. */
async function watching(page) {
  const make = (path, body) =>
    page.evaluate(async ([path, body]) => {
      const headers = { "content-type": "application/json", "x-csrf-token": document.querySelector('meta[name="csrf"]').content };
      const answer = await fetch(`/api/v1/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
      if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
      return (await answer.json()).id;
    }, [path, body]);
  await page.goto(url);
  const spec = { kind: "tcp", host: "shop.example", port: 443 };
  const monitor = await make("uptime/monitors", { name: "Shop", spec, paused: true });
  const component = await make("incident-components", { key: "shop", name: "Shop", monitors: [{ monitor_id: monitor, weight: "major_outage" }] });
  const incident = await make("incidents", { name: "The shop is slow", body: "We look into it.", components: [{ component, status: "degraded_performance" }] });
  const channel = await make("incident-channels", { key: "ops", name: "Operations", kind: "mail", settings: { to: ["ops@example.com"] } });
  const rule = await make("incident-rules", { key: "all", name: "Everything", steps: [{ after_seconds: 0, channels: [channel] }] });
  const shown = await make("status-pages", { slug: "shop", name: "Shop", components: [{ component_id: component }] });
  return {
    "monitors-installation": "/monitors?whose=installation", "monitors-nothing-found": "/monitors?q=zzzz", "monitor-new": "/monitors/new", monitor: `/monitors/${monitor}`,
    "monitor-edit": `/monitors/${monitor}/edit`, "monitor-groups": "/monitors/groups", "monitor-windows": "/monitors/windows", "monitor-reports": "/monitors/reports",
    "monitor-import": "/monitors/import", "monitor-file": "/monitors/file", "incident-components": "/incident-components", "incident-component": `/incident-components/${component}`, "incident-maintenance": "/incident-maintenances", "incident-templates": "/incident-templates", incident: `/incidents/${incident}`,
    channel: `/settings/channels/${channel}`, "incident-rule": `/settings/incident-rules/${rule}`, "status-page-settings": `/settings/status-pages/${shown}`,
    "status-page-subscribers": `/settings/status-pages/${shown}/subscribers`,
  };
}

export async function tour(page, { base, search, agent, conversation, citation, quoted, mails }) {
  await members(page);
  const failed = await failures(page, base);
  const doubted = await doubts(page, base);
  await page.goto(`${url}/jobs?q=knowledge`);
  const job = await page.locator("#jobs tbody a[href^='/jobs/']").first().getAttribute("href");
  const document = citation.split("?")[0];
  const fired = await alert(page);
  const watched = await watching(page);
  const paths = {
    ...(await navigation(page)),
    "agents-nothing-found": "/agents?q=zzzz", "agent-new": "/agents/new", agent, "agent-edit": `${agent}/edit`, "agent-versions": `${agent}/versions`, conversation, quoted,
    "knowledge-new": "/knowledge/new", base, search, "search-empty": `${base}/search`, "base-settings": `${base}/settings`, citation, document, failed, ...doubted, passages: `${document}?view=passages`,
    job, alert: fired, silences: "/alerts/silences", runbooks: "/runbooks", runbook: "/runbooks/DatabaseDown", "logs-nothing-found": "/logs?q=zzzzzz",
    ...watched, ...mails, ...filePages, account: "/account", "account-notices": "/account/notices", password: "/account/password", "api-docs": "/api/docs",
  };
  await everyLink(page, paths);
  await keyboard(page, conversation);
  await everyPage(page, paths);
  await emptyOrganisation(page);

  await step(page, "signing out ends the session", async () => {
    await page.setViewportSize({ width: 1280, height: 844 });
    await page.goto(url);
    await page.locator("aside details.user-menu > summary").click();
    await page.locator("aside form[action='/logout'] button").click();
    await page.waitForURL(/\/login/);
    const wrong = [];
    for (const look of looks) {
      await wear(page, look);
      await page.reload();
      wrong.push(...(await judge(page, `sign-in-${look.name}`)));
    }
    assert.deepEqual(wrong, []);
    await page.goto(`${url}/agents`);
    await page.waitForURL(/\/login/);
  });
}
