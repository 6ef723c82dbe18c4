"""Versions, delete markers and locks."""
from datetime import datetime, timedelta, timezone

from . import keys, refused, test


def versioned(s3, status="Enabled"):
    bucket = s3.bucket()
    s3.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
    return bucket


def put(s3, bucket, key, body):
    return s3.client.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]


def listed(s3, bucket):
    page = s3.client.list_object_versions(Bucket=bucket)
    versions = [(one["Key"], one["VersionId"], one["IsLatest"]) for one in page.get("Versions", [])]
    markers = [(one["Key"], one["VersionId"], one["IsLatest"]) for one in page.get("DeleteMarkers", [])]
    return versions, markers


@test
def test_versioning_bucket_create_suspend(s3):
    bucket = s3.bucket()
    assert "Status" not in s3.client.get_bucket_versioning(Bucket=bucket)
    for status in ("Suspended", "Enabled", "Enabled", "Suspended"):
        s3.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        assert s3.client.get_bucket_versioning(Bucket=bucket)["Status"] == status


@test
def test_versioning_obj_create_read_remove(s3):
    bucket = versioned(s3)
    ids = [put(s3, bucket, "k", body) for body in (b"0", b"1", b"2")]
    assert [s3.read(bucket, "k", VersionId=id) for id in ids] == [b"0", b"1", b"2"]
    s3.client.delete_object(Bucket=bucket, Key="k", VersionId=ids[2])
    assert s3.read(bucket, "k") == b"1", "the one before is current again"
    assert listed(s3, bucket)[0] == [("k", ids[1], True), ("k", ids[0], False)]


@test
def test_versioning_obj_create_versions_remove_special_names(s3):
    bucket = versioned(s3)
    for key in ("_", ":", " ", "dir/"):
        put(s3, bucket, key, b"x")
        put(s3, bucket, key, b"y")
    assert len(listed(s3, bucket)[0]) == 8


@test
def test_versioning_delete_makes_a_marker(s3):
    bucket = versioned(s3)
    id = put(s3, bucket, "k", b"x")
    gone = s3.client.delete_object(Bucket=bucket, Key="k")
    assert gone["DeleteMarker"] is True, gone
    told = refused(s3.client.get_object, Bucket=bucket, Key="k", status=404, code="NoSuchKey")
    refused(s3.client.get_object, Bucket=bucket, Key="k", VersionId=gone["VersionId"], status=405, code="MethodNotAllowed")
    assert told and s3.read(bucket, "k", VersionId=id) == b"x"
    assert keys(s3.client.list_objects_v2(Bucket=bucket)) == [], "a marker is in the list"
    assert listed(s3, bucket) == ([("k", id, False)], [("k", gone["VersionId"], True)])
    back = s3.client.delete_object(Bucket=bucket, Key="k", VersionId=gone["VersionId"])
    assert back["DeleteMarker"] is True and s3.read(bucket, "k") == b"x", back


@test
def test_versioning_obj_plain_null_version_removal(s3):
    bucket = s3.filled("k")
    s3.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert listed(s3, bucket)[0] == [("k", "null", True)]
    s3.client.delete_object(Bucket=bucket, Key="k", VersionId="null")
    refused(s3.client.get_object, Bucket=bucket, Key="k", status=404, code="NoSuchKey")
    assert listed(s3, bucket) == ([], [])


@test
def test_versioning_obj_plain_null_version_overwrite_suspended(s3):
    bucket = s3.filled("k")
    for status in ("Enabled", "Suspended"):
        s3.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
    s3.client.put_object(Bucket=bucket, Key="k", Body=b"new")
    assert listed(s3, bucket)[0] == [("k", "null", True)] and s3.read(bucket, "k") == b"new"


@test
def test_versioning_suspended_deletes_leave_one_marker(s3):
    bucket = versioned(s3)
    id = put(s3, bucket, "k", b"x")
    s3.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    for _ in range(3):
        s3.client.delete_object(Bucket=bucket, Key="k")
    assert listed(s3, bucket) == ([("k", id, False)], [("k", "null", True)])


@test
def test_versioning_multi_object_delete(s3):
    bucket = versioned(s3)
    ids = [put(s3, bucket, "k", body) for body in (b"0", b"1")]
    objects = [{"Key": "k", "VersionId": id} for id in ids]
    done = s3.client.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert sorted(one["VersionId"] for one in done["Deleted"]) == sorted(ids), done
    marker = s3.client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})["Deleted"][0]
    assert marker["DeleteMarker"] is True and marker["DeleteMarkerVersionId"], marker


@test
def test_versioning_obj_list_marker(s3):
    bucket = versioned(s3)
    expected = []
    for key in ("a", "b"):
        expected += reversed([put(s3, bucket, key, b"x") for _ in range(3)])
    found, more = [], {}
    while True:
        page = s3.client.list_object_versions(Bucket=bucket, MaxKeys=2, **more)
        found += [one["VersionId"] for one in page["Versions"]]
        if not page["IsTruncated"]:
            break
        more = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
    assert found == expected, found
    refused(s3.client.list_object_versions, Bucket=bucket, VersionIdMarker=expected[0], status=400, code="InvalidArgument")


