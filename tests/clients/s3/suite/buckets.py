"""Buckets and their settings."""
from . import refused, test


@test
def test_bucket_create_delete(s3):
    bucket = s3.bucket()
    assert bucket in [one["Name"] for one in s3.client.list_buckets()["Buckets"]]
    s3.client.delete_bucket(Bucket=bucket)
    refused(s3.client.delete_bucket, Bucket=bucket, status=404, code="NoSuchBucket")


@test
def test_bucket_notexist(s3):
    refused(s3.client.list_objects_v2, Bucket=s3.name(), status=404, code="NoSuchBucket")


@test
def test_object_write_to_nonexist_bucket(s3):
    refused(s3.client.put_object, Bucket=s3.name(), Key="k", Body=b"x", status=404, code="NoSuchBucket")


@test
def test_bucket_delete_nonempty(s3):
    refused(s3.client.delete_bucket, Bucket=s3.filled("k"), status=409, code="BucketNotEmpty")


@test
def test_bucket_create_exists(s3):
    refused(s3.client.create_bucket, Bucket=s3.bucket(), status=409, code="BucketAlreadyOwnedByYou")


@test
def test_bucket_create_naming_bad(s3):
    client = s3.connect()
    # botocore checks names itself; the server is what is tested.
    client.meta.events.unregister("before-parameter-build.s3", __import__("botocore.handlers").handlers.validate_bucket_name)
    for name in ["ab", "Upper", "under_score", "-begin", "end-", "a..b", "192.168.1.1"]:
        refused(client.create_bucket, Bucket=name, status=400, code="InvalidBucketName")


@test
def test_bucket_create_naming_good(s3):
    for name in ["abc", "a" * 63, "with.dots-and-hyphens.1"]:
        s3.client.create_bucket(Bucket=name)
        s3.client.delete_bucket(Bucket=name)


@test
def test_bucket_head(s3):
    told = s3.client.head_bucket(Bucket=s3.bucket())
    assert told["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "us-east-1", told


@test
def test_bucket_head_notexist(s3):
    refused(s3.client.head_bucket, Bucket=s3.name(), status=404)


@test
def test_bucket_get_location(s3):
    assert s3.client.get_bucket_location(Bucket=s3.bucket())["LocationConstraint"] is None


@test
def test_bucket_create_in_a_region(s3):
    s3.bucket(CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})


@test
def test_buckets_list_ctime(s3):
    bucket = s3.bucket()
    made = [one["CreationDate"] for one in s3.client.list_buckets()["Buckets"] if one["Name"] == bucket]
    assert made and made[0].year >= 2024


@test
def test_list_buckets_paginated(s3):
    mine = {s3.bucket() for _ in range(3)}
    found, token = [], None
    while True:
        page = s3.client.list_buckets(MaxBuckets=2, **({"ContinuationToken": token} if token else {}))
        found += [one["Name"] for one in page["Buckets"]]
        token = page.get("ContinuationToken")
        if not token:
            break
    assert mine <= set(found) and found == sorted(set(found)), found


@test
def test_bucket_recreate_after_delete(s3):
    bucket = s3.filled("k")
    s3.client.delete_object(Bucket=bucket, Key="k")
    s3.client.delete_bucket(Bucket=bucket)
    s3.client.create_bucket(Bucket=bucket)
    assert "Contents" not in s3.client.list_objects_v2(Bucket=bucket)


@test
def test_bucket_acl_default(s3):
    grants = s3.client.get_bucket_acl(Bucket=s3.bucket())["Grants"]
    assert [grant["Permission"] for grant in grants] == ["FULL_CONTROL"], grants


@test
def test_bucket_acl_canned_publicread(s3):
    bucket = s3.bucket(ACL="public-read")
    grants = s3.client.get_bucket_acl(Bucket=bucket)["Grants"]
    assert sorted(grant["Permission"] for grant in grants) == ["FULL_CONTROL", "READ"], grants
    assert s3.client.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True


@test
def test_bucket_acl_canned(s3):
    bucket = s3.bucket()
    s3.client.put_bucket_acl(Bucket=bucket, ACL="public-read")
    s3.client.put_bucket_acl(Bucket=bucket, ACL="private")
    assert len(s3.client.get_bucket_acl(Bucket=bucket)["Grants"]) == 1


@test
def test_bucket_acl_of_others(s3):
    bucket = s3.bucket()
    refused(s3.client.put_bucket_acl, Bucket=bucket, ACL="public-read-write", status=400, code="AccessControlListNotSupported")


@test
def test_object_acl(s3):
    bucket = s3.filled("k")
    s3.client.put_object_acl(Bucket=bucket, Key="k", ACL="private")
    assert s3.client.get_object_acl(Bucket=bucket, Key="k")["Grants"][0]["Permission"] == "FULL_CONTROL"
    refused(s3.client.put_object_acl, Bucket=bucket, Key="k", ACL="public-read", status=400, code="AccessControlListNotSupported")


