//! The action as the container image that users get: the Dockerfile's own stages around the test build of the program,
//! run by a real engine with the runner's mounts and environment.

use std::path::Path;
use std::process::{Command, Stdio};

use ami_bake_testkit::action::Job;
use ami_bake_testkit::cloud::repository;
use ami_bake_testkit::docker::{BASE, Engine};
use ami_bake_testkit::test_dir::signal;
use ami_bake_testkit::wait;
use serde_json::Value;

const DEBIAN: &str = "ami-bake-test/debian:1";
const IMAGE: &str = "ami-bake-test/action:1";

/// Builds a minimal system of this machine's own release, since no registry is reachable.
const BOOTSTRAP: &str = r#"
. /etc/os-release
sources=()
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list; do
  if [[ -s $file ]]; then sources+=("$file"); fi
done
mmdebstrap --quiet --variant=apt --format=tar "$VERSION_CODENAME" - "${sources[@]}"
"#;

fn build(engine: &Engine) {
    if engine.docker(&["image", "inspect", DEBIAN]).is_none() {
        let mut system = Command::new("bash").args(["-euc", BOOTSTRAP]).stdout(Stdio::piped()).spawn().unwrap();
        let archive = system.stdout.take().unwrap();
        let imported = Command::new("docker")
            .args(["--host", engine.host(), "import", "-", DEBIAN])
            .stdin(archive)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(system.wait().unwrap().success(), "no system could be made: apt-get install mmdebstrap");
        assert!(imported.success());
    }
    let context = tempfile::tempdir().unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_ami-bake"), context.path().join("ami-bake")).unwrap();
    // No registry is reachable: the same file on a base of this machine.
    let file = std::fs::read_to_string(repository().join("Dockerfile")).unwrap();
    let bases: Vec<&str> = file.lines().filter(|line| line.starts_with("FROM ") && line.contains(':')).collect();
    let is_pinned = |line: &&str| line.split_once("@sha256:").is_some_and(|(_, digest)| digest.find(' ') == Some(64));
    assert!(bases.len() == 2 && bases.iter().all(is_pinned), "{bases:?}");
    let file = file.replacen(bases[0], &format!("FROM {DEBIAN} AS runtime"), 1);
    std::fs::write(context.path().join("Dockerfile"), file).unwrap();
    let built = Command::new("docker")
        .args(["--host", engine.host(), "build", "--network", "host", "--target", "prebuilt"])
        .args(["--tag", IMAGE])
        .arg(context.path())
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stdout));
}

fn job(engine: &Engine, namespace: &str, script: &str) -> Job {
    let job = Job::new().in_container(engine.host().strip_prefix("unix://").unwrap(), IMAGE);
    job.write(
        "bake.yml",
        &format!(
            "format: 1\nname: {namespace}\nplatform: docker\nimages:\n  web:\n    source: {{docker: {BASE}}}\n    build:\n      - name: Write\n        run: {script}\n    test:\n      - expect: {{file: {{path: /srv/index.html, contains: hello}}}}\n"
        ),
    );
    job
}

/// The engine's containers whose line contains `of`; other tests run theirs at the same time.
fn containers(engine: &Engine, of: &str) -> Vec<String> {
    let all = engine.docker(&["ps", "--all", "--format", "{{.Image}} {{.Names}} {{.Label \"ami-bake:about\"}}"]);
    all.unwrap().lines().filter(|line| line.contains(of)).map(str::to_owned).collect()
}

/// A single test, because the image is built once.
#[test]
fn the_image_bakes_as_the_runner_starts_it() {
    let engine = Engine::get();
    build(&engine);
    let about = |entrypoint: &str, argument: &str| {
        engine.docker(&["run", "--rm", "--network", "none", "--entrypoint", entrypoint, IMAGE, argument])
    };
    assert!(about("ansible-playbook", "--version").is_some_and(|text| text.starts_with("ansible-playbook [core ")));
    assert!(about("test", "-s/etc/ssl/certs/ca-certificates.crt").is_some() && about("git", "--version").is_none());
    let config = engine.docker(&["image", "inspect", "--format", "{{.Config.User}}|{{.Config.WorkingDir}}", IMAGE]);
    assert_eq!(config.as_deref(), Some("|"), "GitHub asks for root and no WORKDIR");

    let namespace = format!("action-{}", std::process::id());
    let bake = job(&engine, &namespace, "mkdir -p /srv && echo hello > /srv/index.html");
    let main = bake.main("", &[("version", "1.4.0")]).exits(0);
    assert_eq!((main.output("version"), main.output("changed"), main.output("tested")), ("1.4.0", "true", "true"));
    let report: Value =
        serde_json::from_slice(&std::fs::read(bake.path("workspace/bake-report.json")).unwrap()).unwrap();
    assert_eq!(report["exit-code"], 0);
    assert!(main.summary.contains("1.4.0"), "{}", main.summary);
    assert_eq!(bake.post("", &[], &main).exits(0).step.text(), "Nothing to clean up.\n");

    // The client forwards the runner's signal to the program, which is process 1 there.
    let cancelled = job(&engine, &namespace, "sleep 3600");
    let running = cancelled.start("", &[("force", "true")]);
    let machines = || containers(&engine, &namespace);
    wait::until_true("no machine was launched", || !machines().is_empty());
    signal(&running.child, "INT");
    let main = running.end().exits(130);
    assert_eq!(machines(), Vec::<String>::new());
    cancelled.post("", &[], &main).exits(0);
    assert_eq!(containers(&engine, IMAGE), Vec::<String>::new());
    assert!(!Path::new("/github").exists());
    engine.docker(&["image", "rm", "--force", IMAGE]);
}