@test
def test_versioning_copy_obj_version(s3):
    bucket = versioned(s3)
    ids = [put(s3, bucket, "k", body) for body in (b"0", b"1")]
    done = s3.client.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k", "VersionId": ids[0]})
    assert s3.read(bucket, "c") == b"0" and done["CopySourceVersionId"] == ids[0], done


@test
def test_versioning_wrong_version(s3):
    bucket = versioned(s3)
    put(s3, bucket, "k", b"x")
    refused(s3.client.get_object, Bucket=bucket, Key="k", VersionId="nonsense", status=400, code="InvalidArgument")
    refused(s3.client.get_object, Bucket=bucket, Key="k", VersionId="01890000-0000-7000-8000-000000000000", status=404, code="NoSuchVersion")


def locked(s3):
    return s3.bucket(ObjectLockEnabledForBucket=True)


def soon(**by):
    return datetime.now(timezone.utc) + timedelta(**by)


@test
def test_object_lock_put_obj_lock(s3):
    bucket = locked(s3)
    assert s3.client.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    default = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    s3.client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=default)
    assert s3.client.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"] == default


@test
def test_object_lock_put_obj_lock_invalid_bucket(s3):
    bucket = s3.bucket()
    refused(s3.client.get_object_lock_configuration, Bucket=bucket, status=404, code="ObjectLockConfigurationNotFoundError")
    default = {"ObjectLockEnabled": "Enabled"}
    refused(s3.client.put_object_lock_configuration, Bucket=bucket, ObjectLockConfiguration=default, status=409, code="InvalidBucketState")


@test
def test_object_lock_put_obj_lock_invalid_days(s3):
    wrong = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 0}}}
    refused(s3.client.put_object_lock_configuration, Bucket=locked(s3), ObjectLockConfiguration=wrong, status=400, code="InvalidRetentionPeriod")


@test
def test_object_lock_suspend_versioning(s3):
    refused(s3.client.put_bucket_versioning, Bucket=locked(s3), VersioningConfiguration={"Status": "Suspended"}, status=409, code="InvalidBucketState")


@test
def test_object_lock_get_obj_retention(s3):
    bucket = locked(s3)
    id = put(s3, bucket, "k", b"x")
    until = soon(seconds=3).replace(microsecond=0)
    refused(s3.client.get_object_retention, Bucket=bucket, Key="k", status=404, code="NoSuchObjectLockConfiguration")
    s3.client.put_object_retention(Bucket=bucket, Key="k", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until})
    told = s3.client.get_object_retention(Bucket=bucket, Key="k")["Retention"]
    assert (told["Mode"], told["RetainUntilDate"]) == ("GOVERNANCE", until), told
    s3.client.delete_object(Bucket=bucket, Key="k", VersionId=id, BypassGovernanceRetention=True)


@test
def test_object_lock_delete_object_with_retention(s3):
    bucket = locked(s3)
    made = s3.client.put_object(Bucket=bucket, Key="k", Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=soon(days=1))
    head = s3.client.head_object(Bucket=bucket, Key="k")
    assert head["ObjectLockMode"] == "GOVERNANCE" and head["ObjectLockRetainUntilDate"], head
    refused(s3.client.delete_object, Bucket=bucket, Key="k", VersionId=made["VersionId"], status=403, code="AccessDenied")
    # A marker takes nothing away.
    assert s3.client.delete_object(Bucket=bucket, Key="k")["DeleteMarker"] is True
    s3.client.delete_object(Bucket=bucket, Key="k", VersionId=made["VersionId"], BypassGovernanceRetention=True)


@test
def test_object_lock_compliance_holds(s3):
    bucket = locked(s3)
    until = soon(seconds=4)
    made = s3.client.put_object(Bucket=bucket, Key="k", Body=b"x", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until)
    gone = {"Bucket": bucket, "Key": "k", "VersionId": made["VersionId"]}
    refused(s3.client.delete_object, **gone, BypassGovernanceRetention=True, status=403, code="AccessDenied")
    shorter = {"Mode": "COMPLIANCE", "RetainUntilDate": until - timedelta(seconds=2)}
    refused(s3.client.put_object_retention, Bucket=bucket, Key="k", Retention=shorter, status=403, code="AccessDenied")


@test
def test_object_lock_legal_hold(s3):
    bucket = locked(s3)
    id = put(s3, bucket, "k", b"x")
    s3.client.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "ON"})
    assert s3.client.get_object_legal_hold(Bucket=bucket, Key="k")["LegalHold"]["Status"] == "ON"
    refused(s3.client.delete_object, Bucket=bucket, Key="k", VersionId=id, BypassGovernanceRetention=True, status=403, code="AccessDenied")
    s3.client.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "OFF"})
    s3.client.delete_object(Bucket=bucket, Key="k", VersionId=id)


@test
def test_object_lock_of_a_bucket_without(s3):
    bucket = s3.filled("k")
    refused(s3.client.put_object_legal_hold, Bucket=bucket, Key="k", LegalHold={"Status": "ON"}, status=400, code="InvalidRequest")
    refused(s3.client.get_object_retention, Bucket=bucket, Key="k", status=400, code="InvalidRequest")
