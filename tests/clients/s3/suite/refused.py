"""What is not implemented: every one of these answers 501, and nothing is passed over."""
from . import refused, test

NOT = {"status": 501, "code": "NotImplemented"}


def one(name, call):
    def run(s3):
        bucket = s3.filled("k")
        call(s3.client, bucket)

    run.__name__ = f"test_{name}"
    test(run)


POLICY = '{"Version": "2012-10-17", "Statement": []}'
one("bucket_policy", lambda c, b: refused(c.put_bucket_policy, Bucket=b, Policy=POLICY, **NOT))
one("website", lambda c, b: refused(c.put_bucket_website, Bucket=b, WebsiteConfiguration={"IndexDocument": {"Suffix": "i"}}, **NOT))
one("accelerate", lambda c, b: refused(c.get_bucket_accelerate_configuration, Bucket=b, **NOT))
one("logging_put", lambda c, b: refused(c.put_bucket_logging, Bucket=b, BucketLoggingStatus={}, **NOT))
one("notification_put", lambda c, b: refused(c.put_bucket_notification_configuration, Bucket=b, NotificationConfiguration={}, **NOT))
one("request_payment_put", lambda c, b: refused(c.put_bucket_request_payment, Bucket=b, RequestPaymentConfiguration={"Payer": "Requester"}, **NOT))
one("inventory", lambda c, b: refused(c.list_bucket_inventory_configurations, Bucket=b, **NOT))
one("analytics", lambda c, b: refused(c.list_bucket_analytics_configurations, Bucket=b, **NOT))
one("metrics", lambda c, b: refused(c.list_bucket_metrics_configurations, Bucket=b, **NOT))
one("intelligent_tiering", lambda c, b: refused(c.list_bucket_intelligent_tiering_configurations, Bucket=b, **NOT))
one("torrent", lambda c, b: refused(c.get_object_torrent, Bucket=b, Key="k", **NOT))
one("restore", lambda c, b: refused(c.restore_object, Bucket=b, Key="k", RestoreRequest={"Days": 1}, **NOT))
one("select", lambda c, b: refused(c.select_object_content, Bucket=b, Key="k", Expression="x", ExpressionType="SQL", InputSerialization={"CSV": {}}, OutputSerialization={"CSV": {}}, **NOT))
one("encryption_s3_bucket", lambda c, b: refused(c.put_bucket_encryption, Bucket=b, ServerSideEncryptionConfiguration={"Rules": []}, **NOT))
one("encryption_sse_c_method_head", lambda c, b: refused(c.put_object, Bucket=b, Key="k", Body=b"x", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32, **NOT))
one("encryption_kms", lambda c, b: refused(c.put_object, Bucket=b, Key="k", Body=b"x", ServerSideEncryption="aws:kms", **NOT))
one("ownership_controls_put", lambda c, b: refused(c.put_bucket_ownership_controls, Bucket=b, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}, **NOT))
one("public_access_block_put", lambda c, b: refused(c.put_public_access_block, Bucket=b, PublicAccessBlockConfiguration={}, **NOT))
