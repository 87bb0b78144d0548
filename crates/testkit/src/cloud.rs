//! The test cloud (`tests/cloud`): AWS by moto, with instances that are real sandboxes with a real sshd.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::wait;

/// A running test cloud; dropping it ends the cloud and everything in it.
pub struct Cloud {
    child: Option<Child>,
    port: u16,
}

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Environment variable with the cloud's port, for the child process of a test.
const PORT: &str = "AMI_BAKE_TEST_CLOUD_PORT";

/// Runs `body` in a cloud of its own. The SDK finds the cloud by environment variables, and a process can't safely
/// change its own: the test starts the cloud, then runs itself again as a child process.
///
/// # Panics
/// When the cloud can't be started, and when the body panics.
pub fn around(body: impl AsyncFnOnce(Cloud)) {
    let program = std::env::current_exe().unwrap();
    if let Ok(port) = std::env::var(PORT) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        return runtime.block_on(body(Cloud::attach(port.parse().unwrap())));
    }
    // The program that runs the instances is built into the same folder as this one.
    let sandbox = program.ancestors().nth(2).unwrap().join("ami-bake-sandbox");
    assert!(sandbox.exists(), "cargo build -p ami-bake-local makes {}", sandbox.display());
    let cloud = Cloud::start(&sandbox);
    // The test harness names a test's thread after the test.
    let thread = std::thread::current();
    let name = thread.name().unwrap();
    let status = Command::new(&program)
        .args(["--exact", name, "--nocapture"])
        .env_remove("AWS_PROFILE")
        .envs(cloud.env())
        .env(PORT, cloud.port().to_string())
        .status()
        .unwrap();
    assert!(status.success(), "{name} failed in its cloud");
}

impl Cloud {
    /// Starts a cloud whose instances are sandboxes of `binary`, ami-bake itself.
    ///
    /// # Panics
    /// When a part that it needs is missing, with the command that installs it.
    pub fn start(binary: &Path) -> Self {
        Self::start_with(binary, &[])
    }

    /// Starts a cloud with further arguments of `python -m cloud`.
    ///
    /// # Panics
    /// As [`Cloud::start`].
    pub fn start_with(binary: &Path, arguments: &[&str]) -> Self {
        let root = repository();
        let setup = Command::new(root.join("tests/cloud/setup")).output().unwrap();
        assert!(setup.status.success(), "tests/cloud/setup: {}", String::from_utf8_lossy(&setup.stderr));
        let mut child = Command::new(root.join(".venv/bin/python"))
            .args(["-m", "cloud", "--port", "0"])
            .args(arguments)
            .current_dir(root.join("tests/cloud"))
            .env("AMI_BAKE_BIN", binary)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let ready: Value = serde_json::from_str(&ready).expect("the test cloud ended before it was ready");
        let port = u16::try_from(ready["port"].as_u64().unwrap()).unwrap();
        Self { child: Some(child), port }
    }

    /// A cloud that another process started and will end.
    pub fn attach(port: u16) -> Self {
        Self { child: None, port }
    }

