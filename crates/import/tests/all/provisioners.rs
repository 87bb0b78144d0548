//! Tests of provisioners.

use ami_bake_core::plan::{StepAction, Value};

use crate::fixture::{Fixture, ebs, template};

#[test]
fn inline_lines_are_one_script_of_the_login_user() {
    ebs("", r#"{"type": "shell", "inline": ["cd /tmp", "make"], "_comment": "builds it"}"#)
        .says("      # builds it\n      - run: |-\n          cd /tmp\n          make\n        shell: sh -e\n        as: ubuntu\n        working-directory: /home/ubuntu\n");
}

#[test]
fn an_execute_command_with_sudo_means_root() {
    ebs("", r#"{"type": "shell", "scripts": ["a.sh", "b.sh"], "execute_command": "echo 'x' | {{ .Vars }} sudo -S -E bash -x '{{ .Path }}'"}"#)
        .says("      - script: a.sh\n        shell: bash -x\n        working-directory: /home/ubuntu\n        env:\n          HOME: /home/ubuntu\n      - script: b.sh\n")
        .lacks("as: ubuntu");
    ebs("", r#"{"type": "shell", "inline": ["id"], "execute_command": "{{.Vars}} sudo -u deploy {{.Path}}"}"#)
        .says("        as: deploy\n");
    ebs("", r#"{"type": "shell", "inline": ["id"], "execute_command": "odd {{.Path}}"}"#)
        .reports("provisioners[0].execute_command", "(`odd`)");
}

#[test]
fn a_shebang_of_its_own_is_the_shell() {
    ebs("", r#"{"type": "shell", "inline": ["id"], "inline_shebang": "/bin/bash -xe"}"#)
        .says("        shell: /bin/bash -xe\n");
}

#[test]
fn the_environment_comes_over_and_credentials_become_secrets() {
    ebs("", r#"{"type": "shell", "inline": ["id"], "environment_vars": ["A=b c", "DB_PASSWORD=hunter2", "9X=1"], "env": {"C": "d"}}"#)
        .says("        env:\n          A: b c\n          DB_PASSWORD: ${{ secrets.DB_PASSWORD }}\n          C: d\n")
        .says("secrets: [DB_PASSWORD]\n")
        .lacks("hunter2")
        .reports("provisioners[0].environment_vars[1]", "never copied")
        .reports("provisioners[0].environment_vars[2]", "not a valid name");
}

#[test]
fn packers_own_variables_come_where_a_script_reads_them() {
    ebs("", r#"{"type": "shell", "inline": ["echo $PACKER_BUILD_NAME"], "environment_vars": ["A=b"]}, {"type": "shell", "inline": ["id"]}"#)
        .says("        env:\n          PACKER_BUILD_NAME: amazon-ebs\n          A: b\n      - run: id\n")
        .lacks("PACKER_BUILDER_TYPE");
    ebs("", r#"{"type": "shell", "inline": ["echo $PACKER_BUILDER_TYPE"], "environment_vars": ["PACKER_BUILDER_TYPE=mine"]}"#)
        .says("          PACKER_BUILDER_TYPE: mine\n");
    ebs("", r#"{"type": "shell", "inline": ["curl http://$PACKER_HTTP_ADDR/a"]}"#)
        .reports("provisioners[0].inline", "Packer's HTTP server");
}

#[test]
fn a_restart_is_a_step_and_a_pause_behind_it_is_not_needed() {
    ebs(
        "",
        r#"{"type": "shell", "inline": ["apt-get upgrade", "sudo reboot"], "expect_disconnect": true},
           {"type": "shell", "inline": ["id"], "pause_before": "30s", "max_retries": 2, "timeout": "5m"},
           {"type": "shell", "script": "a.sh", "expect_disconnect": true},
           {"type": "file", "source": "site/", "destination": "/srv", "pause_before": "1m30s"}"#,
    )
    .says("      - run: apt-get upgrade\n")
    .says("      - reboot: true\n      - run: id\n")
    .says("        timeout: 5m\n        retries: 2\n      - script: a.sh\n")
    .says("      - reboot: true\n      - upload: site/\n")
    .reports("provisioners[1].pause_before", "waits until the machine is back")
    .reports("provisioners[2].expect_disconnect", "fails; a `reboot` step");
    ebs("", r#"{"type": "file", "source": "a.sh", "destination": "/srv/", "pause_before": "1m30s"}"#)
        .says("      - name: Pause for 1m30s\n        run: sleep 90\n      - upload: a.sh\n        to: /srv/\n        owner: ubuntu\n");
}

#[test]
fn files_go_both_ways() {
    ebs(
        "",
        r#"{"type": "file", "sources": ["a.sh", "site"], "destination": "/tmp/"}, {"type": "file", "direction": "download", "source": "/var/log/x", "destination": "logs/"}"#,
    )
    .says("      - upload: a.sh\n        to: /tmp/\n        owner: ubuntu\n      - upload: site\n")
    .says("      - download: /var/log/x\n        to: logs/\n");
}

#[test]
fn ansible_comes_over_with_variables_and_groups() {
    ebs(
        "",
        r#"{"type": "ansible", "playbook_file": "./play.yml", "galaxy_file": "requirements.yml", "groups": ["web"], "user": "ubuntu", "use_proxy": false,
            "extra_arguments": ["-vv", "--extra-vars", "version=1.2", "-e region=eu", "--extra-vars", "a=1 b=2", "-e", "api_token=hunter2"], "ansible_env_vars": ["X=1"]}"#,
    )
    .says("      - ansible: play.yml\n        requirements: requirements.yml\n        vars:\n          version: \"1.2\"\n          region: eu\n          api_token: ${{ secrets.API_TOKEN }}\n        args: [\"-vv\", \"--extra-vars\", a=1 b=2]\n        groups: [web]\n        env:\n          X: \"1\"\n")
    .lacks("hunter2")
    .reports("provisioners[0].use_proxy", "own connection");
}

#[test]
fn ansible_local_runs_beside_the_bake_and_says_so() {
    ebs("", r#"{"type": "ansible-local", "playbook_file": "play.yml", "role_paths": ["roles/web"], "staging_directory": "/tmp/x"}"#)
        .says("      - ansible: play.yml\n        env:\n          ANSIBLE_ROLES_PATH: roles\n        host: \"127.0.0.1\"\n")
        .reports("provisioners[0]", "on the computer that runs ami-bake")
        .reports("provisioners[0].staging_directory", "not copied");
}

#[test]
fn chef_solo_keeps_what_the_step_supports_and_reports_the_rest() {
    let imported = ebs(
        "",
        r#"{"type": "chef-solo", "cookbook_paths": ["cookbooks"], "run_list": ["recipe[x]"], "roles_path": "roles", "data_bags_path": "bags",
            "environments_path": "envs", "chef_environment": "live", "chef_license": "accept-silent", "skip_install": true,
            "json": {"app": {"port": 80, "fast": true, "names": ["a", "b"], "password": "hunter2"}},
            "encrypted_data_bag_secret_path": "key", "config_template": "solo.erb", "remote_cookbook_paths": ["/srv"],
            "execute_command": "chef-solo", "install_command": "curl | sh", "prevent_sudo": true, "staging_directory": "/tmp/x",
            "guest_os_type": "unix", "version": "17", "elevated_user": "me"}"#,
    );
    imported
    .says("      - chef: chef-solo\n        cookbooks: [cookbooks]\n        roles: roles\n        data-bags: bags\n        environments: envs\n        environment: live\n        run-list: [\"recipe[x]\"]\n        attributes:\n          app:\n            port: 80\n            fast: true\n            names: [a, b]\n        env:\n          CHEF_LICENSE: accept-silent\n")
    .lacks("hunter2")
    .reports("provisioners[0].json.app.password", "credential");
    for (field, why) in [
        ("install_command", "do not install Chef"),
        ("version", "Chef is not installed"),
        ("encrypted_data_bag_secret_path", "not copied"),
        ("config_template", "write Chef's configuration"),
        ("remote_cookbook_paths", "upload their cookbooks"),
        ("execute_command", "runs as root"),
        ("prevent_sudo", "runs as root"),
        ("staging_directory", "a temporary folder"),
        ("guest_os_type", "Linux"),
        ("elevated_user", "Linux"),
    ] {
        imported.reports(&format!("provisioners[0].{field}"), why);
    }
}

#[test]
fn only_and_except_choose_builders() {
    ebs(
        "",
        r#"{"type": "shell", "inline": ["one"], "only": ["amazon-ebs"]}, {"type": "shell", "inline": ["two"], "except": ["amazon-ebs"]}, {"type": "shell", "inline": ["three"], "only": ["docker"]}"#,
    )
    .says("- run: one\n")
    .lacks("- run: two")
    .lacks("- run: three")
    .reports("provisioners[1]", "none of the imported builders")
    .reports("provisioners[2]", "only runs on builders");
}

#[test]
fn provisioners_without_a_step_type_are_reported() {
    ebs(
        "",
        r#"{"type": "shell-local", "inline": ["x"]}, {"type": "powershell", "inline": ["x"]}, {"type": "breakpoint"}, {"type": "salt-masterless", "local_state_tree": "x"}, {"type": "novel"}, {"type": "sleep", "duration": "5s"}"#,
    )
    .reports("provisioners[0]", "on the computer that runs ami-bake")
    .reports("provisioners[1]", "Windows")
    .reports("provisioners[2]", "does not stop")
    .reports("provisioners[3]", "no step type")
    .reports("provisioners[4]", "`novel`")
    .says("        run: sleep 5\n");
}

#[test]
fn half_a_script_is_none() {
    ebs("", r#"{"type": "shell", "inline": ["one", "{{ build `Password` }}"]}, {"type": "shell", "inline": ["two"]}"#)
        .lacks("- run: one")
        .says("- run: two\n")
        .reports("provisioners[0].inline[1]", "`Password`")
        .reports("provisioners[0].inline", "the script was left out");
}

#[test]
fn files_that_are_not_there_are_listed() {
    let done = ebs(
        "",
        r#"{"type": "shell", "script": "none.sh"}, {"type": "file", "source": "/no/such", "destination": "/x"}"#,
    );
    assert_eq!(done.imported.missing, ["none.sh"]);
    done.says("- script: none.sh\n").reports("provisioners[1].source", "`/no/such` is outside of");
}

/// `scp -r` creates a missing folder from the source itself; relative destinations start in the login user's home.
#[test]
fn a_folder_becomes_its_destination_or_goes_into_it() {
    let file = |fields: &str| format!(r#"{{"type": "file", {fields}}}"#);
    let one = |fields: &str| ebs("", &file(fields));
    one(r#""source": "site", "destination": "/srv/www""#)
        .says("      - upload: site/\n        to: /srv/www\n")
        .reports("provisioners[0].source", "the folder itself");
    one(r#""source": "site", "destination": "/tmp""#).says("      - upload: site\n        to: /tmp\n");
    let made = r#"{"type": "shell", "inline": ["sudo mkdir -p /srv/www"]}"#;
    ebs("", &format!("{made}, {}", file(r#""source": "site", "destination": "/srv/www""#)))
        .says("      - upload: site\n");
    ebs(r#""ssh_file_transfer_method": "sftp""#, &file(r#""source": "site", "destination": "/srv/www""#))
        .says("      - upload: site\n");
    one(r#""source": "a.sh", "destination": "~/bin/"}, {"type": "file", "source": "b.sh", "destination": "b.sh""#)
        .says("        to: /home/ubuntu/bin/\n")
        .says("        to: /home/ubuntu/b.sh\n");
    let done = one(r#""direction": "download", "sources": ["/var/log/*", "/x/*.log"], "destination": "out/""#);
    done.says("      - download: /var/log/\n        to: out/\n")
        .reports("provisioners[0].sources[1]", "patterns are not supported");
    assert!(done.imported.missing.is_empty(), "where it goes need not be there: {:?}", done.imported.missing);
}

#[test]
fn a_script_without_a_first_line_runs_as_the_login_shell_would_run_it() {
    let fixture = crate::fixture::Fixture::new(&[]);
    fixture.write("plain.sh", "false\r\ntrue");
    fixture.write("own.sh", "#!/bin/sh -e\ntrue");
    let run = |command: &str| {
        let text = format!(
            r#"{{"builders": [{{"type": "amazon-ebs", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0", "ssh_username": "ubuntu", "ami_name": "x {{{{timestamp}}}}"}}],
                "provisioners": [{{"type": "shell", "scripts": ["plain.sh", "own.sh"], "execute_command": "{command}", "timeout": "5m"}}]}}"#
        );
        fixture.import(&fixture.request(&[("web.json", &text)]))
    };
    run("{{.Vars}} {{.Path}}")
        .says("      - script: plain.sh\n        shell: bash\n")
        .says("      - script: own.sh\n        as: ubuntu\n")
        .reports("provisioners[0].scripts[0]", "Windows line endings")
        .reports("provisioners[0].timeout", "each of its steps");
    run("sudo {{.Path}}").says("      - script: plain.sh\n        shell: sh\n");
    run("sudo bash {{.Path}}").says("      - script: own.sh\n        shell: bash\n");
}

#[test]
fn a_playbook_finds_what_packer_gives_it() {
    let fixture = crate::fixture::Fixture::new(&[]);
    fixture.write("play.yml", "- hosts: default\n  roles: [x]\n");
    fixture.write("roles/x/tasks/main.yml", "- debug: {msg: '{{ packer_builder_type }}'}\n");
    fixture.write("here.yml", "- hosts: localhost\n  connection: local\n");
    let run = |fields: &str| {
        let text = format!(
            r#"{{"builders": [{{"type": "amazon-ebs", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0", "ssh_username": "ubuntu", "ami_name": "x {{{{timestamp}}}}"}}],
                "provisioners": [{{{fields}}}]}}"#
        );
        fixture.import(&fixture.request(&[("web.json", &text)]))
    };
    run(r#""type": "ansible", "playbook_file": "play.yml", "extra_arguments": "-v,-e,a={{template_dir}}/a,@{{template_dir}}/b""#)
        .says("          packer_builder_type: amazon-ebs\n        args: [\"-v\", \"@./b\"]\n        groups: [default]\n")
        .reports("provisioners[0].extra_arguments", "absolute path");
    run(r#""type": "ansible", "playbook_file": "play.yml", "host_alias": "web", "groups": ["all-of-it"]"#)
        .says("        groups: [all-of-it, web]\n")
        .reports("provisioners[0].host_alias", "a group");
    run(r#""type": "ansible-local", "playbook_file": "here.yml", "inventory_groups": ["web"]"#)
        .says("        groups: [web]\n        host: \"127.0.0.1\"\n");
    run(r#""type": "ansible", "playbook_file": "here.yml""#)
        .reports("provisioners[0].playbook_file", "`hosts: localhost`");
}

/// Steps that use the builder's name are still equal, and are written once.
#[test]
fn steps_of_all_images_stand_once() {
    let builder = |name: &str| {
        format!(
            r#"{{"type": "amazon-ebs", "name": "{name}", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0", "instance_type": "t3.small", "ssh_username": "ubuntu", "ami_name": "{name} {{{{timestamp}}}}"}}"#
        )
    };
    crate::fixture::template(&format!(
        r#"{{"builders": [{}, {}], "provisioners": [{{"type": "shell", "inline": ["echo {{{{build_name}}}} $PACKER_BUILD_NAME"]}}]}}"#,
        builder("one"),
        builder("two")
    ))
    .says("defaults:\n  machine:\n    type: t3.small\n    user: ubuntu\n  build:\n    - run: echo ${{ image }} $PACKER_BUILD_NAME\n")
    .says("        PACKER_BUILD_NAME: ${{ image }}\n")
    .says("images:\n  one:\n    source:\n      ami:\n        id: ami-0123456789abcdef0\n    publish:\n      name: one ${{ timestamp }}\n  two:\n");
}

/// Every setting of the supported provisioners is imported or reported with a specific reason.
#[test]
fn every_setting_of_a_provisioner_is_known() {
    let kinds = [
        (
            "shell",
            "inline inline_shebang valid_exit_codes environment_vars env env_var_format use_env_var_file execute_command remote_folder remote_file remote_path binary expect_disconnect skip_clean start_retry_timeout pause_after",
        ),
        ("shell", "scripts tempfile_extension pause_before max_retries timeout continue_on_error"),
        ("file", "source sources destination direction generated"),
        (
            "ansible",
            "playbook_file command extra_arguments ansible_env_vars groups empty_groups host_alias user local_port ssh_host_key_file ssh_authorized_key_file ansible_proxy_key_type sftp_command skip_version_check \
            use_sftp inventory_directory inventory_file_template inventory_file limit keep_inventory_file galaxy_file galaxy_command galaxy_force_install galaxy_force_with_deps roles_path collections_path use_proxy \
            ansible_winrm_use_http ansible_ssh_extra_args",
        ),
        (
            "ansible-local",
            "command extra_arguments group_vars host_vars playbook_dir playbook_file playbook_paths role_paths collection_paths staging_directory clean_staging_directory inventory_file inventory_groups \
            galaxy_file galaxy_command galaxy_roles_path galaxy_collections_path",
        ),
        (
            "chef-solo",
            "chef_environment config_template cookbook_paths roles_path data_bags_path encrypted_data_bag_secret_path environments_path execute_command install_command json prevent_sudo remote_cookbook_paths \
            run_list skip_install staging_directory guest_os_type version chef_license elevated_user elevated_password",
        ),
    ];
    let value = |name: &str| match name {
        "env" | "json" => r#"{"A": "b"}"#,
        "environment_vars" | "ansible_env_vars" => r#"["A=b"]"#,
        "execute_command" => r#""sudo {{.Path}}""#,
        "direction" => r#""upload""#,
        "pause_before" | "timeout" | "pause_after" | "start_retry_timeout" => r#""5s""#,
        "max_retries" => "3",
        "continue_on_error" => "true",
        _ => "\"1\"",
    };
    let all: Vec<String> = kinds
        .iter()
        .map(|(kind, names)| {
            let fields: Vec<String> =
                names.split_whitespace().map(|name| format!("\"{name}\": {}", value(name))).collect();
            format!(r#"{{"type": "{kind}", {}}}"#, fields.join(", "))
        })
        .collect();
    let done = ebs("", &all.join(", "));
    assert_eq!(done.unknown(), Vec::<&str>::new());
}

/// The step for an `execute_command`, from its plan.
#[test]
fn execute_command_means_what_it_says() {
    let steps = [
        r#""execute_command": "sudo -S env {{ .Vars }} bash -euxo pipefail '{{ .Path }}'", "inline": ["false | true"]"#,
        r#""execute_command": "chmod +x {{ .Path }}; sudo env {{ .Vars }} {{ .Path }} ; rm -f {{ .Path }}", "inline": ["id"]"#,
        r#""execute_command": "sudo su - root -c '{{ .Vars }} bash {{ .Path }}'", "inline": ["id"]"#,
        r#""execute_command": "cd /opt && {{ .Vars }} sudo -E bash {{ .Path }}", "inline": ["pwd"]"#,
        r#""execute_command": "{{ .Vars }} sudo -E -H -u deploy bash -lc '{{ .Path }} one two'", "script": "a.sh""#,
        r#""execute_command": "sudo -E FOO=bar bash {{ .Path }}", "inline": ["echo $FOO"]"#,
        r#""inline_shebang": "/bin/bash -eux", "inline": ["false | true"]"#,
        r##""inline": ["#!/usr/bin/env python3", "print(1)"]"##,
        r#""use_env_var_file": true, "environment_vars": ["A=it's"], "execute_command": "chmod +x {{.Path}}; . {{.EnvVarFile}} && {{.Path}}", "inline": ["echo $A"]"#,
        r#""execute_command": "sudo -i -u deploy {{.Vars}} bash --login '{{.Path}}'", "script": "a.sh""#,
        r#""execute_command": "if [ -f /etc/only-here ]; then sudo {{ .Vars }} bash '{{ .Path }}'; fi", "inline": ["id"]"#,
    ];
    let steps: Vec<String> = steps.iter().map(|fields| format!(r#"{{"type": "shell", {fields}}}"#)).collect();
    let done = ebs(r#""name": "web""#, &steps.join(", "));
    let plan = done.plan(&[], &[]);
    let shown = plan.build.iter().map(|step| {
        let (user, folder, shell) = match &step.action {
            StepAction::Run(run) => (&run.user, &run.working_directory, &run.shell),
            StepAction::Script(script) => (&script.user, &script.working_directory, &script.shell),
            other => panic!("{other:?}"),
        };
        let env: Vec<String> = step.env.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let word = |text: &Option<String>| text.clone().unwrap_or_default();
        format!("{} {} {} {}", word(user), word(folder), word(shell), env.join(","))
    });
    let home = "HOME=Plain(\"/home/ubuntu\")";
    let expected = [
        " /home/ubuntu bash -euxo pipefail ".to_owned(),
        " /home/ubuntu sh -e ".to_owned(),
        " /root bash -lc 'exec bash \"$0\" \"$@\"' ".to_owned(),
        format!(" /opt bash {home}"),
        "deploy /home/ubuntu bash -lc 'exec sh \"$0\" \"$@\"' ".to_owned(),
        format!(" /home/ubuntu bash FOO=Plain(\"bar\"),{home}"),
        "ubuntu /home/ubuntu /bin/bash -eux ".to_owned(),
        "ubuntu /home/ubuntu /usr/bin/env python3 ".to_owned(),
        "ubuntu /home/ubuntu sh -e A=Plain(\"it's\")".to_owned(),
        "deploy /home/deploy bash -lc 'exec bash --login \"$0\" \"$@\"' ".to_owned(),
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected, "{}", done.manifest());
    done.reports("provisioners[10].execute_command", "(`if`), so the script was left out")
        .reports("provisioners[1].execute_command", "hides its failure");
}

/// The login user identifies the system: Red Hat's `sudo -E` does not keep `HOME`.
#[test]
fn sudo_keeps_the_home_where_the_system_does() {
    let step = r#"{"type": "shell", "execute_command": "{{.Vars}} sudo -E bash {{.Path}}", "inline": ["echo ~ $0"]}"#;
    let user = |user: &str| {
        template(&format!(
            r#"{{"builders": [{{"type": "amazon-ebs", "name": "web", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0",
                "instance_type": "t3.small", "ssh_username": "{user}", "ami_name": "x {{{{timestamp}}}}"}}], "provisioners": [{step}]}}"#
        ))
    };
    assert_eq!(user("admin").plan(&[], &[]).build[0].env.len(), 1);
    assert!(user("ec2-user").plan(&[], &[]).build[0].env.is_empty());
    let other = user("core");
    assert!(other.plan(&[], &[]).build[0].env.is_empty());
    other
        .reports("provisioners[0].execute_command", "keep the login user's `HOME`")
        .reports("provisioners[0].inline", "`$0`");
}

/// Additional exit codes count as success: the scripts run in real shells.
#[test]
fn valid_exit_codes_are_a_success() {
    let done = ebs(
        r#""name": "web""#,
        r#"{"type": "shell", "valid_exit_codes": [0, 3, 2300218], "inline": ["echo hi", "exit ${CODE}"]},
            {"type": "shell", "valid_exit_codes": [3], "inline": ["exit 3"]}, {"type": "shell", "valid_exit_codes": [0, 1], "script": "a.sh"}"#,
    );
    let plan = done.plan(&[], &[]);
    let StepAction::Run(run) = &plan.build[0].action else { panic!("{:?}", plan.build[0]) };
    for shell in ["sh", "bash"] {
        for (code, expected) in [("0", 0), ("3", 0), ("4", 4)] {
            let status = std::process::Command::new(shell).args(["-e", "-c", &run.script]).env("CODE", code).status();
            assert_eq!(status.unwrap().code(), Some(expected), "{shell} {code}");
        }
    }
    assert!(matches!(plan.build[1].action, StepAction::Reboot), "{:?}", plan.build[1]);
    done.reports("provisioners[1].valid_exit_codes", "exit code 0 is always a success");
}

/// A text of the template with variables and secrets becomes a file: a real shell writes it.
#[test]
fn the_content_of_a_file_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("a b").display().to_string();
    let text = format!(
        r#"{{"variables": {{"x": "it's"}}, "builders": [{{"type": "amazon-ebs", "name": "web", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0",
            "instance_type": "t3.small", "ssh_username": "ubuntu", "ami_name": "x {{{{timestamp}}}}"}}],
            "provisioners": [{{"type": "file", "content": "{{{{user `x`}}}} \"$HOME\"", "destination": "{to}"}}]}}"#
    );
    let plan = template(&text).plan(&[], &[]);
    let StepAction::Run(run) = &plan.build[0].action else { panic!("{:?}", plan.build[0]) };
    assert_eq!(run.user.as_deref(), Some("ubuntu"));
    let mut command = std::process::Command::new("sh");
    command.args(["-e", "-c", &run.script]);
    for (name, value) in &plan.build[0].env {
        let Value::Plain(value) = value else { panic!("{value:?}") };
        command.env(name, value);
    }
    assert!(command.status().unwrap().success());
    assert_eq!(std::fs::read_to_string(to).unwrap(), "it's \"$HOME\"");
}

#[test]
fn what_would_be_lost_in_silence_is_said() {
    let fixture = Fixture::new(&["app/x", "shared/s.conf"]);
    std::os::unix::fs::symlink("../shared/s.conf", fixture.path().join("app/s.conf")).unwrap();
    let text = r#"{"variables": {"dir": "app"}, "builders": [{"type": "amazon-ebs", "name": "web", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0",
        "ssh_username": "ubuntu", "ami_name": "x {{timestamp}}"}],
        "provisioners": [{"type": "shell", "scripts": [], "environment_vars": ["A=1"]}, {"type": "shell", "inline": ["mkdir -p /opt/{{user `dir`}}"]},
            {"type": "file", "source": "app", "destination": "/opt/{{user `dir`}}"},
            {"type": "shell", "environment_vars": ["HELM_SECRETS_VERSION=4.6.0", "OBFUSCATE_PASSWORD=1"], "inline": ["id"]}]}"#;
    fixture
        .import(&fixture.request(&[("web.json", text)]))
        .reports("provisioners[0]", "no script")
        .says("      - upload: app\n        to: /opt/${{ vars.dir }}\n        owner: ubuntu\n        follow-links: true\n")
        .says("          HELM_SECRETS_VERSION: \"4.6.0\"\n          OBFUSCATE_PASSWORD: \"1\"\n");
}

/// A path of the importing computer means nothing elsewhere.
#[test]
fn no_absolute_path_of_this_computer_is_written() {
    let fixture = Fixture::new(&["files/one.json", "files/two", "files/two.sh"]);
    let json = r#"{"variables": {"cert": "{{template_dir}}/files/one.json", "name": null}, "builders": [{"type": "amazon-ebs", "name": "web", "region": "eu-west-1",
        "source_ami": "ami-0123456789abcdef0", "ssh_username": "ubuntu", "ami_name": "x {{timestamp}}", "tags": {"from": "built in {{template_dir}}"}}],
        "provisioners": [{"type": "file", "source": "{{user `cert`}}", "destination": "/tmp/one.json"},
            {"type": "file", "source": "{{template_dir}}/files/{{user `name`}}", "destination": "/tmp/x"},
            {"type": "shell", "script": "{{template_dir}}/files/{{user `name`}}.sh"}]}"#;
    let hcl = "variable \"cert\" { default = \"one.json\" }\nvariable \"name\" { type = string }\n\
        source \"amazon-ebs\" \"web\" {\n region = \"eu-west-1\"\n source_ami = \"ami-0123456789abcdef0\"\n ssh_username = \"ubuntu\"\n ami_name = \"x\"\n\
        tags = { from = \"built in ${path.root}\" }\n}\n\
        build {\n sources = [\"source.amazon-ebs.web\"]\n\
        provisioner \"file\" {\n source = \"${path.root}/files/${var.cert}\"\n destination = \"/tmp/one.json\"\n}\n\
        provisioner \"file\" {\n source = \"${path.root}/files/${var.name}\"\n destination = \"/tmp/x\"\n}\n\
        provisioner \"shell\" { script = \"${path.root}/files/${var.name}.sh\" }\n}\n";
    for (file, text, tags) in
        [("web.json", json, "builders[0].tags.from"), ("web.pkr.hcl", hcl, "source.amazon-ebs.web.tags.from")]
    {
        let done = fixture.import(&fixture.request(&[(file, text)]));
        done.lacks(&fixture.path().display().to_string()).reports(tags, "absolute path");
        let plan = done.plan(&[], &[("name", "two")]);
        let from = |at: usize| match &plan.build[at].action {
            StepAction::Upload(upload) => upload.from.clone(),
            StepAction::Script(script) => script.path.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            [from(0), from(2)],
            ["files/one.json", "files/two.sh"].map(|path| fixture.path().join(path)),
            "{}",
            done.manifest()
        );
    }
}
