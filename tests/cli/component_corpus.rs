//! Runs component documents of other people on real sandboxes. They are not part of the repository: without them the
//! test is skipped.

use std::path::PathBuf;

use ami_bake_testkit::corpus::corpus;

use crate::fixture::{CommandOutcome, Fixture};

/// Two systems in which commands that need a network or a cloud only print their arguments, and `install` leaves a
/// mark.
const STAND_INS: &str = r##"format: 1
name: stand
platform: local
images:
  apt:
    source: {local: host}
    build:
      - run: |
          rm -f "$(command -v unzip)"; mkdir -p /etc/default /etc/apt/apt.conf.d; cd /usr/local/sbin
          printf '#!/bin/sh\necho apt-get "$*"\ncase $* in *install*) for p; do :; done; printf "#!/bin/sh\\n" >/usr/local/bin/$p; chmod 755 /usr/local/bin/$p ;; esac\n' >apt-get
          for tool in update-grub systemctl yum aws; do printf '#!/bin/sh\necho %s "$*"\n' $tool >$tool; done
          printf '#!/bin/sh\ncase $* in *api/token*) echo token ;; *ami-id*) echo ami-0123456789abcdef0 ;; *zone*) echo us-west-2a ;; esac\n' >curl
          printf '#!/bin/sh\ncat >/dev/null; echo false\n' >jq
          chmod 755 ./*
          printf 'ID=ubuntu\nVERSION_ID=22.04\n' >/etc/os-release.new; rm -f /etc/os-release; mv /etc/os-release.new /etc/os-release
          echo 'GRUB_CMDLINE_LINUX="quiet"' >/etc/default/grub
          echo 'APT::Periodic::Unattended-Upgrade "1";' >/etc/apt/apt.conf.d/20auto-upgrades
  dnf:
    source: {local: host}
    build:
      - run: |
          rm -f "$(command -v apt-get)" "$(command -v unzip)"; mkdir -p /var/lib/stand-in; cd /usr/local/sbin
          printf '#!/bin/sh\necho dnf "$*"\nfor p; do :; done; touch /var/lib/stand-in/$p\n[ $p != unzip ] || { printf "#!/bin/sh\\n" >/usr/local/bin/unzip; chmod 755 /usr/local/bin/unzip; }\n' >dnf
          printf '#!/bin/sh\nshift; for p; do [ -e /var/lib/stand-in/$p ] || { echo "package $p is not installed"; exit 1; }; done\n' >rpm
          chmod 755 dnf rpm
"##;

struct Corpus {
    folder: PathBuf,
    fixture: Fixture,
}

impl Corpus {
    /// Copies the file with this name's ending to `web.yml`.
    fn take(&self, name: &str) -> String {
        let folders = ["components", "required"].map(|folder| self.folder.join(folder));
        let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
        let mut files = files.map(|file| file.unwrap().path());
        let text = std::fs::read_to_string(files.find(|file| file.display().to_string().ends_with(name)).unwrap());
        let text = text.unwrap();
        self.fixture.write("web.yml", &text);
        text
    }

    /// Runs `web.yml` on one of these systems.
    fn run(&self, system: &str, code: i32) -> CommandOutcome {
        let source = format!("stand/{system}");
        self.fixture.run(&["component", "run", "web.yml", "--source", &source]).exits(code)
    }
}

#[track_caller]
fn says(outcome: &CommandOutcome, words: &[&str]) {
    for word in words {
        assert!(outcome.stderr.contains(word), "{word:?} is not in\n{}", outcome.stderr);
    }
}

/// The effects of documents of AWS's cookbook, ParallelCluster and others on a machine.
#[test]
fn documents_of_others_run() {
    let Some(folder) = corpus() else { return };
    let corpus = Corpus { folder, fixture: Fixture::with(STAND_INS) };
    corpus.fixture.run(&["bake"]).exits(0);

    // A tolerated failure: the document succeeds, and reports what did not.
    corpus.take("tolerated-failure.yml");
    let ran = corpus.run("dnf", 0);
    says(
        &ran,
        &[
            "package htop is not installed",
            "warning: web.yml:12: the phase `build` failed at the step `OptionalCheck` (ExecuteBash): exited with status 1: the last line of its output: package htop is not installed; ignored",
            "Still runs, and the document succeeds.",
            "web.yml: 1 step passed, 1 failed and ignored",
        ],
    );
    // A restart, and the same step again; the validate phase checks what must be gone.
    corpus.take("reboot-and-resume.yml");
    let ran = corpus.run("apt", 0);
    says(
        &ran,
        &[
            "InstallThenReboot: restarting the machine (exit status 194)",
            "Back after the reboot",
            "web.yml: 3 steps passed",
        ],
    );
    assert_eq!(ran.stderr.matches("Simulating an install").count(), 1, "{}", ran.stderr);
    // With any package manager; the validate phase calls what was installed.
    corpus.take("conditional-install.yml");
    says(
        &corpus.run("apt", 0),
        &[
            "build: skipped InstallWithDnf",
            "| apt-get update",
            "| apt-get -y install unzip",
            "web.yml: 2 steps passed, 1 skipped",
        ],
    );
    says(&corpus.run("dnf", 0), &["| dnf -y install unzip", "skipped InstallWithAptGet", "2 steps passed, 1 skipped"]);
    // One iteration for each item of a list; the validate phase checks all of them.
    corpus.take("foreach-install.yml");
    let ran = corpus.run("dnf", 0);
    says(&ran, &["| dnf -y install jq", "| dnf -y install tar", "| dnf -y install gzip", "web.yml: 2 steps passed"]);
    let ran = corpus.run("apt", 5);
    says(
        &ran,
        &[
            "--> web.yml:12:",
            "iterations 0, 1, 2 of 3 failed, first failure: exited with status 127 (a command was not found)",
            "line 1: dnf: command not found",
        ],
    );
    corpus.take("linux__linux.yml");
    says(&corpus.run("apt", 0), &["Hello World from the validate phase.", "web.yml: 3 steps passed"]);

    // Values passed from step to step, from the instance metadata to calls of AWS.
    corpus.take("parallelcluster_tag.yaml");
    says(
        &corpus.run("apt", 0),
        &[
            "| aws ec2 create-tags --region us-west-2 --resource ami-0123456789abcdef0 --tags Key=parallelcluster:os,Value=ubuntu2204",
            "--description AWS ParallelCluster AMI for ubuntu2204",
            "web.yml: 4 steps passed",
        ],
    );
    // The document in a CloudFormation template: its script is invalid until its placeholders are filled in.
    let text = corpus.take("update_and_reboot.yaml");
    says(
        &corpus.run("apt", 5),
        &["failed at the step `OperatingSystemRelease` (ExecuteBash)", "invalid variable name"],
    );
    let filled =
        text.replace("${!", "${").replace("${AWS::Region}", "us-west-2").replace("${CfnParamChefDnaJson}", "{}");
    // It waits for cloud-init, of which a baked image keeps nothing.
    let filled = filled.replace("/var/lib/cloud/instance/boot-finished", "/etc/os-release");
    corpus.fixture.write("web.yml", &filled.replace("delaySeconds: 10", "delaySeconds: 1"));
    says(
        &corpus.run("apt", 0),
        &[
            "| ubuntu.22.04",
            "| systemctl disable --now apt-daily.timer",
            "| apt-get -y install linux-aws linux-headers-aws linux-image-aws",
            "build: RebootStep (Reboot)",
            "Check the OS has been updated",
            "steps passed",
        ],
    );
}

/// Documents that can't run here are refused before a machine starts, with their line; those that need S3 run on AWS.
#[test]
fn documents_of_others_are_refused_where_they_cannot_run() {
    let Some(folder) = corpus() else { return };
    let corpus = Corpus { folder, fixture: Fixture::new() };
    for (name, words) in [
        ("powershell_5_1.yml", &["needs Windows: `ExecutePowerShell` does not run on Linux", "web.yml:18:17"][..]),
        ("create-file.yaml", &["`C:\\Temp\\Sample.txt` is a Windows path", "web.yml:17:17"]),
        ("web-download.yaml", &["`C:\\testfolder\\package.zip` is a Windows path", "web.yml:11:24", "web.yml:28:24"]),
    ] {
        corpus.take(name);
        for arguments in [&["component", "check", "web.yml"][..], &["component", "run", "web.yml"]] {
            says(&corpus.fixture.run(arguments).exits(3), words);
        }
    }
    for (name, line) in [
        ("linuxbuild.yaml", "web.yml:17:17"),
        ("Linux__ansible-playbook-execution-amazon-linux-2__component.yml", "web.yml:15:17"),
        ("httpd.component.yml", "web.yml:29:17"),
        ("jenkins.component.yml", "web.yml:22:17"),
        ("linux-bin.component.yml", "web.yml:8:17"),
    ] {
        corpus.take(name);
        if cfg!(feature = "aws") {
            corpus.fixture.run(&["component", "check", "web.yml", "--platform", "aws"]).exits(0);
        }
        says(
            &corpus.fixture.run(&["component", "run", "web.yml"]).exits(3),
            &["`S3Download` has no credentials on the platform `local`", line],
        );
    }
}
