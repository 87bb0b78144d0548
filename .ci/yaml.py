"""Takes the YAML out of README.md and docs, so that what people copy is checked like what we run.

Writes each block below the folder that is named: `workflows/` (with `jobs`), `manifests/` (with `format`), `steps/` (a list of
steps, made a job of a workflow). Anything else must say so: ```yaml fragment. Prints the files; exit 1 for a block that fits nothing.
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
    """(folder, content) of a block, None when it is neither of them."""
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
                why = "is neither a workflow, nor steps, nor a manifest; mark it as ```yaml fragment"
            except YAMLError as error:
                placed, why = None, f"is no YAML: {error}"
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
