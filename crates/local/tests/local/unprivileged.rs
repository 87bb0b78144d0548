//! Tests without root: in a user namespace, as a user with a range of sub-IDs. The outer case becomes that user in a
//! mount namespace with its own `/etc/passwd`, `/etc/subuid` and `/etc/subgid`, so that this machine's do not change.

use std::path::Path;
use std::process::{Command, Output};

use ami_bake_core::communicator::{Exec, Exit};
use ami_bake_core::output::Collect;
use ami_bake_core::plan::{MachineSettings, SourceQuery};
use ami_bake_core::platform::Platform;

use crate::fixture::{LocalFixture, sh, small_root};

const USER: u32 = 4242;

/// Runs one of the ignored cases below as the user.
fn as_user(folder: &Path, case: &str, sub_ids: &str) -> Output {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap() + &format!("baker:x:{USER}:{USER}::/:/bin/sh\n");
    std::fs::write(folder.join("passwd"), passwd).unwrap();
    std::fs::write(folder.join("sub-ids"), sub_ids).unwrap();
    let script = "mount --bind $0/passwd /etc/passwd && mount --bind $0/sub-ids /etc/subuid && \
                  mount --bind $0/sub-ids /etc/subgid && \
                  exec setpriv --reuid=$1 --regid=$1 --clear-groups $2 --exact $3 --ignored --nocapture";
    Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(folder)
        .arg(USER.to_string())
        .arg(std::env::current_exe().unwrap())
        .arg(case)
        .env("UNPRIVILEGED_FOLDER", folder)
        .env("TMPDIR", folder)
        .output()
        .unwrap()
}

/// A folder owned by the user, with a tarball of a small root.
fn folder_of_user() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    small_root(&root);
    std::fs::create_dir(root.join("opt/closed")).unwrap();
    let script = "chown -R 0:0 root && chown 33:33 root/opt/closed && chmod 700 root/opt/closed && \
                  tar -czf root.tar.gz -C root . && rm -r root && chown -R $0:$0 .";
    let done = Command::new("sh").args(["-c", script, &USER.to_string()]).current_dir(folder.path()).status().unwrap();
    assert!(done.success());
    folder
}

#[test]
fn a_user_bakes() {
    let folder = folder_of_user();
    let output = as_user(folder.path(), "unprivileged::bakes", "baker:700000:65536\n");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
#[ignore = "run by a_user_bakes"]
async fn bakes() {
    assert!(!rustix::process::geteuid().is_root());
    let fixture = LocalFixture::new();
    let tarball = std::env::var("UNPRIVILEGED_FOLDER").unwrap() + "/root.tar.gz";
    let source = fixture.source(&tarball).await;
    let script = "id -u; ls -d /root; cat /proc/self/uid_map; touch /opt/mine && chown 1000:33 /opt/mine && mkdir /opt/d \
                  && touch /opt/d/x && chown -R 33:33 /opt/d && chmod 700 /opt/d && rm -r /var && mkdir /opt/new";
    let first = fixture.bake(&source, "1.0.0", script).await;
    let second = fixture.bake(&first.as_source(), "2.0.0", "rm -r /opt/new && rm -r /opt/d && mkdir /opt/d").await;
    let (machine, inside) = fixture.launch(&second.as_source()).await;
    let seen = sh(
        inside.as_ref(),
        "stat -c '%u %g %a' /opt/mine /opt/closed; ls /opt/d; ls -d /var /opt/new 2>/dev/null; hostname",
    )
    .await;
    assert_eq!(seen, "1000 33 644\n33 33 700\nweb\n");
    let sleeping = Exec::new("sleep 3600").timeout(std::time::Duration::from_millis(200));
    let exit = inside.exec(sleeping, &mut Collect::default()).await.unwrap();
    assert!(matches!(exit, Exit::TimedOut(_)), "{exit:?}");
    machine.reboot(&fixture.run, std::time::Duration::from_mins(1)).await.unwrap();
    assert_eq!(sh(inside.as_ref(), "stat -c %u /opt/mine").await, "1000\n");
    machine.destroy(&fixture.run).await.unwrap();

    let alone = MachineSettings { network: Some(false), ..MachineSettings::default() };
    let machine = fixture.launch_with(&first.as_source(), &alone).await;
    let inside = machine.connect(&fixture.run).await.unwrap();
    assert_eq!(sh(inside.as_ref(), "ls /sys/class/net").await, "lo\n");
    assert!(inside.dial("127.0.0.1", 1).await.is_err());
    machine.destroy(&fixture.run).await.unwrap();

    fixture.local.delete_image(&fixture.run, &first.id).await.unwrap();
    fixture.local.delete_image(&fixture.run, &second.id).await.unwrap();
    let trash = fixture.store().join("trash");
    let empty = || std::fs::read_dir(&trash).unwrap().count() == 0;
    ami_bake_testkit::wait::eventually("files of other users are left", empty).await;

    let host = SourceQuery::Reference("host".to_owned());
    let error = fixture.local.find_source(&fixture.run, &host).await.unwrap_err();
    assert!(error.help_text().is_some_and(|help| help.contains("sudo")), "{error:?}");
    // The unpacked tarball contains files of other users, which a temporary folder can't remove by itself.
    let layers: Vec<_> = std::fs::read_dir(fixture.store().join("layers")).unwrap().flatten().collect();
    assert_eq!(layers.len(), 1);
}

#[test]
fn a_user_without_sub_ids_gets_help() {
    let folder = folder_of_user();
    let output = as_user(folder.path(), "unprivileged::gets_help", "");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
#[ignore = "run by a_user_without_sub_ids_gets_help"]
async fn gets_help() {
    let fixture = LocalFixture::new();
    let tarball = std::env::var("UNPRIVILEGED_FOLDER").unwrap() + "/root.tar.gz";
    let error = fixture.local.find_source(&fixture.run, &SourceQuery::Reference(tarball)).await.unwrap_err();
    assert!(error.to_string().contains("/etc/subuid has no range for baker"), "{error}");
    assert!(error.help_text().is_some_and(|help| help.contains("usermod --add-subuids")), "{error:?}");
    let findings = fixture.local.permissions(&fixture.run, &[], &[]).await.unwrap();
    assert_eq!(findings[0].allowed, Some(false));
}
