//! Calls of the account's owner, as other tools make them.

use serde_json::{Value, json};

use crate::fixture::Fixture;

/// The bake's own account.
const ACCOUNT: &str = "123456789012";

/// Makes a call in the bake's own account; returns the answer's body.
fn owner(fixture: &Fixture, service: &str, region: &str, head: &str, body: &str) -> String {
    owner_of(fixture, ACCOUNT, service, region, head, body)
}

/// Makes a call in any account; returns the answer's body.
fn owner_of(fixture: &Fixture, account: &str, service: &str, region: &str, head: &str, body: &str) -> String {
    fixture.cloud.owner(account, service, region, head, body)
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// EC2's answer to a query.
pub(crate) fn ec2(fixture: &Fixture, region: &str, query: &str) -> String {
    owner(fixture, "ec2", region, FORM, &format!("Version=2016-11-15&{query}"))
}

/// EC2's answer to a query in another account.
pub(crate) fn ec2_of(fixture: &Fixture, account: &str, region: &str, query: &str) -> String {
    owner_of(fixture, account, "ec2", region, FORM, &format!("Version=2016-11-15&{query}"))
}

/// Auto Scaling's answer to a query.
pub(crate) fn autoscaling(fixture: &Fixture, region: &str, query: &str) -> String {
    owner(fixture, "autoscaling", region, FORM, &format!("Version=2011-01-01&{query}"))
}

/// A parameter of an account.
pub(crate) fn parameter_of(fixture: &Fixture, account: &str, region: &str, name: &str) -> Value {
    let head = "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: AmazonSSM.GetParameter";
    let body = json!({"Name": name}).to_string();
    let answer: Value = serde_json::from_str(&owner_of(fixture, account, "ssm", region, head, &body)).unwrap();
    answer["Parameter"].clone()
}

/// A parameter of the bake's own account.
pub(crate) fn parameter(fixture: &Fixture, region: &str, name: &str) -> Value {
    parameter_of(fixture, ACCOUNT, region, name)
}

/// Names and values of all parameters of a region.
pub(crate) fn parameters(fixture: &Fixture, region: &str) -> Vec<(String, String)> {
    let head = "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: AmazonSSM.GetParametersByPath";
    let body = json!({"Path": "/images", "Recursive": true}).to_string();
    let answer: Value = serde_json::from_str(&owner(fixture, "ssm", region, head, &body)).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = answer["Parameters"].as_array().into_iter().flatten();
    found.map(|parameter| (text(&parameter["Name"]), text(&parameter["Value"]))).collect()
}

/// The content of an element in an answer.
pub(crate) fn element(answer: &str, name: &str) -> String {
    let (_, rest) = answer.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {answer}"));
    rest.split('<').next().unwrap().to_owned()
}
