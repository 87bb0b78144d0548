//! A test cloud of its own for each test.

use std::future::Future;
use std::process::Command;

use ami_bake_testkit::cloud::Cloud;
use serde_json::Value;

const PORT: &str = "AMI_BAKE_TEST_CLOUD_PORT";

/// Runs `body` against a test cloud. The SDK reads its endpoint from the environment, which a process can't safely change
/// for itself: the test starts the cloud and then itself once more, as a child with that environment.
pub(crate) fn on_cloud<F: Future<Output = ()>>(name: &str, body: impl FnOnce(Cloud) -> F) {
    if let Ok(port) = std::env::var(PORT) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        return runtime.block_on(body(Cloud::attach(port.parse().unwrap())));
    }
    let program = std::env::current_exe().unwrap();
    let sandbox = program.ancestors().nth(2).unwrap().join("ami-bake-sandbox");
    assert!(sandbox.exists(), "cargo build -p ami-bake-local makes {}", sandbox.display());
    let cloud = Cloud::start(&sandbox);
    let status = Command::new(&program)
        .args(["--exact", name, "--nocapture"])
        .env_remove("AWS_PROFILE")
        .envs(cloud.env())
        .env(PORT, cloud.port().to_string())
        .status()
        .unwrap();
    assert!(status.success(), "{name} failed in its cloud");
}

/// The calls of one action so far, with parameters.
pub(crate) fn calls(cloud: &Cloud, action: &str) -> Vec<Value> {
    cloud.calls().into_iter().filter(|call| call["action"] == action).collect()
}

/// Waits until nothing is left of what the client made; machines may still shut down when the last call is answered.
pub(crate) async fn gone(cloud: &Cloud) {
    let mut left = cloud.leaks();
    for _ in 0..100 {
        if left == serde_json::json!({}) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        left = cloud.leaks();
    }
    panic!("left behind: {left:#}");
}