@test
def test_set_bucket_tagging(s3):
    bucket = s3.bucket()
    refused(s3.client.get_bucket_tagging, Bucket=bucket, status=404, code="NoSuchTagSet")
    tags = [{"Key": "team", "Value": "a b"}, {"Key": "x", "Value": ""}]
    s3.client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.client.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.client.delete_bucket_tagging(Bucket=bucket)
    refused(s3.client.get_bucket_tagging, Bucket=bucket, status=404, code="NoSuchTagSet")


@test
def test_set_cors(s3):
    bucket = s3.bucket()
    refused(s3.client.get_bucket_cors, Bucket=bucket, status=404, code="NoSuchCORSConfiguration")
    rules = [{"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://*.example.com"], "AllowedHeaders": ["x-amz-*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60}]
    s3.client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    assert s3.client.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    s3.client.delete_bucket_cors(Bucket=bucket)
    refused(s3.client.get_bucket_cors, Bucket=bucket, status=404, code="NoSuchCORSConfiguration")


@test
def test_cors_origin_response(s3):
    import urllib.error
    import urllib.request

    from account import ENDPOINT

    bucket = s3.filled("k")
    rules = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://app.example.com"]}]
    s3.client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})

    def preflight(origin):
        asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        request = urllib.request.Request(f"{ENDPOINT}/{bucket}/k", headers=asked, method="OPTIONS")
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.headers.get("Access-Control-Allow-Origin")
        except urllib.error.HTTPError as error:
            return error.code, None

    assert preflight("https://app.example.com") == (200, "https://app.example.com")
    assert preflight("https://elsewhere.example.com") == (403, None)


@test
def test_lifecycle_set(s3):
    bucket = s3.bucket()
    refused(s3.client.get_bucket_lifecycle_configuration, Bucket=bucket, status=404, code="NoSuchLifecycleConfiguration")
    rules = [
        {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}},
        {"ID": "b", "Status": "Disabled", "Filter": {"And": {"Prefix": "x", "Tags": [{"Key": "k", "Value": "v"}]}}, "NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 4}},
        {"ID": "c", "Status": "Enabled", "Filter": {"Prefix": ""}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
    ]
    s3.client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    assert s3.client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules
    s3.client.delete_bucket_lifecycle(Bucket=bucket)
    refused(s3.client.get_bucket_lifecycle_configuration, Bucket=bucket, status=404, code="NoSuchLifecycleConfiguration")


def rule(**changes):
    return {"Rules": [{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}, **changes}]}


@test
def test_lifecycle_invalid_status(s3):
    wrong = rule(Status="enabled", Expiration={"Days": 1})
    refused(s3.client.put_bucket_lifecycle_configuration, Bucket=s3.bucket(), LifecycleConfiguration=wrong, status=400, code="MalformedXML")


@test
def test_lifecycle_expiration_days0(s3):
    wrong = rule(Expiration={"Days": 0})
    refused(s3.client.put_bucket_lifecycle_configuration, Bucket=s3.bucket(), LifecycleConfiguration=wrong, status=400, code="InvalidArgument")


@test
def test_lifecycle_same_id(s3):
    wrong = {"Rules": rule(Expiration={"Days": 1})["Rules"] * 2}
    refused(s3.client.put_bucket_lifecycle_configuration, Bucket=s3.bucket(), LifecycleConfiguration=wrong, status=400, code="InvalidArgument")


@test
def test_lifecycle_transition_is_refused(s3):
    wrong = rule(Transitions=[{"Days": 1, "StorageClass": "GLACIER"}])
    told = refused(s3.client.put_bucket_lifecycle_configuration, Bucket=s3.bucket(), LifecycleConfiguration=wrong, status=501, code="NotImplemented")
    assert "Transition" in told["Error"]["Message"], told


@test
def test_what_clients_ask_of_every_bucket(s3):
    bucket = s3.bucket()
    assert s3.client.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert "LoggingEnabled" not in s3.client.get_bucket_logging(Bucket=bucket)
    rules = s3.client.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}], rules
    assert s3.client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is True
    told = s3.client.get_bucket_notification_configuration(Bucket=bucket)
    assert not [name for name in told if name.endswith("Configurations")], told
    refused(s3.client.get_bucket_encryption, Bucket=bucket, status=404, code="ServerSideEncryptionConfigurationNotFoundError")
    refused(s3.client.get_bucket_policy, Bucket=bucket, status=404, code="NoSuchBucketPolicy")


@test
def test_expected_bucket_owner(s3):
    bucket = s3.filled("k")
    refused(s3.client.list_objects, Bucket=bucket, ExpectedBucketOwner="111122223333", status=403, code="AccessDenied")
    owner = s3.client.get_bucket_acl(Bucket=bucket)["Owner"]["ID"]
    s3.client.list_objects(Bucket=bucket, ExpectedBucketOwner=owner)
