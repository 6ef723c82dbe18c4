// Files in Chromium: a folder with progress, a large file over a broken connection and a reload, pause and cancel, previews of each kind, a link with a
// password in somebody else's browser; and that nothing which was uploaded runs here.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { barriers, browser, expected, newPage, step, url } from "./harness.mjs";

const BUCKET = "browser-files";
const MANY = 300;
const LARGE = 20 * 1024 * 1024;
const secret = "a long password of a link";
// One white pixel; a second of silence; and what must never run.
const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==", "base64");
const evil = "<!doctype html><script>document.title = 'it ran'</script>";
const svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>document.title = 'it ran'</script></svg>";

/** A WAV file of silence. */
function silence() {
  const head = Buffer.alloc(44);
  head.write("RIFF", 0); head.writeUInt32LE(36 + 8000, 4); head.write("WAVEfmt ", 8); head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20); head.writeUInt16LE(1, 22); head.writeUInt32LE(8000, 24); head.writeUInt32LE(8000, 28); head.writeUInt16LE(1, 32); head.writeUInt16LE(8, 34);
  head.write("data", 36); head.writeUInt32LE(8000, 40);
  return Buffer.concat([head, Buffer.alloc(8000, 128)]);
}

/** The objects below a prefix, as the API lists them. */
const listed = (page, prefix) =>
  page.evaluate(async ([bucket, prefix]) => {
    const found = [];
    let cursor = "";
    do {
      const answer = await fetch(`/api/v1/buckets/${bucket}/objects?prefix=${encodeURIComponent(prefix)}&limit=200&cursor=${cursor}`);
      const list = await answer.json();
      found.push(...list.data);
      cursor = list.next_cursor ?? "";
    } while (cursor);
    return found.map((entry) => [entry.key, entry.object?.size]);
  }, [BUCKET, prefix]);

async function until(what, check) {
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((done) => { setTimeout(done, 100); })) if (await check()) return;
  throw new Error(what);
}

const field = (page) => page.locator(".dropzone input[type=file]");
const lines = (page) => page.locator(".uploads .upload");

