//! Tests of the docker builder and its post-processors.

use crate::fixture::template;

#[test]
fn a_docker_image_is_tagged_and_pushed() {
    template(
        r#"{"variables": {"hub_password": "hunter2"}, "sensitive-variables": ["hub_password"],
            "builders": [{"type": "docker", "image": "ubuntu:24.04", "commit": true,
              "changes": ["LABEL a.b='c d' e=f", "ENV X=1", "EXPOSE 80 443", "USER app", "WORKDIR /srv", "ENTRYPOINT [\"/run\", \"x\"]", "CMD serve --fast", "ONBUILD RUN x"]}],
            "provisioners": [{"type": "shell", "inline": ["id"]}],
            "post-processors": [[
              {"type": "docker-tag", "repository": "example/web", "tag": ["1.0"], "tags": "latest"},
              {"type": "docker-push", "login": true, "login_username": "me", "login_password": "{{user `hub_password`}}"}]]}"#,
    )
    .says("platform: docker\nsecrets: [HUB_PASSWORD]\n")
    .says("    source:\n      docker: ubuntu:24.04\n    build:\n      - run: id\n        shell: sh -e\n")
    .says("      docker:\n        repository: example/web\n        tags: [\"1.0\", latest]\n        push: true\n        login:\n          username: me\n          password: ${{ secrets.HUB_PASSWORD }}\n")
    .says("        changes:\n          labels:\n            a.b: c d\n            e: f\n          env:\n            X: \"1\"\n          expose: [\"80\", \"443\"]\n          user: app\n          workdir: /srv\n          entrypoint: [/run, x]\n          cmd: [/bin/sh, \"-c\", serve --fast]\n")
    .lacks("hunter2")
    .reports("builders[0].changes[7]", "`ONBUILD`")
    .reports("variables.hub_password", "never copied");
}

#[test]
fn a_literal_password_becomes_a_secret() {
    template(
        r#"{"builders": [{"type": "docker", "image": "a"}], "post-processors": [{"type": "docker-tag", "repository": "r"},
            {"type": "docker-push", "login_username": "me", "login_password": "hunter2"}]}"#,
    )
    .says("secrets: [DOCKER_PASSWORD]\n")
    .lacks("hunter2")
    .reports("post-processors[1].login_password", "never copied");
}

#[test]
fn changes_without_a_repository_are_reported() {
    template(r#"{"builders": [{"type": "docker", "image": "a", "changes": ["USER x"]}]}"#)
        .lacks("publish:")
        .reports("builders[0].changes", "no `docker-tag`");
}

#[test]
fn an_image_of_each_platform_says_where_it_belongs() {
    template(
        r#"{"builders": [{"type": "docker", "image": "a"}, {"type": "amazon-ebs", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0",
            "ssh_username": "admin", "ami_name": "x {{timestamp}}"}],
            "provisioners": [{"type": "shell", "inline": ["id"], "override": {"docker": {"inline": ["whoami"]}}}]}"#,
    )
    .says("platform: aws\n")
    .says("  docker:\n    platforms: [docker]\n")
    .says("      - run: whoami\n")
    .says("  amazon-ebs:\n    platforms: [aws]\n")
    .says("      - run: id\n        shell: sh -e\n        as: admin\n        working-directory: /home/admin\n");
}

#[test]
fn other_post_processors_are_reported() {
    template(
        r#"{"builders": [{"type": "docker", "image": "a"}], "post-processors": ["vagrant", {"type": "manifest", "output": "m.json"},
            {"type": "checksum", "checksum_types": ["sha256"]}, {"type": "shell-local", "inline": ["x"]}, [{"type": "docker-save", "path": "x"}]]}"#,
    )
    .reports("post-processors[0]", "boxes are not supported")
    .reports("post-processors[1]", "bake-report.json")
    .reports("post-processors[2]", "not a file")
    .reports("post-processors[3]", "on the computer that runs ami-bake")
    .reports("post-processors[4][0]", "pushed");
}

/// Export and import give the same image as a commit; pushes of a second chain are reported.
#[test]
fn chains_end_in_one_repository() {
    template(
        r#"{"builders": [{"type": "docker", "image": "a", "export_path": "x.tar", "exec_user": "app", "privileged": false}],
            "provisioners": [{"type": "shell", "inline": ["id"], "pause_before": "5s"}],
            "post-processors": [{"type": "docker-tag", "repository": "me/web", "tag": "kept", "force": true},
                [{"type": "docker-import", "repository": "me/web", "tag": "1", "changes": ["USER app"]}, {"type": "docker-push", "keep_input_artifact": true}]]}"#,
    )
    .says("      - name: Pause for 5s\n        run: sleep 5\n        shell: sh -e\n      - run: id\n        shell: sh -e\n        as: app\n")
    .lacks("working-directory")
    .says("        repository: me/web\n        tags: [kept, \"1\"]\n        push: true\n        changes:\n          user: app\n")
    .reports("builders[0].export_path", "committed")
    .reports("post-processors[0]", "pushed too")
    .lacks("force")
    .lacks("privileged");
}

/// Every setting of the docker builder and its post-processors (packer-plugin-docker) is imported or reported with a reason.
#[test]
fn every_setting_of_docker_is_known() {
    let builder = "author changes commit container_dir device discard cap_add cap_drop exec_user export_path message privileged pty pull run_command tmpfs volumes fix_upload_owner windows_container \
        platform runtime login login_password login_server login_username ecr_login aws_access_key aws_secret_key aws_token aws_profile aws_force_use_public_ecr communicator";
    let fields = |names: &str| {
        let value = |name: &str| match name {
            "changes" => "[\"USER x\"]".to_owned(),
            "volumes" => "{\"/a\": \"/b\"}".to_owned(),
            "exec_user" => "\"1000:1000\"".to_owned(),
            "force" | "keep_input_artifact" => "false".to_owned(),
            "repository" => "\"me/web\"".to_owned(),
            _ => "\"1\"".to_owned(),
        };
        names.split_whitespace().map(|name| format!("\"{name}\": {}", value(name))).collect::<Vec<_>>().join(", ")
    };
    let post = |kind: &str, names: &str| format!(r#"{{"type": "{kind}", {}}}"#, fields(names));
    let done = template(&format!(
        r#"{{"builders": [{{"type": "docker", "image": "a", {}}}], "post-processors": [[{}, {}, {}]]}}"#,
        fields(builder),
        post("docker-import", "repository tag changes platform keep_input_artifact"),
        post("docker-tag", "repository tag tags force keep_input_artifact"),
        post(
            "docker-push",
            "login login_email login_username login_password login_server ecr_login aws_access_key aws_secret_key aws_token aws_profile aws_force_use_public_ecr keep_input_artifact platform"
        )
    ));
    assert_eq!(done.unknown(), Vec::<&str>::new());
}
