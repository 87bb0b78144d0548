//! The verb `chef`, with a stand-in for the tool: what it is called with, what it finds, what is left. No registry that the
//! tests can reach has the real one.

use ami_bake_core::plan::{Step, Verb};
use ami_bake_testkit::shell::HostShell;

use crate::bench::{Bench, step, whole, with_env};

/// Tells what it was called with, and looks at what the configuration and the attributes name.
const STAND_IN: &str = r#"#!/bin/sh -eu
[ "$1" = --config ] && [ "$3" = --json-attributes ] && [ "$5" = --no-color ] && [ $# = 5 ]
folder=$(dirname "$2")
[ "$(stat -c %a "$folder")" = 700 ]
for path in $(sed -n "s/^cookbook_path \[\(.*\)\]$/\1/p" "$2" | tr -d "',"); do (cd "$path" && find . -type f | sort); done
cat "$4"; echo " $CHEF_LICENSE"
mkdir -p "$(sed -n "s/^file_cache_path '\(.*\)'$/\1/p" "$2")"
[ ! -e /opt/break ] || { echo "recipe broke" >&2; exit 1; }
"#;

fn chef(folder: &std::path::Path) -> Step {
    let verb = Verb::Chef {
        tool: "chef-solo".to_owned(),
        cookbooks: vec![folder.join("ours"), folder.join("theirs")],
        run_list: vec!["recipe[web]".to_owned()],
        attributes: r#"{"web":{"port":80,"name":"it's"}}"#.to_owned(),
    };
    with_env(step(verb), &[("CHEF_LICENSE", "accept")])
}

#[tokio::test]
async fn cookbooks_attributes_and_the_run_list_arrive_and_go_again() {
    let bench = Bench::with(&[], HostShell::sandbox().await);
    let folder = tempfile::tempdir().unwrap();
    for path in ["ours/web/recipes/default.rb", "theirs/apt/metadata.rb"] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "# ruby\n").unwrap();
    }
    let missing = bench.fails(&chef(folder.path())).await;
    assert!(whole(&missing).contains("the machine has no chef-solo") && whole(&missing).contains("installs nothing"));

    let program = bench.shell.path("/opt/chef/bin/chef-solo");
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    std::fs::write(&program, STAND_IN).unwrap();
    bench.shell.sh("chmod 0755 /opt/chef/bin/chef-solo").await;
    let told = bench.passes(&chef(folder.path())).await;
    let node = r#"{"web":{"port":80,"name":"it's"},"run_list":["recipe[web]"]}"#;
    assert_eq!(told, format!("./web/recipes/default.rb\n./apt/metadata.rb\n{node} accept\n"));

    bench.shell.sh("touch /opt/break").await;
    let error = bench.fails(&chef(folder.path())).await;
    assert!(whole(&error).contains("chef-solo exited with status 1") && whole(&error).contains("recipe broke"));
    assert_eq!(bench.shell.sh("ls -A /var/tmp /tmp /run | grep -c '^.ami-bake' || true").await, "0\n");
}