export async function files(page) {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-files-"));
  mkdirSync(join(folder, "tree/deep"), { recursive: true });
  for (let n = 0; n < MANY; n += 1) writeFileSync(join(folder, n % 2 ? "tree" : "tree/deep", `${n}.txt`), `file ${n}`);
  const large = join(folder, "large.bin");
  writeFileSync(large, Buffer.alloc(LARGE, "0123456789abcdef"));

  await step(page, "a bucket is made", async () => {
    await page.goto(`${url}/files`);
    await page.getByLabel("Name", { exact: true }).fill(BUCKET);
    await page.getByRole("button", { name: "New bucket" }).click();
    await page.getByRole("heading", { level: 1, name: BUCKET }).waitFor();
    assert.deepEqual(await barriers(page), []);
  });

  await step(page, `a folder of ${MANY} files is uploaded`, async () => {
    await page.locator("input[webkitdirectory]").setInputFiles(join(folder, "tree"));
    await until("some files are not there", async () => (await listed(page, "tree/")).length === MANY);
    await until("lines of finished uploads stay", async () => (await lines(page).count()) === 0);
    const found = new Map(await listed(page, "tree/"));
    assert.equal(found.get("tree/deep/0.txt"), "file 0".length);
    await page.getByRole("link", { name: "tree/", exact: true }).waitFor();
  });

  let begun = 0;
  const count = (request) => { if (request.method() === "POST" && new URL(request.url()).pathname === "/f/tus") begun += 1; };
  page.on("request", count);
  await step(page, "a large file goes on after a broken connection, a pause and a reload", async () => {
    let pieces = 0;
    // The second piece never arrives, again and again.
    await page.route("**/f/tus/*", (route) => {
      if (route.request().method() !== "PATCH") return route.continue();
      pieces += 1;
      return pieces === 1 ? route.continue() : route.abort();
    });
    await field(page).setInputFiles(large);
    await until("no second piece was sent", async () => pieces >= 3);
    await lines(page).getByRole("button", { name: /^Pause/ }).click();
    await lines(page).getByRole("button", { name: /^Resume/ }).waitFor();
    await page.unroute("**/f/tus/*");
    await page.reload();
    expected(/ERR_FAILED/);
    await page.getByText("Some uploads of this browser are unfinished").waitFor();
    await field(page).setInputFiles(large);
    await until("the large file is not there", async () => (await listed(page, "large.bin"))[0]?.[1] === LARGE);
    assert.equal(begun, 1, "it began again instead of going on");
    const same = await page.evaluate(async (bucket) => {
      const content = new Uint8Array(await (await fetch(`/api/v1/buckets/${bucket}/objects/large.bin`)).arrayBuffer());
      return content.every((byte, at) => byte === "0123456789abcdef".charCodeAt(at % 16));
    }, BUCKET);
    assert.ok(same, "it is not what was uploaded");
  });

  await step(page, "an upload that is given up leaves nothing", async () => {
    await page.route("**/f/tus/*", (route) => (route.request().method() === "PATCH" ? route.abort() : route.continue()));
    await field(page).setInputFiles({ name: "given-up.bin", mimeType: "application/octet-stream", buffer: Buffer.alloc(1000) });
    await lines(page).getByRole("button", { name: /^Cancel/ }).click();
    await until("its line stays", async () => (await lines(page).count()) === 0);
    await page.unroute("**/f/tus/*");
    expected(/ERR_FAILED/);
    assert.deepEqual(await listed(page, "given-up.bin"), []);
  });
  page.off("request", count);

  await step(page, "each kind has its preview, and nothing runs", async () => {
    const kinds = [
      ["picture.png", "image/png", png, (at) => at.locator("main img")],
      ["sound.wav", "audio/wav", silence(), (at) => at.locator("main audio")],
      ["notes.txt", "text/plain", Buffer.from("plain words"), (at) => at.getByText("plain words")],
      ["page.html", "text/html", Buffer.from(evil), (at) => at.getByText("document.title = 'it ran'")],
      ["drawing.svg", "image/svg+xml", Buffer.from(svg), (at) => at.getByText("document.title = 'it ran'")],
    ];
    for (const [name, mimeType, buffer, shown] of kinds) {
      await page.goto(`${url}/files/b/${BUCKET}`);
      await field(page).setInputFiles({ name, mimeType, buffer });
      await until(`${name} is not there`, async () => (await listed(page, name)).length === 1);
      await page.goto(`${url}/files/b/${BUCKET}/object?key=${name}`);
      await shown(page).first().waitFor();
      if (name === "picture.png") assert.equal(await page.locator("main img").evaluate((image) => image.naturalWidth), 1, "the picture is not shown");
      if (name === "sound.wav") await until("the sound has no length", () => page.locator("main audio").evaluate((audio) => audio.duration > 0.5));
      assert.notEqual(await page.title(), "it ran", name);
      assert.deepEqual(await barriers(page), [], name);
    }
    // Opened by itself it is a download, or shown where nothing runs.
    const opened = await page.context().newPage();
    await opened.goto(`${url}/files/b/${BUCKET}/object/raw?key=page.html`).catch((error) => assert.match(String(error), /Download is starting|ERR_ABORTED/));
    assert.notEqual(await opened.title(), "it ran");
    await opened.close();
  });

  await step(page, "a link with a password opens in somebody else's browser", async () => {
    await page.goto(`${url}/files/b/${BUCKET}/object?key=notes.txt`);
    await page.getByText("Share", { exact: true }).click();
    await page.getByLabel("Password").fill(secret);
    await page.getByRole("button", { name: "Make a link" }).click();
    const address = await page.locator("#address").textContent();
    const other = await newPage();
    await other.goto(address);
    await other.locator("input[type=password]").fill(secret);
    await other.locator("form button").click();
    await other.getByText("notes.txt").first().waitFor();
    assert.deepEqual(await barriers(other), []);
    await other.context().close();
  });

  const context = await browser.newContext({ javaScriptEnabled: false, locale: "en-GB", storageState: await page.context().storageState() });
  const plain = await context.newPage();
  await step(plain, "files without JavaScript", async () => {
    await plain.goto(`${url}/files/b/${BUCKET}`);
    await plain.locator("input[type=file]").first().setInputFiles({ name: "by-form.txt", mimeType: "text/plain", buffer: Buffer.from("by form") });
    await plain.getByRole("button", { name: "Upload", exact: true }).click();
    await plain.getByRole("link", { name: "by-form.txt" }).click();
    await plain.getByText("by form", { exact: true }).waitFor();
  });
  await context.close();
}

/** Pages that the navigation does not link to, for the tour. */
export const pages = {
  bucket: `/files/b/${BUCKET}`, "bucket-folder": `/files/b/${BUCKET}?prefix=tree%2F`, "bucket-nothing-found": `/files/b/${BUCKET}?q=zzzz`, "bucket-settings": `/files/b/${BUCKET}/settings`,
  object: `/files/b/${BUCKET}/object?key=picture.png`, "files-keys": "/files/keys", "files-links": "/files/links", "files-trash": "/files/trash", "files-usage": "/files/usage",
};
