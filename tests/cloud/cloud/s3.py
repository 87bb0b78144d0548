"""S3 in front of moto: parses calls, checks permissions and the bucket's owner. Only calls of a bake have a name
here."""
import re
from urllib.parse import unquote

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from .plain import Plain, judge, xml
from .wire import Refusal


def refuse(cloud, environ, start_response):
    """The answer to a call that is refused; none if moto is to answer."""
    bucket, _, key = unquote(environ.get("PATH_INFO", "")).strip("/").partition("/")
    action = {("GET", True): "GetObject", ("PUT", True): "PutObject", ("GET", False): "ListBucket"}.get((environ["REQUEST_METHOD"], bool(key)))
    # A test's own preparations are not signed, and are not checked.
    if action is None or environ["HTTP_AUTHORIZATION"].endswith("Signature=0"):
        return None
    name = f"{bucket}/{key}" if key else bucket
    call = Plain(environ, "s3", action, {"Bucket": bucket, "Key": key}, f"arn:aws:s3:::{name}")
    try:
        judge(cloud, call)
        owner = environ.get("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER")
        if owner and owner != DEFAULT_ACCOUNT_ID:
            raise Refusal("AccessDenied", "Access Denied", 403)
        if missing(bucket, key, action):
            # A caller that may not list a bucket is not told that an object is missing. S3 checks this itself: like a
            # dry run, it is no call of the program.
            listing = Plain(environ, "s3", "ListBucket", {"Bucket": bucket, "DryRun": "true"}, f"arn:aws:s3:::{bucket}")
            cloud.permissions.check(listing)
            cloud.permissions.judge(listing)
    except Refusal as refusal:
        return xml(start_response, refusal)
    return None


def missing(bucket, key, action):
    known = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(bucket)
    return action == "GetObject" and known is not None and key not in known.keys


def region_of_bucket(environ):
    """The region of the requested bucket, if the call was signed for another one: S3 only answers in the bucket's
    own."""
    scope = re.search(r"Credential=[^/]+/[0-9]+/([^/]+)/s3/", environ["HTTP_AUTHORIZATION"])
    bucket = environ.get("PATH_INFO", "").strip("/").split("/")[0]
    known = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(bucket)
    return known.region_name if known and scope and known.region_name != scope.group(1) else None


def redirect(start_response, region):
    body = b"<Error><Code>PermanentRedirect</Code><Message>The bucket must be addressed using the specified endpoint.</Message></Error>"
    start_response("301 Moved Permanently", [("Content-Type", "application/xml"), ("Content-Length", str(len(body))), ("x-amz-bucket-region", region)])
    return [body]
