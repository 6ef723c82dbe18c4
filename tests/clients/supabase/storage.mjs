// supabase-js against a real appliance: each call of calls.json, by a check of its name. A call without a check, and a check without a call, fail.
//
//   FILES_URL, FILES_KEY (all three scopes), FILES_ORGANISATION; started by run.py
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { deflateSync, crc32 } from "node:zlib";
import { createClient } from "@supabase/supabase-js";
import * as tus from "tus-js-client";

const { FILES_URL: url, FILES_KEY: key, FILES_ORGANISATION: organisation } = process.env;
const { storage } = createClient(`${url}/o/${organisation}`, key, { auth: { persistSession: false, autoRefreshToken: false } });
const bucket = `s${Date.now()}`;
const here = storage.from(bucket);

/** The data of an answer that must have no error. */
function right({ data, error }) {
  assert.equal(error, null, error && JSON.stringify(error));
  return data;
}

/** The error of an answer that must have this status and code. */
function wrong({ data, error }, status, code) {
  assert.ok(error, `no error: ${JSON.stringify(data)}`);
  assert.deepEqual([error.status, error.code], [status, code], JSON.stringify(error));
}

async function content(path, options) {
  return right(await here.download(path, options)).text();
}

/** A PNG of one colour. */
function picture(side) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(side * 3, 120)]);
  const pixels = deflateSync(Buffer.concat(Array(side).fill(row)));
  const sign = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([sign, chunk("IHDR", head), chunk("IDAT", pixels), chunk("IEND", Buffer.alloc(0))]);
}

