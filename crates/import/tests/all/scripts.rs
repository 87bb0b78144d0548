//! Tests of script files: exit codes, scripts that stay on the machine, and arguments that a shell splits.

use ami_bake_core::plan::{StepAction, Value};

use crate::fixture::{Fixture, ebs, template};

/// Additional exit codes of script files, which run in a real shell.
#[test]
fn valid_exit_codes_of_script_files_are_a_success() {
    let fixture = Fixture::new(&[]);
    fixture.write("plain.sh", "exit $1");
    fixture.write("own.sh", "#!/bin/bash\nexit $1");
    let step = |command: &str, script: &str| {
        format!(r#"{{"type": "shell", "valid_exit_codes": [0, 3], {command} "scripts": ["{script}"]}}"#)
    };
    let text = format!(
        r#"{{"builders": [{{"type": "amazon-ebs", "name": "web", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0",
            "ssh_username": "ubuntu", "ami_name": "x {{{{timestamp}}}}"}}], "provisioners": [{}, {}, {}, {}]}}"#,
        step("", "plain.sh"),
        step("", "own.sh"),
        step(r#""execute_command": "sudo bash -x {{.Path}} 3","#, "plain.sh"),
        step(r#""execute_command": "sudo -i bash {{.Path}}","#, "own.sh"),
    );
    let done = fixture.import(&fixture.request(&[("web.json", &text)]));
    let plan = done.plan(&[], &[]);
    assert_eq!(plan.build.len(), 4, "{}", done.manifest());
    for step in &plan.build {
        let StepAction::Script(script) = &step.action else { panic!("{step:?}") };
        let line = format!("{} \"$0\" \"$1\"", script.shell.as_deref().unwrap());
        for (code, expected) in [("0", 0), ("3", 0), ("4", 4)] {
            let mut command = std::process::Command::new("sh");
            let status = command.args(["-c", &line]).arg(&script.path).arg(code).status().unwrap();
            assert_eq!(status.code(), Some(expected), "{line} {code}");
        }
    }
}

/// With `skip_clean` the script becomes part of the image.
#[test]
fn a_script_that_stays_on_the_machine_is_uploaded() {
    let done = ebs(
        r#""name": "web""#,
        r#"{"type": "shell", "script": "a.sh", "skip_clean": true, "remote_folder": "/opt/", "remote_file": "setup.sh"},
            {"type": "shell", "script": "a.sh", "skip_clean": "true"},
            {"type": "shell", "inline": ["id"], "skip_clean": true, "remote_path": "/tmp/x"},
            {"type": "shell", "script": "a.sh", "skip_clean": false, "remote_path": "/var/tmp/x", "expect_disconnect": true},
            {"type": "shell", "inline": ["id"], "start_retry_timeout": "20m"}"#,
    );
    let plan = done.plan(&[], &[]);
    let StepAction::Upload(upload) = &plan.build[1].action else { panic!("{}", done.manifest()) };
    assert_eq!(
        (upload.to.as_str(), upload.owner.as_deref(), upload.mode),
        ("/opt/setup.sh", Some("ubuntu"), Some(0o755))
    );
    let uploads = plan.build.iter().filter(|step| matches!(step.action, StepAction::Upload(_))).count();
    assert_eq!(uploads, 1, "{}", done.manifest());
    let reboot = plan.build.iter().find(|step| matches!(step.action, StepAction::Reboot)).unwrap();
    assert_eq!(reboot.timeout, Some(std::time::Duration::from_mins(20)));
    done.reports("provisioners[1].skip_clean", "under a random name")
        .reports("provisioners[2].skip_clean", "under a random name");
}

