#!/usr/bin/env python3
"""Runs .github/release, .github/package, install.sh and setup/setup.sh: against a bare repository, with a stub of gh that fails at each of its calls once, and
against a server with the files of a release. Needs git, jq and curl; opens ports on loopback only."""

import functools
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import threading
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
DIGEST = "sha256:" + "ab" * 32
VERSION = "0.9.0"

# Keeps its releases in a file, logs its calls, and fails at call number FAIL_AT, before or after the call took effect.
GH = r"""#!/usr/bin/env python3
import json, os, pathlib, sys
state = pathlib.Path(os.environ["GH_STATE"])
data = json.loads(state.read_text()) if state.exists() else {"calls": 0, "releases": {}, "ci": "success"}
data["calls"] += 1
failing = data["calls"] == int(os.environ.get("FAIL_AT", "0"))
when = os.environ.get("FAIL_WHEN", "before")
def end(code):
    state.write_text(json.dumps(data))
    sys.exit(code)
if failing and when == "before":
    end(1)
words = sys.argv[1:]
if words[:2] == ["run", "list"]:
    print(json.dumps([{"status": "completed", "conclusion": data["ci"]}]))
elif words[:2] == ["release", "list"]:
    print(json.dumps([{"tagName": tag, "isDraft": one["draft"]} for tag, one in data["releases"].items()]))
elif words[:2] == ["release", "create"]:
    if words[2] in data["releases"]:
        end(1)
    data["releases"][words[2]] = {"draft": "--draft" in words, "notes": sys.stdin.read(), "files": [],
                                  "prerelease": "--prerelease" in words}
elif words[:2] == ["release", "upload"]:
    files = data["releases"][words[2]]["files"]
    for name in (pathlib.Path(word).name for word in words[3:] if not word.startswith("--")):
        if name in files and "--clobber" not in words:
            end(1)
        if name not in files:
            files.append(name)
elif words[:2] == ["release", "edit"]:
    data["releases"][words[2]]["draft"] = False
else:
    end(2)
end(1 if failing else 0)
"""


def run(*words, cwd, env=None, check=True):
    result = subprocess.run(words, cwd=cwd, env=env, text=True, capture_output=True)
    if check and result.returncode:
        raise AssertionError(f"{words}: {result.stdout}{result.stderr}")
    return result


