"""GetComponent of EC2 Image Builder, which moto lacks: components that a test has added, by build version."""
import re
from urllib.parse import parse_qs

from .plain import Plain, judge, rest
from .wire import Refusal

ARN = re.compile(r"arn:aws[^:]*:imagebuilder:([^:]+):(?:[0-9]{12}|aws|third-party):component/[a-z0-9-_]+/(?:(?:[0-9]+|x)\.(?:[0-9]+|x)\.(?:[0-9]+|x)|[0-9]+\.[0-9]+\.[0-9]+/[0-9]+)")


class Components:
    def __init__(self):
        self.all = {}  # ARN of a build version → answer of GetComponent

    def put(self, component):
        self.all[component["arn"]] = component

    def find(self, arn):
        """The build version itself, or the newest one that matches a version or a pattern."""
        name, _, version = arn.rpartition("/")
        pattern = re.escape(arn)
        if "." in version:
            pattern = re.escape(name) + "/" + r"\.".join("[0-9]+" if part == "x" else part for part in version.split(".")) + "/[0-9]+"
        found = [known for known in self.all if re.fullmatch(pattern, known)]
        numbers = lambda known: [int(part) for part in re.split(r"[./]", known.split(":component/")[1].split("/", 1)[1])]
        return self.all[max(found, key=numbers)] if found else None


def answer(cloud, environ, start_response):
    arn = parse_qs(environ.get("QUERY_STRING", "")).get("componentBuildVersionArn", [""])[0]
    call = Plain(environ, "imagebuilder", environ.get("PATH_INFO", "").strip("/"), {"componentBuildVersionArn": arn}, arn)
    try:
        judge(cloud, call)
        shape = ARN.fullmatch(arn)
        if call.action != "GetComponent" or environ["REQUEST_METHOD"] != "GET" or not shape:
            raise Refusal("InvalidRequestException", f"The value supplied for parameter 'componentBuildVersionArn' is not valid: {arn}", 400)
        component = cloud.components.find(arn) if shape.group(1) == call.region else None
        if component is None:
            raise Refusal("ResourceNotFoundException", f"The resource with ARN '{arn}' does not exist.", 404)
    except Refusal as refusal:
        return rest(start_response, refusal.http, {"message": refusal.message}, refusal.code)
    call.status = 200
    return rest(start_response, 200, {"requestId": "test", "component": component})
