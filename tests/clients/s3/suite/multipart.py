"""Uploads in parts."""
import hashlib

from . import keys, refused, test

MIB5 = 5 << 20


def upload(s3, bucket, key, *parts, **how):
    """Sends these parts; returns the upload and what completes it."""
    id = s3.client.create_multipart_upload(Bucket=bucket, Key=key, **how)["UploadId"]
    done = []
    for number, part in enumerate(parts, 1):
        etag = s3.client.upload_part(Bucket=bucket, Key=key, UploadId=id, PartNumber=number, Body=part)["ETag"]
        done.append({"PartNumber": number, "ETag": etag})
    return id, done


def complete(s3, bucket, key, id, parts, **how):
    return s3.client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=id, MultipartUpload={"Parts": parts}, **how)


def expected_etag(*parts):
    return f'"{hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()}-{len(parts)}"'


@test
def test_multipart_upload(s3):
    bucket, parts = s3.bucket(), (b"a" * MIB5, b"b" * 100)
    id, done = upload(s3, bucket, "k", *parts, ContentType="text/foo", Metadata={"foo": "bar"})
    told = complete(s3, bucket, "k", id, done)
    assert told["ETag"] == expected_etag(*parts), told
    read = s3.client.get_object(Bucket=bucket, Key="k")
    assert read["Body"].read() == b"".join(parts)
    assert (read["ETag"], read["ContentType"], read["Metadata"]) == (told["ETag"], "text/foo", {"foo": "bar"}), read


@test
def test_multipart_upload_complete_again(s3):
    bucket = s3.bucket()
    id, done = upload(s3, bucket, "k", b"x")
    first = complete(s3, bucket, "k", id, done)
    assert complete(s3, bucket, "k", id, done)["ETag"] == first["ETag"]


@test
def test_multipart_upload_empty(s3):
    bucket = s3.bucket()
    id, _ = upload(s3, bucket, "k")
    refused(complete, s3, bucket, "k", id, [], status=400, code="MalformedXML")


@test
def test_multipart_upload_size_too_small(s3):
    bucket = s3.bucket()
    id, done = upload(s3, bucket, "k", b"a" * 100, b"b")
    refused(complete, s3, bucket, "k", id, done, status=400, code="EntityTooSmall")


@test
def test_multipart_upload_missing_part(s3):
    bucket = s3.bucket()
    id, done = upload(s3, bucket, "k", b"x")
    refused(complete, s3, bucket, "k", id, [{**done[0], "PartNumber": 9999}], status=400, code="InvalidPart")


@test
def test_multipart_upload_incorrect_etag(s3):
    bucket = s3.bucket()
    id, _ = upload(s3, bucket, "k", b"x")
    wrong = [{"PartNumber": 1, "ETag": '"ffffffffffffffffffffffffffffffff"'}]
    refused(complete, s3, bucket, "k", id, wrong, status=400, code="InvalidPart")


@test
def test_multipart_upload_wrong_order(s3):
    bucket = s3.bucket()
    id, done = upload(s3, bucket, "k", b"a" * MIB5, b"b")
    refused(complete, s3, bucket, "k", id, done[::-1], status=400, code="InvalidPartOrder")


@test
def test_multipart_upload_resend_part(s3):
    bucket = s3.bucket()
    id, _ = upload(s3, bucket, "k", b"a")
    etag = s3.client.upload_part(Bucket=bucket, Key="k", UploadId=id, PartNumber=1, Body=b"again")["ETag"]
    complete(s3, bucket, "k", id, [{"PartNumber": 1, "ETag": etag}])
    assert s3.read(bucket, "k") == b"again"


@test
def test_abort_multipart_upload(s3):
    bucket = s3.bucket()
    id, _ = upload(s3, bucket, "k", b"a")
    s3.client.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=id)
    refused(s3.client.list_parts, Bucket=bucket, Key="k", UploadId=id, status=404, code="NoSuchUpload")
    assert keys(s3.client.list_objects_v2(Bucket=bucket)) == []


@test
def test_abort_multipart_upload_not_found(s3):
    bucket = s3.filled("k")
    for id in ("56788", "01890000-0000-7000-8000-000000000000"):
        refused(s3.client.abort_multipart_upload, Bucket=bucket, Key="k", UploadId=id, status=404, code="NoSuchUpload")


@test
def test_list_multipart_upload(s3):
    bucket = s3.bucket()
    ids = [upload(s3, bucket, key, b"x")[0] for key in ("a", "a", "b/c")]
    found, more = [], {}
    while True:
        page = s3.client.list_multipart_uploads(Bucket=bucket, MaxUploads=1, **more)
        found += [one["UploadId"] for one in page.get("Uploads", [])]
        if not page["IsTruncated"]:
            break
        more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert sorted(found) == sorted(ids), found
    assert len(s3.client.list_multipart_uploads(Bucket=bucket, Prefix="b/")["Uploads"]) == 1
    page = s3.client.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [one["Prefix"] for one in page["CommonPrefixes"]] == ["b/"] and len(page["Uploads"]) == 2, page


