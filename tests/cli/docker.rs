//! Bakes in containers of a real engine.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use ami_bake_testkit::action::Job;
use ami_bake_testkit::docker::{BASE, Engine, Registry};
use ami_bake_testkit::test_dir::signal;
use ami_bake_testkit::wait;
use serde_json::Value;

use crate::fixture::{CommandOutcome, Fixture};

/// A manifest whose image names no other test uses.
fn manifest(namespace: &str, publish: &str) -> String {
    format!(
        "format: 1
name: {namespace}
platform: docker
secrets: [REGISTRY_PASSWORD]
vars: {{greeting: hello, port: 18{port}}}
images:
  web:
    source: {{docker: {BASE}}}
    build:
      - name: Write
        run: mkdir -p /srv/web && echo \"$GREETING\" > /srv/web/index.html
        env: {{GREETING: \"${{{{ vars.greeting }}}}\"}}
    test:
      - run: |
          cd /srv/web
          nohup python3 -m http.server --bind 127.0.0.1 \"$PORT\" >/dev/null 2>&1 </dev/null &
        env: {{PORT: \"${{{{ vars.port }}}}\"}}
      - expect: {{http: {{port: \"${{{{ vars.port }}}}\", status: 200, body: \"${{{{ vars.greeting }}}}\"}}}}
    publish:
      tags: {{team: web}}
{publish}",
        port = 100 + uuid() % 800,
    )
}

fn uuid() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() / 1000
}

/// A namespace of its own for each test run: the engine outlives the tests.
pub(crate) fn namespace(test: &str) -> String {
    format!("cli-{test}-{}", uuid() % 1_000_000_000)
}

fn fixture(engine: &Engine, manifest: &str) -> Fixture {
    Fixture::with(manifest).variable("DOCKER_HOST", engine.host()).variable("REGISTRY_PASSWORD", "geheim-4711")
}

fn report(fixture: &Fixture) -> Value {
    serde_json::from_str(&fixture.read("bake-report.json")).unwrap()
}

fn machines(engine: &Engine, of: &str) -> String {
    let all = engine.docker(&["ps", "-a", "--format", "{{.Names}} {{.Label \"ami-bake:about\"}}"]).unwrap();
    all.lines().filter(|line| line.contains(of)).collect()
}

#[test]
fn a_bake_is_pushed_and_the_next_one_pushes_what_is_new() {
    let engine = Engine::get();
    let registry = Registry::guarded("ada", "geheim-4711");
    let name = namespace("push");
    let publish = |tags: &str| {
        format!(
            "      docker:
        repository: {}/shop/web
        tags: [{tags}]
        login: {{username: ada, password: \"${{{{ secrets.REGISTRY_PASSWORD }}}}\"}}
        changes:
          labels: {{maintainer: ada}}
          env: {{GREETING: \"${{{{ vars.greeting }}}}\"}}
          entrypoint: [python3, -m]
          cmd: [http.server]
          expose: [\"8000\"]
          user: nobody
          workdir: /srv/web
",
            registry.address()
        )
    };
    let text = manifest(&name, &publish("\"${{ version }}\", latest"));
    let fixture = fixture(&engine, &text);
    let first = fixture.run(&["bake"]).exits(0);
    assert_eq!(registry.tags("shop/web"), ["0.1.0", "latest"]);
    let image = &report(&fixture)["images"][0];
    assert_eq!((&image["status"], &image["version"]), (&"baked".into(), &"0.1.0".into()), "{image:#}");

    let seen = engine.docker(&["image", "inspect", &format!("{name}/web:0.1.0")]).unwrap();
    let seen: Value = serde_json::from_str(&seen).unwrap();
    let config = &seen[0]["Config"];
    assert_eq!(config["Entrypoint"], serde_json::json!(["python3", "-m"]));
    assert_eq!(config["Cmd"], serde_json::json!(["http.server"]));
    assert_eq!((&config["User"], &config["WorkingDir"]), (&"nobody".into(), &"/srv/web".into()));
    assert!(config["ExposedPorts"].get("8000/tcp").is_some(), "{config:#}");
    assert!(config["Env"].as_array().unwrap().contains(&"GREETING=hello".into()), "{config:#}");
    for (label, value) in [("maintainer", "ada"), ("team", "web"), ("ami-bake:version", "0.1.0")] {
        assert_eq!(config["Labels"][label], value, "{config:#}");
    }
    assert_eq!(machines(&engine, &name), "", "a machine is left");

    // Only the publishing changed: no machine is launched, and the new tag is pushed.
    fixture.write("bake.yml", &text.replace("latest", "stable"));
    let second = fixture.run(&["bake"]).exits(0);
    assert_eq!(report(&fixture)["images"][0]["status"], "reused");
    assert!(report(&fixture)["machines"].as_array().unwrap().is_empty());
    assert_eq!(registry.tags("shop/web"), ["0.1.0", "latest", "stable"]);
    for outcome in [first, second] {
        assert!(!format!("{outcome:?}{}", fixture.read("bake-report.json")).contains("geheim-4711"));
    }
}

#[test]
fn a_refused_push_has_a_code_of_its_own_and_keeps_the_image() {
    let engine = Engine::get();
    let registry = Registry::guarded("ada", "another-word");
    let name = namespace("refused");
    let publish = format!(
        "      docker:\n        repository: {}/shop/web\n        tags: [one, two]\n        login: {{username: ada, password: \"${{{{ secrets.REGISTRY_PASSWORD }}}}\"}}\n",
        registry.address()
    );
    let fixture = fixture(&engine, &manifest(&name, &publish));
    let outcome = fixture.run(&["bake"]).exits(7);
    assert!(outcome.stderr.contains("Nothing was pushed"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("/shop/web:one"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("geheim-4711"));
    assert!(registry.tags("shop/web").is_empty());
    holds_only_the_tested_image(&engine, &fixture, &name);
}

/// An image that passed its tests stays, however the publication ends: it has its final name, and `publish` continues
/// with it. The tested candidate is deleted, and so are all machines.
fn holds_only_the_tested_image(engine: &Engine, fixture: &Fixture, namespace: &str) {
    assert_eq!(machines(engine, namespace), "");
    let filter = format!("label=ami-bake:name={namespace}");
    // One image, under any number of names.
    let images = engine.docker(&["images", "--quiet", "--filter", &filter]).unwrap();
    let ids: std::collections::BTreeSet<&str> = images.lines().collect();
    assert_eq!(ids.len(), 1, "{images}");
    let listed = fixture.run(&["images", "--json"]).exits(0);
    assert!(listed.stdout.contains(&format!("{namespace}/web/0.1.0")), "{}", listed.stdout);
    let state = std::fs::read_dir(fixture.path("state/ami-bake")).unwrap().flatten();
    assert!(state.into_iter().all(|entry| !entry.path().to_string_lossy().ends_with(".ledger.jsonl")));
}

/// The registry accepts the connection and never answers.
#[test]
fn a_cancelled_push_keeps_the_image_and_nothing_else() {
    let engine = Engine::get();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let name = namespace("push");
    let publish = format!("      docker: {{repository: {}/shop/web}}\n", silent.local_addr().unwrap());
    let fixture = fixture(&engine, &manifest(&name, &publish));
    let child = fixture.command(&["bake"]).spawn().unwrap();
    silent.set_nonblocking(true).unwrap();
    let mut held = Vec::new();
    wait::until_true("nothing is pushed", || {
        held.extend(silent.accept());
        !held.is_empty()
    });
    signal(&child, "INT");
    fixture.finish(child).exits(130);
    drop(held);
    holds_only_the_tested_image(&engine, &fixture, &name);
}

#[test]
fn images_are_built_on_each_other_tested_again_and_retired() {
    let engine = Engine::get();
    let name = namespace("chain");
    let text = manifest(&name, "      keep: {last: 1}\n")
        + "  shop:\n    source: {image: web}\n    build:\n      - run: test -e /srv/web/index.html\n";
    let fixture = fixture(&engine, &text);
    fixture.run(&["bake"]).exits(0);
    let images = |fixture: &Fixture| -> Vec<Value> {
        let listed = fixture.run(&["images", "--json"]).exits(0);
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        listed["images"].as_array().unwrap().clone()
    };
    let first = images(&fixture);
    assert_eq!(first.len(), 2, "{first:#?}");
    let web = first.iter().find(|image| image["key"]["image"] == "web").unwrap();
    fixture.run(&["test", web["id"].as_str().unwrap(), "--image", "web"]).exits(0);

    let bake = |greeting: &str| -> Vec<String> {
        fixture.run(&["bake", "--image", "web", "--set", &format!("greeting={greeting}")]).exits(0);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        images(&fixture).iter().map(|image| text(&image["key"]["image"]) + " " + &text(&image["version"])).collect()
    };
    // Base images of others are kept, and the newest of the rest.
    assert_eq!(bake("goodbye"), ["shop 0.1.0", "web 0.1.0", "web 0.1.1"]);
    assert_eq!(bake("again"), ["shop 0.1.0", "web 0.1.0", "web 0.1.2"]);
}

#[test]
fn a_failing_test_leaves_no_image_and_no_container() {
    let engine = Engine::get();
    let name = namespace("failing");
    let text = manifest(&name, "").replace("echo \"$GREETING\"", "echo other");
    let text = text.replace("body: \"${{ vars.greeting }}\"}}", "body: hello}}\n        timeout: 1s");
    let fixture = fixture(&engine, &text);
    fixture.run(&["bake"]).exits(6);
    let images = fixture.run(&["images", "--json"]).exits(0);
    assert!(images.stdout.contains("\"images\": []"), "{}", images.stdout);
    assert_eq!(machines(&engine, &name), "");
    let names = engine.docker(&["images", "--format", "{{.Repository}}"]).unwrap();
    assert!(!names.contains(&name), "{names}");
}

/// The example, with the tests' base image and without a registry.
#[test]
fn the_example_of_parity_bakes() {
    let engine = Engine::get();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/docker-parity/bake.yml");
    let fixture = Fixture::new().variable("DOCKER_HOST", engine.host());
    let base = format!("base={BASE}");
    let outcome =
        fixture.run(&["bake", manifest.to_str().unwrap(), "--platform", "docker", "--force", "--set", &base]).exits(0);
    assert!(outcome.stderr.contains("skipped") && outcome.stderr.contains("machine.type"), "{}", outcome.stderr);
    let name = report(&fixture)["images"][0]["image"]["name"].as_str().unwrap().replace("web/", "web:");
    let config = engine.docker(&["image", "inspect", "--format", "{{json .Config.Entrypoint}}", &name]).unwrap();
    assert_eq!(config, r#"["busybox","httpd","-f","-v"]"#);
}

/// Starts a bake whose step runs for an hour, and waits until the step has begun.
fn begin(engine: &Engine, name: &str) -> (Fixture, std::process::Child) {
    let fixture = fixture(engine, &manifest(name, "").replace("mkdir -p /srv/web &&", "sleep 3600;"));
    let child = fixture.command(&["bake"]).spawn().unwrap();
    wait::until_true("no machine was launched", || !machines(engine, name).is_empty());
    (fixture, child)
}

#[test]
fn a_cancelled_bake_leaves_nothing() {
    let engine = Engine::get();
    let name = namespace("cancel");
    let (fixture, child) = begin(&engine, &name);
    signal(&child, "INT");
    fixture.finish(child).exits(130);
    assert_eq!(machines(&engine, &name), "");
}

#[test]
fn sweep_deletes_what_a_killed_bake_left() {
    let engine = Engine::get();
    let name = namespace("killed");
    let (fixture, mut child) = begin(&engine, &name);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_ne!(machines(&engine, &name), "");
    let elsewhere = seems_another(&engine, &fixture.path("docker.sock"));
    let mut command = fixture.command(&["sweep", "--platform", "docker", "--yes"]);
    let sweep = fixture.finish(command.env("DOCKER_HOST", &elsewhere).spawn().unwrap()).exits(9);
    assert!(sweep.stdout.contains("it belongs to the Docker daemon of "), "{}{}", sweep.stdout, sweep.stderr);
    assert_ne!(machines(&engine, &name), "");
    fixture.run(&["sweep", "--platform", "docker", "--yes"]).exits(0);
    assert_eq!(machines(&engine, &name), "");
    let again = fixture.run(&["sweep", "--platform", "docker"]).exits(0);
    assert!(again.stderr.contains("Nothing to delete"), "{}{}", again.stderr, again.stdout);
}

/// The post step too deletes nothing of another daemon, and forgets nothing.
#[test]
fn the_post_step_deletes_what_its_own_daemon_has() {
    let engine = Engine::get();
    let name = namespace("post");
    let job = Job::new().variable("DOCKER_HOST", engine.host()).variable("REGISTRY_PASSWORD", "geheim-4711");
    job.write("bake.yml", &manifest(&name, "").replace("mkdir -p /srv/web &&", "sleep 3600;"));
    let main = job.start(env!("CARGO_BIN_EXE_ami-bake"), &[]);
    wait::until_true("no machine was launched", || !machines(&engine, &name).is_empty());
    signal(&main.child, "KILL");
    let main = main.end();
    let elsewhere = seems_another(&engine, &job.path("docker.sock"));
    let job = job.variable("DOCKER_HOST", &elsewhere);
    let post = job.post(env!("CARGO_BIN_EXE_ami-bake"), &[], &main).exits(0);
    let warnings = post.annotations("warning").join("\n");
    assert!(warnings.contains("it belongs to the Docker daemon of "), "{}", post.step.text());
    assert_ne!(machines(&engine, &name), "");
    let job = job.variable("DOCKER_HOST", engine.host());
    job.post(env!("CARGO_BIN_EXE_ami-bake"), &[], &main).exits(0);
    assert_eq!(machines(&engine, &name), "");
}

/// Passes bytes on until the stream ends.
fn pass(mut from: UnixStream, mut to: UnixStream, mut edit: impl FnMut(&mut [u8]) + Send + 'static) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            edit(&mut buffer[..count]);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}

/// Passes bytes on to the engine and back; `edit` may change what the engine answers.
fn relay(engine: &Engine, at: &Path, edit: impl FnMut(&mut [u8]) + Clone + Send + 'static) {
    let socket = engine.host().trim_start_matches("unix://").to_owned();
    let listener = UnixListener::bind(at).unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = UnixStream::connect(&socket).unwrap();
            pass(client.try_clone().unwrap(), server.try_clone().unwrap(), |_| {});
            pass(server, client, edit.clone());
        }
    });
}

/// A socket that everybody may use, before the engine's own.
fn open_to_all(engine: &Engine, at: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    relay(engine, at, |_| {});
    std::fs::set_permissions(at, std::fs::Permissions::from_mode(0o666)).unwrap();
}

/// The same engine, which says that its data is in another folder: the first letter of its path is another.
fn seems_another(engine: &Engine, at: &Path) -> String {
    const BEFORE: &[u8] = b"\"DockerRootDir\":\"/";
    let mut known = 0;
    relay(engine, at, move |answer| {
        for byte in answer {
            match BEFORE.get(known) {
                None => (*byte, known) = (b'_', 0),
                Some(next) if next == byte => known += 1,
                Some(_) => known = usize::from(*byte == BEFORE[0]),
            }
        }
    });
    format!("unix://{}", at.display())
}

/// As the user nobody: the engine's own socket is closed, and through an open one a whole bake works. Its `expect:
/// {http: …}` goes through the container, since only root may enter its network.
#[test]
fn a_user_without_rights_gets_help_and_one_with_the_socket_bakes() {
    use std::os::unix::fs::PermissionsExt as _;
    let engine = Engine::get();
    if !Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n") {
        return;
    }
    let text = manifest(&namespace("nobody"), "");
    let run = |host: &str, code: i32| {
        let fixture = Fixture::with(&text).variable("DOCKER_HOST", host).variable("REGISTRY_PASSWORD", "geheim-4711");
        std::fs::set_permissions(fixture.folder(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let asked = fixture.command(&["bake"]);
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(asked.get_program())
            .args(asked.get_args());
        command.env_clear().envs(asked.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(fixture.folder()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        fixture.finish(command.spawn().unwrap()).exits(code)
    };
    let refused = run(engine.host(), 4);
    assert!(refused.stderr.contains("permission denied") && refused.stderr.contains("usermod"), "{}", refused.stderr);
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let socket = folder.path().join("open.sock");
    open_to_all(&engine, &socket);
    let baked = run(&format!("unix://{}", socket.display()), 0);
    assert!(baked.stdout.contains("baked"), "{}", baked.stdout);
}

/// No engine, no permission to use it, an invalid address: each is reported with help, and nothing is created.
#[test]
fn an_engine_that_does_not_answer_is_explained() {
    let text = manifest("shop", "");
    let run = |host: &str| -> CommandOutcome {
        Fixture::with(&text)
            .variable("REGISTRY_PASSWORD", "geheim-4711")
            .variable("DOCKER_HOST", host)
            .run(&["bake"])
            .exits(4)
    };
    for (host, why, help) in [
        ("unix:///no/such/docker.sock", "the socket does not exist", "docker.io"),
        ("tcp://127.0.0.1:9", "connection refused", "DOCKER_HOST"),
        ("engine", "the scheme is missing", "unix:///"),
    ] {
        let outcome = run(host);
        assert!(outcome.stderr.contains(why) && outcome.stderr.contains(help), "{}", outcome.stderr);
    }
    let folder = tempfile::tempdir().unwrap();
    let dead = folder.path().join("docker.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    let outcome = run(&format!("unix://{}", dead.display()));
    assert!(outcome.stderr.contains("the daemon is not running"), "{}", outcome.stderr);
}

/// A whole bake over TCP with certificates, as with a daemon on another host, including uploads and hijacked exec
/// connections. A missing or foreign certificate is reported with help.
#[test]
fn a_bake_goes_over_tls_with_certificates() {
    let engine = Engine::own();
    let (host, certificates) = engine.tls();
    let name = namespace("tls");
    let text =
        manifest(&name, "").replace("    test:\n", "      - upload: site/\n        to: /srv/web/more\n    test:\n");
    let run = |folder: &str, code: i32| {
        let fixture = Fixture::with(&text)
            .variable("REGISTRY_PASSWORD", "geheim-4711")
            .variable("DOCKER_HOST", &host)
            .variable("DOCKER_TLS_VERIFY", "1")
            .variable("DOCKER_CERT_PATH", certificates.join(folder).to_str().unwrap());
        fixture.write("site/page.html", &"x".repeat(300_000));
        fixture.run(&["bake"]).exits(code)
    };
    assert!(run("client", 0).stdout.contains("baked"));
    let digest = engine.docker(&["image", "inspect", "--format", "{{.Id}}", &format!("{name}/web:0.1.0")]);
    assert!(digest.is_some(), "the image is not in the engine");
    for (folder, why, help) in [
        ("stranger", "the daemon refused this client's certificate", "DOCKER_CERT_PATH sets another folder"),
        ("nowhere", "is missing", "ca.pem, cert.pem and key.pem"),
    ] {
        let refused = run(folder, 4);
        assert!(refused.stderr.contains(why) && refused.stderr.contains(help), "{}", refused.stderr);
    }
    // A missing DOCKER_TLS_VERIFY is reported.
    let plain = Fixture::with(&text).variable("REGISTRY_PASSWORD", "geheim-4711").variable("DOCKER_HOST", &host);
    plain.write("site/page.html", "x");
    plain.run(&["bake"]).exits(4).says("DOCKER_TLS_VERIFY=1");
    assert_eq!(machines(&engine, &name), "");
}

/// The files that changed according to the engine are searched.
#[test]
fn a_secret_that_a_step_leaves_in_a_file_fails_the_bake() {
    let engine = Engine::get();
    let name = namespace("leaky");
    let text = manifest(&name, "")
        .replace("echo \"$GREETING\" >", "echo \"$LEAK\" >")
        .replace("env: {GREETING:", "env: {LEAK: \"${{ secrets.REGISTRY_PASSWORD }}\", GREETING:");
    let outcome = fixture(&engine, &text).run(&["bake"]).exits(5);
    let found = "/srv/web/index.html (the secret `REGISTRY_PASSWORD`)";
    assert!(outcome.stderr.contains(found) && !outcome.stderr.contains("geheim-4711"), "{}", outcome.stderr);
    assert_eq!(machines(&engine, &name), "");
}
