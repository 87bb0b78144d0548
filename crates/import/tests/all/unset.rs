//! Unset values: in Packer they are empty texts, never errors.

use ami_bake_core::plan::{SecretPart, StepAction, Value};

use crate::fixture::{TestImport, ebs, template};
use crate::hcl;

fn env(done: &TestImport, environment: &[(&str, &str)], name: &str) -> Value {
    let plan = done.plan(environment, &[]);
    plan.build[0].env.iter().find(|(own, _)| own == name).unwrap().1.clone()
}

fn plain(text: &str) -> Value {
    Value::Plain(text.to_owned())
}

/// `{{env}}` as a variable's value, as a part of one, in a function, and without a variable.
#[test]
fn an_environment_variable_that_is_not_set_is_empty() {
    let done = template(
        r#"{"variables": {"proxy": "{{env `MY_PROXY`}}", "url": "http://{{env `MY_PROXY`}}/x", "low": "{{env `MY_PROXY` | lower}}", "net": "{{env `MY_NET`}}"},
            "builders": [{"type": "amazon-ebs", "name": "web", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0", "instance_type": "t3.small",
                "ssh_username": "ubuntu", "ami_name": "web {{timestamp}}", "subnet_id": "{{user `net`}}"}],
            "provisioners": [{"type": "shell", "environment_vars": ["PROXY={{user `proxy`}}", "URL={{user `url`}}", "LOW={{user `low`}}", "OWN={{env `MY_PROXY`}}"],
                "inline": ["echo $PROXY {{user `proxy`}}"]}]}"#,
    );
    for (name, unset, set) in
        [("PROXY", "", "Squid"), ("URL", "http:///x", "http://Squid/x"), ("LOW", "", "squid"), ("OWN", "", "Squid")]
    {
        assert_eq!(env(&done, &[], name), plain(unset), "{name}");
        assert_eq!(env(&done, &[("MY_PROXY", "Squid")], name), plain(set), "{name}");
    }
    assert_eq!(done.plan(&[], &[]).machine.subnets, [""; 0]);
    assert_eq!(env(&done, &[], "proxy"), plain(""));
}

#[test]
fn in_hcl_too() {
    let more = "variable \"proxy\" {\n default = env(\"MY_PROXY\")\n}\n";
    let step = "provisioner \"shell\" {\n environment_vars = [\"PROXY=${var.proxy}\"]\n inline = [\"id\"]\n}";
    let done = hcl::template(&hcl::whole("", step, more));
    assert_eq!(env(&done, &[], "PROXY"), plain(""));
    assert_eq!(env(&done, &[("MY_PROXY", "x")], "PROXY"), plain("x"));
}

/// A sensitive variable with an empty default, or one from the environment, may stay unset; others must be set.
#[test]
fn optional_secrets_stay_optional() {
    let done = template(
        r#"{"variables": {"token": "", "api_key": "{{env `API_KEY`}}", "password": null, "secret": "hunter2"}, "sensitive-variables": ["token"],
            "builders": [{"type": "amazon-ebs", "name": "web", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0", "instance_type": "t3.small",
                "ssh_username": "ubuntu", "ami_name": "web {{timestamp}}"}],
            "provisioners": [{"type": "shell", "environment_vars": ["A={{user `token`}}", "B={{user `api_key`}}", "C={{user `password`}}", "D={{user `secret`}}"],
                "inline": ["id"]}]}"#,
    );
    assert_eq!(done.required_secrets(), ["PASSWORD", "SECRET"]);
    assert_eq!(env(&done, &[], "A"), Value::Secret(vec![SecretPart::Name("TOKEN".to_owned())]));
    let more =
        "variable \"token\" {\n sensitive = true\n default = \"\"\n}\nvariable \"pass\" {\n sensitive = true\n}\n";
    let step =
        "provisioner \"shell\" {\n environment_vars = [\"A=${var.token}\", \"B=${var.pass}\"]\n inline = [\"id\"]\n}";
    assert_eq!(hcl::template(&hcl::whole("", step, more)).required_secrets(), ["PASS"]);
}