/// Packer joins the arguments of ansible-local into a command line, whose quotes a shell removes.
#[test]
fn arguments_of_ansible_local_are_those_that_a_shell_makes() {
    let done = ebs(
        r#""name": "web""#,
        r#"{"type": "ansible-local", "playbook_file": "play.yml", "extra_arguments":
            ["--extra-vars", "\"a=1 b={{user `x`}}\"", "-e '@vars.yml'", "-vv --diff", "-e c={{user `x`}}"]},
           {"type": "ansible", "playbook_file": "play.yml", "extra_arguments": ["--scp-extra-args", "'-O'"]},
           {"type": "ansible-local", "playbook_file": "play.yml", "extra_arguments": ["-v | tee /log"]}"#,
    );
    let plan = done.plan(&[], &[("x", "a value")]);
    let step = |at: usize| match &plan.build[at].action {
        StepAction::Ansible(ansible) => ansible,
        other => panic!("{other:?}"),
    };
    let expected = ["--extra-vars", "a=1 b=a value", "--extra-vars", "@vars.yml", "-vv", "--diff"];
    assert_eq!(step(0).args, expected, "{}", done.manifest());
    done.says("        vars:\n          c: ${{ vars.x }}\n");
    assert_eq!(step(1).args, ["--scp-extra-args", "'-O'"]);
    done.reports("provisioners[2].extra_arguments[0]", "more than an argument");
}

/// `local` would be the computer that bakes.
#[test]
fn the_connection_of_a_playbook_is_that_of_the_step() {
    let done = ebs(
        r#""name": "web""#,
        r#"{"type": "ansible-local", "playbook_file": "play.yml", "extra_arguments": ["-c local", "--connection=local", "-v",
            "--extra-vars='ansible_connection=local a={{user `x`}} b=1'", "-e ansible_connection=local"]}"#,
    );
    done.says("        args: [\"-v\", \"--extra-vars=a=${{ vars.x }} b=1\"]\n").lacks("connection=local\"]");
    done.reports("provisioners[0].extra_arguments[0]", "provides the connection")
        .reports("provisioners[0].extra_arguments[3]", "provides the connection");
}

