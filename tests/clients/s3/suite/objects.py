"""Objects: written, read, copied, deleted."""
import hashlib
from datetime import datetime, timedelta, timezone

from . import is_md5, keys, refused, test


@test
def test_object_write_read_update_read_delete(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="foo", Body=b"bar")
    assert s3.read(bucket, "foo") == b"bar"
    s3.client.put_object(Bucket=bucket, Key="foo", Body=b"soup")
    assert s3.read(bucket, "foo") == b"soup"
    s3.client.delete_object(Bucket=bucket, Key="foo")
    refused(s3.client.get_object, Bucket=bucket, Key="foo", status=404, code="NoSuchKey")


@test
def test_object_write_check_etag(s3):
    made = s3.client.put_object(Bucket=s3.bucket(), Key="foo", Body=b"bar")
    assert made["ETag"] == '"37b51d194a7513e45b56f6524f2d51f2"', made


@test
def test_object_write_file(s3):
    bucket = s3.bucket()
    content = bytes(range(256)) * 40_000
    s3.client.put_object(Bucket=bucket, Key="large", Body=content)
    assert s3.read(bucket, "large") == content


@test
def test_object_head_zero_bytes(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="empty", Body=b"")
    head = s3.client.head_object(Bucket=bucket, Key="empty")
    assert head["ContentLength"] == 0 and is_md5(head["ETag"]), head
    assert s3.read(bucket, "empty") == b""


@test
def test_object_read_not_exist(s3):
    refused(s3.client.get_object, Bucket=s3.bucket(), Key="bar", status=404, code="NoSuchKey")


@test
def test_object_delete_key_not_there(s3):
    assert s3.client.delete_object(Bucket=s3.bucket(), Key="never")["ResponseMetadata"]["HTTPStatusCode"] == 204


@test
def test_object_set_get_metadata_none_to_good(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"meta1": "mymeta", "two": "a, b"})
    assert s3.client.head_object(Bucket=bucket, Key="k")["Metadata"] == {"meta1": "mymeta", "two": "a, b"}
    s3.client.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.client.head_object(Bucket=bucket, Key="k")["Metadata"] == {}, "metadata of before stays"


@test
def test_object_metadata_too_large(s3):
    refused(s3.client.put_object, Bucket=s3.bucket(), Key="k", Body=b"x", Metadata={"a": "b" * 3000}, status=400, code="MetadataTooLarge")


@test
def test_object_system_headers(s3):
    bucket = s3.bucket()
    sent = {"CacheControl": "max-age=9", "ContentDisposition": 'attachment; filename="a"', "ContentEncoding": "gzip", "ContentLanguage": "de", "ContentType": "text/plain"}
    s3.client.put_object(Bucket=bucket, Key="k", Body=b"x", **sent)
    told = s3.client.head_object(Bucket=bucket, Key="k")
    assert {name: told[name] for name in sent} == sent, told


@test
def test_object_raw_response_headers(s3):
    bucket = s3.filled("k")
    told = s3.client.get_object(Bucket=bucket, Key="k", ResponseCacheControl="no-cache", ResponseContentDisposition="bla", ResponseContentEncoding="aaa", ResponseContentLanguage="esperanto", ResponseContentType="foo/bar")
    assert (told["CacheControl"], told["ContentDisposition"], told["ContentType"]) == ("no-cache", "bla", "foo/bar"), told


@test
def test_html_is_never_shown(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="k", Body=b"<script>1</script>", ContentType="text/html")
    told = s3.client.get_object(Bucket=bucket, Key="k", ResponseContentDisposition="inline")
    headers = told["ResponseMetadata"]["HTTPHeaders"]
    assert told["ContentDisposition"] == "attachment" and headers["x-content-type-options"] == "nosniff", told
    assert headers["content-security-policy"].startswith("sandbox"), headers


