"""Lists of objects."""
from . import keys, prefixes, refused, test


def walk(s3, bucket, v2, **query):
    """All keys and prefixes, page by page."""
    found, more = ([], []), {}
    for _ in range(1000):
        page = (s3.client.list_objects_v2 if v2 else s3.client.list_objects)(Bucket=bucket, **query, **more)
        found[0].extend(keys(page))
        found[1].extend(prefixes(page))
        if not page["IsTruncated"]:
            return found
        more = {"ContinuationToken": page["NextContinuationToken"]} if v2 else {"Marker": page["NextMarker"]}
    raise AssertionError("a list without an end")


def both(name):
    """Registers a test for both kinds of lists."""

    def register(function):
        for v2 in (False, True):

            def one(s3, v2=v2):
                function(s3, v2)

            one.__name__ = f"test_bucket_{'listv2' if v2 else 'list'}_{name}"
            test(one)

    return register


@both("empty")
def _(s3, v2):
    assert walk(s3, s3.bucket(), v2) == ([], [])


@both("many")
def _(s3, v2):
    names = sorted(f"k{n}" for n in range(7))
    bucket = s3.filled(*names)
    for size in (1, 2, 3, 7, 8):
        assert walk(s3, bucket, v2, MaxKeys=size) == (names, [])


@both("delimiter_basic")
def _(s3, v2):
    bucket = s3.filled("foo/bar", "foo/bar/xyzzy", "quux/thud", "asdf")
    assert walk(s3, bucket, v2, Delimiter="/") == (["asdf"], ["foo/", "quux/"])


@both("delimiter_prefix")
def _(s3, v2):
    bucket = s3.filled("asdf", "boo/bar", "boo/baz/xyzzy", "cquux/thud", "cquux/bla")
    for size in (1, 2, 1000):
        assert walk(s3, bucket, v2, Delimiter="/", MaxKeys=size) == (["asdf"], ["boo/", "cquux/"])
        assert walk(s3, bucket, v2, Delimiter="/", Prefix="boo/", MaxKeys=size) == (["boo/bar"], ["boo/baz/"])


@both("delimiter_prefix_underscore")
def _(s3, v2):
    bucket = s3.filled("_obj1_", "_under1/bar", "_under1/baz/xyzzy", "_under2/thud", "_under2/bla")
    assert walk(s3, bucket, v2, Delimiter="/", MaxKeys=1) == (["_obj1_"], ["_under1/", "_under2/"])


@both("delimiter_alt")
def _(s3, v2):
    assert walk(s3, s3.filled("bar", "baz", "cab", "foo"), v2, Delimiter="a") == (["foo"], ["ba", "ca"])


@both("delimiter_several")
def _(s3, v2):
    assert walk(s3, s3.filled("a--b", "a-b", "c--d--e"), v2, Delimiter="--") == (["a-b"], ["a--", "c--"])


@both("delimiter_percentage")
def _(s3, v2):
    assert walk(s3, s3.filled("b%ar", "b%az", "c%ab", "foo"), v2, Delimiter="%") == (["foo"], ["b%", "c%"])


@both("delimiter_whitespace")
def _(s3, v2):
    assert walk(s3, s3.filled("b ar", "b az", "c ab", "foo"), v2, Delimiter=" ") == (["foo"], ["b ", "c "])


@both("delimiter_not_exist")
def _(s3, v2):
    assert walk(s3, s3.filled("bar", "foo"), v2, Delimiter="/") == (["bar", "foo"], [])


@both("delimiter_empty")
def _(s3, v2):
    call = s3.client.list_objects_v2 if v2 else s3.client.list_objects
    page = call(Bucket=s3.filled("a/b"), Delimiter="")
    assert keys(page) == ["a/b"] and "Delimiter" not in page, page


@both("prefix_basic")
def _(s3, v2):
    assert walk(s3, s3.filled("foo/bar", "foo/baz", "quux"), v2, Prefix="foo/") == (["foo/bar", "foo/baz"], [])


@both("prefix_unreadable")
def _(s3, v2):
    assert walk(s3, s3.filled("foo/bar"), v2, Prefix="\x0a") == ([], [])


@both("special_prefix")
def _(s3, v2):
    bucket = s3.filled("_bla/1", "_bla/2", "abcd")
    assert walk(s3, bucket, v2, Prefix="_bla/") == (["_bla/1", "_bla/2"], [])


@both("maxkeys_zero")
def _(s3, v2):
    call = s3.client.list_objects_v2 if v2 else s3.client.list_objects
    page = call(Bucket=s3.filled("a"), MaxKeys=0)
    assert keys(page) == [] and page["IsTruncated"] is False, page


@both("encoding_basic")
def _(s3, v2):
    bucket = s3.filled("foo+1/bar", "foo/bar/xyzzy", "quux ab/thud", "asdf+b")
    assert walk(s3, bucket, v2, Delimiter="/") == (["asdf+b"], ["foo+1/", "foo/", "quux ab/"])


@both("facts")
def _(s3, v2):
    bucket = s3.filled("k")
    call = s3.client.list_objects_v2 if v2 else s3.client.list_objects
    (entry,) = call(Bucket=bucket)["Contents"]
    head = s3.client.head_object(Bucket=bucket, Key="k")
    assert (entry["ETag"], entry["Size"]) == (head["ETag"], head["ContentLength"]), entry
    assert abs((entry["LastModified"] - head["LastModified"]).total_seconds()) < 1


@test
def test_bucket_list_marker_after_list(s3):
    page = s3.client.list_objects(Bucket=s3.filled("bar", "baz", "foo"), Marker="zzz")
    assert (page["Marker"], keys(page)) == ("zzz", [])


@test
def test_bucket_list_marker_not_in_list(s3):
    assert keys(s3.client.list_objects(Bucket=s3.filled("bar", "baz", "foo"), Marker="blah")) == ["foo"]


@test
def test_bucket_list_marker_in_list(s3):
    assert keys(s3.client.list_objects(Bucket=s3.filled("bar", "baz", "foo"), Marker="baz")) == ["foo"]


@test
def test_bucket_listv2_startafter(s3):
    page = s3.client.list_objects_v2(Bucket=s3.filled("bar", "baz", "foo"), StartAfter="baz")
    assert (page["StartAfter"], keys(page)) == ("baz", ["foo"])


@test
def test_bucket_listv2_fetchowner(s3):
    bucket = s3.filled("k")
    assert "Owner" not in s3.client.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert s3.client.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]["Owner"]["ID"]


@test
def test_bucket_listv2_keycount(s3):
    page = s3.client.list_objects_v2(Bucket=s3.filled("a", "b/1", "b/2"), Delimiter="/")
    assert page["KeyCount"] == 2, page


@test
def test_bucket_listv2_wrong_token(s3):
    refused(s3.client.list_objects_v2, Bucket=s3.bucket(), ContinuationToken="%%", status=400, code="InvalidArgument")


@test
def test_a_list_of_more_than_a_page(s3):
    bucket = s3.filled(*[f"{n:04}" for n in range(1005)])
    page = s3.client.list_objects_v2(Bucket=bucket)
    assert len(keys(page)) == 1000 and page["IsTruncated"]
    assert len(walk(s3, bucket, True)[0]) == 1005
