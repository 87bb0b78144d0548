//! Tests of the step type `chef`, with a stand-in for the tool that uses Chef's own libraries to read the command line
//! and the configuration.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;

use ami_bake_core::plan::{ChefStep, Step, StepAction};
use ami_bake_testkit::shell::HostShell;

use crate::fixture::{Fixture, step, whole, with_env};

/// The test's files, by their paths below a folder.
const FILES: [(&str, &str); 8] = [
    ("ours/web/metadata.rb", "name 'web'\nversion '1.0.0'\ndepends 'apt'\n"),
    (
        "ours/web/recipes/default.rb",
        "file('/opt/page') { content \"#{node['web']['name']} #{node['web']['port']} #{data_bag_item('users', 'ann')['uid']}\" }\n",
    ),
    (
        "ours/web/recipes/boot.rb",
        "reboot(BOOT) { not_if File.exist?('/opt/booted') || !File.write('/opt/booted', '') }\n",
    ),
    ("ours/web/recipes/restless.rb", "reboot(35) {}\n"),
    ("theirs/apt/metadata.json", r#"{"name": "apt"}"#),
    (
        "roles/server.json",
        r#"{"default_attributes": {"web": {"port": 1}}, "run_list": ["recipe[web::boot]", "recipe[web]"]}"#,
    ),
    ("bags/users/ann.json", r#"{"id": "ann", "uid": 4711}"#),
    ("environments/live.json", r#"{"override_attributes": {"web": {"port": 443}}}"#),
];

fn chef(folder: &Path, run_list: &str) -> Step {
    let action = StepAction::Chef(ChefStep {
        tool: "chef-solo".to_owned(),
        cookbooks: vec![folder.join("ours"), folder.join("theirs")],
        roles: Some(folder.join("roles")),
        data_bags: Some(folder.join("bags")),
        environments: Some(folder.join("environments")),
        environment: Some("live".to_owned()),
        run_list: vec![run_list.to_owned()],
        attributes: r#"{"web":{"name":"it's"}}"#.to_owned(),
    });
    with_env(step(action), &[("CHEF_LICENSE", "accept")])
}

/// A machine with the stand-in, and a folder with the files.
async fn fixture() -> (Fixture, tempfile::TempDir) {
    let there = Command::new("ruby").args(["-r", "chef-config/config", "-r", "mixlib/cli", "-e", "1"]).status();
    assert!(
        there.is_ok_and(|status| status.success()),
        "Chef's libraries are missing: `apt-get install ruby-chef-config ruby-mixlib-cli`, which .ci/setup does"
    );
    let fixture = Fixture::with(&[], HostShell::sandbox().await);
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in FILES {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    (fixture, folder)
}

async fn install(fixture: &Fixture, path: &str) {
    let program = fixture.shell.path(path);
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    std::fs::write(&program, include_str!("chef_solo.rb")).unwrap();
    fixture.shell.sh(&format!("chmod 0755 {path}")).await;
}

async fn leaves_nothing(fixture: &Fixture) {
    assert_eq!(fixture.shell.sh("ls -A /var/tmp /tmp /run | grep -c '^.ami-bake' || true").await, "0\n");
    assert_eq!(fixture.shell.sh("ls -d /etc/chef /root/.chef 2>/dev/null | wc -l").await, "0\n");
}

#[tokio::test]
async fn roles_data_bags_environments_and_attributes_reach_the_recipes() {
    let (fixture, folder) = fixture().await;
    let missing = whole(&fixture.fails(&chef(folder.path(), "role[server]")).await);
    assert!(
        missing.contains("the machine has no chef-solo |") && missing.contains("does not install Chef"),
        "{missing}"
    );
    install(&fixture, "/opt/cinc/bin/cinc-solo").await;
    let other = whole(&fixture.fails(&chef(folder.path(), "role[server]")).await);
    assert!(other.contains("but cinc-solo") && other.contains("Write `chef: cinc-solo`"), "{other}");

    install(&fixture, "/opt/chef/bin/chef-solo").await;
    for (status, restarts) in [("35", 1), ("37", 2), ("41", 3), ("213", 3)] {
        fixture.shell.sh("rm -f /opt/booted /opt/page").await;
        let recipe = folder.path().join("ours/web/recipes/boot.rb");
        std::fs::write(recipe, FILES[2].1.replace("BOOT", status)).unwrap();
        let told = fixture.passes(&chef(folder.path(), "role[server]")).await;
        assert_eq!(told, "web::boot\nweb::boot\nweb::default\n", "{status}");
        assert_eq!(fixture.machine.reboots.load(Ordering::Relaxed), restarts, "{status}");
        assert_eq!(fixture.shell.sh("cat /opt/page").await, "it's 443 4711");
    }
    leaves_nothing(&fixture).await;
}

#[tokio::test]
async fn what_goes_wrong_is_reported() {
    let (fixture, folder) = fixture().await;
    install(&fixture, "/usr/local/bin/chef-solo").await;
    let mut unlicensed = chef(folder.path(), "recipe[web]");
    unlicensed.env.clear();
    let error = whole(&fixture.fails(&unlicensed).await);
    assert!(error.contains("its license is not accepted") && error.contains("CHEF_LICENSE: accept"), "{error}");
    let error = whole(&fixture.fails(&chef(folder.path(), "recipe[web::none]")).await);
    assert!(error.contains("exited with status 1") && error.contains("web has no recipe none"), "{error}");
    let error = whole(&fixture.fails(&chef(folder.path(), "recipe[web::restless]")).await);
    assert!(error.contains("asked to be run again for the 5th time (exit status 35)"), "{error}");
    assert_eq!(fixture.machine.reboots.load(Ordering::Relaxed), 4);
    leaves_nothing(&fixture).await;
}
