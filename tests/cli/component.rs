//! Component documents: run alone, checked, and as steps of a bake.

use insta::assert_snapshot;

use crate::fixture::Fixture;

const DOCUMENT: &str = "name: web
schemaVersion: 1.0
parameters:
  - Greeting: {type: string, description: What is said}
phases:
  - name: build
    steps:
      - name: Restart
        action: ExecuteBash
        inputs:
          commands:
            - |
              cat /proc/sys/kernel/random/boot_id >> /var/tmp/boots
              [ \"$(wc -l < /var/tmp/boots)\" -ge 2 ] || exit 194
      - {name: Fresh, action: ExecuteBash, inputs: {commands: ['sort -u /var/tmp/boots | wc -l']}}
      - name: Write
        action: CreateFile
        inputs: [{path: /srv/web/index.html, content: '{{ Greeting }} {{ build.Fresh.outputs.stdout }}'}]
      - {name: Optional, action: ExecuteBash, onFailure: Ignore, inputs: {commands: ['exit 3']}}
  - name: validate
    steps:
      - {name: There, action: Assert, inputs: {stringEquals: '2', value: '{{ build.Fresh.outputs.stdout }}'}}
  - name: test
    steps:
      - {name: Page, action: ExecuteBash, inputs: {commands: ['grep \"{{ Greeting }} 2\" /srv/web/index.html']}}
";

const MANIFEST: &str = "format: 1
name: shop
platform: local
vars: {greeting: hello}
images:
  web:
    source: {local: host}
    build: [{component: web.yml, with: {Greeting: \"${{ vars.greeting }}\"}}]
    validate: [{component: web.yml, with: {Greeting: \"${{ vars.greeting }}\"}}]
    test: [{component: web.yml, with: {Greeting: \"${{ vars.greeting }}\"}}]
";

/// Each phase of a document runs in its stage, on real sandboxes: the restart works, and the test machine is another
/// one.
#[test]
fn a_bake_runs_the_phases_at_their_stages() {
    let fixture = Fixture::with(MANIFEST);
    fixture.write("web.yml", DOCUMENT);
    fixture.run(&["check"]).exits(0);
    fixture.run(&["bake"]).exits(0).says("Restart: restarting the machine (exit status 194)").says("; ignored");
    // The digest follows the document and the values of its parameters.
    fixture.run(&["bake"]).exits(0).says("is unchanged");
    let plan = fixture.run(&["plan", "--set", "greeting=bye"]).exits(0);
    assert!(!plan.stdout.contains("unchanged"), "{}", plan.stdout);
    fixture.write("web.yml", &DOCUMENT.replace("exit 3", "exit 4"));
    let plan = fixture.run(&["plan"]).exits(0);
    assert!(!plan.stdout.contains("unchanged"), "{}", plan.stdout);
    fixture.write("web.yml", &DOCUMENT.replace("grep", "echo nothing to see >&2; grep -q").replace("} 2\"", "} 3\""));
    let failed = fixture.run(&["bake"]).exits(6);
    let message = "web.yml:25: the phase `test` failed at the step `Page` (ExecuteBash): exited with status 1";
    assert!(failed.stderr.contains(message) && failed.stderr.contains("bake.yml:10:"), "{}", failed.stderr);
    // The output is below the error, so that its cause does not repeat it; the report has both.
    assert!(
        failed.stderr.contains("\nLast lines of component web.yml (web):\n  | nothing to see\n"),
        "{}",
        failed.stderr
    );
    assert!(fixture.read("bake-report.json").contains("the last line of its standard error: nothing to see"));
}

#[test]
fn a_document_runs_alone() {
    let fixture = Fixture::new();
    fixture.write("web.yml", DOCUMENT);
    let done = fixture.run(&["component", "run", "web.yml", "--with", "Greeting=hi"]).exits(0);
    for text in [
        "build: Restart (ExecuteBash)",
        "validate: There (Assert)",
        "test: Page (ExecuteBash)",
        "5 steps passed, 1 failed and ignored",
    ] {
        assert!(done.stderr.contains(text), "{text:?} is not in\n{}", done.stderr);
    }
    let images = fixture.run(&["images", "--platform", "local", "--json"]).exits(0);
    assert!(
        images.stdout.contains("\"images\": []") && !fixture.path("bake-report.json").exists(),
        "{}",
        images.stdout
    );
    let failed = fixture.run(&["component", "run", "web.yml", "--set", "Greeting=hi", "--phase", "test"]).exits(5);
    assert!(
        failed.stderr.contains(
            "error[build-failed]: web.yml:25: the phase `test` failed at the step `Page` (ExecuteBash): exited with status 2"
        ),
        "{}",
        failed.stderr
    );
    assert!(failed.stderr.contains("/srv/web/index.html: No such file or directory"), "{}", failed.stderr);
    let missing = fixture.run(&["component", "run", "web.yml"]).exits(3);
    assert!(missing.stderr.contains("the parameter `Greeting` of web.yml has no value"), "{}", missing.stderr);
    fixture.run(&["component", "run", "none.yml"]).exits(2);
    let source = fixture.run(&["component", "run", "web.yml", "--platform", "docker", "--with", "Greeting=x"]).exits(2);
    assert!(source.stderr.contains("--source is required on platform `docker`"), "{}", source.stderr);
}

#[test]
fn a_document_is_checked_alone() {
    let fixture = Fixture::new();
    fixture.write("web.yml", "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Shell\n        action: ExecutePowerShell\n        inputs: {commands: [x]}\n      - name: Get\n        action: S3Download\n        inputs: [{source: s3://b/k, destinaton: /k}]\n");
    assert_snapshot!(fixture.run(&["component", "check", "web.yml", "--platform", "local"]).snapshot(), @r#"
    exit code 3
    --- stderr
    error[not-on-linux]: the step `Shell` needs Windows: `ExecutePowerShell` does not run on Linux
     --> web.yml:6:17
      |
    6 |         action: ExecutePowerShell
      |                 ^^^^^^^^^^^^^^^^^
      |
      = help: Keep the component for Windows images in Image Builder, or write the step with `ExecuteBash`.

    error[not-on-platform]: the step `Get` needs S3: `S3Download` has no credentials on the platform `local`
     --> web.yml:9:17
      |
    9 |         action: S3Download
      |                 ^^^^^^^^^^
      |
      = help: Bake on `aws`, or give the manifest's step `platforms: [aws]`.

    error[missing-key]: an input of `S3Download` has no `destination`
      --> web.yml:10:19
       |
    10 |         inputs: [{source: s3://b/k, destinaton: /k}]
       |                   ^^^^^^

    error[unknown-key]: unknown key `destinaton` in the inputs of `S3Download`
      --> web.yml:10:37
       |
    10 |         inputs: [{source: s3://b/k, destinaton: /k}]
       |                                     ^^^^^^^^^^
       |
       = help: Did you mean `destination`?

    web.yml: 4 errors
    "#);
    fixture.write("good.yml", "schemaVersion: 1.0\nphases: [{name: build, steps: [{name: A, action: Reboot}]}]\n");
    let good = fixture.run(&["component", "check", "good.yml", "--json"]).exits(0);
    assert!(good.stdout.contains("\"valid\": true") && good.stdout.contains("\"findings\": []"), "{}", good.stdout);
}

/// An imported recipe with its document can be baked unchanged.
#[test]
fn an_imported_recipe_bakes() {
    let fixture = Fixture::new();
    fixture.write("web.yml", DOCUMENT);
    fixture.write(
        "recipe.json",
        r#"{"name": "Web", "semanticVersion": "1.2.3", "parentImage": "ami-0123456789abcdef0",
            "components": [{"componentArn": "arn:aws:imagebuilder:eu-west-1:111122223333:component/web/1.0.0",
                            "parameters": [{"name": "Greeting", "value": ["hello you"]}]}]}"#,
    );
    fixture.run(&["import", "recipe.json", "web.yml", "-o", "bake.yml"]).exits(0);
    let manifest = fixture
        .read("bake.yml")
        .replace("        id: ami-0123456789abcdef0\n", "        id: ami-0123456789abcdef0\n      local: host\n");
    fixture.write("bake.yml", &manifest);
    fixture.run(&["check", "--platform", "local"]).exits(0);
    let done = fixture.run(&["bake", "--platform", "local"]).exits(0);
    assert!(done.stderr.contains("test: Page (ExecuteBash)"), "{}", done.stderr);
    let images = fixture.run(&["images", "--platform", "local"]).exits(0);
    assert!(images.stdout.contains("1.2.3"), "{}", images.stdout);
}

/// The same document in a container: a restart restarts the container, and a download uses its network.
#[cfg(feature = "docker")]
#[test]
fn a_document_runs_alone_in_a_container() {
    use std::io::{Read as _, Write as _};

    use ami_bake_testkit::docker::{BASE, Engine};

    let engine = Engine::get();
    let fixture = Fixture::new().variable("DOCKER_HOST", engine.host());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfile");
        }
    });
    fixture.write(
        "get.yml",
        &format!(
            "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      \
             - {{name: Mark, action: ExecuteBash, inputs: {{commands: ['[ -e /opt/mark ] && exit 0; touch /opt/mark /run/mark; exit 194']}}}}\n      \
             - {{name: Get, action: WebDownload, inputs: [{{source: 'http://127.0.0.1:{port}/file', destination: /opt/got/}}]}}\n      \
             - {{name: Is, action: ExecuteBash, inputs: {{commands: ['cat /opt/got/file']}}}}\n"
        ),
    );
    let run = ["component", "run", "get.yml", "--platform", "docker", "--source", BASE];
    let done = fixture.run(&run).exits(0);
    assert!(done.stderr.contains("Mark: restarting the machine") && done.stderr.contains("| file"), "{}", done.stderr);
}
