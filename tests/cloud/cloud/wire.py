"""Error answers in each service's protocol."""
import json
import uuid
from xml.sax.saxutils import escape


class Refusal(Exception):
    """An error answer like the service's own."""

    def __init__(self, code, message, http=400):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.http = code, message, http


def error(service, refusal):
    """(status, headers, body) of an error in the service's protocol."""
    request = str(uuid.uuid4())
    headers = {"x-amzn-requestid": request}
    if service == "ec2":
        body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>{escape(refusal.code)}</Code>'
                f"<Message>{escape(refusal.message)}</Message></Error></Errors><RequestID>{request}</RequestID></Response>")
        headers["Content-Type"] = "text/xml;charset=UTF-8"
    elif service in ("sts", "iam", "autoscaling"):
        kind = "Sender" if refusal.http < 500 else "Receiver"
        body = (f"<ErrorResponse><Error><Type>{kind}</Type><Code>{escape(refusal.code)}</Code>"
                f"<Message>{escape(refusal.message)}</Message></Error><RequestId>{request}</RequestId></ErrorResponse>")
        headers["Content-Type"] = "text/xml"
    else:
        body = json.dumps({"__type": refusal.code, "message": refusal.message})
        headers["Content-Type"] = "application/x-amz-json-1.1"
        headers["x-amzn-errortype"] = refusal.code
    headers["status"] = str(refusal.http)
    return refusal.http, headers, body