class Repository:
    """A clone with the files that a release changes, and its origin."""

    def __init__(self, folder, version=VERSION):
        self.folder = pathlib.Path(folder)
        self.clone, self.origin, bin = self.folder / "clone", self.folder / "origin.git", self.folder / "bin"
        run("git", "init", "--quiet", "--bare", str(self.origin), cwd=folder)
        run("git", "init", "--quiet", "--initial-branch", "main", str(self.clone), cwd=folder)
        for name in ["action.yml", ".github/release", ".github/workflows/bake.yml", ".github/workflows/bake-release.yml"]:
            to = self.clone / name
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to)
        bin.mkdir()
        (bin / "gh").write_text(GH)
        (bin / "gh").chmod(0o755)
        self.env = {
            "PATH": f"{bin}:{os.environ['PATH']}", "HOME": str(folder), "GH_STATE": str(self.folder / "gh.json"),
            "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@example.com", "GIT_CONFIG_GLOBAL": "/dev/null",
        }
        self.git("remote", "add", "origin", str(self.origin))
        self.version(version)

    def version(self, version):
        """Commits a change of the version."""
        (self.clone / "Cargo.toml").write_text(f'version = "{version}"\n')
        (self.clone / "CHANGELOG.md").write_text(f"# Changelog\n\n## {version} (today)\n\nNews of {version}.\n\n## 0.0.1\n\nOld.\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"Version {version}")
        self.git("push", "--quiet", "origin", "HEAD:main")
        self.base = self.git("rev-parse", "HEAD").stdout.strip()

    def git(self, *words):
        return run("git", *words, cwd=self.clone, env=self.env)

    def release(self, version=VERSION, fail_at=0, fail_when="before", digest=DIGEST):
        """Runs all parts in the workflow's order until one fails; returns the output of that one."""
        files = []
        for name in ["ami-bake-x86_64-unknown-linux-musl.tar.gz", "SHA256SUMS"]:
            (self.folder / name).write_text(name)
            files.append(str(self.folder / name))
        env = self.env | {"FAIL_AT": str(fail_at), "FAIL_WHEN": fail_when}
        for words in [["check", version], ["draft", version, *files], ["tag", version, digest], ["publish", version]]:
            result = run(".github/release", *words, cwd=self.clone, env=env, check=False)
            self.git("checkout", "--quiet", "--detach", self.base)
            if result.returncode:
                return result.stderr
        return None

    def gh(self):
        return json.loads((self.folder / "gh.json").read_text())

    def tags(self):
        lines = self.git("ls-remote", "--tags", "origin").stdout.splitlines()
        return {line.split("refs/tags/")[1]: line.split()[0] for line in lines}

    def file(self, commit, name):
        self.git("fetch", "--quiet", "origin", "refs/tags/*:refs/tags/*", "--force")
        return self.git("show", f"{commit}:{name}").stdout


class ReleaseTest(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.repository = Repository(self.folder)

    def assertReleased(self, version=VERSION):
        release = self.repository.gh()["releases"][f"v{version}"]
        self.assertFalse(release["draft"])
        self.assertEqual(release["files"], ["ami-bake-x86_64-unknown-linux-musl.tar.gz", "SHA256SUMS"])
        self.assertEqual(release["notes"].strip(), f"News of {version}.")
        commit = self.repository.tags()[f"v{version}"]
        self.assertIn(f"image: docker://ghcr.io/ami-bake/ami-bake@{DIGEST}", self.repository.file(commit, "action.yml"))
        pinned = self.repository.git("rev-parse", f"{commit}~1").stdout.strip()
        for name in ["bake.yml", "bake-release.yml"]:
            self.assertIn(f"uses: ami-bake/ami-bake@{pinned} # v{version}", self.repository.file(commit, f".github/workflows/{name}"))
        self.assertIn(DIGEST, self.repository.file(pinned, "action.yml"))
        self.assertEqual(self.repository.git("rev-parse", f"{commit}~2").stdout.strip(), self.repository.base)

    def test_a_release_has_its_tags_files_and_pins(self):
        self.assertIsNone(self.repository.release())
        self.assertReleased()
        tags = self.repository.tags()
        self.assertEqual(tags["v0"], tags["v0.9.0"])
        # A second run changes nothing.
        self.assertIsNone(self.repository.release())
        self.assertEqual(self.repository.tags(), tags)

    def test_a_release_that_failed_at_any_call_is_finished_by_another_run(self):
        calls = 0
        with tempfile.TemporaryDirectory() as folder:
            repository = Repository(folder)
            self.assertIsNone(repository.release())
            calls = repository.gh()["calls"]
        self.assertGreaterEqual(calls, 5)
        for call in range(1, calls + 1):
            for when in ["before", "after"]:
                with self.subTest(call=call, when=when), tempfile.TemporaryDirectory() as folder:
                    self.repository = Repository(folder)
                    failure = self.repository.release(fail_at=call, fail_when=when)
                    self.assertIn("release: cannot", failure)
                    published = [one for one in self.repository.gh()["releases"].values() if not one["draft"]]
                    # A published release always has its tag.
                    self.assertTrue(not published or "v0.9.0" in self.repository.tags())
                    self.assertIsNone(self.repository.release())
                    self.assertReleased()

    def test_tags_are_pushed_both_or_none(self):
        hook = self.repository.origin / "hooks" / "update"
        hook.write_text('#!/bin/sh\n[ "$1" != refs/tags/v0 ]\n')
        hook.chmod(0o755)
        self.assertIn("cannot push the tags", self.repository.release())
        self.assertEqual(self.repository.tags(), {})
        self.assertTrue(self.repository.gh()["releases"]["v0.9.0"]["draft"])
        hook.unlink()
        self.assertIsNone(self.repository.release())
        self.assertReleased()

    def test_the_moving_tag_only_moves_forward(self):
        self.assertIsNone(self.repository.release())
        newest = self.repository.tags()["v0"]
        for version in ["0.8.1", "0.10.0-rc.1"]:
            self.repository.version(version)
            self.assertIsNone(self.repository.release(version))
            self.assertEqual(self.repository.tags()["v0"], newest, version)
        self.assertTrue(self.repository.gh()["releases"]["v0.10.0-rc.1"]["prerelease"])
        self.repository.version("0.10.0")
        self.assertIsNone(self.repository.release("0.10.0"))
        self.assertEqual(self.repository.tags()["v0"], self.repository.tags()["v0.10.0"])

    def test_what_must_not_be_released_is_refused(self):
        self.assertIn("the version in Cargo.toml", self.repository.release("0.9.1"))
        self.assertIn("not a valid semantic version", self.repository.release("v0.9"))
        self.assertIn("not a valid digest", self.repository.release(digest="latest"))
        self.assertIsNone(self.repository.release())
        self.assertIn("another commit or image", self.repository.release(digest="sha256:" + "cd" * 32))
        self.repository.version(VERSION + "-0")
        self.repository.version(VERSION)
        self.assertIn("for another commit", self.repository.release())
        state = self.repository.gh() | {"ci": "failure"}
        (self.repository.folder / "gh.json").write_text(json.dumps(state))
        self.assertIn("CI is not green", self.repository.release())


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Logs nothing."""


class ReleaseServer(unittest.TestCase):
    """A server with the files of a release."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        machine = os.uname().machine
        self.name = f"ami-bake-{'aarch64' if machine in ('aarch64', 'arm64') else 'x86_64'}-unknown-linux-musl.tar.gz"
        release = self.folder / "www" / "v0.9.0"
        release.mkdir(parents=True)
        program = self.folder / "ami-bake"
        program.write_text("#!/bin/sh\necho ami-bake 0.9.0\n")
        program.chmod(0o755)
        with tarfile.open(release / self.name, "w:gz") as archive:
            archive.add(program, "ami-bake")
        self.release = release
        self.sums()
        handler = functools.partial(Handler, directory=self.folder / "www")
        server = self.enterContext(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        self.mirror = f"http://127.0.0.1:{server.server_port}"

    def sums(self):
        digest = hashlib.sha256((self.release / self.name).read_bytes()).hexdigest()
        (self.release / "SHA256SUMS").write_text(f"{'00' * 32}  other.tar.gz\n{digest}  {self.name}\n")


class InstallTest(ReleaseServer):
    """install.sh."""

    def install(self, **variables):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "AMI_BAKE_MIRROR": self.mirror, "NO_PROXY": "127.0.0.1"}
        env |= {"AMI_BAKE_VERSION": "v0.9.0", "AMI_BAKE_INSTALL_DIR": str(self.folder / "bin")} | variables
        return run("sh", str(ROOT / "install.sh"), cwd=self.folder, env=env, check=False)

    def test_the_program_is_verified_and_installed(self):
        result = self.install()
        self.assertEqual(result.returncode, 0, result.stderr)
        program = self.folder / "bin" / "ami-bake"
        self.assertEqual(run(str(program), cwd=self.folder).stdout, "ami-bake 0.9.0\n")
        # Without the `v`, too.
        self.assertEqual(self.install(AMI_BAKE_VERSION="0.9.0").returncode, 0)

    def test_a_file_that_is_not_the_released_one_is_not_installed(self):
        with open(self.release / self.name, "ab") as archive:
            archive.write(b"x")
        result = self.install()
        self.assertIn("checksum", result.stderr)
        self.assertFalse((self.folder / "bin" / "ami-bake").exists())
        (self.release / "SHA256SUMS").write_text("")
        self.assertIn("SHA256SUMS does not list", self.install().stderr)

    def test_what_is_missing_is_said(self):
        self.assertIn("cannot download", self.install(AMI_BAKE_VERSION="v0.8.0").stderr)
        self.assertIn("not a valid version", self.install(AMI_BAKE_VERSION="../x").stderr)


class SetupTest(ReleaseServer):
    """The script of the setup action, from the same server."""

    def setup(self, **variables):
        for name in ["path", "output"]:
            (self.folder / name).write_text("")
        bin = self.folder / "stubs"
        bin.mkdir(exist_ok=True)
        gh = bin / "gh"
        gh.write_text(f'#!/bin/sh\necho "$@" >>{self.folder}/gh.log\necho "no attestation" >&2\nexit "${{GH_CODE:-0}}"\n')
        gh.chmod(0o755)
        env = {"PATH": f"{bin}:{os.environ['PATH']}", "HOME": str(self.folder), "NO_PROXY": "127.0.0.1"}
        env |= {"GITHUB_ACTION_PATH": str(ROOT / "setup"), "GITHUB_RUN_ID": "1", "GITHUB_SERVER_URL": "https://github.com"}
        env |= {"GITHUB_PATH": str(self.folder / "path"), "GITHUB_OUTPUT": str(self.folder / "output")}
        env |= {"RUNNER_TEMP": str(self.folder), "RUNNER_TOOL_CACHE": str(self.folder / "tools")}
        env |= {"VERSION": "v0.9.0", "MIRROR": self.mirror, "ACTION_REF": "main", "GH_TOKEN": "t", "ATTESTATION": "fail"}
        return run("bash", str(ROOT / "setup" / "setup.sh"), cwd=self.folder, env=env | variables, check=False)

    def calls(self):
        log = self.folder / "gh.log"
        return log.read_text().splitlines() if log.exists() else []

    def test_later_steps_find_the_program(self):
        result = self.setup()
        self.assertEqual(result.returncode, 0, result.stderr)
        folder = (self.folder / "path").read_text().strip()
        self.assertEqual(folder, str(self.folder / "tools" / "ami-bake" / "v0.9.0" / os.uname().machine))
        self.assertEqual(run(f"{folder}/ami-bake", cwd=self.folder).stdout, "ami-bake 0.9.0\n")
        self.assertEqual((self.folder / "output").read_text(), "version=0.9.0\n")
        # A mirror has no attestations.
        self.assertEqual(self.calls(), [])
        # The version is that of the action's own tag, and what is in the tool cache is not fetched again.
        shutil.rmtree(self.folder / "www")
        self.assertEqual(self.setup(VERSION="", ACTION_REF="v0.9.0").returncode, 0)
        self.assertIn("cannot download", self.setup(VERSION="v0.9.1").stderr)
        self.assertEqual((self.folder / "path").read_text(), "")

    def test_a_program_without_an_attestation_is_not_used_unless_that_is_wanted(self):
        self.setup()
        self.assertEqual(self.setup(MIRROR="").returncode, 0)
        self.assertIn("attestation verify", self.calls()[0])
        self.assertIn("--repo ami-bake/ami-bake", self.calls()[0])
        refused = self.setup(MIRROR="", GH_CODE="1")
        self.assertEqual(refused.returncode, 1, refused.stdout)
        self.assertIn("::error title=ami-bake::The attestation of ", refused.stdout)
        self.assertIn("no attestation", refused.stdout)
        self.assertEqual((self.folder / "path").read_text(), "")
        warned = self.setup(MIRROR="", GH_CODE="1", ATTESTATION="warn")
        self.assertEqual(warned.returncode, 0, warned.stdout)
        self.assertIn("::warning title=ami-bake::The attestation of ", warned.stdout)
        self.assertIn("use fail or warn", self.setup(ATTESTATION="never").stdout)
        # What can't be asked is said.
        for missing in [{"GH_TOKEN": ""}, {"GITHUB_SERVER_URL": "https://ghe.corp"}]:
            self.assertIn("The attestation is not verified", self.setup(MIRROR="", **missing).stdout)


class PackageTest(unittest.TestCase):
    """.github/package: what is in the packages."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(dir=ROOT / "target")))
        program = self.folder / "ami-bake"
        program.write_text("#!/bin/sh\necho ami-bake\n")
        program.chmod(0o755)
        machine = "aarch64" if os.uname().machine in ("aarch64", "arm64") else "x86_64"
        relative = self.folder.relative_to(ROOT)
        run(str(ROOT / ".github" / "package"), f"{machine}-unknown-linux-musl", str(relative), cwd=ROOT)
        self.machine = machine

    def one(self, ending):
        found = list(self.folder.glob(f"*{ending}"))
        self.assertEqual(len(found), 1, list(self.folder.iterdir()))
        return str(found[0])

    def test_each_package_has_the_program(self):
        listed = run("tar", "--list", "--verbose", "--file", self.one(".tar.gz"), cwd=self.folder).stdout
        self.assertRegex(listed, r"-rwxr-xr-x root/root .* ami-bake\n")
        deb = run("dpkg-deb", "--contents", self.one(".deb"), cwd=self.folder).stdout
        self.assertRegex(deb, r"-rwxr-xr-x root/root .* \./usr/bin/ami-bake\n")
        fields = run("dpkg-deb", "--field", self.one(".deb"), cwd=self.folder).stdout
        self.assertIn("Package: ami-bake\n", fields)

    @unittest.skipUnless(shutil.which("rpmbuild"), "rpmbuild is not installed: .ci/setup installs it")
    def test_the_rpm_has_the_program(self):
        rpm = self.one(".rpm")
        listed = run("rpm", "--query", "--list", "--verbose", "--package", rpm, cwd=self.folder).stdout
        self.assertRegex(listed, r"^-rwxr-xr-x +1 root +root .* /usr/bin/ami-bake\n$")
        query = ["rpm", "--query", "--queryformat", "%{NAME} %{ARCH} %{LICENSE}", "--package", rpm]
        self.assertEqual(run(*query, cwd=self.folder).stdout, f"ami-bake {self.machine} Apache-2.0 OR MIT")


if __name__ == "__main__":
    unittest.main()