/// Packer installs Chef unless `skip_install` is set.
#[test]
fn chef_is_installed_where_packer_installs_it() {
    let step = |fields: &str| {
        ebs(
            r#""name": "web""#,
            &format!(r#"{{"type": "chef-solo", "cookbook_paths": ["cookbooks"], "run_list": ["recipe[x]"]{fields}}}"#),
        )
    };
    step("").says("      - run: curl -L https://omnitruck.chef.io/install.sh | bash -s --\n        shell: sh\n      - chef: chef-solo\n");
    step(r#", "version": "15.2""#).says("install.sh | bash -s -- -v \"15.2\"\n");
    step(r#", "skip_install": true"#).lacks("omnitruck");
    step(r#", "install_command": "yum install chef""#)
        .lacks("omnitruck")
        .reports("provisioners[0].install_command", "do not install Chef");
}

/// Settings that most steps share are written once, and every step keeps its meaning.
#[test]
fn settings_that_most_steps_share_are_written_once() {
    let inline = r#"{"type": "shell", "inline": ["id"]}"#;
    let root = r#"{"type": "shell", "execute_command": "sudo bash {{.Path}}", "inline": ["id"]}"#;
    let done = ebs(r#""name": "web""#, &[inline, inline, inline, inline, root, inline].join(", "));
    done.says(
        "defaults:\n  run:\n    shell: sh -e\n    as: ubuntu\n    working-directory: /home/ubuntu\nimages:\n",
    )
    .says("    build:\n      - run: id\n      - run: id\n      - run: id\n      - run: id\n      - run: id\n        shell: bash\n        as: root\n");
    let shown: Vec<String> = done
        .plan(&[], &[])
        .build
        .iter()
        .map(|step| match &step.action {
            StepAction::Run(run) => format!(
                "{} {} {}",
                run.shell.as_deref().unwrap_or_default(),
                run.user.as_deref().unwrap_or_default(),
                run.working_directory.as_deref().unwrap_or_default()
            ),
            other => panic!("{other:?}"),
        })
        .collect();
    let own = "sh -e ubuntu /home/ubuntu".to_owned();
    let mut expected = vec![own; 6];
    expected[4] = "bash root /home/ubuntu".to_owned();
    assert_eq!(shown, expected);
    // Three steps are not enough.
    ebs("", &[inline, inline, inline].join(", ")).lacks("defaults:");
}

/// For `.` Packer sends the folder's contents.
#[test]
fn a_dot_is_what_is_in_the_folder() {
    let done = ebs(
        r#""name": "web""#,
        r#"{"type": "file", "source": ".", "destination": "/opt/app/"}, {"type": "file", "source": "site/.", "destination": "/opt/site"},
            {"type": "file", "source": "site", "destination": "/opt"}"#,
    );
    done.says("      - upload: ./\n        to: /opt/app/\n")
        .says("      - upload: site/\n        to: /opt/site\n")
        .says("      - upload: site\n        to: /opt\n");
}

/// Root's home is not below `/home`, whatever its name comes from.
#[test]
fn the_home_of_a_user_follows_the_variable() {
    let text = |provisioners: &str| {
        format!(
            r#"{{"variables": {{"login": "ubuntu"}},
            "builders": [{{"type": "amazon-ebs", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0",
            "instance_type": "t3.small", "ssh_username": "{{{{user `login`}}}}", "ami_name": "web {{{{timestamp}}}}"}}],
            "provisioners": [{provisioners}]}}"#
        )
    };
    let done = template(&text(
        r#"{"type": "shell", "inline": ["pwd"]}, {"type": "file", "source": "a.sh", "destination": "bin/a.sh"},
        {"type": "file", "content": "x", "destination": "/tmp/x"},
        {"type": "shell", "inline": ["pwd"], "execute_command": "sudo -i {{.Path}}"},
        {"type": "file", "source": "site", "destination": "/home/ubuntu"}"#,
    ));
    for (login, home) in [("root", "/root"), ("ubuntu", "/home/ubuntu"), ("app", "/home/app")] {
        let plan = done.plan(&[], &[("login", login)]);
        let folders: Vec<String> = plan
            .build
            .iter()
            .map(|step| match &step.action {
                StepAction::Run(run) => run.working_directory.clone().unwrap_or_default(),
                StepAction::Upload(upload) => upload.to.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        let file = format!("{home}/bin/a.sh");
        assert_eq!(folders, [home, file.as_str(), home, "/root", "/home/ubuntu"], "{login}");
    }
    // The login user's home is there: the folder goes into it.
    done.says("      - upload: site\n");
}

/// What a script is given after its path follows its variables, like in Packer.
#[test]
fn arguments_of_a_script_follow_their_variables() {
    let done = template(
        r#"{"variables": {"folder": "/srv/x", "must": null, "who": "deploy", "odd": "a b"},
        "builders": [{"type": "amazon-ebs", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0",
        "instance_type": "t3.small", "ssh_username": "ubuntu", "ami_name": "web {{timestamp}}"}],
        "provisioners": [
        {"type": "shell", "script": "a.sh",
         "execute_command": "chmod +x {{.Path}}; WHERE={{user `folder`}} {{.Path}} {{user `folder`}}/v.json --id={{user `must`}}"},
        {"type": "shell", "script": "b.sh", "execute_command": "sudo -u {{user `who`}} {{.Path}} {{user `odd`}}"},
        {"type": "shell", "inline": ["id {{user `who`}} {{user `odd`}}"]}]}"#,
    );
    let plan = done.plan(&[], &[("folder", "/opt/y"), ("must", "7")]);
    let arguments: Vec<&[String]> = plan
        .build
        .iter()
        .filter_map(|step| match &step.action {
            StepAction::Script(script) => Some(script.args.as_slice()),
            _ => None,
        })
        .collect();
    assert_eq!(arguments, [["/opt/y/v.json", "--id=7"], ["a", "b"]]);
    assert!(
        plan.build[0].env.contains(&("WHERE".to_owned(), Value::Plain("/opt/y".to_owned()))),
        "{:?}",
        plan.build[0].env
    );
    // What a manifest has no expression for is reported.
    done.reports("provisioners[1].execute_command", "evaluated with the current value of `vars.who`");
    done.reports("provisioners[1].execute_command", "evaluated with the current value of `vars.odd`");
}