@test
def test_list_parts(s3):
    bucket = s3.bucket()
    id, done = upload(s3, bucket, "k", b"a", b"bb", b"ccc")
    page = s3.client.list_parts(Bucket=bucket, Key="k", UploadId=id, MaxParts=2)
    assert [(one["PartNumber"], one["Size"]) for one in page["Parts"]] == [(1, 1), (2, 2)] and page["IsTruncated"], page
    rest = s3.client.list_parts(Bucket=bucket, Key="k", UploadId=id, PartNumberMarker=page["NextPartNumberMarker"])
    assert [one["ETag"] for one in rest["Parts"]] == [done[2]["ETag"]] and not rest["IsTruncated"], rest


@test
def test_multipart_copy_small(s3):
    source = s3.bucket()
    content = bytes(range(256)) * 30_000
    s3.client.put_object(Bucket=source, Key="s", Body=content)
    bucket = s3.bucket()
    id, _ = upload(s3, bucket, "k")
    part = {"Bucket": bucket, "Key": "k", "UploadId": id}
    first = s3.client.upload_part_copy(**part, PartNumber=1, CopySource=f"{source}/s", CopySourceRange=f"bytes=7-{MIB5 + 6}")
    second = s3.client.upload_part_copy(**part, PartNumber=2, CopySource=f"{source}/s", CopySourceRange="bytes=0-9")
    parts = [{"PartNumber": n, "ETag": one["CopyPartResult"]["ETag"]} for n, one in ((1, first), (2, second))]
    complete(s3, bucket, "k", id, parts)
    assert s3.read(bucket, "k") == content[7 : MIB5 + 7] + content[:10]
    assert s3.read(bucket, "k", Range=f"bytes={MIB5 - 2}-{MIB5 + 1}") == content[MIB5 + 5 : MIB5 + 7] + content[:2]


@test
def test_multipart_copy_invalid_range(s3):
    bucket = s3.filled("abc")
    id, _ = upload(s3, bucket, "k")
    part = {"Bucket": bucket, "Key": "k", "UploadId": id, "PartNumber": 1, "CopySource": f"{bucket}/abc"}
    refused(s3.client.upload_part_copy, **part, CopySourceRange="bytes=0-21", status=416, code="InvalidRange")
    for wrong in ("0-2", "bytes=0", "bytes=hello-world", "bytes=2-0", "bytes=0-bar"):
        refused(s3.client.upload_part_copy, **part, CopySourceRange=wrong, status=400, code="InvalidArgument")


@test
def test_multipart_get_part(s3):
    bucket, parts = s3.bucket(), (b"a" * MIB5, b"b" * 100)
    id, done = upload(s3, bucket, "k", *parts)
    complete(s3, bucket, "k", id, done)
    for number, part in enumerate(parts, 1):
        told = s3.client.get_object(Bucket=bucket, Key="k", PartNumber=number)
        assert told["PartsCount"] == 2 and told["Body"].read() == part
        assert s3.client.head_object(Bucket=bucket, Key="k", PartNumber=number)["ContentLength"] == len(part)
    refused(s3.client.get_object, Bucket=bucket, Key="k", PartNumber=3, status=416, code="InvalidPartNumber")


@test
def test_multipart_single_get_part(s3):
    told = s3.client.get_object(Bucket=s3.filled("k"), Key="k") and s3.client.head_object(Bucket=s3.filled("x"), Key="x", PartNumber=1)
    assert told["ContentLength"] == 1 and "PartsCount" not in told, told


@test
def test_multipart_put_object_if_none_match(s3):
    bucket = s3.filled("k")
    id, done = upload(s3, bucket, "k", b"x")
    refused(complete, s3, bucket, "k", id, done, IfNoneMatch="*", status=412, code="PreconditionFailed")
    assert s3.read(bucket, "k") == b"k"


@test
def test_multipart_checksum_composite(s3):
    bucket, content = s3.bucket(), (b"a" * MIB5, b"b")
    id = s3.client.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for number, part in enumerate(content, 1):
        sent = s3.client.upload_part(Bucket=bucket, Key="k", UploadId=id, PartNumber=number, Body=part, ChecksumAlgorithm="SHA256")
        parts.append({"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": sent["ChecksumSHA256"]})
    wrong = [{**parts[0], "ChecksumSHA256": parts[1]["ChecksumSHA256"]}, parts[1]]
    refused(complete, s3, bucket, "k", id, wrong, status=400, code="InvalidPart")
    told = complete(s3, bucket, "k", id, parts)
    import base64

    both = b"".join(hashlib.sha256(part).digest() for part in content)
    assert told["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(both).digest()).decode() + "-2", told


@test
def test_upload_of_another_key(s3):
    bucket = s3.bucket()
    id, _ = upload(s3, bucket, "k", b"x")
    refused(s3.client.upload_part, Bucket=bucket, Key="other", UploadId=id, PartNumber=1, Body=b"x", status=404, code="NoSuchUpload")
