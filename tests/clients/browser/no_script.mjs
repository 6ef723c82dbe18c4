// The main job in a browser without JavaScript: every form is a plain form.
import assert from "node:assert/strict";
import { email, fixture, newPage, password, signIn, step, url } from "./harness.mjs";

const question = "How long may a pump run dry before its seal is destroyed?";

export async function withoutScript() {
  const page = await newPage({ javaScriptEnabled: false });
  const main = page.locator("main");
  const at = (name, action) => step(page, `without JavaScript: ${name}`, action);
  /** The confirmation opens in place. */
  const confirmed = async (label, button) => {
    await main.locator("details.confirm > summary").filter({ hasText: label }).last().click();
    await main.locator("details.confirm[open]").getByRole("button", { name: button, exact: true }).click();
  };

  await at("sign-in leads back to the page that was asked for", async () => {
    await page.goto(`${url}/knowledge`);
    await signIn(page, email, password);
    await page.getByRole("heading", { level: 1, name: "Knowledge" }).waitFor();
  });

  await at("what a script would keep up to date has a link instead", async () => {
    for (const [lang, name] of [["en", "Refresh"], ["ru", "Обновить"]]) {
      await page.context().addCookies([{ name: "hf_lang", value: lang, url }]);
      for (const path of ["/", "/jobs?state=dead&queue=system"]) {
        await page.goto(url + path);
        await main.getByRole("link", { name, exact: true }).click();
        assert.equal(page.url(), url + path);
      }
    }
    await page.context().addCookies([{ name: "hf_lang", value: "en", url }]);
    await page.goto(`${url}/knowledge`);
  });

  await at("a knowledge base takes documents", async () => {
    await page.getByRole("link", { name: "New knowledge base" }).first().click();
    await page.getByLabel("Name", { exact: true }).fill("Plain");
    await main.getByRole("button", { name: "Create" }).click();
    await page.getByText("“Plain” was created.").waitFor();
    await page.locator("input[type=file]").setInputFiles([fixture("chromium.en.pdf"), fixture("notes.md")]);
    await main.getByRole("button", { name: "Upload" }).click();
    await page.getByText("2 documents were added.").waitFor();
    for (let tries = 0; (await page.getByRole("row").getByText("Ready", { exact: true }).count()) < 2; tries += 1) {
      assert.ok(tries < 120, "the documents did not become ready");
      await page.waitForTimeout(500);
      await page.reload();
    }
  });
  const base = page.url();

  await at("a file that is none of the kinds is refused with its reason", async () => {
    await page.locator("input[type=file]").setInputFiles(fixture("image.png"));
    await main.getByRole("button", { name: "Upload" }).click();
    await page.getByRole("alert").filter({ hasText: "image.png" }).waitFor();
  });

  await at("search finds the passage", async () => {
    await main.getByRole("link", { name: "Search", exact: true }).click();
    await page.getByRole("searchbox").fill(question);
    await main.getByRole("button", { name: "Search" }).click();
    await page.locator(".passage").first().filter({ hasText: /forty seconds/ }).waitFor();
  });

  await at("an agent answers, and its citation opens the passage", async () => {
    await page.goto(`${url}/agents/new`);
    await page.getByLabel("Name", { exact: true }).fill("Plain agent");
    await page.getByRole("checkbox", { name: /Plain/ }).check();
    await page.getByLabel("Model", { exact: true }).selectOption("builtin/extractive");
    await main.getByRole("button", { name: "Create" }).click();
    await page.getByRole("textbox", { name: "Question" }).fill(question);
    await page.getByRole("button", { name: "Send" }).click();
    await page.locator(".message.assistant").filter({ hasText: /forty seconds/ }).waitFor();
    await page.locator(".message.assistant .prose").getByRole("link", { name: "1" }).first().click();
    await page.locator("mark#passage").filter({ hasText: /forty seconds/ }).waitFor();
    await page.goBack();
  });

  const agent = page.url();
  await at("an answer that was cut off goes on", async () => {
    await page.goto(`${url}/agents/new`);
    await page.getByLabel("Name", { exact: true }).fill("Plain long");
    await page.getByLabel("Model", { exact: true }).selectOption("mock/mock-long");
    await main.getByRole("button", { name: "Create" }).click();
    await page.getByRole("textbox", { name: "Question" }).fill("Everything, please.");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("cut off at its length limit").waitFor();
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByText("This begins well and here it ends.").waitFor();
    await page.goto(agent);
  });

  await at("what was made is deleted after a confirmation", async () => {
    await confirmed("Delete conversation", "Delete");
    await page.getByText("The conversation was deleted.").waitFor();
    await page.getByRole("link", { name: "Edit", exact: true }).click();
    await confirmed("Delete", "Delete");
    await page.getByText("Plain agent was deleted.").waitFor();
    await page.goto(`${base}/settings`);
    await confirmed("Delete this knowledge base", "Delete");
    await page.getByText("“Plain” was deleted.").waitFor();
  });

  await at("language and sign-out are forms too", async () => {
    await page.locator("aside details.user-menu > summary").click();
    await page.locator('aside .preferences button[value="ru"]').click();
    await page.getByRole("heading", { level: 1, name: "Знания" }).waitFor();
    await page.locator("aside details.user-menu > summary").click();
    await page.locator("aside form[action='/logout'] button").click();
    await page.waitForURL(/\/login/);
  });
  await page.context().close();
}
