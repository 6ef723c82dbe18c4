// The JavaScript SDK (v3) against the appliance: single objects, parts by lib-storage, presigned addresses and forms, hashes, conditions.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { S3Client, CreateBucketCommand, PutObjectCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, DeleteObjectsCommand, DeleteBucketCommand } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const client = new S3Client({ endpoint: process.env.S3_ENDPOINT, region: "us-east-1", forcePathStyle: true });
const Bucket = `sdk-${randomBytes(6).toString("hex")}`;
await client.send(new CreateBucketCommand({ Bucket }));

const text = async (Key) => (await client.send(new GetObjectCommand({ Bucket, Key }))).Body.transformToString();

await client.send(new PutObjectCommand({ Bucket, Key: "a b/ü+", Body: "text", Metadata: { colour: "blue" } }));
assert.equal(await text("a b/ü+"), "text");
const head = await client.send(new HeadObjectCommand({ Bucket, Key: "a b/ü+", ChecksumMode: "ENABLED" }));
assert.equal(head.Metadata.colour, "blue");
// The SDK sends a CRC of its own accord.
assert.ok(head.ChecksumCRC32, "the hash that was sent is not told");

const large = randomBytes(12 << 20);
const done = await new Upload({ client, params: { Bucket, Key: "large", Body: large }, partSize: 5 << 20 }).done();
assert.match(done.ETag, /-3"$/);
const back = await (await client.send(new GetObjectCommand({ Bucket, Key: "large" }))).Body.transformToByteArray();
assert.ok(large.equals(Buffer.from(back)), "a large object came back changed");

await assert.rejects(client.send(new PutObjectCommand({ Bucket, Key: "large", Body: "x", IfNoneMatch: "*" })), { name: "PreconditionFailed" });

const get = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: "a b/ü+" }), { expiresIn: 60 });
assert.equal(await (await fetch(get)).text(), "text");
const put = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: "signed" }), { expiresIn: 60 });
assert.equal((await fetch(put, { method: "PUT", body: "by address" })).status, 200);
assert.equal(await text("signed"), "by address");

const post = await createPresignedPost(client, { Bucket, Key: "form", Conditions: [["content-length-range", 1, 10]], Expires: 60 });
const form = new FormData();
for (const [name, value] of Object.entries(post.fields)) form.append(name, value);
form.append("file", new Blob(["by form"]), "f.txt");
const posted = await fetch(post.url, { method: "POST", body: form });
assert.equal(posted.status, 204, await posted.text());
assert.equal(await text("form"), "by form");

const page = await client.send(new ListObjectsV2Command({ Bucket }));
assert.deepEqual(page.Contents.map((one) => one.Key), ["a b/ü+", "form", "large", "signed"]);
const Objects = page.Contents.map(({ Key }) => ({ Key }));
const gone = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
assert.equal(gone.Deleted.length, 4);
await client.send(new DeleteBucketCommand({ Bucket }));
console.log("JavaScript SDK: fine");
