"""Extracts the YAML examples from Markdown files, so that the examples which people copy are checked like our own
files.

Usage: yaml.py FOLDER FILE…

Writes each block below FOLDER: to `workflows/` if it has `jobs` or `steps` (wrapped in a job), to `manifests/` if it
has `format`. Other blocks must be marked as ```yaml fragment. Prints the files; exits with 1 for a block that is none
of these.
"""
import pathlib
import re
import shutil
import sys

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

FENCE = re.compile(r"^```yaml *(?P<about>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
HEAD = "name: {name}\non: push\npermissions: {{}}\njobs:\n  bake:\n    runs-on: ubuntu-latest\n"


def place(text, name):
    """(folder, content) of a block; None if it is neither a workflow nor a manifest."""
    data = YAML(typ="safe").load(text)
    if isinstance(data, dict) and "jobs" in data:
        return "workflows", text
    if isinstance(data, dict) and "format" in data:
        return "manifests", text
    if isinstance(data, dict) and "steps" in data and set(data) <= {"permissions", "steps", "env"}:
        return "workflows", HEAD.format(name=name) + "".join(f"    {line}\n" if line else "\n" for line in text.splitlines())
    return None


def main(folder, files):
    shutil.rmtree(folder, ignore_errors=True)
    wrong = 0
    for path in map(pathlib.Path, files):
        source = path.read_text(encoding="utf-8")
        for block in FENCE.finditer(source):
            line = source.count("\n", 0, block.start()) + 1
            if block["about"].strip() == "fragment":
                continue
            try:
                placed = place(block["text"], f"{path.stem}-{line}")
                why = "is not a workflow, steps or a manifest; mark it as ```yaml fragment"
            except YAMLError as error:
                placed, why = None, f"is not valid YAML: {error}"
            if placed is None:
                print(f"{path}:{line}: this block {why}", file=sys.stderr)
                wrong += 1
                continue
            kind, text = placed
            target = pathlib.Path(folder, kind, f"{path.stem}-{line}.yml")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            print(target)
    return 1 if wrong else 0


sys.exit(main(sys.argv[1], sys.argv[2:]))
