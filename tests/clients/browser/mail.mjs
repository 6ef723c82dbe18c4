// Mail in the console: what waits, a message in a frame that may do nothing, a template previewed as it is typed, records to
// copy, addresses that get nothing; and the same without JavaScript. No mail server is configured: mail waits.
import assert from "node:assert/strict";
import { email, expected, newPage, password, shoot, signIn, step, url } from "./harness.mjs";

const tracker = "https://tracker.example/p.gif";
const hostile = `<style>p { color: rgb(1, 2, 3) }</style><p>They turn at noon.</p><img src="${tracker}" alt=""><script>document.body.textContent = "I ran";</script>`;

/** Sends a mail as a program would; the path of its page. */
async function send(page, html) {
  const id = await page.evaluate(async (mail) => {
    const headers = { "content-type": "application/json", "x-csrf-token": document.querySelector('meta[name="csrf"]').content };
    const answer = await fetch("/api/v1/mail/messages", { method: "POST", headers, body: JSON.stringify(mail) });
    return (await answer.json()).id;
  }, { to: "Ada <ada@example.com>", subject: "Tides", text: "They turn at noon.", html });
  assert.ok(id, "no mail was made");
  return `/settings/mail/messages/${id}`;
}

/** What the browser says about what it refuses inside of the frame. */
const refused = () => expected(/tracker\.example|sandboxed|Content Security Policy|ERR_FAILED/);

export async function mail(page) {
  const main = page.locator("main");
  const frame = page.frameLocator("iframe.preview");
  const at = (name, action) => step(page, `mail: ${name}`, action);
  let message = "";
  let domain = "";

  await at("a test waits while no server is configured", async () => {
    await page.goto(`${url}/settings/mail`);
    await page.getByText("No SMTP server is configured").waitFor();
    await shoot(page, "mail-empty");
    await main.getByRole("button", { name: "Send me a test" }).click();
    await page.getByText(`A test message to ${email} is queued.`).waitFor();
    await page.getByRole("row").filter({ hasText: email }).first().getByText("queued", { exact: true }).waitFor();
  });

  await at("a message is shown as it was written, and runs and loads nothing", async () => {
    let asked = 0;
    await page.route(tracker, (route) => {
      asked += 1;
      return route.abort();
    });
    const path = await send(page, hostile);
    await page.goto(url + path);
    const text = frame.getByText("They turn at noon.");
    await text.waitFor();
    assert.equal(await text.evaluate((p) => getComputedStyle(p).color), "rgb(1, 2, 3)", "its own styles are missing");
    assert.equal(asked, 0, "a remote image was asked for");
    assert.notEqual(await frame.locator("body").textContent(), "I ran");
    await main.getByRole("link", { name: "Load remote images" }).click();
    await frame.getByText("They turn at noon.").waitFor();
    for (const until = Date.now() + 5_000; asked === 0 && Date.now() < until; ) await page.waitForTimeout(50);
    assert.ok(asked > 0, "it was not asked for on demand");
    await page.unroute(tracker);
    for (const view of ["Dark", "Phone", "Text"]) {
      await main.getByRole("link", { name: view, exact: true }).click();
      await main.locator(`.segmented a[aria-current="true"]`, { hasText: view }).waitFor();
    }
    await main.locator("pre").getByText("They turn at noon.").waitFor();
    message = await send(page, "<p>They turn at noon.</p>");
    await page.goto(url + message);
    await frame.getByText("They turn at noon.").waitFor();
    refused();
  });

  await at("a message that waits is cancelled after a question, and queued again", async () => {
    await main.getByText("Do not send", { exact: true }).first().click();
    await page.getByRole("dialog").getByRole("button", { name: "Do not send" }).click();
    await page.getByText("Message cancelled").waitFor();
    await main.getByText("Send now", { exact: true }).first().click();
    await page.getByRole("dialog").getByRole("button", { name: "Send now" }).click();
    await page.getByText("Message queued").waitFor();
  });

  await at("a template is previewed as it is typed, again and again, and then saved", async () => {
    await page.goto(`${url}/settings/mail/templates/welcome?language=en`);
    for (const words of ["Ahoy", "Avast"]) {
      await page.getByLabel("HTML part").fill(`<h1>${words}, {{ name }}</h1>`);
      await main.getByRole("button", { name: "Preview" }).click();
      await frame.getByText(`${words}, Ada Lovelace`).waitFor();
    }
    // Another view keeps what is typed.
    for (const view of ["Dark", "Phone", "Light"]) await main.getByRole("radio", { name: view, exact: true }).check();
    assert.equal(await page.getByLabel("HTML part").inputValue(), "<h1>Avast, {{ name }}</h1>");
    await main.getByRole("radio", { name: "Subject and text" }).check();
    await page.getByLabel("Subject", { exact: true }).fill("Avast, {{ name }}!");
    await main.getByRole("button", { name: "Preview" }).click();
    await page.frameLocator("iframe.preview-text").getByRole("heading", { name: "Avast, Ada Lovelace!" }).waitFor();
    await main.getByRole("radio", { name: "Light", exact: true }).check();
    await page.getByLabel("HTML part").fill("<h1>{{ nobody_knows }}</h1>");
    await main.getByRole("button", { name: "Preview" }).click();
    await frame.locator("li").filter({ hasText: "html" }).waitFor();
    expected(/status of 422/);
    await page.getByLabel("HTML part").fill("<h1>Avast, {{ name }}</h1>");
    await main.getByRole("button", { name: "Save" }).click();
    await page.getByText("Template saved").waitFor();
    await frame.getByText("Avast, Ada Lovelace").waitFor();
    await shoot(page, "mail-template-changed");
    await main.getByText("Back to the built-in text").first().click();
    await page.getByRole("dialog").getByRole("button", { name: "Back to the built-in text" }).click();
    await page.getByText("The built-in text is used again").waitFor();
  });

  await at("many are cancelled after a question with their number, and sent again", async () => {
    await page.goto(`${url}/settings/mail?state=queued`);
    await main.getByRole("button", { name: "Cancel all of these" }).click();
    await main.getByText(/\d+ messages are not sent/).waitFor();
    await main.getByRole("button", { name: "Cancel all of these" }).click();
    await page.getByText(/Cancelled: [1-9]/).waitFor();
    await page.goto(`${url}/settings/mail?state=cancelled`);
    await main.getByRole("button", { name: "Send all of these again" }).click();
    await main.getByRole("button", { name: "Send all of these again" }).click();
    await page.getByText(/Queued again: [1-9]/).waitFor();
  });

  await at("addresses come from a file, and go into one", async () => {
    await page.goto(`${url}/settings/mail/suppressions`);
    await main.getByText("Import addresses", { exact: true }).first().click();
    const file = { name: "list.csv", mimeType: "text/csv", buffer: Buffer.from("address\nmary@example.com\nnobody\n") };
    await page.getByLabel("CSV file").setInputFiles(file);
    await main.getByRole("button", { name: "Import addresses" }).click();
    await page.getByText("Added: 1. Suppressed before: 0. Lines left out: 1.").waitFor();
    await page.getByText("Line 3: expected one address").waitFor();
    const download = page.waitForEvent("download");
    await main.getByRole("button", { name: "Export as CSV" }).click();
    assert.equal((await download).suggestedFilename(), "mail-suppressions.csv");
  });

  await at("a domain comes with its records", async () => {
    await page.goto(`${url}/settings/mail/domains`);
    await page.getByLabel("Domain", { exact: true }).fill("example.org");
    await main.getByRole("button", { name: "Add a domain" }).click();
    await page.getByRole("heading", { level: 1, name: "example.org" }).waitFor();
    await main.getByText("v=DMARC1; p=none", { exact: true }).waitFor();
    assert.ok((await main.getByRole("button", { name: "Copy" }).count()) >= 6, "there is nothing to copy");
    domain = new URL(page.url()).pathname;
  });

  await at("an address that gets nothing is added and removed", async () => {
    await page.goto(`${url}/settings/mail/suppressions`);
    await main.getByText("Add an address", { exact: true }).first().click();
    await page.getByLabel("E-mail address").fill("grace@example.com");
    await main.getByRole("button", { name: "Add an address" }).click();
    const row = page.getByRole("row").filter({ hasText: "grace@example.com" });
    await row.getByText("by hand").waitFor();
    await row.getByText("Remove", { exact: true }).first().click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await page.getByText("Address removed").waitFor();
  });
  return {
    mail: "/settings/mail", "mail-nothing-found": "/settings/mail?q=zzzz", "mail-filtered": "/settings/mail?state=queued&since=2026-01-01T00:00", "mail-many": "/settings/mail/many?action=cancel&state=queued", "mail-message": `${message}?view=phone`, "mail-text": `${message}?view=text`,
    "mail-templates": "/settings/mail/templates", "mail-template": "/settings/mail/templates/password_reset", "mail-branding": "/settings/mail/branding",
    "mail-suppressions": "/settings/mail/suppressions", "mail-domains": "/settings/mail/domains", "mail-domain": domain, "mail-sources": "/settings/mail/sources",
  };
}

