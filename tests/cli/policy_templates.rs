//! `policy --format`: the same statements as `policy` and `policy --trust`, in the templates' own languages.

use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::Body;
use serde_json::{Map, Value, json};

use crate::fixture::Fixture;

/// The role has a path, and a tag contains what Terraform would read as an interpolation.
const MANIFEST: &str = r#"format: 1
name: shop
aws:
  region: eu-central-1
  role: arn:aws:iam::111111111111:role/ci/bake
  tags: {odd: "$${x} %{y} \"q\" \\ ü"}
images:
  web:
    source: {ami: {owner: amazon, name: "al2023-ami-2023.*"}}
    build:
      - run: "true"
    publish: {regions: [eu-west-1], parameters: [/images/web]}
"#;

const TRUST: [&str; 6] =
    ["--subject", "ref:refs/heads/main", "--subject", "environment:prod", "--repository", "acme/images"];

fn json_of(fixture: &Fixture, arguments: &[&str]) -> Value {
    serde_json::from_str(&fixture.run(arguments).exits(0).stdout).unwrap()
}

/// The value of an expression of literals.
fn value(expression: &Expression) -> Value {
    match expression {
        Expression::Bool(value) => (**value).into(),
        Expression::String(text) => text.as_str().into(),
        Expression::Array(items) => items.iter().map(value).collect(),
        Expression::Object(object) => object
            .iter()
            .map(|(key, entry)| {
                let key = match key {
                    ObjectKey::Ident(name) => name.as_str().to_owned(),
                    ObjectKey::Expression(key) => value(key).as_str().unwrap().to_owned(),
                };
                (key, value(entry.expr()))
            })
            .collect::<Map<_, _>>()
            .into(),
        Expression::FuncCall(call) => {
            assert_eq!(call.name.name.as_str(), "jsonencode");
            value(call.args.iter().next().unwrap())
        }
        other => panic!("not a literal: {other:?}"),
    }
}

#[test]
fn templates_have_the_statements_of_the_policies() {
    let fixture = Fixture::with(MANIFEST);
    let policy = json_of(&fixture, &["policy"]);
    let trust = json_of(&fixture, &[["policy", "--trust"].as_slice(), &TRUST].concat());
    assert!(policy["Statement"].as_array().unwrap().len() > 5, "{policy:#}");

    let template = json_of(&fixture, &[["policy", "--format", "cloudformation"].as_slice(), &TRUST].concat());
    let (provider, role) =
        (&template["Resources"]["Provider"]["Properties"], &template["Resources"]["Role"]["Properties"]);
    assert_eq!(provider["Url"], "https://token.actions.githubusercontent.com");
    assert_eq!(provider["ClientIdList"], json!(["sts.amazonaws.com"]));
    assert_eq!((&role["Path"], &role["RoleName"]), (&"/ci/".into(), &"bake".into()));
    assert_eq!((&role["AssumeRolePolicyDocument"], &role["Policies"][0]["PolicyDocument"]), (&trust, &policy));

    let text = fixture.run(&[["policy", "--format", "terraform"].as_slice(), &TRUST].concat()).exits(0).stdout;
    let body: Body = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    let argument = |kind: &str, name: &str| {
        let is_kind = |label: &hcl_edit::structure::BlockLabel| label.as_str() == kind;
        let block = body.blocks().find(|block| block.labels.iter().any(is_kind)).unwrap();
        value(&block.body.get_attribute(name).unwrap().value)
    };
    assert_eq!(argument("aws_iam_openid_connect_provider", "url"), provider["Url"]);
    assert_eq!(argument("aws_iam_openid_connect_provider", "client_id_list"), provider["ClientIdList"]);
    assert_eq!((argument("aws_iam_role", "path"), argument("aws_iam_role", "name")), ("/ci/".into(), "bake".into()));
    assert_eq!(argument("aws_iam_role", "assume_role_policy"), trust);
    assert_eq!(argument("aws_iam_role_policy", "policy"), policy);
}

/// A template is the bake role, whose account and name it needs.
#[test]
fn a_template_needs_the_role() {
    let fixture = Fixture::with(&MANIFEST.replace("  role: arn:aws:iam::111111111111:role/ci/bake\n", ""));
    let outcome = fixture.run(&["policy", "--format", "terraform", "--repository", "acme/images"]).exits(2);
    assert!(outcome.stderr.contains("no role given") && outcome.stderr.contains("--role"), "{}", outcome.stderr);
    assert!(outcome.stdout.is_empty());
    for wrong in
        [["--format", "terraform", "--trust"].as_slice(), &["--format", "terraform", "--for", "x"], &["--ids", "1/2"]]
    {
        fixture.run(&[&["policy"], wrong].concat()).exits(2);
    }
}