@test
def test_ranged_request_response_code(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="k", Body=b"testcontent")
    part = s3.client.get_object(Bucket=bucket, Key="k", Range="bytes=4-7")
    assert part["Body"].read() == b"cont" and part["ContentRange"] == "bytes 4-7/11"
    assert part["ResponseMetadata"]["HTTPStatusCode"] == 206


@test
def test_ranged_request_skip_leading_bytes_response_code(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="k", Body=b"testcontent")
    assert s3.read(bucket, "k", Range="bytes=4-") == b"content"


@test
def test_ranged_request_return_trailing_bytes_response_code(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="k", Body=b"testcontent")
    assert s3.read(bucket, "k", Range="bytes=-7") == b"content"


@test
def test_ranged_request_invalid_range(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="k", Body=b"testcontent")
    refused(s3.client.get_object, Bucket=bucket, Key="k", Range="bytes=40-50", status=416, code="InvalidRange")


@test
def test_ranged_request_empty_object(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="k", Body=b"")
    refused(s3.client.get_object, Bucket=bucket, Key="k", Range="bytes=40-50", status=416, code="InvalidRange")
    refused(s3.client.get_object, Bucket=bucket, Key="k", Range="bytes=-1", status=416, code="InvalidRange")


@test
def test_get_object_ifmatch_good(s3):
    bucket = s3.bucket()
    etag = s3.client.put_object(Bucket=bucket, Key="k", Body=b"bar")["ETag"]
    assert s3.read(bucket, "k", IfMatch=etag) == b"bar"


@test
def test_get_object_ifmatch_failed(s3):
    refused(s3.client.get_object, Bucket=s3.filled("k"), Key="k", IfMatch='"ABCORZ"', status=412, code="PreconditionFailed")


@test
def test_get_object_ifnonematch_good(s3):
    bucket = s3.bucket()
    etag = s3.client.put_object(Bucket=bucket, Key="k", Body=b"bar")["ETag"]
    refused(s3.client.get_object, Bucket=bucket, Key="k", IfNoneMatch=etag, status=304)


@test
def test_get_object_ifmodifiedsince_failed(s3):
    bucket = s3.filled("k")
    modified = s3.client.head_object(Bucket=bucket, Key="k")["LastModified"]
    refused(s3.client.get_object, Bucket=bucket, Key="k", IfModifiedSince=modified, status=304)
    assert s3.read(bucket, "k", IfModifiedSince=modified - timedelta(days=1)) == b"k"


@test
def test_get_object_ifunmodifiedsince_good(s3):
    past = datetime(1994, 10, 29, tzinfo=timezone.utc)
    refused(s3.client.get_object, Bucket=s3.filled("k"), Key="k", IfUnmodifiedSince=past, status=412, code="PreconditionFailed")


@test
def test_put_object_ifnonmatch_nonexisted_good(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="k", Body=b"bar", IfNoneMatch="*")
    refused(s3.client.put_object, Bucket=bucket, Key="k", Body=b"zar", IfNoneMatch="*", status=412, code="PreconditionFailed")
    assert s3.read(bucket, "k") == b"bar"


@test
def test_put_object_ifmatch_good(s3):
    bucket = s3.bucket()
    etag = s3.client.put_object(Bucket=bucket, Key="k", Body=b"bar")["ETag"]
    s3.client.put_object(Bucket=bucket, Key="k", Body=b"zar", IfMatch=etag)
    refused(s3.client.put_object, Bucket=bucket, Key="k", Body=b"car", IfMatch=etag, status=412, code="PreconditionFailed")


@test
def test_object_write_bad_md5(s3):
    refused(s3.client.put_object, Bucket=s3.bucket(), Key="k", Body=b"x", ContentMD5="rL0Y20zC+Fzt72VPzMSk2A==", status=400, code="BadDigest")
    refused(s3.client.put_object, Bucket=s3.bucket(), Key="k", Body=b"x", ContentMD5="AAAA", status=400, code="InvalidDigest")


