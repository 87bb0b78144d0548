//! The other commands, on a cloud.

use crate::fixture::{Fixture, WEB};

fn web() -> Fixture {
    Fixture::new(&format!("{WEB}    build:\n      - run: echo hello > /opt/hello\n"))
}

#[test]
fn a_plan_creates_nothing_and_says_why() {
    let fixture = web();
    let outcome = fixture.run(&["plan"]).exits(0);
    assert!(outcome.stdout.contains("web") && outcome.stdout.contains("0.1.0"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("nothing is published yet"), "{}", outcome.stdout);
    fixture.holds_only(&[]);
    fixture.bake().exits(0);
    let outcome = fixture.run(&["plan", "--json"]).exits(0);
    let plan: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(plan.to_string().contains("reuse"), "{plan:#}");
    fixture.write(
        "bake.yml",
        &format!("{WEB}    build:\n      - run: echo hello > /opt/hello\n      - name: Greet\n        run: echo bye\n"),
    );
    let plan = fixture.run(&["plan"]).exits(0);
    assert!(plan.stdout.contains("changed since 0.1.0: step \"Greet\" added"), "{}", plan.stdout);
}

#[test]
fn a_plan_says_what_the_role_may_do() {
    let fixture = web();
    fixture.cloud.deny(&["ec2:RunInstances"]);
    let outcome = fixture.run(&["plan", "--permissions"]).exits(4);
    let text = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(text.contains("ec2:RunInstances") && text.contains("ec2:StopInstances"), "{text}");
    fixture.holds_only(&[]);
}

#[test]
fn images_are_listed() {
    let fixture = web();
    fixture.bake().exits(0);
    let outcome = fixture.run(&["images"]).exits(0);
    assert!(outcome.stdout.contains("0.1.0") && outcome.stdout.contains("ami-"), "{}", outcome.stdout);
    let outcome = fixture.run(&["images", "--json"]).exits(0);
    let images: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(images.to_string().contains("\"0.1.0\""), "{images:#}");
}

#[test]
fn sweep_deletes_what_a_killed_bake_left() {
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - run: sleep 3600\n"));
    let mut child = fixture.command(&["bake"]).spawn().unwrap();
    fixture.until_running();
    child.kill().unwrap();
    child.wait().unwrap();
    let shown = fixture.run(&["sweep"]).exits(0);
    assert!(shown.stdout.contains("i-"), "{shown:?}");
    assert!(!fixture.cloud.leaks().as_object().unwrap().is_empty(), "without --yes nothing goes");
    fixture.run(&["sweep", "--yes"]).exits(0);
    fixture.until_terminated();
    fixture.run(&["sweep", "--yes"]).exits(0);
    fixture.holds_only(&[]);
}

#[test]
fn a_kept_machine_can_be_reached() {
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - run: echo evidence > /opt/evidence; exit 1\n"));
    let outcome = fixture.run(&["bake", "--keep-on-failure"]).exits(5).says("ssh -i ");
    let line = outcome.stderr.lines().find(|line| line.contains("ssh -i ")).unwrap();
    let (line, end) = line[line.find("ssh -i ").unwrap()..].split_once(" # ").unwrap();
    assert_eq!(end, "it terminates itself in two hours");
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("{line} -o BatchMode=yes cat /opt/evidence")])
        .current_dir(fixture.path("."))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "evidence\n", "{line}: {output:?}");
}

#[test]
fn until_validate_creates_no_image() {
    let fixture = web();
    fixture.run(&["bake", "--until", "validate"]).exits(0);
    fixture.holds_only(&[]);
}

/// Cases 01 and 02: without port forwarding, a process on the machine checks the port.
#[test]
fn a_port_is_looked_at_although_the_server_does_not_forward() {
    let manifest = format!(
        "{WEB}    build:
      - run: echo 'AllowTcpForwarding no' > /etc/ssh/sshd_config.d/00.conf
      - upload: server.py
        to: /opt/server.py
    test:
      - run: nohup python3 /opt/server.py >/dev/null 2>&1 </dev/null & until [ -e /run/port ]; do sleep 0.1; done
      - expect: {{http: {{port: 8099, body: Welcome}}}}
      - expect: {{port: {{port: 8098, open: false}}}}
        timeout: 10s
      - name: wrongly closed
        expect: {{port: {{port: 8099, open: false}}}}
        timeout: 3s
"
    );
    let fixture = Fixture::new(&manifest);
    fixture.write(
        "server.py",
        "import http.server, pathlib\n\n\nclass Page(http.server.BaseHTTPRequestHandler):\n    def do_GET(self):\n        self.send_response(200)\n        self.end_headers()\n        self.wfile.write(b'Welcome')\n\n\nserver = http.server.HTTPServer(('127.0.0.1', 8099), Page)\npathlib.Path('/run/port').touch()\nserver.serve_forever()\n",
    );
    fixture
        .bake()
        .exits(6)
        .says("Connected with a process on the machine: its SSH server does not forward ports")
        .says("wrongly closed")
        .says("expected port 8099 of 127.0.0.1 to be closed, but it accepted a connection");
}
