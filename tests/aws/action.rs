//! The action on AWS: credentials from the workflow's own token, for as long as a bake lasts, and clean-up after a
//! killed step.

use std::path::Path;

use ami_bake_testkit::action::{Ended, Job};
use ami_bake_testkit::cloud::Cloud;
use ami_bake_testkit::http::{HttpAnswer, Server};
use ami_bake_testkit::test_dir::signal;
use ami_bake_testkit::{oidc, wait};
use serde_json::Value;

use crate::fixture::{WEB, binary};

const ROLE: &str = "arn:aws:iam::222222222222:role/bake";

/// A job on this cloud whose only credentials are the workflow's token.
fn job(cloud: &Cloud, issuer: &Server, sts: &Server, manifest: &str) -> Job {
    let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    let mut job = Job::new().variable("AWS_ENDPOINT_URL_STS", &sts.address());
    for (name, value) in cloud.env().into_iter().filter(|(name, _)| !keys.contains(name)) {
        job = job.variable(name, &value);
    }
    for (name, value) in oidc::variables(issuer) {
        job = job.variable(name, &value);
    }
    job.write("bake.yml", manifest);
    job
}

/// A job with access keys in its environment.
pub(crate) fn job_with_keys(cloud: &Cloud, manifest: &str) -> Job {
    let job = cloud.env().into_iter().fold(Job::new(), |job, (name, value)| job.variable(name, &value));
    job.write("bake.yml", manifest);
    job
}

fn is_empty(cloud: &Cloud) {
    is_empty_but_for(cloud, 0);
}

/// Waits until only this many images are left, with a snapshot each.
pub(crate) fn is_empty_but_for(cloud: &Cloud, images: usize) {
    wait::until_ok(|| {
        let leaks = cloud.leaks();
        let mut kinds = leaks.as_object().unwrap().values().flat_map(|kinds| kinds.as_object().unwrap());
        let gone = |entry: &Value| entry["state"] == "terminated";
        let nothing = kinds.all(|(kind, entries)| {
            let entries = entries.as_array().unwrap();
            kind == "instances" && entries.iter().all(gone)
                || ["images", "snapshots"].contains(&kind.as_str()) && entries.len() <= images
        });
        if nothing { Ok(()) } else { Err(format!("{leaks:#}")) }
    });
}

#[test]
fn a_bake_outlives_its_credentials() {
    let cloud = Cloud::start(Path::new(binary()));
    let issuer = oidc::issuer(vec![HttpAnswer::text(403, oidc::PENDING)]);
    // Answers of STS before it grants a session; each token is a new one.
    let before = vec![
        oidc::refusal(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ),
        oidc::refusal("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider"),
    ];
    // Each session has expired when it is returned, so every call needs another.
    let sts = oidc::short_sts(cloud.port(), 0, before);
    let manifest = format!("{WEB}    build:\n      - run: echo hello > /opt/hello\n");
    let job = job(&cloud, &issuer, &sts, &manifest);
    let main = job.main(binary(), &[("role", ROLE), ("role-duration", "7200")]).exits(0);

    assert!(main.output("ami-id").starts_with("ami-"), "{:?}", main.outputs);
    let amis: Value = serde_json::from_str(main.output("amis")).unwrap();
    assert_eq!(amis["web"]["us-east-1"], main.output("ami-id"));
    assert!(main.output("source-ami").starts_with("ami-"));
    // Everything was done with the role, whose session was assumed again and again, each time with another token.
    let calls = cloud.calls();
    assert!(calls.iter().filter(|call| call["service"] == "ec2").all(|call| call["account"] == "222222222222"));
    // The account was looked up once, for the ledger.
    let assumed: Vec<String> = sts.requests().into_iter().filter(|request| request.contains("Action=Assume")).collect();
    assert!(assumed.len() > 10, "{} sessions", assumed.len());
    let field = |request: &str, name: &str| {
        let body = request.split("\r\n\r\n").nth(1).unwrap().to_owned();
        body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(str::to_owned)).unwrap()
    };
    let mut tokens: Vec<String> = assumed.iter().map(|request| field(request, "WebIdentityToken")).collect();
    assert_eq!(
        (field(&assumed[0], "RoleSessionName"), field(&assumed[0], "DurationSeconds")),
        ("ami-bake-4711-shop-images".into(), "7200".into())
    );
    assert_eq!(field(&assumed[1], "DurationSeconds"), "3600");
    assert!(main.annotations("warning")[0].contains("does not allow sessions of 2h"));
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), assumed.len());
    // The runner knew each secret before anything could print it.
    let masks = main.step.masks();
    assert!(tokens.iter().all(|token| masks.contains(&token.as_str())) && masks.contains(&"the-request-token"));
    assert!(!tokens.iter().any(|token| main.step.text().contains(token)));
}

