//! Imports and bakes the docker builders of the corpus' templates unchanged. The templates are not part of the
//! repository: without them the test is skipped.

use std::process::Command;

use ami_bake_testkit::corpus::corpus;
use ami_bake_testkit::docker::{BASE, Engine, Registry};
use ami_bake_testkit::http::{HttpAnswer, Server};
use serde_json::Value;

use crate::fixture::{CommandOutcome, Fixture};

/// Name of the templates' source image, which is created in an engine of our own, never in the machine's.
const SOURCE: &str = "ubuntu:18.04";
/// The repository at Docker Hub that the templates push to.
const REPOSITORY: &str = "andretorrescodurance/packer_test";
const PASSWORD: &str = "geheim-4711";

/// Fills a folder ($1) with what the base image lacks: this machine's own dpkg, and stand-ins for commands that need a
/// network, which record their arguments. As in the real image, sudo must be installed first; otherwise `apt-get
/// install` only leaves a mark. `curl` has Elastic's packages from a server ($2) on the loopback interface.
const STAND_INS: &str = r#"
set -euo pipefail
root=$1
mkdir -p "$root"/{usr/bin,usr/sbin,usr/local/bin,usr/lib,var/lib/stand-in} "$root"/var/lib/dpkg/{info,updates,triggers}
touch "$root"/var/lib/dpkg/{status,available}
for program in $(dpkg -L dpkg | grep -E '/s?bin/.'); do
  cp -L "$program" "$root/usr/${program#"${program%/*bin/*}"/}"
  ldd "$program" 2>/dev/null | grep -oE '/[^ ):]+\.so[^ ):]*' || true
done | sort -u | while read -r library; do
  to=$root/usr/lib/${library#*/lib*/}
  mkdir -p "${to%/*}"
  cp -L "$library" "$to"
done
cd "$root/usr/local/bin"
cat >sleep <<'END'
#!/bin/sh
[ "$*" = 30 ] || exec /bin/sleep "$@"
echo "sleep $*" >>/var/lib/stand-in/calls
END
cat >apt-get <<'END'
#!/bin/sh
echo "apt-get $*" >>/var/lib/stand-in/calls
[ "$1" = install ] || exit 0
for package; do
  case $package in install | -*) ;; sudo)
    printf '#!/bin/sh\necho "sudo $*" >>/var/lib/stand-in/calls\nexec "$@"\n' >/usr/local/bin/sudo
    chmod 755 /usr/local/bin/sudo ;;
  *) touch "/var/lib/stand-in/$package" ;; esac
done
END
cat >curl <<END
#!/bin/sh
echo "curl \$*" >>/var/lib/stand-in/calls
for url; do
  case \$url in
    -*) ;;
    https://artifacts.elastic.co/*) busybox wget -q -O "\${url##*/}" "$2/\${url##*/}"; status=\$? ;;
    *) echo "curl: (6) Could not resolve host: \$url" >&2; status=6 ;;
  esac
