// tus-js-client against a real appliance: in pieces, resumed after a pause, in parallel, of unknown length.
//
//   FILES_URL, FILES_KEY; started by run.py
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import * as tus from "tus-js-client";

const { FILES_URL: url, FILES_KEY: key } = process.env;
const headers = { authorization: `Bearer ${key}` };
const bytes = randomBytes(5_000_000);
const hash = (content) => createHash("sha256").update(content).digest("hex");

async function stored(name) {
  const answer = await fetch(`${url}/api/v1/buckets/tus/objects/${encodeURIComponent(name)}`, { headers });
  assert.equal(answer.status, 200, await answer.clone().text());
  return hash(Buffer.from(await answer.arrayBuffer()));
}

function upload(name, options = {}, source = bytes) {
  return new Promise((resolve, reject) => {
    const one = new tus.Upload(source, {
      endpoint: `${url}/f/tus`,
      headers,
      chunkSize: 1_000_000,
      retryDelays: [100, 500],
      metadata: { bucketName: "tus", objectName: name, filetype: "application/octet-stream" },
      onError: reject,
      onSuccess: () => resolve(one),
      ...options,
    });
    options.seen?.(one);
    one.start();
  });
}

const checks = {
  async "in pieces"() {
    const done = await upload("pieces");
    assert.ok(done.url.startsWith(`${url}/f/tus/`), done.url);
    assert.equal(await stored("pieces"), hash(bytes));
  },
  async "resumed where it was broken off"() {
    let broken;
    const begun = new Promise((resolve) => {
      upload("resumed", {
        seen: (one) => (broken = one),
        onChunkComplete: async (_, accepted) => {
          if (accepted >= 2_000_000) {
            await broken.abort();
            resolve(broken.url);
          }
        },
      }).catch(resolve);
    });
    const address = await begun;
    assert.equal(typeof address, "string", String(address));
    const head = await fetch(address, { method: "HEAD", headers: { ...headers, "tus-resumable": "1.0.0" } });
    assert.ok(Number(head.headers.get("upload-offset")) >= 2_000_000);
    await upload("resumed", { uploadUrl: address });
    assert.equal(await stored("resumed"), hash(bytes));
  },
  async "in parallel"() {
    const metadata = { bucketName: "tus", objectName: "parallel" };
    await upload("parallel", { parallelUploads: 4, metadataForPartialUploads: metadata });
    assert.equal(await stored("parallel"), hash(bytes));
  },
  async "of a length that is told at the end"() {
    await upload("deferred", { uploadLengthDeferred: true }, Readable.from([bytes.subarray(0, 3_000_000), bytes.subarray(3_000_000)]));
    assert.equal(await stored("deferred"), hash(bytes));
  },
  async "at once with its creation"() {
    await upload("creating", { uploadDataDuringCreation: true });
    assert.equal(await stored("creating"), hash(bytes));
  },
  async "by POST alone"() {
    await upload("overridden", { overridePatchMethod: true });
    assert.equal(await stored("overridden"), hash(bytes));
  },
  async "given up"() {
    let one;
    const stopped = new Promise((resolve) => {
      upload("given up", { seen: (u) => (one = u), onChunkComplete: () => one.abort(true).then(resolve, resolve) }).catch(resolve);
    });
    await stopped;
    const head = await fetch(one.url, { method: "HEAD", headers: { ...headers, "tus-resumable": "1.0.0" } });
    assert.equal(head.status, 410);
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}\n${error.stack}`);
  }
}
console.log(`tus-js-client: ${Object.keys(checks).length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
