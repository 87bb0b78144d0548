//! Connections to machines: settings that contradict each other, and tests that need a login where there is none.

use ami_bake_core::plan::{ImagePlan, KeyType, LoginKey, Probe, Step, StepAction, TestConnect, Value};
use ami_bake_core::platform::Capabilities;
use ami_bake_core::{Route, Segment};

use crate::diagnostic::Diagnostic;
use crate::manifest::{ImageEntry, Manifest};

/// Reports findings of one image.
pub(super) fn plan(manifest: &Manifest, image: &ImageEntry, plan: &ImagePlan, findings: &mut Vec<Diagnostic>) {
    let mut report = |route: &Route, message: String, help: &str| {
        let own = Route(route.0.iter().skip(2).cloned().collect::<Vec<Segment>>());
        let finding = Diagnostic::error("wrong-value", image.node.place(&own), message).help(help);
        findings.push(finding.route(route.clone()));
    };
    let machine = &plan.machine;
    let connect = plan.route.key("machine").key("connect");
    if machine.connect.host_key.is_some() && machine.connect.host_key_type.is_some() {
        report(
            &connect.key("host-key-type"),
            "`host-key` and `host-key-type` are mutually exclusive".to_owned(),
            "`host-key-type` is the type of the key that the bake generates. Remove one of them.",
        );
    }
    // EC2 imports RSA and Ed25519 keys (ImportKeyPair), so that an ECDSA key comes with the user data.
    let lists_keys = machine.user_data.as_deref().is_some_and(|data| data.contains("ssh_authorized_keys"));
    if machine.connect.key_type == Some(KeyType::Ecdsa) && lists_keys {
        report(
            &connect.key("key-type"),
            "an ECDSA login key can't be installed beside the `ssh_authorized_keys` of `user-data`".to_owned(),
            "EC2 does not import ECDSA keys. Use `key-type: rsa`, or move the keys under `users` in the user data.",
        );
    }
    if let Some(Value::Plain(_)) = machine.connect.root.as_ref().and_then(|root| root.password.as_ref()) {
        report(
            &connect.key("as").key("password"),
            "the password must be a secret".to_owned(),
            "Declare it under `secrets`, and write `${{ secrets.NAME }}`.",
        );
    }
    let Some(test) = &plan.settings.test_connect else { return };
    let route = plan.route.key("test-connect");
    let known = manifest.options.capabilities.iter().find(|known| known.platform == manifest.platform.as_str());
    if let Some(known) = known.filter(|known| !connects(known) && !manifest.is_foreign()) {
        report(
            &route,
            format!("`test-connect` is not supported on `{}`", known.platform),
            "Machines of this platform are not connected to over SSH.",
        );
    }
    match test {
        TestConnect::None => {
            for step in plan.test.iter().filter(|step| !is_outside(step)) {
                report(
                    &step.route,
                    format!("step `{}` needs a login, which `test-connect: none` rules out", step.name),
                    "Without a login, tests can use `expect: {http: …}` and `expect: {port: …}` without `host`. Move other steps to `validate`.",
                );
            }
        }
        TestConnect::Login { key: Some(LoginKey::File(path)), .. } => {
            if let Err(error) = std::fs::File::open(path) {
                report(
                    &route.key("key"),
                    format!("the key can't be read: {path}: {error}"),
                    "Set the path of a private key, relative to the manifest, or a secret that holds one.",
                );
            }
        }
        TestConnect::Login { .. } => {}
    }
}

/// Whether machines of a platform are connected to over SSH.
fn connects(known: &Capabilities) -> bool {
    known.machine.iter().any(|field| *field == "connect" || field.starts_with("connect."))
}

/// Whether a step only connects to a port of the machine.
fn is_outside(step: &Step) -> bool {
    let StepAction::Expect(expectation) = &step.action else { return false };
    let host = match &expectation.probe {
        Probe::Http(http) => &http.host,
        Probe::Port { host, .. } => host,
        _ => return false,
    };
    host.as_deref().is_none_or(|host| matches!(host, "127.0.0.1" | "::1" | "localhost"))
}