@test
def test_object_checksums(s3):
    bucket = s3.bucket()
    for algorithm in ["CRC32", "SHA1", "SHA256"]:
        made = s3.client.put_object(Bucket=bucket, Key=algorithm, Body=b"hello", ChecksumAlgorithm=algorithm)
        name = f"Checksum{algorithm}"
        told = s3.client.head_object(Bucket=bucket, Key=algorithm, ChecksumMode="ENABLED")
        assert told[name] == made[name], (made, told)
        assert s3.read(bucket, algorithm, ChecksumMode="ENABLED") == b"hello"


@test
def test_object_checksum_sha256_wrong(s3):
    wrong = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    bucket = s3.bucket()
    refused(s3.client.put_object, Bucket=bucket, Key="k", Body=b"x", ChecksumSHA256=wrong, status=400, code="BadDigest")
    assert keys(s3.client.list_objects_v2(Bucket=bucket)) == []


@test
def test_get_object_attributes(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="SHA256")
    wanted = ["ETag", "Checksum", "ObjectSize", "StorageClass"]
    told = s3.client.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=wanted)
    assert (told["ETag"], told["ObjectSize"]) == (hashlib.md5(b"hello").hexdigest(), 5), told
    assert "ChecksumSHA256" in told["Checksum"], told


@test
def test_multi_object_delete(s3):
    bucket = s3.filled("key0", "key1", "key2")
    wanted = {"Objects": [{"Key": f"key{n}"} for n in range(4)]}
    done = s3.client.delete_objects(Bucket=bucket, Delete=wanted)
    assert len(done["Deleted"]) == 4 and "Errors" not in done, done
    assert keys(s3.client.list_objects_v2(Bucket=bucket)) == []
    quiet = s3.client.delete_objects(Bucket=bucket, Delete={**wanted, "Quiet": True})
    assert "Deleted" not in quiet, quiet


@test
def test_multi_object_delete_key_limit(s3):
    wanted = {"Objects": [{"Key": f"k{n}"} for n in range(1001)]}
    refused(s3.client.delete_objects, Bucket=s3.bucket(), Delete=wanted, status=400, code="MalformedXML")


@test
def test_multi_object_delete_of_a_thousand(s3):
    bucket = s3.filled("k1", "k2", "k 3")
    wanted = {"Objects": [{"Key": f"k{n}"} for n in range(999)] + [{"Key": "k 3"}]}
    assert len(s3.client.delete_objects(Bucket=bucket, Delete=wanted)["Deleted"]) == 1000
    assert keys(s3.client.list_objects_v2(Bucket=bucket)) == []


@test
def test_object_copy_same_bucket(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="a b+c", Body=b"foo", ContentType="text/x", Metadata={"m": "1"})
    done = s3.client.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a b+c"})
    assert is_md5(done["CopyObjectResult"]["ETag"]), done
    told = s3.client.get_object(Bucket=bucket, Key="copy")
    assert (told["Body"].read(), told["ContentType"], told["Metadata"]) == (b"foo", "text/x", {"m": "1"}), told


@test
def test_object_copy_zero_size(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="empty", Body=b"")
    s3.client.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "empty"})
    assert s3.read(bucket, "copy") == b""


@test
def test_object_copy_diff_bucket(s3):
    one, two = s3.filled("k"), s3.bucket()
    s3.client.copy_object(Bucket=two, Key="k2", CopySource=f"{one}/k")
    assert s3.read(two, "k2") == b"k"


@test
def test_object_copy_to_itself(s3):
    bucket = s3.filled("k")
    refused(s3.client.copy_object, Bucket=bucket, Key="k", CopySource=f"{bucket}/k", status=400, code="InvalidRequest")
    assert s3.read(bucket, "k") == b"k"