#[test]
fn a_role_that_does_not_trust_the_token_is_reported_with_the_policy_that_would() {
    let cloud = Cloud::start(Path::new(binary()));
    let issuer = oidc::issuer(vec![]);
    let refused = |sts: &Server, inputs: &[(&str, &str)]| -> Ended {
        job(&cloud, &issuer, sts, &format!("{WEB}    build: [{{run: 'true'}}]\n")).main(binary(), inputs).exits(4)
    };
    let sts = oidc::refusing_sts("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
    let main = refused(&sts, &[("role", ROLE)]);
    let text = main.step.text();
    assert!(
        text.contains(&format!("sub  {}", oidc::SUBJECT))
            && text.contains("\"repo:shop@65/images@74:ref:refs/heads/main\""),
        "{text}"
    );
    assert!(text.contains("arn:aws:iam::222222222222:oidc-provider/token.actions.githubusercontent.com"));
    assert!(main.annotations("error")[0].contains("its trust policy does not accept the token"));
    assert_eq!(sts.requests().len(), 3, "three tries and no more");

    let sts =
        oidc::refusing_sts("InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://x");
    assert!(
        refused(&sts, &[("role", ROLE)])
            .step
            .text()
            .contains("aws iam create-open-id-connect-provider --url https://token")
    );
    let sts = oidc::refusing_sts("RegionDisabledException", "STS is not activated in this region");
    assert!(refused(&sts, &[("role", ROLE)]).step.text().contains("disabled in us-east-1"));
    let china = "arn:aws-cn:iam::222222222222:role/bake";
    assert!(refused(&sts, &[("role", china)]).step.text().contains("is in the partition aws-cn"));
    assert!(cloud.calls().iter().all(|call| call["service"] != "ec2"), "nobody is nobody");
    // Without the permission to request a token, the error has the block to add.
    let unset = job(&cloud, &issuer, &sts, WEB).variable("ACTIONS_ID_TOKEN_REQUEST_URL", "");
    let main = unset.main(binary(), &[("role", ROLE)]).exits(4);
    assert!(main.step.text().contains("id-token: write        # to assume the role"), "{}", main.step.text());
}

/// What an environment adds, and a launch template that the image is deployed to.
const PRODUCTION: &str = "    deploy: [{launch-template: web, set-default: true}]
environments:
  production:
    images:
      web:
        publish: {regions: [eu-west-1], parameters: [/production/web]}
";

/// Each command that action.yml offers, on a cloud; tests/cli has those that need none.
#[test]
fn each_command_runs_through_the_action_on_the_cloud() {
    let cloud = Cloud::start(Path::new(binary()));
    let web =
        format!("{WEB}    build: [{{run: echo hello > /opt/hello}}]\n    test: [{{expect: {{file: /opt/hello}}}}]\n");
    let job = job_with_keys(&cloud, &web);
    let run = |command: &str, inputs: &[(&str, &str)]| job.main(binary(), &[&[("command", command)], inputs].concat());
    let calls = |action: &str| cloud.calls_of(action).len();

    let policy = run("policy", &[("role", ROLE)]).exits(0);
    assert!(policy.step.text().contains("ec2:RunInstances"), "{}", policy.step.text());
    assert!(run("plan", &[]).exits(0).summary.contains("nothing is published yet"));
    let baked = run("bake", &[("version", "1.0.0")]).exits(0);
    let image = baked.output("ami-id").to_owned();
    assert!(run("test", &[("image-id", &image)]).exits(0).summary.contains("tested"));
    assert!(run("images", &[]).exits(0).step.text().contains(&image));
    assert_eq!(run("matrix", &[]).exits(0).output("changed"), "false");

    // What was baked is published and deployed by later steps, as the manifest says then.
    job.write("bake.yml", &format!("{web}    publish: {{regions: [ap-southeast-2]}}\n{PRODUCTION}"));
    let regions = |ended: &Ended| -> Vec<String> {
        let amis: Value = serde_json::from_str(ended.output("amis")).unwrap();
        amis["web"].as_object().unwrap().keys().cloned().collect()
    };
    let published = run("publish", &[("report", "bake-report.json")]).exits(0);
    assert_eq!(regions(&published), ["ap-southeast-2", "us-east-1"]);
    assert_eq!(published.output("report"), "bake-report.json");
    assert!(published.summary.contains("ap-southeast-2"), "{}", published.summary);
    cloud.ec2(
        "Action=CreateLaunchTemplate&LaunchTemplateName=web&LaunchTemplateData.ImageId=ami-0123456789abcdef0&LaunchTemplateData.InstanceType=t3.small",
    );
    let deployed = run("deploy", &[("report", "bake-report.json")]).exits(0);
    let templates: Value = serde_json::from_str(deployed.output("launch-templates")).unwrap();
    assert_eq!((&templates["web"]["outcome"], calls("CreateLaunchTemplateVersion")), (&"deployed".into(), 1));
    let report = run("report", &[("report", "bake-report.json")]).exits(0);
    let has = |text: &str| report.summary.contains(text);
    assert!(has("ap-southeast-2") && has("### Deployments") && has("1&nbsp;→&nbsp;2"), "{}", report.summary);

    // By version, in an environment: the template has the image already.
    let promoted = run("promote", &[("version", "1.0.0"), ("environment", "production")]).exits(0);
    assert_eq!(regions(&promoted), ["eu-west-1", "us-east-1"]);
    assert_eq!((calls("PutParameter"), calls("CreateLaunchTemplateVersion")), (2, 1));
    assert_eq!(promoted.output("report"), "bake-report.json");
    // The candidate of the bake, and nothing else.
    assert_eq!((calls("DeregisterImage"), calls("RunInstances")), (1, 3));
    assert!(run("sweep", &[("yes", "true")]).exits(0).annotations("warning").is_empty());
    assert_eq!((calls("DeregisterImage"), calls("RunInstances")), (1, 3));
    // Each of them is asked for something that is not there.
    for (command, inputs) in [
        ("publish", &[("version", "9.9.9")][..]),
        ("deploy", &[("version", "9.9.9")]),
        ("promote", &[("version", "9.9.9"), ("environment", "production")]),
        ("test", &[("image-id", "ami-00000000000000000")]),
    ] {
        let ended = run(command, inputs).exits(4);
        assert!(ended.annotations("error")[0].contains("not found"), "{command}: {:?}", ended.annotations("error"));
    }
}

#[test]
fn post_assumes_the_role_again_and_cleans_up_after_a_killed_step() {
    let cloud = Cloud::start(Path::new(binary()));
    let issuer = oidc::issuer(vec![]);
    let sts = oidc::short_sts(cloud.port(), 3600, vec![]);
    let job = job(&cloud, &issuer, &sts, &format!("{WEB}    build:\n      - run: sleep 3600\n"));
    // A second role is assumed with the first.
    let roles = format!("arn:aws:iam::111111111111:role/ci, {ROLE}");
    let inputs = [("role", roles.as_str())];
    let running = job.start(binary(), &inputs);
    let is_running = || cloud.instances().iter().any(|instance| instance["state"] == "running");
    wait::until_true("no machine runs", is_running);
    signal(&running.child, "KILL");
    let main = running.end();
    let before = sts.requests().len();
    let post = job.post(binary(), &inputs, &main).exits(0);
    assert!(
        post.step.text().contains("Cleaning up ") && post.annotations("warning").is_empty(),
        "{}",
        post.step.text()
    );
    let hops: Vec<String> = sts.requests()[before..]
        .iter()
        .filter_map(|request| Some(request.split("Action=").nth(1)?.split('&').next()?.to_owned()))
        .collect();
    assert_eq!(hops, ["AssumeRoleWithWebIdentity", "AssumeRole", "GetCallerIdentity"]);
    is_empty(&cloud);
}
