"""The HTTP server: the cloud's own pages, and moto for all else."""
import json
import re
import socket

from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import make_server


class Handler(MotoRequestHandler):
    def log_request(self, code="-", size="-"):
        """Calls are in /_cloud/calls; a line for each on standard error helps nobody."""

    def log_error(self, format, *args):  # noqa: A002, the base class's name
        """A client that went away is no error of the cloud."""


class Application:
    def __init__(self, admin, lock):
        self.admin = admin
        self.lock = lock
        self.moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_cloud"):
            length = int(environ.get("CONTENT_LENGTH") or 0)
            status, value = self.admin.answer(environ["REQUEST_METHOD"], path.removeprefix("/_cloud"), environ["wsgi.input"].read(length))
            return respond(start_response, status, "application/json", json.dumps(value).encode())
        if path == "/checkip":
            return respond(start_response, 200, "text/plain", environ["REMOTE_ADDR"].encode() + b"\n")
        if "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", ""):
            # S3 does not come by the gate, where all else is taken one at a time.
            with self.lock:
                elsewhere = region_of_bucket(environ)
                if elsewhere:
                    return redirect(start_response, elsewhere)
                return self.moto(environ, start_response)
        answer = self.moto(environ, start_response)
        if environ.get("cloud.drop"):
            # The call was done; its answer is lost on the way.
            connection = environ["werkzeug.socket"]
            connection.shutdown(socket.SHUT_RDWR)
        return answer


def region_of_bucket(environ):
    """The region of the bucket that is asked for, where the call was signed for another one: S3 answers there alone."""
    scope = re.search(r"Credential=[^/]+/[0-9]+/([^/]+)/s3/", environ["HTTP_AUTHORIZATION"])
    bucket = environ.get("PATH_INFO", "").strip("/").split("/")[0]
    known = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(bucket)
    return known.region_name if known and scope and known.region_name != scope.group(1) else None


def redirect(start_response, region):
    body = b"<Error><Code>PermanentRedirect</Code><Message>The bucket must be addressed using the specified endpoint.</Message></Error>"
    start_response("301 Moved Permanently", [("Content-Type", "application/xml"), ("Content-Length", str(len(body))), ("x-amz-bucket-region", region)])
    return [body]


def respond(start_response, status, kind, body):
    reason = {200: "OK", 400: "Bad Request", 404: "Not Found"}[status]
    start_response(f"{status} {reason}", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


def serve(admin, lock, host, port):
    return make_server(host, port, Application(admin, lock), threaded=True, request_handler=Handler)