@test
def test_object_copy_to_itself_with_metadata(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="k", Body=b"foo", Metadata={"old": "1"}, CacheControl="no-store")
    s3.client.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/k", Metadata={"new": "2"}, MetadataDirective="REPLACE")
    told = s3.client.get_object(Bucket=bucket, Key="k")
    assert (told["Body"].read(), told["Metadata"]) == (b"foo", {"new": "2"}), told
    assert told.get("CacheControl") != "no-store", "a system header of before stays"


@test
def test_object_copy_key_not_found(s3):
    bucket = s3.bucket()
    refused(s3.client.copy_object, Bucket=bucket, Key="k", CopySource=f"{bucket}/never", status=404, code="NoSuchKey")
    refused(s3.client.copy_object, Bucket=bucket, Key="k", CopySource=f"{s3.name()}/k", status=404, code="NoSuchBucket")
    assert keys(s3.client.list_objects_v2(Bucket=bucket)) == []


@test
def test_copy_object_ifmatch_failed(s3):
    bucket = s3.filled("k")
    refused(s3.client.copy_object, Bucket=bucket, Key="c", CopySource=f"{bucket}/k", CopySourceIfMatch='"x"', status=412, code="PreconditionFailed")
    etag = s3.client.head_object(Bucket=bucket, Key="k")["ETag"]
    refused(s3.client.copy_object, Bucket=bucket, Key="c", CopySource=f"{bucket}/k", CopySourceIfNoneMatch=etag, status=412, code="PreconditionFailed")
    s3.client.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k", CopySourceIfMatch=etag)


@test
def test_put_obj_with_tags(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="foo=bar&b%20c=d")
    tags = s3.client.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert tags == [{"Key": "b c", "Value": "d"}, {"Key": "foo", "Value": "bar"}], tags
    assert s3.client.head_object(Bucket=bucket, Key="k")["TagCount"] == 2


@test
def test_put_max_tags(s3):
    bucket = s3.filled("k")
    tags = [{"Key": f"{n:02}", "Value": str(n)} for n in range(11)]
    s3.client.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tags[:10]})
    assert s3.client.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags[:10]
    refused(s3.client.put_object_tagging, Bucket=bucket, Key="k", Tagging={"TagSet": tags}, status=400, code="InvalidTag")
    refused(s3.client.put_object_tagging, Bucket=bucket, Key="k", Tagging={"TagSet": tags[:1] * 2}, status=400, code="InvalidTag")
    s3.client.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.client.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


@test
def test_put_excess_key_tags(s3):
    wrong = [{"Key": "k" * 129, "Value": "v"}]
    refused(s3.client.put_object_tagging, Bucket=s3.filled("k"), Key="k", Tagging={"TagSet": wrong}, status=400, code="InvalidTag")


@test
def test_object_key_too_long(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="k" * 1024, Body=b"x")
    refused(s3.client.put_object, Bucket=bucket, Key="k" * 1025, Body=b"x", status=400, code="KeyTooLongError")


@test
def test_keys_with_odd_names(s3):
    odd = ["a//b", "/lead", "end/", "..", "a/../b", " ", "a ", "%2F", "b+c", "a&b=c?d#e", "\\", "\u00e9", "e\u0301", "\U0001f600", "x\ty", "\u0001"]
    bucket = s3.filled(*odd)
    for key in odd:
        assert s3.read(bucket, key) == key.encode(), repr(key)
    assert keys(s3.client.list_objects_v2(Bucket=bucket)) == sorted(odd), "a list has other keys"


@test
def test_encryption_is_refused(s3):
    refused(s3.client.put_object, Bucket=s3.bucket(), Key="k", Body=b"x", ServerSideEncryption="AES256", status=501, code="NotImplemented")


@test
def test_storage_classes(s3):
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="STANDARD")
    refused(s3.client.put_object, Bucket=bucket, Key="k", Body=b"x", StorageClass="GLACIER", status=400, code="InvalidStorageClass")