    /// The port of the cloud's address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The cloud's address.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Environment variables that make a program use this cloud instead of AWS.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AMI_BAKE_CHECKIP_URL", format!("{}/checkip", self.endpoint())),
        ]
    }

    /// Adds a fault rule (tests/cloud/README.md).
    pub fn fault(&self, rule: &Value) {
        self.ask("POST", "faults", Some(rule));
    }

    /// Keeps in progress whatever a call of `action` begins, until the hold is released: an instance stays pending,
    /// stopping or shutting down, an image or a snapshot pending.
    pub fn hold(&self, action: &str) -> Hold<'_> {
        self.rule(&serde_json::json!({"kind": "hold", "action": action}))
    }

    /// Holds back the answers to calls of `action` until the hold is released.
    pub fn hold_answer(&self, action: &str) -> Hold<'_> {
        self.rule(&serde_json::json!({"kind": "hold-answer", "action": action}))
    }

    /// Keeps the next instance refresh in progress at this percentage until the hold is released.
    pub fn hold_refresh(&self, at: u32) -> Hold<'_> {
        let rule = serde_json::json!({"kind": "hold", "action": "StartInstanceRefresh", "at": at, "times": 1});
        self.rule(&rule)
    }

    /// Makes machines launched from now on lose SSH when the hold is released.
    pub fn hold_ssh(&self) -> Hold<'_> {
        self.rule(&serde_json::json!({"kind": "drop-ssh"}))
    }

    /// Adds a fault rule (tests/cloud/README.md) that the test can watch and end.
    pub fn rule(&self, rule: &Value) -> Hold<'_> {
        let added = self.ask("POST", "faults", Some(rule));
        Hold { cloud: self, id: added[0]["id"].as_u64().unwrap() }
    }

    /// Moves the cloud's time forward: transitions in progress, the age of resources, and the timers of running
    /// machines.
    pub fn advance(&self, by: Duration) {
        self.ask("POST", "clock", Some(&serde_json::json!({"advance": by.as_secs_f64()})));
    }

    /// Sets how many seconds the time in the cloud's answers is ahead of this machine's.
    pub fn set_date(&self, ahead: i64) {
        self.ask("POST", "clock", Some(&serde_json::json!({"date": ahead})));
    }

    /// Deletes all fault rules and releases what they hold.
    pub fn forgive(&self) {
        self.ask("DELETE", "faults", None);
    }

    /// Excludes everything that exists now from [`Cloud::leaks`]: resources that the test itself prepared.
    pub fn forgive_leaks(&self) {
        self.ask("DELETE", "leaks", None);
    }

    /// Adds a public image (tests/cloud/README.md, `POST images`).
    pub fn plant(&self, image: &Value) {
        self.ask("POST", "images", Some(image));
    }

    /// Denies these actions, such as `ec2:RunInstances`, to all callers.
    pub fn deny(&self, actions: &[&str]) {
        self.ask("POST", "permissions", Some(&serde_json::json!({ "deny": actions })));
    }

    /// Checks all calls with this access key against a policy, and those of the roles that it assumes against the
    /// policies in `roles` (by ARN).
    pub fn put_policy(&self, key: &str, policy: &Value, roles: &Value) {
        self.ask("POST", "policies", Some(&serde_json::json!({"key": key, "policy": policy, "roles": roles})));
    }

    /// The calls that those policies denied: action, resource, and condition keys.
    pub fn denied(&self) -> Vec<Value> {
        self.ask("GET", "denied", None).as_array().cloned().unwrap_or_default()
    }

    /// Resources that clients created and that still exist, by account, region and kind.
    pub fn leaks(&self) -> Value {
        self.ask("GET", "leaks", None)
    }

    /// Every ID in the answers of create calls, whether the resource still exists or not.
    pub fn created(&self) -> Vec<String> {
        serde_json::from_value(self.ask("GET", "created", None)).unwrap()
    }

    /// All calls so far.
    pub fn calls(&self) -> Vec<Value> {
        self.ask("GET", "calls", None).as_array().cloned().unwrap_or_default()
    }

    /// The calls of one action so far, with their parameters.
    pub fn calls_of(&self, action: &str) -> Vec<Value> {
        self.calls().into_iter().filter(|call| call["action"] == action).collect()
    }

    /// How often an action was called.
    pub fn count(&self, action: &str) -> usize {
        self.calls_of(action).len()
    }

    /// Waits until `times` calls of an action have been answered since [`Cloud::forget_calls`].
    ///
    /// # Panics
    /// When they never are.
    #[track_caller]
    pub fn until_answered(&self, action: &str, times: usize) {
        let answered = |call: &Value| call["status"].is_number();
        wait::until_true(action, || self.calls_of(action).iter().filter(|call| answered(call)).count() >= times);
    }

    /// Sets the seconds that transitions take (tests/cloud/README.md).
    pub fn latency(&self, seconds: &Value) {
        self.ask("POST", "latency", Some(seconds));
    }

    /// Sets how many snapshots may be copied to a region at once (tests/cloud/README.md, `POST quotas`).
    pub fn quota_of_copies(&self, most: u32) {
        self.ask("POST", "quotas", Some(&serde_json::json!({"copies": most})));
    }

    /// The names of the actions that were called.
    pub fn actions(&self) -> Vec<String> {
        self.calls().iter().map(|call| call["action"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        self.ask("DELETE", "calls", None);
    }

    /// All instances with their state, console output and folders.
    pub fn instances(&self) -> Vec<Value> {
        self.ask("GET", "instances", None).as_array().cloned().unwrap_or_default()
    }

    /// All images with the folders of their snapshots' layers.
    pub fn images(&self) -> Vec<Value> {
        self.ask("GET", "images", None).as_array().cloned().unwrap_or_default()
    }

    /// Adds a component to Image Builder: the answer of GetComponent, including the ARN of the build version.
    pub fn put_component(&self, component: &Value) {
        self.ask("POST", "components", Some(component));
    }

    /// Stores an object in S3, and creates the bucket if it is missing.
    pub fn put_object(&self, bucket: &str, key: &str, content: &[u8]) {
        self.s3("us-east-1", "PUT", bucket, b"");
        self.s3("us-east-1", "PUT", &format!("{bucket}/{key}"), content);
    }

    /// Stores an object in a bucket of another region.
    pub fn put_object_in(&self, region: &str, bucket: &str, key: &str, content: &[u8]) {
        let at = format!(
            "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        );
        self.s3(region, "PUT", bucket, at.as_bytes());
        self.s3(region, "PUT", &format!("{bucket}/{key}"), content);
    }

    /// An object of S3 as text.
    pub fn object(&self, bucket: &str, key: &str) -> String {
        self.s3("us-east-1", "GET", &format!("{bucket}/{key}"), b"")
    }

    /// A call that the owner of an account makes with another tool; the answer's body. `head` has further header lines.
    ///
    /// # Panics
    /// When the cloud refuses it.
    pub fn owner(&self, account: &str, service: &str, region: &str, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let scope = format!("test/20260101/{region}/{service}/aws4_request");
        write!(
            stream,
            "POST / HTTP/1.0\r\nHost: {service}.{region}.amazonaws.com\r\nx-moto-account-id: {account}\r\n{head}\r\nAuthorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200"), "{body}: {answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// EC2's answer to a query of the owner, in the bake's own account and home region.
    pub fn ec2(&self, query: &str) -> String {
        let form = "Content-Type: application/x-www-form-urlencoded";
        self.owner("123456789012", "ec2", "us-east-1", form, &format!("Version=2016-11-15&{query}"))
    }

    /// Sends one request to S3, which does not check the signature.
    fn s3(&self, region: &str, method: &str, path: &str, body: &[u8]) -> String {
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential=test/20261121/{region}/s3/aws4_request, SignedHeaders=host, Signature=0"
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(wait::LIMIT)).unwrap();
        let head = format!(
            "{method} /{path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\nAuthorization: {signature}\r\nContent-Length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.split(' ').nth(1) == Some("200"), "{method} {path}: {answer}");
        body.to_owned()
    }

    /// Sends one request to the admin interface; HTTP/1.0 needs no client library.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(wait::LIMIT)).unwrap();
        write!(
            stream,
            "{method} /_cloud/{path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.split(' ').nth(1) == Some("200"), "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap()
    }
}

/// A fault rule of the cloud. Whatever it holds stays as it is until the test releases it.
#[must_use]
pub struct Hold<'a> {
    cloud: &'a Cloud,
    id: u64,
}

impl Hold<'_> {
    /// Waits until the rule has applied to a call.
    ///
    /// # Panics
    /// When it never does.
    #[track_caller]
    pub fn until_reached(&self) {
        wait::until_true("nothing was held", || self.is_reached());
    }

    /// Whether the rule has applied to a call.
    pub fn is_reached(&self) -> bool {
        let rules = self.cloud.ask("GET", "faults", None);
        rules.as_array().unwrap().iter().any(|rule| rule["id"] == self.id && rule["hits"] != 0)
    }

    /// Ends the rule and releases what it holds.
    pub fn release(self) {
        self.cloud.ask("DELETE", &format!("faults/{}", self.id), None);
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        // On SIGTERM the cloud removes its mounts.
        let _ = Command::new("kill").arg(child.id().to_string()).status();
        let _ = child.wait();
    }
}