done
exit \$status
END
chmod 755 ./*
"#;

/// A package that dpkg can install, without compression, so that it is text.
const PACKAGE: &str = r#"
set -euo pipefail
name=$2 version=$3
mkdir -p "$1/$name"/{DEBIAN,usr/share}
printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\nDescription: a stand-in\n' \
  "$name" "$version" >"$1/$name/DEBIAN/control"
printf '#!/bin/sh\necho "%s is configured" >>/var/lib/stand-in/calls\n' "$name" >"$1/$name/DEBIAN/postinst"
chmod 755 "$1/$name/DEBIAN/postinst"
echo "$name $version" >"$1/$name/usr/share/$name"
dpkg-deb --root-owner-group -Znone --build "$1/$name" "$1/$name.deb" >/dev/null
cat "$1/$name.deb"
"#;

fn bash(script: &str, arguments: &[&str]) -> String {
    let output = Command::new("bash").args(["-c", script, "bash"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A server with Elastic's packages, which runs until the end of the test.
fn elastic() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let packages =
        ["filebeat", "metricbeat"].map(|name| (name, bash(PACKAGE, &[folder.path().to_str().unwrap(), name, "7.7.0"])));
    Server::serving(move |_, request| {
        let asked = packages.iter().find(|(name, _)| request.starts_with(&format!("GET /{name}-7.7.0-amd64.deb ")));
        asked.map_or(HttpAnswer::text(404, "there is no such package"), |(_, package)| HttpAnswer::text(200, package))
    })
}

/// Creates the source image: the tests' base with the stand-ins.
fn make_source(engine: &Engine, mirror: &Server) {
    let root = tempfile::tempdir().unwrap();
    bash(STAND_INS, &[root.path().to_str().unwrap(), &mirror.address()]);
    let container = engine.docker(&["create", "--network", "none", BASE, "sh"]).unwrap();
    engine.docker(&["cp", &format!("{}/.", root.path().display()), &format!("{container}:/")]).unwrap();
    engine.docker(&["commit", "--change", "CMD [\"/bin/bash\"]", &container, SOURCE]).unwrap();
    engine.docker(&["rm", &container]).unwrap();
}

struct Corpus {
    engine: Engine,
    fixture: Fixture,
}

impl Corpus {
    fn run(&self, arguments: &[&str], code: i32) -> CommandOutcome {
        let outcome = self.fixture.run(arguments).exits(code);
        let report = std::fs::read_to_string(self.fixture.path("bake-report.json")).unwrap_or_default();
        assert!(!format!("{outcome:?}{report}").contains(PASSWORD), "{outcome:?}");
        outcome
    }

    fn image(&self) -> Value {
        let report: Value = serde_json::from_str(&self.fixture.read("bake-report.json")).unwrap();
        report["images"][0].clone()
    }

    fn inspect(&self, image: &str) -> Value {
        let seen = self.engine.docker(&["image", "inspect", image]).unwrap_or_else(|| panic!("there is no {image}"));
        serde_json::from_str::<Value>(&seen).unwrap()[0].clone()
    }

    /// Output of a command in the baked image.
    fn inside(&self, image: &str, command: &[&str]) -> String {
        let run = [&["run", "--rm", "--network", "none", image][..], command].concat();
        self.engine.docker(&run).unwrap_or_else(|| panic!("{command:?} fails in {image}"))
    }

    /// Asserts that the image has the template's tag, label and port, and that all commands of the template were
    /// called.
    fn is_as_the_template_says(&self, calls: &[&str]) {
        let id = self.image()["image"]["id"].as_str().unwrap().to_owned();
        let tagged = format!("{REPOSITORY}:0.1");
        let seen = self.inspect(&tagged);
        assert_eq!(seen["Id"], id.as_str());
        let config = &seen["Config"];
        assert_eq!(config["Labels"]["mantainer.name"], "Andre Torres", "{config:#}");
        assert!(config["ExposedPorts"].get("8080/tcp").is_some(), "{config:#}");
        assert_eq!(config["Cmd"], serde_json::json!(["/bin/bash"]));
        let recorded = self.inside(&tagged, &["cat", "/var/lib/stand-in/calls"]);
        assert_eq!(recorded.lines().collect::<Vec<_>>(), calls);
    }

    /// Changes the imported manifest's repository to one in our own registry.
    fn move_to(&self, registry: &Registry) {
        let text = self.fixture.read("bake.yml");
        let there = format!("repository: {}/{REPOSITORY}", registry.address());
        self.fixture.write("bake.yml", &text.replace(&format!("repository: {REPOSITORY}"), &there));
    }
}

/// Docker Hub does not answer, as the template's author would see it; in the end the image is pushed all the same.
#[test]
fn the_docker_builders_of_the_corpus_bake_as_they_are() {
    let Some(folder) = corpus() else { return };
    // Its engine only reaches the loopback interface.
    let engine = Engine::own();
    let mirror = elastic();
    make_source(&engine, &mirror);
    let fixture = Fixture::new().variable("DOCKER_HOST", engine.host()).variable("DOCKER_HUB_PASSWORD", PASSWORD);
    for name in ["java-ami.json", "java-ami.vars.json", "java-on-base.json"] {
        let text = std::fs::read_to_string(folder.join("required").join(name)).unwrap();
        fixture.write(name, &text);
    }
    fixture.write("fix-sudo.sh", "#!/bin/bash\nset -e\napt-get update -y\napt-get install -y sudo\n");
    let corpus = Corpus { engine, fixture };
    let registry = Registry::guarded("andretorrescodurance", PASSWORD);

    corpus.run(&["import", "java-ami.json", "--var-file", "java-ami.vars.json", "-o", "bake.yml"], 0);
    let checked = corpus.run(&["check", "--platform", "docker"], 0);
    assert!(!checked.stderr.contains("skipped"), "{}", checked.stderr);
    let failed = corpus.run(&["bake", "--platform", "docker", "--force"], 7);
    let image = corpus.image();
    let version = image["version"].as_str().unwrap();
    for words in [
        &format!("push {REPOSITORY}:0.1"),
        &format!("Nothing was pushed; missing in the registry: {REPOSITORY}:0.1."),
        "Check that the daemon can reach docker.io",
        &format!("is kept in the Docker daemon as java-ami/docker:{version}"),
        "Run `ami-bake publish --report bake-report.json` to push",
    ] {
        assert!(failed.stderr.contains(words), "{words} is not in\n{}", failed.stderr);
    }
    let sudo = ["apt-get update -y", "apt-get install -y sudo"];
    let elastic = "https://artifacts.elastic.co/downloads/beats";
    let (filebeat, metricbeat) = (
        format!("curl -L -O {elastic}/filebeat/filebeat-7.7.0-amd64.deb"),
        format!("curl -L -O curl -L -O {elastic}/metricbeat/metricbeat-7.7.0-amd64.deb"),
    );
    corpus.is_as_the_template_says(&[
        "sleep 30",
        sudo[0],
        sudo[1],
        "sudo apt-get update -y",
        "apt-get update -y",
        "sudo apt-get install -y chrony openjdk-11-jre-headless",
        "apt-get install -y chrony openjdk-11-jre-headless",
        &filebeat,
        "sudo dpkg -i filebeat-7.7.0-amd64.deb",
        "filebeat is configured",
        &metricbeat,
        "sudo dpkg -i metricbeat-7.7.0-amd64.deb",
        "metricbeat is configured",
    ]);
    let tagged = format!("{REPOSITORY}:0.1");
    let installed = corpus.inside(&tagged, &["dpkg-query", "-W", "-f", "${Package} ${Version} ${Status}\n"]);
    let ok = "7.7.0 install ok installed";
    assert_eq!(installed, format!("filebeat {ok}\nmetricbeat {ok}"));
    assert_eq!(corpus.inside(&tagged, &["ls", "/tmp"]), "");

    // Docker Hub is still unreachable; then the manifest names a registry that is reachable. The image is the same.
    let publish = ["publish", "--report", "bake-report.json"];
    corpus.run(&publish, 7).says("Nothing was pushed");
    corpus.move_to(&registry);
    corpus.run(&publish, 0).says("pushed 0.1");
    assert_eq!(registry.tags(REPOSITORY), ["0.1"]);
    let there = corpus.inspect(&format!("{}/{REPOSITORY}:0.1", registry.address()));
    assert_eq!(there["Id"], image["image"]["id"]);
    corpus.run(&publish, 0).says("Already published ");

    // The second template is imported on the fly, with its own registry at once.
    corpus
        .run(&["bake", "java-on-base.json", "--set", "owner=self", "--platform", "docker", "--force"], 7)
        .says("Nothing was pushed");
    let calls = [
        "sleep 30",
        sudo[0],
        sudo[1],
        "sudo apt-get update -y",
        "apt-get update -y",
        "sudo apt-get install -y openjdk-11-jre-headless",
        "apt-get install -y openjdk-11-jre-headless",
    ];
    corpus.is_as_the_template_says(&calls);
    corpus.run(&["import", "java-on-base.json", "-o", "bake.yml", "--force"], 0);
    registry.forget(REPOSITORY, "0.1");
    corpus.move_to(&registry);
    corpus.run(&["bake", "--set", "owner=self", "--platform", "docker", "--force"], 0).says("pushed 0.1");
    assert_eq!(registry.tags(REPOSITORY), ["0.1"]);
    let digest = corpus.image()["published"][0]["image"].as_str().unwrap().to_owned();
    assert!(digest.starts_with("sha256:"), "{digest}");
}
