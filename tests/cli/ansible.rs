//! Playbooks: a real `ansible-playbook` over the bake's own connection, in sandboxes and in containers.

use std::path::{Path, PathBuf};
use std::process::Command;

use ami_bake_testkit::corpus::corpus;
use ami_bake_testkit::test_dir::signal;
use ami_bake_testkit::wait;
use serde_json::Value;

use crate::fixture::Fixture;

const HEAD: &str = "format: 1
name: shop
platform: local
images:
  web:
    source: {local: host}
    build:
";

/// The PATH with the Ansible that `.ci/setup` installs.
fn path() -> String {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/venv/bin");
    assert!(tools.join("ansible-playbook").exists(), "ansible-core is missing: .ci/setup installs it");
    format!("{}:{}", tools.display(), std::env::var("PATH").unwrap())
}

/// A fixture with Ansible and a folder for its temporary files.
fn fixture(manifest: &str) -> Fixture {
    let fixture = Fixture::with(manifest).variable("PATH", &path());
    std::fs::create_dir(fixture.path("tmp")).unwrap();
    let tmp = fixture.path("tmp").display().to_string();
    fixture.variable("TMPDIR", &tmp)
}

fn left(fixture: &Fixture) -> Vec<PathBuf> {
    std::fs::read_dir(fixture.path("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
    let done = Command::new("git").arg("-C").arg(folder).args(identity).args(arguments).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

/// Roles from requirements, from the user's own configuration and from beside the playbook; a group's variables,
/// secrets, handlers, packages, templates, files in both directions, another user; nothing of it is left, and the
/// digest covers it.
#[test]
fn a_playbook_bakes_with_all_that_it_is_made_of() {
    let manifest = format!(
        "{}      - name: Play
        ansible: plays/web.yml
        requirements: plays/requirements.yml
        vars: {{greeting: 'it''s \"quoted\"', token: \"<${{{{ secrets.TOKEN }}}}>\", list: [1, two]}}
        groups: [webservers]
        env: {{FROM_STEP: step}}
    validate:
      - expect: {{file: {{path: /opt/page, contains: 'it''s \"quoted\" 1-two group'}}}}
      - expect: {{file: {{path: /opt/handled, owner: \"root:root\"}}}}
      - run: test \"$(cat /opt/who)\" = www-data && test \"$(wc -c </opt/big)\" = 3000000 && ! ls -A /root/.ansible
",
        HEAD.replace("images:", "secrets: [TOKEN]\nimages:")
    );
    let fixture = fixture(&manifest).variable("TOKEN", "se\"cret-4711");
    fixture.write(
        "plays/web.yml",
        "- hosts: webservers
  become: true
  roles: [beside, shared, fetched]
  tasks:
    - name: The secret arrives as it is
      assert: {that: \"token == '<se' + '\\\"' + 'cret-4711>'\"}
    - name: Tell it
      debug: {msg: \"the token is {{ token }} {{ lookup('env', 'FROM_STEP') }}{{ lookup('env', 'TOKEN') }}.\"}
    - name: Another user
      command: id -un
      become_user: www-data
      register: who
    - copy: {content: \"{{ who.stdout }}\", dest: /opt/who}
    - fetch: {src: /etc/os-release, dest: \"{{ playbook_dir }}/../back\", flat: true}
    - name: A failure that is forgiven
      command: 'false'
      ignore_errors: true
",
    );
    fixture.write("plays/group_vars/webservers.yml", "place: group\n");
    fixture.write("plays/roles/beside/tasks/main.yml", "- package: {name: coreutils, state: present}\n- template: {src: page.j2, dest: /opt/page}\n  notify: handle\n- copy: {src: big, dest: /opt/big}\n");
    fixture.write("plays/roles/beside/templates/page.j2", "{{ greeting }} {{ list | join('-') }} {{ place }}\n");
    fixture.write("plays/roles/beside/handlers/main.yml", "- name: handle\n  command: touch /opt/handled\n");
    fixture.write("plays/roles/beside/files/big", &"x".repeat(3_000_000));
    fixture.write("ansible.cfg", "[defaults]\nroles_path = common\n");
    fixture.write("common/shared/tasks/main.yml", "- command: touch /opt/shared\n");
    fixture.write("galaxy/tasks/main.yml", "- command: touch /opt/fetched\n");
    fixture.write(
        "galaxy/meta/main.yml",
        "galaxy_info: {author: t, description: t, license: MIT, min_ansible_version: '2.12'}\n",
    );
    git(&fixture.path("galaxy"), &["init", "-q", "-b", "main"]);
    git(&fixture.path("galaxy"), &["add", "."]);
    git(&fixture.path("galaxy"), &["commit", "-qm", "role"]);
    let requirements =
        format!("- name: fetched\n  src: git+file://{}\n  version: main\n", fixture.path("galaxy").display());
    fixture.write("plays/requirements.yml", &requirements);

    let outcome = fixture.run(&["bake"]).exits(0);
    let told = &outcome.stderr;
    assert!(told.contains("TASK [beside : copy]") && told.contains("RUNNING HANDLER [beside : handle]"), "{told}");
    assert!(told.contains("the token is <") && told.contains("step."), "{told}");
    assert!(!format!("{outcome:?}{}", fixture.read("bake-report.json")).contains("cret-4711"), "{outcome:?}");
    assert!(fixture.read("back").contains("ID="));
    assert_eq!(left(&fixture), [] as [PathBuf; 0]);
    assert!(!fixture.path(".ansible/roles").exists(), "roles are for the step alone");

    fixture.run(&["bake"]).exits(0);
    let report = || -> Value { serde_json::from_str(&fixture.read("bake-report.json")).unwrap() };
    assert_eq!(report()["images"][0]["status"], "reused");
    let digest = |fixture: &Fixture| -> Value {
        let plan = fixture.run(&["plan", "--json"]).exits(0);
        serde_json::from_str::<Value>(&plan.stdout).unwrap()["images"][0]["decided"]["digest"].clone()
    };
    let before = digest(&fixture);
    assert!(before.is_string(), "{before}");
    for changed in ["plays/roles/beside/templates/page.j2", "plays/group_vars/webservers.yml", "plays/requirements.yml"]
    {
        let text = fixture.read(changed);
        fixture.write(changed, &format!("{text}\n# changed\n"));
        assert_ne!(digest(&fixture), before, "{changed} is not in the digest");
        fixture.write(changed, &text);
    }
    assert_eq!(digest(&fixture), before);
}

/// The error names the task, its file and its message; settings that make no sense are reported as such.
#[test]
fn what_goes_wrong_in_a_playbook_is_named() {
    let manifest = format!("{HEAD}      - ansible: web.yml\n");
    let fails = |play: &str, texts: &[&str]| {
        let fixture = fixture(&manifest);
        fixture.write("web.yml", play);
        let outcome = fixture.run(&["bake"]).exits(5);
        let error = &outcome.stderr[outcome.stderr.find("\nerror[").unwrap()..];
        for text in texts {
            assert!(error.contains(text), "{text:?} is not in\n{}", outcome.stderr);
        }
        assert_eq!(left(&fixture), [] as [PathBuf; 0]);
    };
    fails(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: Break it\n      shell: echo this is why >&2; exit 3\n",
        &["task `Break it` failed (web.yml:4)", "this is why", "--> bake.yml:8:9"],
    );
    fails(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: trap '' TERM; sleep 300 &\n    - name: Restart\n      reboot: {reboot_timeout: 1}\n",
        &["task `Restart` failed (web.yml:5): could not restart sandbox ", "it was not running again after 1s"],
    );
    fails(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: rm -f /usr/bin/python3*\n    - ping:\n",
        &["task `ping` failed", "The machine has no Python", "with a `raw` task"],
    );
    fails("- hosts: all\n  tasks:\n    - no.such.module:\n", &["come with a collection", "`requirements`"]);
    fails("- hosts: all\n  roles: [nowhere]\n", &["nowhere", "exited with status"]);
    fails("- hosts: dbservers\n  tasks: [{ping: }]\n", &["no play of the playbook matched this machine", "`groups`"]);
    let fixture = fixture(&format!("{manifest}        requirements: requirements.yml\n"));
    fixture.write("web.yml", "- hosts: all\n");
    fixture.write("requirements.yml", "- src: git+file:///nowhere/at/all\n  name: x\n");
    let outcome = fixture.run(&["bake"]).exits(5);
    assert!(outcome.stderr.contains("ansible-galaxy install exited with status"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("bake.yml:9:"), "{}", outcome.stderr);
}

/// The module restarts a sandbox like a `reboot` step, under either of its names, and a playbook continues after it:
/// become, vaults, tasks in the background, bytes that are not text. Secrets are masked in differences, too.
#[test]
fn a_playbook_restarts_its_machine_and_goes_on() {
    let manifest = format!(
        "{}      - ansible: site.yml
        vars: {{token: \"${{{{ secrets.TOKEN }}}}\"}}
        env: {{ANSIBLE_VAULT_PASSWORD_FILE: password}}
        args: [--diff, -v]
        groups: [first, second]
    validate:
      - run: test \"$(cat /opt/who)\" = nobody && test -e /opt/handled && test -e /opt/background && test ! -e /tmp/.ansible_async
",
        HEAD.replace("images:", "secrets: [TOKEN]\nimages:")
    );
    let fixture = fixture(&manifest).variable("TOKEN", "s3cr\"et-4712");
    fixture.write("password", "opens\n");
    let sealed = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/venv/bin/ansible-vault"))
        .args(["encrypt_string", "--name", "sealed", "--vault-password-file", "password", "in the vault"])
        .current_dir(fixture.folder())
        .output()
        .unwrap();
    fixture.write("sealed.yml", &String::from_utf8(sealed.stdout).unwrap());
    fixture.write(
        "site.yml",
        "- hosts: first
  serial: 1
  vars_files: [sealed.yml]
  tasks:
    - command: cat /proc/sys/kernel/random/boot_id
      register: before
    - ansible.builtin.reboot: {reboot_timeout: 600, test_command: test -d /opt}
      register: restarted
    - command: cat /proc/sys/kernel/random/boot_id
      register: after
    - assert: {that: [before.stdout != after.stdout, restarted.rebooted, sealed == 'in the vault']}
    - reboot: {reboot_command: /nowhere/at/all}
    - wait_for_connection: {timeout: 600}
    - meta: reset_connection
    - shell: sleep 1; touch /opt/background
      async: 600
      poll: 0
      register: job
    - async_status: {jid: \"{{ job.ansible_job_id }}\"}
      register: state
      until: state.finished
      retries: 600
      delay: 1
    - raw: printf '\\377\\376 no text'
    - copy: {content: \"shown {{ token }} so\\n\", dest: /opt/shown}
    - copy: {content: \"hidden-by-no-log\\n\", dest: /opt/shown}
      no_log: true
    - file: {path: /opt/shown, state: absent}
      notify: handle
  handlers:
    - name: handle
      command: touch /opt/handled
- hosts: second
  gather_facts: false
  tasks:
    - command: id -un
      become: true
      become_user: nobody
      register: who
    - copy: {content: \"{{ who.stdout }}\", dest: /opt/who}
",
    );
    let outcome = fixture.run(&["bake"]).exits(0);
    let told = &outcome.stderr;
    assert!(told.contains("`reboot_command` is not run") && told.contains("+shown *** so"), "{told}");
    assert!(!told.contains("4712") && !told.contains("hidden-by-no-log"), "{told}");
    assert_eq!(left(&fixture), [] as [PathBuf; 0]);
}

/// Files outside the usual folders count when they are named literally; those that are only known at run time are
/// noted.
#[test]
fn a_change_of_what_a_playbook_names_leads_to_a_new_bake() {
    let fixture = fixture(&format!("{HEAD}      - ansible: plays/web.yml\n        args: [--become]\n"));
    let play = "- hosts: all
  vars_files: [../shared/vars.yml]
  tasks:
    - ansible.builtin.include_tasks: ../shared/tasks.yml
    - template: {src: \"{{ folder }}/page.j2\", dest: /opt/page}
    - ansible.posix.synchronize: {src: x, dest: /opt/}
";
    fixture.write("plays/web.yml", play);
    fixture.write("shared/vars.yml", "x: 1\n");
    fixture.write("shared/tasks.yml", "- copy: {src: ../deep/file, dest: /opt/file}\n");
    fixture.write("deep/file", "1");
    fixture.write("deep/other", "1");
    let digest = || -> Value {
        let plan = fixture.run(&["plan", "--json"]).exits(0);
        serde_json::from_str::<Value>(&plan.stdout).unwrap()["images"][0]["decided"]["digest"].clone()
    };
    let before = digest();
    for name in ["shared/vars.yml", "shared/tasks.yml", "deep/file"] {
        let text = fixture.read(name);
        fixture.write(name, &format!("{text}\n# changed\n"));
        assert_ne!(digest(), before, "{name} is not in the digest");
        fixture.write(name, &text);
    }
    fixture.write("deep/other", "2");
    assert_eq!(digest(), before);
    let told = fixture.run(&["check"]).exits(0).stderr;
    assert!(told.contains("note[unknown-file]") && told.contains("plays/web.yml:5:23"), "{told}");
    assert!(told.contains("warning[synchronize]") && told.contains("plays/web.yml:6:7"), "{told}");

    fixture.write("bake.yml", &format!("{HEAD}      - ansible: plays/web.yml\n        args: [--ask-vault-pass]\n"));
    let told = fixture.run(&["check"]).exits(3).stderr;
    assert!(told.contains("a bake is not interactive") && told.contains("bake.yml:9:"), "{told}");
}

/// Whether a process with these words on its command line runs on this machine.
fn alive(words: &str) -> bool {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.into_iter().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").contains(words)
    })
}

/// At the time limit and after a cancel no process is left, neither on the machine nor on this computer.
#[test]
fn a_playbook_ends_with_its_step() {
    // A number of nine digits that no other test uses.
    let number = 100_000_000 + 10 * std::process::id();
    let play = |seconds: u32, host: &str| {
        format!("- hosts: all\n  gather_facts: false\n  tasks:\n    - command: sleep {seconds}\n{host}")
    };
    let late = fixture(&format!("{HEAD}      - ansible: web.yml\n        timeout: 4s\n"));
    late.write("web.yml", &play(number, ""));
    let outcome = late.run(&["bake"]).exits(5);
    assert!(outcome.stderr.contains("was still running after 4s and was killed"), "{}", outcome.stderr);
    assert!(!alive(&format!("sleep {number}")) && left(&late).is_empty(), "{:?}", left(&late));

    // The second runs on this computer, in a session of its worker.
    for (add, host) in [(1, ""), (2, "      delegate_to: localhost\n")] {
        let words = format!("sleep {}", number + add);
        let cancelled = fixture(&format!("{HEAD}      - ansible: web.yml\n"));
        cancelled.write("web.yml", &play(number + add, host));
        let child = cancelled.command(&["bake"]).spawn().unwrap();
        wait::until_true("the task never began", || alive(&words));
        signal(&child, "INT");
        cancelled.finish(child).exits(130);
        assert!(!alive(&words), "{words} lives on");
        assert!(!alive(&cancelled.path("web.yml").display().to_string()), "Ansible lives on");
        assert_eq!(left(&cancelled), [] as [PathBuf; 0]);
    }
}

/// No machine is launched for a playbook that can't be run here.
#[test]
fn ansible_that_is_missing_or_old_is_reported_before_a_machine_starts() {
    let manifest = format!("{HEAD}      - ansible: web.yml\n");
    let preflight = |path: &str| {
        let fixture = Fixture::with(&manifest).variable("PATH", path);
        fixture.write("web.yml", "- hosts: all\n  connection: local\n");
        let outcome = fixture.run(&["bake", "--json"]).exits(4);
        assert!(!outcome.stdout.contains("machine-started"), "{}", outcome.stdout);
        outcome.stdout
    };
    let missing = preflight("/nowhere");
    assert!(
        missing.contains("ansible-playbook not found") && missing.contains("pipx install ansible-core"),
        "{missing}"
    );
    let stand_in = Fixture::new();
    stand_in.write("ansible-playbook", "#!/bin/sh\necho 'ansible-playbook 2.9.27'\n");
    let program = stand_in.path("ansible-playbook");
    Command::new("chmod").arg("+x").arg(&program).status().unwrap();
    let old = preflight(&format!("{}:/usr/bin:/bin", stand_in.folder().display()));
    assert!(old.contains("ansible-core 2.9 is too old, at least 2.12 is required"), "{old}");

    let checked = Fixture::with(&manifest);
    checked.run(&["check"]).exits(3).says("`web.yml` not found");
    checked.write("web.yml", "- hosts: [web, localhost]\n");
    let outcome = checked.run(&["check"]).exits(3).says("error[local-play]");
    assert!(outcome.stderr.contains("web.yml:1:10"), "{}", outcome.stderr);
    checked.write("web.yml", "- hosts: all\n  connection: local\n");
    let outcome = checked.run(&["check"]).exits(0).says("warning[local-connection]");
    assert!(outcome.stderr.contains("web.yml:2:15"), "{}", outcome.stderr);
}

/// `localhost` is the machine, whatever the playbook says about the connection, and nothing happens on this computer.
#[test]
fn a_playbook_for_localhost_runs_on_the_machine() {
    let name = format!("ami-bake-localhost-{}", std::process::id());
    let manifest = format!(
        "{HEAD}      - ansible: local.yml
        host: 127.0.0.1
    validate:
      - expect: {{file: /opt/{name}-play}}
      - expect: {{file: /opt/{name}-delegated}}
      - expect: {{file: /opt/{name}-all}}
"
    );
    let fixture = fixture(&manifest);
    fixture.write(
        "local.yml",
        &format!(
            "- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - copy: {{content: x, dest: /opt/{name}-play}}
    - copy: {{content: x, dest: /opt/{name}-delegated}}
      delegate_to: localhost
- hosts: all
  gather_facts: false
  tasks:
    - local_action: {{module: copy, content: x, dest: /opt/{name}-all}}
"
        ),
    );
    fixture.run(&["bake"]).exits(0);
    assert!(!Path::new("/opt").join(format!("{name}-play")).exists());
    assert!(!Path::new("/opt").join(format!("{name}-delegated")).exists());
    assert!(!Path::new("/opt").join(format!("{name}-all")).exists());
    assert_eq!(left(&fixture), [] as [PathBuf; 0]);
}

/// The example unchanged, here and in a container.
#[test]
fn the_example_bakes_in_a_sandbox() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ansible/bake.yml");
    let place = fixture("");
    place.run(&["bake", manifest.to_str().unwrap(), "--platform", "local", "--force"]).exits(0);
    assert_eq!(left(&place), [] as [PathBuf; 0]);
}

#[cfg(feature = "docker")]
#[test]
fn the_example_bakes_in_a_container_that_its_playbook_restarts() {
    use ami_bake_testkit::docker::{BASE, Engine};
    let engine = Engine::get();
    let place = fixture("").variable("DOCKER_HOST", engine.host());
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ansible");
    let done = Command::new("cp").args(["-r", "--"]).arg(examples).arg(place.path("example")).status().unwrap();
    assert!(done.success());
    let site = place.read("example/site.yml");
    let first = "cut -d ' ' -f 22 /proc/1/stat";
    let restart = format!(
        "- hosts: all
  gather_facts: false
  tasks:
    - {{shell: {first}, register: before}}
    - {{name: Restart, reboot: {{reboot_timeout: 600}}}}
    - {{shell: {first}, register: after}}
    - assert: {{that: \"before.stdout != after.stdout\"}}
"
    );
    place.write("example/site.yml", &format!("{site}\n{restart}"));
    let base = format!("base={BASE}");
    let manifest = place.path("example/bake.yml").display().to_string();
    place.run(&["bake", &manifest, "--platform", "docker", "--force", "--set", &base]).exits(0);
    assert_eq!(left(&place), [] as [PathBuf; 0]);
}

/// The Jenkins playbook of the corpus, unchanged, with small roles of ours under the names of those that it downloads.
#[test]
fn the_playbook_of_the_corpus_bakes() {
    let Some(corpus) = corpus() else { return };
    let playbook = std::fs::read_to_string(corpus.join("required/jenkins-playbook.yml")).unwrap();
    let test = "    test:\n      - expect: {file: {path: /opt/jenkins, contains: \"localhost with openjdk-11-jdk\"}}\n";
    let fixture = fixture(&format!("{HEAD}      - ansible: ansible/jenkins.yml\n{test}"));
    fixture.write("ansible/jenkins.yml", &playbook);
    fixture.write(
        "ansible/roles/geerlingguy.java/tasks/main.yml",
        "- set_fact: {java: \"{{ java_packages | first }}\"}\n",
    );
    let task = "- copy: {content: \"{{ jenkins_hostname }} with {{ java }}\", dest: /opt/jenkins}\n";
    fixture.write("ansible/roles/geerlingguy.jenkins/tasks/main.yml", task);
    fixture.run(&["bake"]).exits(0);
}
