"""The HTTP server: the cloud's own pages, and moto for everything else."""
import json
import socket
import time
from email.utils import formatdate

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from . import imagebuilder, s3


class Handler(MotoRequestHandler):
    def log_request(self, code="-", size="-"):
        """Logs nothing: calls are in /_cloud/calls."""

    def log_error(self, format, *args):  # noqa: A002, the base class's name
        """A client that disconnected is not an error of the cloud."""

    def date_time_string(self, timestamp=None):
        """The header Date, which the base class sends with each answer: AWS' time, as a test has set it."""
        return formatdate(time.time() + self.server.app.cloud.date, usegmt=True)


class Application:
    def __init__(self, admin, lock):
        self.admin = admin
        self.cloud = admin.cloud
        self.lock = lock
        self.moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ, start):
        def start_response(status, headers, *rest):
            """Removes moto's own header Date, which would be a second one."""
            return start(status, [(name, value) for name, value in headers if name.lower() != "date"], *rest)

        path = environ.get("PATH_INFO", "")
        if path.startswith("/_cloud"):
            length = int(environ.get("CONTENT_LENGTH") or 0)
            status, value = self.admin.answer(environ["REQUEST_METHOD"], path.removeprefix("/_cloud"), environ["wsgi.input"].read(length))
            return respond(start_response, status, "application/json", json.dumps(value).encode())
        if path == "/checkip":
            return respond(start_response, 200, "text/plain", environ["REMOTE_ADDR"].encode() + b"\n")
        if "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", ""):
            # S3 does not go through the gate, in which all other calls are serialized.
            with self.lock:
                elsewhere = s3.region_of_bucket(environ)
                if elsewhere:
                    return s3.redirect(start_response, elsewhere)
                return s3.refuse(self.cloud, environ, start_response) or self.moto(environ, start_response)
        if "/imagebuilder/aws4_request" in environ.get("HTTP_AUTHORIZATION", ""):
            with self.lock:
                return imagebuilder.answer(self.cloud, environ, start_response)
        answer = self.moto(environ, start_response)
        if environ.get("cloud.drop"):
            # The call has taken effect; its answer is lost.
            connection = environ["werkzeug.socket"]
            connection.shutdown(socket.SHUT_RDWR)
        return answer


def respond(start_response, status, kind, body):
    reason = {200: "OK", 400: "Bad Request", 404: "Not Found"}[status]
    start_response(f"{status} {reason}", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


def serve(admin, lock, host, port):
    return make_server(host, port, Application(admin, lock), threaded=True, request_handler=Handler)
