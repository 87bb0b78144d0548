"""Parses user data like cloud-init: cloud-config, scripts, boot hooks, MIME archives of them, plain or gzipped."""
import email
import gzip

import yaml

KINDS = {"#cloud-config": "text/cloud-config", "#!": "text/x-shellscript", "#cloud-boothook": "text/cloud-boothook",
         "#include": "text/x-include-url", "## template: jinja": "text/jinja2"}


def parse(data):
    """A plan that the guest can follow without a YAML parser: merged config, scripts, boot hooks, complaints."""
    plan = {"config": {}, "scripts": [], "boothooks": [], "errors": [], "raw": ""}
    if not data:
        return plan
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as error:
            plan["errors"].append(f"user data is not gzip: {error}")
            return plan
    plan["raw"] = data.decode("utf-8", "replace")
    if is_mime(data):
        for number, part in enumerate(email.message_from_bytes(data).walk()):
            if part.is_multipart():
                continue
            body = part.get_payload(decode=True) or b""
            if body[:2] == b"\x1f\x8b":
                body = gzip.decompress(body)
            text = body.decode("utf-8", "replace")
            kind = part.get_content_type()
            if kind in ("text/plain", "application/octet-stream"):
                kind = kind_of(text)
            add(plan, kind, part.get_filename() or f"part-{number:03d}", text)
    else:
        add(plan, kind_of(plan["raw"]), "part-001", plan["raw"])
    return plan


def is_mime(data):
    head = data.lstrip()[:4096].lower()
    return head.startswith((b"content-type:", b"mime-version:")) or (b"\nmime-version:" in head and b"\ncontent-type:" in head)


def kind_of(text):
    for start, kind in KINDS.items():
        if text.startswith(start):
            return kind
    return None


def add(plan, kind, name, text):
    if kind == "text/cloud-config":
        try:
            config = yaml.safe_load(text) or {}
        except yaml.YAMLError as error:
            plan["errors"].append(f"{name}: failed to parse cloud-config: {error}")
            return
        if not isinstance(config, dict):
            plan["errors"].append(f"{name}: cloud-config is not a mapping")
            return
        merge(plan["config"], config)
    elif kind == "text/x-shellscript":
        plan["scripts"].append([safe(name), text])
    elif kind == "text/cloud-boothook":
        plan["boothooks"].append([safe(name), text.removeprefix("#cloud-boothook").lstrip()])
    else:
        plan["errors"].append(f"{name}: unhandled user data of type {kind}")


def merge(into, part):
    """cloud-init's default: a later part's key replaces an earlier one's; lists are only joined if it says so."""
    how = str(part.get("merge_how") or part.get("merge_type") or "")
    for key, value in part.items():
        if "append" in how and isinstance(value, list) and isinstance(into.get(key), list):
            into[key] = into[key] + value
        else:
            into[key] = value


def safe(name):
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
