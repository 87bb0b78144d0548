"""The instance metadata service of one guest (IMDSv2): QEMU starts this for each connection to 169.254.169.254:80, which
is its standard input and output. `python3 -IS imds.py FILE`: {"token", "user-data" (base64), "meta-data", "document"}."""
import base64
import json
import os
import sys


def main():
    if not os.path.exists(sys.argv[1]):
        return
    with open(sys.argv[1], encoding="utf-8") as file:
        facts = json.load(file)
    source, sink = open(0, "rb", buffering=0), open(1, "wb", buffering=0)
    rest = b""
    while True:
        while b"\r\n\r\n" not in rest:
            data = source.read(65536)
            if not data:
                return
            rest += data
        head, _, rest = rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length") or 0)
        while len(rest) < length:
            rest += source.read(65536)
        rest = rest[length:]
        method, path = first.split(" ")[:2]
        status, body = answer(facts, method, [part for part in path.split("?")[0].split("/") if part], headers)
        sink.write(f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def answer(facts, method, path, headers):
    if method == "PUT":
        return ("200 OK", facts["token"].encode()) if path == ["latest", "api", "token"] else ("404 Not Found", b"")
    if headers.get("x-aws-ec2-metadata-token") != facts["token"]:
        return "401 Unauthorized", b""
    kind = path[1] if len(path) > 1 else ""
    if kind == "user-data":
        data = base64.b64decode(facts["user-data"])
        return ("200 OK", data) if data else ("404 Not Found", b"")
    if kind == "dynamic":
        return "200 OK", {2: "instance-identity/", 3: "document"}.get(len(path), json.dumps(facts["document"])).encode()
    if kind == "meta-data":
        return meta_data(facts["meta-data"], path[2:])
    return "200 OK", b"dynamic\nmeta-data\nuser-data"


def meta_data(node, path):
    for part in path:
        # The list of keys has numbers with names (`0=name`), which are asked for by number.
        if not isinstance(node, dict) or part not in node:
            return "404 Not Found", b""
        node = node[part]
    if not isinstance(node, dict):
        return "200 OK", str(node).encode()
    names = [f"{name}={value['name']}" if "openssh-key" in (value if isinstance(value, dict) else {}) else name + "/" * isinstance(value, dict)
             for name, value in node.items() if name != "name"]
    return "200 OK", "\n".join(names).encode()


if __name__ == "__main__":
    main()
