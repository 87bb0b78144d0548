//! Lost connections and reconnecting.

use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Exec, Exit};
use ami_bake_core::output::{Collect, OutputSink, Stream};
use ami_bake_testkit::wait::{eventually, within_limit};

use crate::sshd::{LATER, Sshd, run, running, soon};

/// Cuts the connection at the first output of the command.
struct CutAtFirst<'a>(Option<&'a Sshd>, Collect);

impl OutputSink for CutAtFirst<'_> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        self.1.write(stream, bytes);
        if let Some(sshd) = self.0.take() {
            sshd.drop_connections();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_under_a_command_is_lost_and_comes_back() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let mut output = CutAtFirst(Some(&sshd), Collect::default());
    let exit = within_limit("the loss is not seen", ssh.exec(Exec::new("echo before; sleep 3600"), &mut output)).await;
    let Exit::Lost(reason) = exit.unwrap() else { panic!("not seen as lost") };
    assert!(reason.contains("connection"), "{reason}");
    assert_eq!(output.1.stdout_text(), "before\n");
    within_limit("the connection is not closed", ssh.closed()).await;
    assert_eq!(run(&ssh, "echo after").await.1.stdout_text(), "after\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_goes_down_and_comes_up_again() {
    let mut sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let before = ssh.boot_id().await.unwrap();
    assert_eq!(before, std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim());
    sshd.down();
    within_limit("the loss is not seen", ssh.closed()).await;
    let (reconnected, ()) = tokio::join!(ssh.reconnect(soon(LATER)), async {
        // Lets some attempts fail; how many does not matter.
        tokio::time::sleep(Duration::from_secs(1)).await;
        sshd.up();
    });
    reconnected.unwrap();
    assert_eq!(ssh.boot_id().await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_stays_away_is_reported() {
    let mut sshd = Sshd::start();
    let mut target = sshd.target();
    target.timing.reconnect = Duration::from_secs(3);
    let ssh = sshd.connect_to(target).await;
    sshd.down();
    ssh.closed().await;
    let error = ssh.exec(Exec::new("true"), &mut Collect::default()).await.unwrap_err();
    assert!(error.message().starts_with("could not reconnect to the machine"), "{error}");
    assert!(error.message().contains("refuses the connection"), "{error}");
}

/// Many callers notice the loss at once; they share one new connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_loss_under_many_callers() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    sshd.drop_connections();
    let results = futures::future::join_all((0..6).map(|_| run(&ssh, "echo $SSH_CONNECTION"))).await;
    let first = results[0].1.stdout_text();
    assert!(results.iter().all(|(exit, output)| exit.success() && output.stdout_text() == first));
}

/// Dropping a call frees its process and its session: sshd allows ten sessions per connection.
#[tokio::test(flavor = "multi_thread")]
async fn abandoned_calls_free_their_place() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let mark = format!("34{}", sshd.port);
    let command = format!("sleep {mark}");
    for _ in 0..25 {
        let mut output = Collect::default();
        let call = ssh.exec(Exec::new(&command), &mut output);
        let _ = tokio::time::timeout(Duration::from_millis(20), call).await;
    }
    assert_eq!(run(&ssh, "echo here").await.1.stdout_text(), "here\n");
    eventually("processes survive", || running(&mark) == 0).await;
}
