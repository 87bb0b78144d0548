//! Sample reports.

use ami_bake_core::report::Report;
use serde_json::{Value, json};

fn image(name: &str, version: &str, id: &str, with: &Value) -> Value {
    let record = json!({
        "id": id, "name": format!("shop/{name}/{version}"), "region": "us-east-1", "namespace": "shop",
        "key": {"image": name, "variant": null}, "version": version, "digest": "sha256:00", "tested": "2026-11-20T12:06:00Z",
        "created": null, "available": true, "architecture": "x86_64", "parts": [], "tags": {},
    });
    let mut image = json!({
        "name": name,
        "key": {"image": name, "variant": null},
        "status": "baked",
        "version": version,
        "digest": "sha256:00",
        "source": {
            "id": "ami-0123456789abcdef0", "name": "debian-12-amd64-20261108-2288", "owner": "136693071363",
            "created": "2026-11-08T10:00:00Z", "tags": {}, "architecture": "x86_64", "identity": "x", "version": null,
        },
        "reason": "the digest changed since 1.3.0",
        "image": record,
        "stages": [
            {"stage": "source", "begin": 0.1, "took": 1.4, "failed": false},
            {"stage": "launch", "begin": 1.5, "took": 18.2, "failed": false},
            {"stage": "build", "begin": 19.7, "took": 64.0, "failed": false},
            {"stage": "capture", "begin": 83.7, "took": 90.5, "failed": false},
            {"stage": "test", "begin": 174.2, "took": 40.0, "failed": false},
        ],
        "steps": [
            {"phase": "build", "index": 0, "name": "Install nginx", "attempts": 1, "result": "passed", "took": 20.5,
             "failure": null, "log": []},
            {"phase": "test", "index": 0, "name": "port 80 answers", "attempts": 1, "result": "passed", "took": 0.4,
             "failure": null, "log": []},
            {"phase": "test", "index": 1, "name": "nginx is at work", "attempts": 3, "result": "passed", "took": 4.0,
             "failure": null, "log": []},
        ],
        "packages": {
            "added": [{"name": "nginx", "version": "1.22.1-9"}],
            "removed": [{"name": "vim-tiny", "version": "2:9.0.1378-2"}],
            "changed": [
                {"name": "libc6", "from": "2.36-9+deb12u8", "to": "2.36-9+deb12u9"},
                {"name": "openssl", "from": "3.0.15-1", "to": "3.0.14-1"},
            ],
        },
        "installed": {"libc6": "2.36-9+deb12u9", "nginx": "1.22.1-9", "openssl": "3.0.14-1"},
        "failure": null,
        "took": 214.2,
    });
    for (field, value) in with.as_object().into_iter().flatten() {
        image[field] = value.clone();
    }
    image
}

fn run(images: &[Value], exit_code: u8) -> Value {
    json!({
        "format": 1, "run": "0193e1a0c0de", "namespace": "shop", "platform": "aws", "region": "us-east-1",
        "started": "2026-11-20T12:00:00Z", "took": 372.0, "exit-code": exit_code, "images": images,
        "machines": [
            {"id": "i-1", "kind": "t3.small", "place": "us-east-1a", "image": "web", "phase": "build", "ran": 84.0, "hourly": 0.0208},
            {"id": "i-2", "kind": "t3.small", "place": "us-east-1a", "image": "web", "phase": "test", "ran": 42.5},
            {"id": "i-3", "kind": "t3.small", "place": "us-east-1b", "image": "base", "phase": "build", "ran": 60.0, "hourly": 0.0062},
        ],
        "warnings": [], "kept": [], "left": [],
    })
}

/// A report of two images on AWS, one of them published to two regions, without failures.
///
/// # Panics
/// Only if the report format has changed and this file has not.
pub fn good() -> Report {
    let published = json!([
        {"region": "us-east-1", "image": "ami-0aaa0000000000001", "done": ["registered", "shared with 111122223333"],
         "failure": null},
        {"region": "eu-west-1", "image": "ami-0bbb0000000000001", "done": ["copied"], "failure": null},
    ]);
    let base = image(
        "base",
        "1.4.0",
        "ami-0ccc0000000000001",
        &json!({"status": "reused", "stages": [], "steps": [],
        "packages": null, "installed": {}, "took": 0.8}),
    );
    let web = image(
        "web",
        "1.4.0",
        "ami-0aaa0000000000001",
        &json!({"published": published, "deployed": [{
            "target": "shop-web", "region": "us-east-1", "image": "ami-0aaa0000000000001", "template": "lt-1", "from": 6,
            "version": 7, "outcome": "deployed", "done": ["wrote template version 7", "refreshed 3 instances"],
            "failure": null,
        }]}),
    );
    serde_json::from_value(run(&[base, web], 0)).unwrap()
}

/// The report of the version before [`good`].
///
/// # Panics
/// As [`good`].
pub fn before() -> Report {
    let installed = json!({"libc6": "2.36-9+deb12u9", "nginx": "1.22.0-1", "openssl": "3.0.14-1", "telnet": "0.17"});
    let web = image("web", "1.3.0", "ami-0aaa0000000000000", &json!({"installed": installed}));
    serde_json::from_value(run(&[web], 0)).unwrap()
}

/// A report of a failed run: one image failed in a step, the image built on it was not started, and resources are left.
///
/// # Panics
/// As [`good`].
pub fn bad() -> Report {
    let route = json!([{"key": "images"}, {"key": "web"}, {"key": "build"}, {"index": 0}]);
    let failure = json!({
        "kind": "build", "message": "step \"Install nginx\" exited with status 100", "causes": ["no route to host"],
        "help": "Look at the log above; `--keep-on-failure` leaves the machine on.", "route": route,
    });
    let step = json!({
        "phase": "build", "index": 0, "name": "Install nginx", "attempts": 2, "result": "failed", "took": 31.5,
        "failure": failure, "log": ["Reading package lists...", "E: Unable to locate package nginx"],
    });
    let web = image(
        "web",
        "1.4.0",
        "",
        &json!({
            "status": "failed", "image": null, "failure": failure, "steps": [step], "packages": null, "installed": {},
            "stages": [{"stage": "build", "begin": 19.7, "took": 31.5, "failed": true}],
        }),
    );
    let skipped = json!({"kind": "build", "message": "web, which it is built on, failed", "causes": [], "help": null,
        "route": null});
    let shop = image(
        "shop",
        "1.4.0",
        "",
        &json!({
            "status": "skipped", "image": null, "failure": skipped, "steps": [], "stages": [], "packages": null,
            "installed": {}, "took": 0.0,
        }),
    );
    let mut run = run(&[web, shop], 5);
    run["warnings"] =
        json!([{"image": "web", "message": "no spot capacity", "help": "More types find it more often."}]);
    run["kept"] = json!([{"image": "web", "what": "machine i-1", "why": "ssh -i ami-bake-i-1.key admin@198.51.100.7"}]);
    run["left"] = json!([{"image": null, "what": "security group sg-1", "why": "i-1 still uses it"}]);
    serde_json::from_value(run).unwrap()
}