/// Fields that a variable may leave empty are unset, and use the variable's value when it is set.
#[test]
fn empty_defaults_and_lists_in_a_text_keep_their_variable() {
    let done = template(
        r#"{"variables": {"regions": null, "users": "", "cidrs": null, "profile": "", "groups": "sg-0123456789abcdef0"},
            "builders": [{"type": "amazon-ebs", "name": "web", "region": "us-east-1", "source_ami": "ami-0123456789abcdef0", "instance_type": "t3.micro",
                "ssh_username": "ubuntu", "ami_name": "list-{{timestamp}}", "ami_regions": "{{user `regions`}}", "ami_users": "{{user `users`}}",
                "temporary_security_group_source_cidrs": "{{user `cidrs`}}", "iam_instance_profile": "{{user `profile`}}",
                "security_group_ids": "{{user `groups`}}"}]}"#,
    );
    let plan = done.plan(&[], &[("regions", "eu-west-1,eu-west-2"), ("cidrs", "")]);
    let regions: Vec<&str> = plan.settings.distribution.regions.iter().map(|region| region.region.as_str()).collect();
    assert_eq!(regions, ["eu-west-1", "eu-west-2"]);
    assert!(
        plan.machine.profile.is_none()
            && plan.machine.ingress.is_empty()
            && plan.settings.distribution.share.accounts.is_empty()
    );
    assert_eq!(plan.machine.security_groups, ["sg-0123456789abcdef0"]);
    let sets = [
        ("regions", ""),
        ("cidrs", "10.0.0.0/8,192.0.2.1/32"),
        ("users", "111122223333,444455556666"),
        ("profile", "p"),
        ("groups", "sg-0a,sg-0b"),
    ];
    let plan = done.plan(&[], &sets);
    assert!(plan.settings.distribution.regions.is_empty());
    assert_eq!(plan.machine.ingress, ["10.0.0.0/8", "192.0.2.1/32"]);
    assert_eq!(plan.settings.distribution.share.accounts, ["111122223333", "444455556666"]);
    assert_eq!(plan.machine.profile.as_deref(), Some("p"));
    assert_eq!(plan.machine.security_groups, ["sg-0a", "sg-0b"]);
}

/// Values that begin with `#` or span lines are data where no shell reads them.
#[test]
fn user_data_of_a_variable_is_any_text() {
    let done = template(
        r##"{"variables": {"ud": "#cloud-config\nrepo_upgrade: none"},
            "builders": [{"type": "amazon-ebs", "name": "web", "region": "us-east-1", "source_ami": "ami-0123456789abcdef0", "instance_type": "t3.micro",
                "ssh_username": "ubuntu", "ami_name": "ud-{{timestamp}}", "user_data": "{{user `ud`}}"}]}"##,
    );
    assert_eq!(done.plan(&[], &[]).machine.user_data.as_deref(), Some("#cloud-config\nrepo_upgrade: none"));
    let script = "#!/bin/sh\necho a > /b";
    assert_eq!(done.plan(&[], &[("ud", script)]).machine.user_data.as_deref(), Some(script));
}

#[test]
fn what_looks_like_an_expression_is_text() {
    let step =
        r#"{"type": "shell", "inline": ["echo '${{`{{`}} github.sha }}'"], "environment_vars": ["A=${{`{{`}} x }}"]}"#;
    let plan = ebs(r#""name": "web", "tags": {"t": "${{`{{`}} y }}"}"#, step).plan(&[], &[]);
    let StepAction::Run(run) = &plan.build[0].action else { panic!("{:?}", plan.build[0]) };
    assert_eq!(run.script, "echo '${{ github.sha }}'");
    assert_eq!(plan.build[0].env, [("A".to_owned(), plain("${{ x }}"))]);
    assert_eq!(plan.settings.tags.get("t").map(String::as_str), Some("${{ y }}"));
}