export async function mailWithoutScript() {
  const page = await newPage({ javaScriptEnabled: false });
  const main = page.locator("main");
  const frame = page.frameLocator("iframe.preview");
  const at = (name, action) => step(page, `mail without JavaScript: ${name}`, action);
  const confirmed = async (label) => {
    await main.locator("details.confirm > summary").filter({ hasText: label }).first().click();
    await main.locator("details.confirm[open]").getByRole("button", { name: label }).click();
  };

  await at("a test is sent, cancelled and sent again", async () => {
    await page.goto(`${url}/settings/mail`);
    await signIn(page, email, password);
    await main.getByRole("button", { name: "Send me a test" }).click();
    await page.getByText(`A test message to ${email} is queued.`).waitFor();
    await page.getByRole("row").getByRole("link", { name: email }).first().click();
    await confirmed("Do not send");
    await page.getByText("Message cancelled").waitFor();
    await confirmed("Send now");
    await page.getByText("Message queued").waitFor();
  });

  await at("a template is previewed in the frame", async () => {
    await page.goto(`${url}/settings/mail/templates/welcome?language=en`);
    await page.getByLabel("HTML part").fill("<h1>Ahoy, {{ name }}</h1>");
    await main.getByRole("button", { name: "Preview" }).click();
    await frame.getByText("Ahoy, Ada Lovelace").waitFor();
    assert.equal(await page.getByLabel("HTML part").inputValue(), "<h1>Ahoy, {{ name }}</h1>");
  });
  await page.context().close();
}
