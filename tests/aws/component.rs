//! Component documents on a cloud: S3 and parameters with the bake's credentials, restarts of a real machine.

use ami_bake_testkit::corpus::corpus;

use crate::fixture::{Fixture, WEB, file_of};

const DOCUMENT: &str = r#"
schemaVersion: 1.0
parameters: [{Bucket: {type: string}}]
phases:
  - name: build
    steps:
      - name: Get
        action: S3Download
        maxAttempts: 2
        inputs:
          - {source: "s3://{{ Bucket }}/site/*", destination: /srv/site}
          - {source: "s3://{{ Bucket }}/tool", destination: /opt/tool}
          - {source: "s3://far/away", destination: /opt/away}
      - name: Run
        action: ExecuteBash
        inputs:
          commands:
            - chmod u+x '{{ build.Get.inputs[1].destination }}'
            - /opt/tool '{{ aws:ssm:/aws/service/debian/release/12/latest/amd64 }}'
      - {name: Boot, action: ExecuteBash, inputs: {commands: [cat /proc/sys/kernel/random/boot_id]}}
      - {name: Restart, action: Reboot}
      - name: Again
        action: ExecuteBash
        inputs:
          commands:
            - set -e
            - '[ "$(cat /proc/sys/kernel/random/boot_id)" != "{{ build.Boot.outputs.stdout }}" ]'
            - '[ -e /opt/again ] || { touch /opt/again; exit 194; }'
      - {name: Put, action: S3Upload, inputs: [{source: /opt/result, destination: "s3://{{ Bucket }}/results/"}]}
      - {name: Missing, action: S3Download, onFailure: Ignore, inputs: [{source: "s3://{{ Bucket }}/none", destination: /opt/none}]}
  - name: test
    steps:
      - {name: There, action: Assert, inputs: {and: [{fileExists: /srv/site/in/page.html}, {fileExists: /opt/away}, {not: {fileExists: /opt/none}}]}}
"#;

#[test]
fn documents_use_the_credentials_of_the_bake() {
    let fixture = Fixture::new(&format!(
        "{WEB}    build: [{{component: web.yml, with: {{Bucket: assets}}}}]\n    test: [{{component: web.yml, with: {{Bucket: assets}}}}]\n"
    ));
    fixture.write("web.yml", DOCUMENT);
    fixture.cloud.put_object("assets", "site/in/page.html", b"<p>hello</p>");
    fixture.cloud.put_object("assets", "site/index.html", b"index");
    fixture.cloud.put_object("assets", "tool", b"#!/bin/sh\necho \"tool for $1\" > /opt/result\n");
    // A bucket in another region is accessed in that region.
    fixture.cloud.put_object_in("eu-west-1", "far", "away", b"from afar");
    let policy = fixture.run(&["policy"]).exits(0).stdout;
    for part in
        ["DocumentsGetObject", "arn:aws:s3:::assets/site/*", "arn:aws:s3:::assets/results/*", "DocumentsListBucket"]
    {
        assert!(policy.contains(part), "{part} is not in\n{policy}");
    }
    let baked = fixture.bake().exits(0);
    let missing = "the step `Missing` (S3Download): could not read s3://assets/none";
    assert!(baked.stderr.contains(missing), "{}", baked.stderr);
    let result = fixture.cloud.object("assets", "results/result");
    assert!(result.starts_with("tool for ami-"), "{result}");
    // The machine has no credentials: its downloads come over the bake's connection.
    assert_eq!(fixture.cloud.instances().len(), 2);
    fixture.holds_only(&["shop/web/0.1.0"]);
}

/// The test cloud's Debian 12 in us-east-1; its image IDs are the same in every run.
const SOURCE: &str = "ami-0acf2ce5f8c7c79b3";

/// Stand-ins for tools that need a network: each records its arguments.
const TOOLS: &str = r#"
          mkdir -p /usr/local/sbin /var/www/html; cd /usr/local/sbin
          for tool in yum apt apt-add-repository ansible-galaxy ansible-playbook curl; do
            printf '#!/bin/sh\necho %s "$*" >> /opt/calls\n' "$tool" > $tool; chmod 755 $tool
          done
          printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' > /etc/systemd/system/httpd.service
"#;

/// The three documents that the project began with, unchanged, imported with the recipe that refers to one of them.
#[test]
fn the_required_documents_bake() {
    let Some(corpus) = corpus() else { return };
    let fixture = Fixture::new("format: 1\n");
    for name in ["httpd", "jenkins", "linux-bin"] {
        let text = std::fs::read_to_string(corpus.join(format!("required/{name}.component.yml"))).unwrap();
        fixture.write(&format!("{name}.yml"), &text);
    }
    let recipe = std::fs::read_to_string(corpus.join("required/image-builder-recipe.json")).unwrap();
    fixture.write("recipe.json", &recipe);
    fixture
        .run(&["import", "recipe.json", "jenkins.yml", "linux-bin.yml", "httpd.yml", "-o", "bake.yml", "--force"])
        .exits(0);
    let imported = fixture.read("bake.yml");
    // The stand-ins replace the real tools, and the parent image is set.
    let manifest = imported.replace("    build:\n", &format!("    build:\n      - run: |{TOOLS}"));
    assert_ne!(manifest, imported);
    fixture.write("bake.yml", &manifest);
    fixture.cloud.put_object("your-bucket-name-here", "index.html", b"hello");
    fixture.cloud.put_object("your-bucket-name-here", "jenkins.yml", b"- hosts: localhost\n");
    fixture.cloud.put_object("your-bucket-name-here", "requirements.yml", b"[]\n");
    fixture.cloud.put_object("mybucket", "myapplication", b"#!/bin/sh\necho myapplication \"$*\" >> /opt/calls\n");
    let baked = fixture.run(&["bake", "--region", "us-east-1", "--set", &format!("source-ami={SOURCE}")]).exits(0);
    for step in [
        "ExecutePlaybook (ExecuteBash)",
        "Install (ExecuteBinary)",
        "TestJenkins (ExecuteBash)",
        "curl-httpd (ExecuteBash)",
    ] {
        assert!(baked.stderr.contains(step), "{step} is not in\n{}", baked.stderr);
    }
    let layer = fixture
        .cloud
        .images()
        .into_iter()
        .find(|image| image["name"].as_str().is_some_and(|name| name.contains("Jenkins")));
    let layers = layer.unwrap();
    let calls = file_of(&layers, "opt/calls").expect("the image has no calls");
    for call in
        ["yum -y install httpd", "apt install ansible -y", "ansible-playbook jenkins.yml", "myapplication --install"]
    {
        assert!(calls.contains(call), "{call} is not in\n{calls}");
    }
    assert_eq!(file_of(&layers, "var/www/html/index.html").as_deref(), Some("hello"));
    assert_eq!(file_of(&layers, "tmp/myapplication"), None);
}