const checks = {
  async createBucket() {
    assert.equal(right(await storage.createBucket(bucket, { public: true, fileSizeLimit: "20MB" })).name, bucket);
    wrong(await storage.createBucket(bucket, { public: true }), 409, "ResourceAlreadyExists");
    const odd = await storage.createBucket("not A name", { public: true });
    assert.ok(odd.error, "a name that is none");
  },
  async getBucket() {
    const found = right(await storage.getBucket(bucket));
    assert.deepEqual([found.id, found.public, found.file_size_limit], [bucket, true, 20_000_000]);
    wrong(await storage.getBucket("nowhere"), 404, "NoSuchBucket");
  },
  async listBuckets() {
    const found = right(await storage.listBuckets({ search: bucket, limit: 5, sortColumn: "name", sortOrder: "desc" }));
    assert.deepEqual(found.map((one) => one.name), [bucket]);
    assert.deepEqual(right(await storage.listBuckets({ search: bucket, offset: 1 })), []);
  },
  async updateBucket() {
    right(await storage.updateBucket(bucket, { public: true, fileSizeLimit: null, allowedMimeTypes: ["image/*", "text/*"] }));
    const found = right(await storage.getBucket(bucket));
    assert.deepEqual([found.file_size_limit, found.allowed_mime_types], [null, ["image/*", "text/*"]]);
    right(await storage.updateBucket(bucket, { public: true, allowedMimeTypes: null }));
  },
  async upload() {
    const made = right(await here.upload("folder/a b.txt", "one", { contentType: "text/plain", metadata: { from: "Ada" } }));
    assert.equal(made.fullPath, `${bucket}/folder/a b.txt`);
    wrong(await here.upload("folder/a b.txt", "two"), 409, "KeyAlreadyExists");
    right(await here.upload("folder/a b.txt", "two", { upsert: true, cacheControl: "60" }));
    assert.equal(await content("folder/a b.txt"), "two");
    right(await here.upload("blob.txt", new Blob(["blob"], { type: "text/plain" }), { cacheControl: "7", metadata: { n: 1 } }));
    const form = new FormData();
    form.append("cacheControl", "3600");
    form.append("", new Blob(["form"], { type: "text/plain" }), "any");
    right(await here.upload("form.txt", form));
    const stream = new ReadableStream({
      start(controller) {
        for (let n = 0; n < 100; n += 1) controller.enqueue(new TextEncoder().encode("0123456789"));
        controller.close();
      },
    });
    right(await here.upload("stream.txt", stream, { contentType: "text/plain", duplex: "half" }));
    assert.equal((await content("stream.txt")).length, 1000);
    right(await here.upload("picture.png", picture(64), { contentType: "image/png" }));
  },
  async update() {
    right(await here.update("folder/a b.txt", "three", { contentType: "text/plain" }));
    assert.equal(await content("folder/a b.txt"), "three");
  },
  async info() {
    const found = right(await here.info("blob.txt"));
    assert.deepEqual([found.name, found.size, found.contentType, found.cacheControl], ["blob.txt", 4, "text/plain", "max-age=7"]);
    assert.deepEqual(found.metadata, { n: "1" });
  },
  async exists() {
    assert.equal((await here.exists("blob.txt")).data, true);
    assert.equal((await here.exists("nothing")).data, false);
  },
  async download() {
    assert.equal(await content("blob.txt"), "blob");
    const { error } = await here.download("nothing");
    assert.ok(error);
    const small = right(await here.download("picture.png", { transform: { width: 16, height: 16, resize: "cover" } }));
    assert.match(small.type, /^image\//);
    assert.ok(small.size > 0);
  },
  async list() {
    const names = (entries) => entries.map((entry) => entry.name);
    assert.deepEqual(names(right(await here.list())), ["blob.txt", "folder", "form.txt", "picture.png", "stream.txt"]);
    assert.deepEqual(names(right(await here.list("folder"))), ["a b.txt"]);
    assert.deepEqual(names(right(await here.list("", { search: "f", limit: 1, offset: 1 }))), ["form.txt"]);
    const back = right(await here.list("", { sortBy: { column: "name", order: "desc" } }));
    assert.equal(back[0].name, "stream.txt");
    assert.equal(right(await here.list()).find((entry) => entry.name === "folder").id, null);
  },
  async listV2() {
    const first = right(await here.listV2({ limit: 2, with_delimiter: true }));
    assert.equal(first.hasNext, true);
    const second = right(await here.listV2({ limit: 100, with_delimiter: true, cursor: first.nextCursor }));
    assert.equal(second.hasNext, false);
    const all = [first, second].flatMap((page) => [...page.folders, ...page.objects]).map((entry) => entry.name);
    assert.deepEqual(all.sort(), ["blob.txt", "folder/", "form.txt", "picture.png", "stream.txt"]);
  },
  async copy() {
    assert.equal(right(await here.copy("blob.txt", "copied.txt")).path, `${bucket}/copied.txt`);
    wrong(await here.copy("nothing", "x"), 404, "NoSuchKey");
  },
  async move() {
    right(await here.move("copied.txt", "moved.txt"));
    assert.equal((await here.exists("copied.txt")).data, false);
    assert.equal(await content("moved.txt"), "blob");
  },
  async createSignedUrl() {
    const { signedUrl } = right(await here.createSignedUrl("folder/a b.txt", 60, { download: "other.txt" }));
    const answer = await fetch(signedUrl);
    assert.equal(await answer.text(), "three");
    assert.match(answer.headers.get("content-disposition"), /^attachment; filename="other.txt"/);
    const changed = await fetch(signedUrl.replace(/token=(.)/, (_, c) => `token=${c === "A" ? "B" : "A"}`));
    assert.equal(changed.status, 403);
    const small = right(await here.createSignedUrl("picture.png", 60, { transform: { width: 8 } })).signedUrl;
    assert.match((await fetch(small)).headers.get("content-type"), /^image\//);
    // With other options it is another picture, which nobody signed.
    const { error } = await here.createSignedUrl("blob.txt", 10 * 365 * 24 * 3600);
    assert.equal(error.status, 400);
  },
  async createSignedUrls() {
    const [one, other] = right(await here.createSignedUrls(["blob.txt", "nothing"], 60));
    assert.equal(await (await fetch(one.signedUrl)).text(), "blob");
    assert.ok(other.error && other.signedUrl === null);
  },
  async createSignedUploadUrl() {
    const made = right(await here.createSignedUploadUrl("signed/a.txt"));
    assert.ok(made.token && made.signedUrl.includes(`token=${made.token}`));
  },
  async uploadToSignedUrl() {
    const { token } = right(await here.createSignedUploadUrl("signed/b.txt"));
    right(await here.uploadToSignedUrl("signed/b.txt", token, "signed", { contentType: "text/plain" }));
    assert.equal(await content("signed/b.txt"), "signed");
    wrong(await here.uploadToSignedUrl("signed/b.txt", token, "again", { upsert: true }), 409, "KeyAlreadyExists");
    wrong(await here.uploadToSignedUrl("signed/other.txt", token, "x"), 403, "AccessDenied");
    const upsert = right(await here.createSignedUploadUrl("signed/b.txt", { upsert: true }));
    right(await here.uploadToSignedUrl("signed/b.txt", upsert.token, "again"));
  },
  async getPublicUrl() {
    const { publicUrl } = here.getPublicUrl("folder/a b.txt").data;
    const answer = await fetch(publicUrl, { headers: { origin: "https://any.test" } });
    assert.deepEqual([await answer.text(), answer.headers.get("access-control-allow-origin")], ["three", "*"]);
    const { publicUrl: small } = here.getPublicUrl("picture.png", { transform: { width: 8 } }).data;
    assert.equal((await fetch(small)).status, 403, "the bucket permits presets only");
  },
  async "resumable uploads"() {
    const bytes = Buffer.alloc(200_000, "resumable ");
    const send = (options) =>
      new Promise((resolve, reject) => {
        const upload = new tus.Upload(bytes, {
          chunkSize: 64_000,
          uploadSize: bytes.length,
          retryDelays: [],
          metadata: { bucketName: bucket, objectName: options.name, contentType: "text/plain", cacheControl: "60" },
          onError: reject,
          onSuccess: () => resolve(upload.url),
          ...options,
        });
        upload.start();
      });
    const base = `${url}/o/${organisation}/storage/v1/upload/resumable`;
    const address = await send({ endpoint: base, name: "tus/a.txt", headers: { authorization: `Bearer ${key}`, "x-upsert": "true" } });
    assert.ok(address.startsWith(`${base}/`), address);
    assert.equal((await content("tus/a.txt")).length, bytes.length);
    const { token } = right(await here.createSignedUploadUrl("tus/b.txt"));
    await send({ endpoint: `${base}/sign`, name: "tus/b.txt", headers: { "x-signature": token } });
    assert.equal((await content("tus/b.txt")).length, bytes.length);
    await assert.rejects(send({ endpoint: `${base}/sign`, name: "tus/c.txt", headers: { "x-signature": token } }));
  },
  async purgeCache() {
    right(await here.purgeCache("blob.txt"));
  },
  async purgeBucketCache() {
    right(await storage.purgeBucketCache(bucket));
  },
  async remove() {
    const removed = right(await here.remove(["blob.txt", "nothing", "moved.txt"]));
    assert.deepEqual(removed.map((one) => one.name).sort(), ["blob.txt", "moved.txt"]);
    assert.equal((await here.exists("blob.txt")).data, false);
  },
  async updateBucketLifecycle() {
    const rules = [{ id: "old", status: "Enabled", filter: {}, noncurrentVersionExpiration: { noncurrentDays: 30, newerNoncurrentVersions: 2 } }];
    right(await storage.updateBucketLifecycle(bucket, { rules }));
  },
  async getBucketLifecycle() {
    const { rules } = right(await storage.getBucketLifecycle(bucket));
    assert.deepEqual(rules.map((rule) => [rule.id, rule.noncurrentVersionExpiration.noncurrentDays]), [["old", 30]]);
  },
  async deleteBucketLifecycle() {
    right(await storage.deleteBucketLifecycle(bucket));
    assert.deepEqual(right(await storage.getBucketLifecycle(bucket)).rules, []);
  },
  async emptyBucket() {
    right(await storage.emptyBucket(bucket));
    for (let left = 60; ; left -= 1) {
      if (right(await here.list()).length === 0) break;
      assert.ok(left > 0, "the bucket is not emptied");
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  },
  async deleteBucket() {
    right(await storage.deleteBucket(bucket));
    wrong(await storage.getBucket(bucket), 404, "NoSuchBucket");
  },
};

const listed = JSON.parse(readFileSync(new URL("calls.json", import.meta.url))).calls.map((entry) => entry.call);
assert.deepEqual(Object.keys(checks).sort(), [...listed].sort(), "calls.json and the checks are not the same calls");
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
console.log(`supabase-js: ${Object.keys(checks).length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
