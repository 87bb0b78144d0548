//! Later pushes of what a bake could not push: `publish`, and `promote` to another environment's registry.

use ami_bake_testkit::docker::{BASE, Engine, Registry};
use serde_json::Value;

use crate::docker::namespace;
use crate::fixture::{CommandOutcome, Fixture};

/// The correct password of every registry here.
const PASSWORD: &str = "geheim-4711";

/// A manifest whose image is pushed to `shop/web`, and in the environment `production` to `prod/web`.
fn manifest(name: &str, registry: &Registry) -> String {
    let address = registry.address();
    format!(
        "format: 1
name: {name}
platform: docker
secrets: [REGISTRY_PASSWORD]
images:
  web:
    source: {{docker: {BASE}}}
    build:
      - run: echo hello > /srv/hello
    publish:
      docker:
        repository: {address}/shop/web
        tags: [\"${{{{ version }}}}\", latest]
        login: {{username: ada, password: \"${{{{ secrets.REGISTRY_PASSWORD }}}}\"}}
environments:
  production:
    images:
      web:
        publish: {{docker: {{repository: {address}/prod/web, tags: [\"${{{{ version }}}}\", live]}}}}
"
    )
}

struct Shop {
    engine: Engine,
    fixture: Fixture,
    name: String,
}

impl Shop {
    fn new(test: &str, registry: &Registry) -> Self {
        let engine = Engine::get();
        let name = namespace(test);
        let fixture = Fixture::with(&manifest(&name, registry)).variable("DOCKER_HOST", engine.host());
        Self { engine, fixture, name }
    }

    fn run(&self, password: &str, arguments: &[&str]) -> CommandOutcome {
        let mut command = self.fixture.command(arguments);
        let outcome = self.fixture.finish(command.env("REGISTRY_PASSWORD", password).spawn().unwrap());
        let shown = format!(
            "{outcome:?}{}",
            std::fs::read_to_string(self.fixture.path("bake-report.json")).unwrap_or_default()
        );
        assert!(!shown.contains(password), "{shown}");
        outcome
    }

    fn remove(&self, reference: &str) {
        self.engine.docker(&["rmi", "--force", reference]).unwrap();
    }
}

/// A wrong password loses nothing: `publish --report` pushes what is missing, and later only what somebody deleted.
#[test]
fn publish_pushes_what_a_bake_could_not_and_nothing_twice() {
    let registry = Registry::guarded("ada", PASSWORD);
    let shop = Shop::new("finish", &registry);
    let address = registry.address();
    let shop_web = format!("{address}/shop/web");
    let refused = shop.run("wrong-word", &["bake"]).exits(7);
    for words in [
        &format!("push {shop_web}:0.1.0"),
        "unauthorized",
        &format!("Nothing was pushed; missing in the registry: {shop_web}:0.1.0, {shop_web}:latest."),
        "refused the login of `publish.docker.login`: check user, password and the permission to push",
        &format!("is kept in the Docker daemon as {}/web:0.1.0", shop.name),
        "Run `ami-bake publish --report bake-report.json` to push what is missing",
    ] {
        assert!(refused.stderr.contains(words), "{words} is not in\n{}", refused.stderr);
    }
    let report: Value = serde_json::from_str(&shop.fixture.read("bake-report.json")).unwrap();
    let image = &report["images"][0];
    assert!(image["image"]["id"].is_string(), "{image:#}");
    assert_eq!(
        (&image["published"][0]["region"], &image["published"][0]["failure"]["kind"]),
        (&Value::from(shop_web.clone()), &Value::from("publish"))
    );

    // The password is still wrong, and nothing is lost.
    let publish = ["publish", "--report", "bake-report.json"];
    shop.run("another-word", &publish).exits(7).says("unauthorized");
    let done = shop.run(PASSWORD, &publish).exits(0);
    assert!(done.stderr.contains("Published sha256:"), "{}", done.stderr);
    assert!(done.stderr.contains(&format!(" to {shop_web}: ")), "{}", done.stderr);
    assert!(done.stderr.contains("pushed 0.1.0, pushed latest"), "{}", done.stderr);
    assert_eq!(registry.tags("shop/web"), ["0.1.0", "latest"]);

    // Existing tags are left alone and missing ones are pushed, both in the registry and in the engine.
    let pushed = registry.pushed("shop/web", "0.1.0");
    registry.forget("shop/web", "latest");
    shop.remove(&format!("{shop_web}:latest"));
    let again = shop.run(PASSWORD, &publish).exits(0);
    assert!(again.stderr.contains("pushed latest") && !again.stderr.contains("pushed 0.1.0"), "{}", again.stderr);
    assert_eq!(
        (registry.tags("shop/web"), registry.pushed("shop/web", "0.1.0")),
        (vec!["0.1.0".to_owned(), "latest".to_owned()], pushed)
    );
    let idle = shop.run(PASSWORD, &["publish", "--image-version", "0.1.0"]).exits(0);
    assert!(idle.stderr.contains("Already published ") && !idle.stderr.contains("Pushing"), "{}", idle.stderr);
    // A bake that reuses the image checks the registry in the same way.
    shop.run(PASSWORD, &["bake"]).exits(0).says("Already published ");
    assert_eq!(registry.pushed("shop/web", "0.1.0"), pushed);
    let report: Value = serde_json::from_str(&shop.fixture.read("bake-report.json")).unwrap();
    let digest = report["images"][0]["published"][0]["image"].as_str().unwrap();
    assert!(shop.engine.docker(&["pull", "--quiet", &format!("{shop_web}@{digest}")]).is_none(), "anonymously");
    let seen =
        shop.engine.docker(&["image", "inspect", "--format", "{{json .RepoDigests}}", &format!("{shop_web}:latest")]);
    assert!(seen.as_ref().is_some_and(|seen| seen.contains(digest)), "{digest} is not in {seen:?}");
}

#[test]
fn a_version_is_promoted_to_another_registry_and_what_is_gone_is_said() {
    let registry = Registry::guarded("ada", PASSWORD);
    let shop = Shop::new("promote", &registry);
    shop.run(PASSWORD, &["bake"]).exits(0);
    shop.fixture.write("kept.json", &shop.fixture.read("bake-report.json"));
    let staged = registry.pushed("shop/web", "latest");
    let promote = ["promote", "0.1.0", "--environment", "production"];
    shop.run(PASSWORD, &promote).exits(0).says("pushed 0.1.0, pushed live");
    assert_eq!(registry.tags("prod/web"), ["0.1.0", "live"]);
    assert_eq!(registry.pushed("shop/web", "latest"), staged);
    let live = registry.pushed("prod/web", "live");
    shop.run(PASSWORD, &promote).exits(0).says("Already published ");
    assert_eq!(registry.pushed("prod/web", "live"), live);

    shop.run(PASSWORD, &["promote", "0.2.0", "--environment", "production"])
        .exits(4)
        .says("publish web 0.2.0: image not found")
        .says("`ami-bake images` lists the images that exist here");
    // The platform comes from the report, and --platform can't change it.
    shop.run(PASSWORD, &["publish", "--report", "kept.json", "--platform", "local"])
        .exits(2)
        .says("are on platform `docker`, not on `local`");
    // The manifest's platform is another one: the report names the platform of its images.
    let text = shop.fixture.read("bake.yml");
    shop.fixture.write("bake.yml", &text.replace("platform: docker", "platform: local"));
    registry.forget("shop/web", "latest");
    shop.run(PASSWORD, &["publish", "--report", "kept.json"]).exits(0).says("pushed latest");
    shop.fixture.write("bake.yml", &text);

    // A registry that is not reachable any more, and one whose name does not exist.
    drop(registry);
    let closed = shop.run(PASSWORD, &["publish", "--report", "kept.json"]).exits(7);
    assert!(closed.stderr.contains("connection refused"), "{}", closed.stderr);
    assert!(closed.stderr.contains("Check that the daemon can reach"), "{}", closed.stderr);
    // Missing credentials are reported before anything is pushed, and before a machine starts.
    let anonymous: String = text.split_inclusive('\n').filter(|line| !line.contains("login:")).collect();
    shop.fixture.write("bake.yml", &anonymous);
    shop.fixture.write(".docker/config.json", "{\"credsStore\": \"nowhere\"}");
    for arguments in [&["publish", "--report", "kept.json"][..], &["bake", "--force"]] {
        let unread = shop.run(PASSWORD, arguments).exits(4).says("from docker-credential-nowhere").says("bake.yml:");
        assert!(!unread.stderr.contains("Launched "), "{}", unread.stderr);
    }
    std::fs::remove_file(shop.fixture.path(".docker/config.json")).unwrap();
    shop.fixture.write("bake.yml", text.split("    publish:").next().unwrap());
    shop.run(PASSWORD, &["publish", "--report", "kept.json"]).exits(0).says("its `publish` lists no destinations");
    shop.fixture.write("bake.yml", &text);
    shop.remove(&format!("{}/web:0.1.0", shop.name));
    shop.run(PASSWORD, &["publish", "--report", "kept.json"]).exits(4).says("image not found");
}
