//! Bakes a Packer template with the provisioner `ansible`: template, playbook and requirements have the form of a
//! public Jenkins image's, with small roles of our own in place of those that would be downloaded.

use std::path::Path;
use std::process::Command;

use crate::fixture::{Fixture, finish};

const TEMPLATE: &str = r#"{
  "variables": {"aws_access_key": "", "aws_secret_key": ""},
  "builders": [{
    "type": "amazon-ebs",
    "access_key": "{{user `aws_access_key`}}",
    "secret_key": "{{user `aws_secret_key`}}",
    "region": "us-east-1",
    "source_ami_filter": {"filters": {"name": "debian-12-amd64-*"}, "owners": ["136693071363"], "most_recent": true},
    "instance_type": "t3.micro",
    "ssh_username": "admin",
    "ami_name": "jenkins {{timestamp}}",
    "tags": {"sourceamiid": "{{ .SourceAMI }}", "owner": "kubes&clouds"}
  }],
  "provisioners": [
    {"type": "shell", "inline": ["echo 'Building a Jenkins AMI!'"]},
    {
      "type": "ansible",
      "playbook_file": "./ansible/jenkins.yml",
      "galaxy_file": "./ansible/requirements.yml",
      "extra_arguments": ["--extra-vars", "stage=build"]
    }
  ]
}
"#;

const PLAYBOOK: &str = r#"- hosts: all
  become: true
  vars:
    jenkins_hostname: localhost
    java_packages: [openssl]

  pre_tasks:
    - name: Install a package
      apt:
          name: openssl

  roles:
    - role: example.java
    - role: example.jenkins

  tasks:
      - name: Who the login is
        command: id -un
        become: false
        register: login
      - name: Judge it
        assert:
          that:
            - login.stdout == 'admin'
            - ansible_user_id == 'root'
            - stage == 'build'
      - name: The page is root's
        shell: test "$(stat -c %U /opt/jenkins)" = root
      - name: Restarts, by the bake and by a command of the playbook's own
        ansible.builtin.reboot: "{{ item }}"
        loop:
          - {reboot_timeout: 600}
          - {reboot_timeout: 600, reboot_command: systemctl reboot}
      - wait_for_connection: {timeout: 600}
      - meta: reset_connection
      - name: A restart that nobody waits for, and the machine's timer after it
        shell: cat /proc/sys/kernel/random/boot_id; (sleep 1; systemctl reboot) >/dev/null 2>&1 &
        register: before
      - shell: test "$(cat /proc/sys/kernel/random/boot_id)" != "{{ before.stdout }}"
        ignore_unreachable: true
        register: later
        until: later is success and not later.unreachable | default(false)
        retries: 600
        delay: 1
      - wait_for_connection: {timeout: 600}
      - command: systemctl is-active ami-bake-deadman.timer
      - name: The login is a login again
        command: id -un
        become: false
        register: again
      - assert: {that: "again.stdout == 'admin'"}
"#;

/// A role in a repository of its own, which ansible-galaxy installs.
pub(crate) fn role(fixture: &Fixture, name: &str, tasks: &str) {
    fixture.write(&format!("{name}/tasks/main.yml"), tasks);
    fixture.write(
        &format!("{name}/meta/main.yml"),
        "galaxy_info: {author: t, description: t, license: MIT, min_ansible_version: '2.12'}\n",
    );
    for arguments in [&["init", "-q", "-b", "main"][..], &["add", "."], &["commit", "-qm", "role"]] {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
        let done =
            Command::new("git").arg("-C").arg(fixture.path(name)).args(identity).args(arguments).status().unwrap();
        assert!(done.success());
    }
}

/// The command with the PATH of the checks' `ansible-playbook`.
pub(crate) fn with_ansible(mut command: Command) -> Command {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/venv/bin");
    command.env("PATH", format!("{}:{}", tools.display(), std::env::var("PATH").unwrap()));
    command
}

#[test]
fn a_template_with_a_playbook_is_baked_as_it_is() {
    let fixture = Fixture::new("");
    fixture.write("jenkins.json", TEMPLATE);
    fixture.write("ansible/jenkins.yml", PLAYBOOK);
    role(&fixture, "java", "- name: Java\n  package: {name: \"{{ java_packages }}\", state: present}\n");
    fixture.write("jenkins/handlers/main.yml", "- name: restart jenkins\n  command: touch /opt/restarted\n");
    role(
        &fixture,
        "jenkins",
        "- name: Jenkins\n  copy: {content: \"{{ jenkins_hostname }}\\n\", dest: /opt/jenkins, mode: '0644'}\n  notify: restart jenkins\n",
    );
    let source = |name: &str| format!("git+file://{}", fixture.path(name).display());
    fixture.write(
        "ansible/requirements.yml",
        &format!(
            "- name: example.jenkins\n  src: {}\n- name: example.java\n  src: {}\n",
            source("jenkins"),
            source("java")
        ),
    );

    let baked = finish(with_ansible(fixture.command(&["bake", "jenkins.json"])).spawn().unwrap()).exits(0);
    for told in ["TASK [example.java : Java]", "RUNNING HANDLER [example.jenkins : restart jenkins]", "failed=0"] {
        assert!(baked.stderr.contains(told), "{told}: {}", baked.stderr);
    }
    let leaks = fixture.cloud.leaks();
    let image = &leaks["123456789012/us-east-1"]["images"][0];
    let name = image["name"].as_str().unwrap();
    assert_eq!(image["tags"]["owner"], "kubes&clouds", "{image:#}");
    fixture.holds_only(&[name]);
}
