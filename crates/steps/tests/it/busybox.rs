//! Steps on a machine that only has busybox, like a small image: a static one, named by AMI_BAKE_TEST_BUSYBOX or found
//! as `busybox`.

use std::path::PathBuf;

use ami_bake_core::plan::{Expectation, ImageSettings, Probe, RunStep, StepAction};
use ami_bake_core::provision::{Login, Provisioner as _};
use ami_bake_testkit::shell::HostShell;

use crate::fixture::{Fixture, script, step, whole, with_env};

async fn fixture(secrets: &[(&str, &str)]) -> Fixture {
    let named = std::env::var_os("AMI_BAKE_TEST_BUSYBOX").map(PathBuf::from);
    let usual = || ["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from).into_iter().find(|path| path.exists());
    let binary = named.or_else(usual);
    let binary = binary.expect("a static busybox is missing; these tests need it: apt-get install -y busybox-static");
    Fixture::with(secrets, HostShell::busybox(&binary).await)
}

fn run(text: &str, user: Option<&str>) -> ami_bake_core::plan::Step {
    let shell = Some("sh -eu".to_owned());
    step(StepAction::Run(RunStep {
        script: text.to_owned(),
        shell,
        user: user.map(str::to_owned),
        working_directory: None,
    }))
}

#[tokio::test]
async fn scripts_run() {
    let fixture = fixture(&[]).await;
    let error = fixture.fails(&script("echo")).await;
    assert_eq!(error.message(), "step `it`: the machine has no `bash` to run the script with");
    let value = "it's \"q\"\n\n$HOME Grüße \u{81}";
    let text = fixture.passes(&with_env(run("cat; printf '%s|' \"$A\"; id -u", None), &[("A", value)])).await;
    assert_eq!(text, format!("{value}|0\n"));
    let text =
        fixture.passes(&with_env(run("id -un; echo \"$A\" $HOME; ls -A /dev/shm", Some("www")), &[("A", "b c")])).await;
    assert_eq!(text, "www\nb c /var\n");
    assert_eq!(fixture.fails(&run("exit 3", None)).await.message(), "step `it`: the script exited with status 3");
    let command =
        Probe::Command { run: "echo out".to_owned(), status: 0, stdout: Some("out".to_owned()), stderr: None };
    fixture.passes(&step(StepAction::Expect(Expectation { probe: command }))).await;
    let file = Probe::File {
        path: "/etc/passwd".to_owned(),
        exists: true,
        contains: Some("www".to_owned()),
        mode: None,
        owner: Some("root".to_owned()),
        sha256: None,
    };
    fixture.passes(&step(StepAction::Expect(Expectation { probe: file }))).await;
}

#[tokio::test]
async fn scan_and_seal_work() {
    let fixture = fixture(&[("TOKEN", "wal-nut-tree")]).await;
    fixture.shell.sh("mkdir -p /var/tmp /etc/ssh /root/.ssh; echo 'token wal-nut-tree' >/etc/app; printf '%s\\n' 'ssh-ed25519 AAAAbake' other >/root/.ssh/authorized_keys; echo l >/var/log/messages; echo l >/root/.ash_history; echo k >/etc/ssh/ssh_host_rsa_key").await;
    // Everything here is in memory, which the scan skips unless the root itself is.
    let text = whole(&fixture.runner.scan(&fixture.run, &fixture.on(), &ImageSettings::default()).await.unwrap_err());
    assert!(
        text.starts_with("the image would contain declared secrets, in:\n  /etc/app (the secret `TOKEN`) | "),
        "{text}"
    );
    fixture.runner.begin(&fixture.run, &fixture.on()).await.unwrap();
    fixture.shell.sh("rm /etc/app").await;
    fixture.shell.sh("mkdir -p /root/.docker; echo '{\"auths\": {\"a\": {\"auth\": \"eDp5\"}}}' >/root/.docker/config.json; printf 'machine a login b password\\n c\\n' >/root/.netrc; echo registry=x >/root/.npmrc").await;
    let text = whole(&fixture.runner.scan(&fixture.run, &fixture.on(), &ImageSettings::default()).await.unwrap_err());
    assert!(
        text.starts_with("the image would contain credentials, in:\n  /root/.docker/config.json\n  /root/.netrc | "),
        "{text}"
    );
    fixture.shell.sh("rm -r /root/.docker /root/.netrc /root/.npmrc").await;
    fixture.runner.clean(&fixture.run, &fixture.on(), &ImageSettings::default()).await.unwrap();
    fixture.runner.scan(&fixture.run, &fixture.on(), &ImageSettings::default()).await.unwrap();
    let login = Login { authorized_keys: vec!["ssh-ed25519 AAAAbake x".to_owned()], ..Login::default() };
    fixture.runner.seal(&fixture.run, &fixture.on(), &ImageSettings::default(), &login).await.unwrap();
    let left = "cat /root/.ssh/authorized_keys; wc -c </var/log/messages; ls /etc/ssh; ls -A /root";
    assert_eq!(fixture.shell.sh(left).await, "other\n0\n.ssh\n");
    assert!(fixture.runner.packages(&fixture.run, &fixture.on()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_service_needs_an_init() {
    let probe = Probe::Service { name: "nginx".to_owned(), running: true, enabled: None };
    let error = fixture(&[]).await.fails(&step(StepAction::Expect(Expectation { probe }))).await;
    assert_eq!(
        error.message(),
        "step `it`: can't check the service `nginx`: the machine runs neither systemd nor OpenRC"
    );
    assert!(error.help_text().unwrap().contains("platforms: [aws]"));
}
