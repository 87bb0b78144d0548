//! Measures `put` against the `ssh` command on a server that `bench/ssh/run` has started.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::process::Stdio;
use std::time::{Duration, Instant};

use ami_bake_core::communicator::Communicator;
use ami_bake_ssh::{HostKey, Key, PublicKey, Ssh, Target};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 7;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (work, port) = (arguments.next().unwrap(), arguments.next().unwrap());
    let key = Key::parse(&std::fs::read_to_string(format!("{work}/login")).unwrap().into()).unwrap();
    let host = PublicKey::parse(&std::fs::read_to_string(format!("{work}/host.pub")).unwrap()).unwrap();
    let mut target = Target::new("127.0.0.1", "root", key, HostKey::Pinned(host));
    target.port = port.parse().unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let ssh = Ssh::connect(target, deadline, CancellationToken::new()).await.unwrap();
    let remote = format!("ssh -q -S {work}/master bench");

    let files = format!("tar -C {work} -cf - files");
    let theirs = format!("{files} | {remote} 'mkdir -p {work}/to && tar -xpf - -C {work}/to'");
    compare("2,000 files, 16 MB", "tar | ssh", &ssh, &work, &files, &theirs).await;

    let large = format!("tar -C {work} -cf - large");
    let theirs = format!("cat {work}/large | {remote} 'mkdir -p {work}/to && cat > {work}/to/large'");
    compare("one file, 315 MB", "cat | ssh", &ssh, &work, &large, &theirs).await;
}

/// Runs both methods in turn, each into an empty folder.
async fn compare(what: &str, name: &str, ssh: &Ssh, work: &str, archive: &str, theirs: &str) {
    let (mut ours_took, mut theirs_took) = (Vec::new(), Vec::new());
    let to = format!("{work}/to");
    for _ in 0..ROUNDS {
        empty(&to);
        let begun = Instant::now();
        let mut tar = Command::new("sh").args(["-c", archive]).stdout(Stdio::piped()).spawn().unwrap();
        ssh.put(Box::new(tar.stdout.take().unwrap()), &to).await.unwrap();
        assert!(tar.wait().await.unwrap().success());
        ours_took.push(begun.elapsed());

        empty(&to);
        let begun = Instant::now();
        assert!(Command::new("sh").args(["-c", theirs]).status().await.unwrap().success());
        theirs_took.push(begun.elapsed());
    }
    empty(&to);
    let (ours, theirs) = (median(ours_took), median(theirs_took));
    println!("{what}: ami-bake {ours:.3} s, {name} {theirs:.3} s, ratio {:.2}", ours / theirs);
}

fn empty(folder: &str) {
    if std::fs::exists(folder).unwrap() {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}
