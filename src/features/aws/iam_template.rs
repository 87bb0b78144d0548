//! The bake role as infrastructure code: OIDC provider, role and policy for CloudFormation and for Terraform.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// Name of the role's inline policy.
const POLICY: &str = "ami-bake";

/// What a template creates.
pub(super) struct BakeRole<'a> {
    /// Path of the role: `/`, or `/x/`.
    pub(super) path: &'a str,
    /// Name of the role.
    pub(super) name: &'a str,
    /// Issuer of the OIDC tokens.
    pub(super) issuer: &'a str,
    /// Audience of the OIDC tokens.
    pub(super) audience: &'a str,
    /// The trust policy.
    pub(super) trust: &'a Value,
    /// The policy.
    pub(super) policy: &'a Value,
}

impl<'a> BakeRole<'a> {
    /// Path and name of a role, from its ARN.
    pub(super) fn path_and_name(role: &'a str) -> (&'a str, &'a str) {
        let resource = role.split_once(":role").map_or(role, |(_, resource)| resource);
        resource.rfind('/').map_or(("/", resource), |at| resource.split_at(at + 1))
    }

    /// A CloudFormation template.
    pub(super) fn cloudformation(&self) -> Value {
        json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": "The role that ami-bake bakes with, for GitHub workflows",
            "Parameters": {
                "CreateProvider": {
                    "Type": "String",
                    "AllowedValues": ["true", "false"],
                    "Default": "true",
                    "Description": format!("An account has one OIDC provider for {}: false uses the existing one", self.issuer),
                },
            },
            "Conditions": {"CreateProvider": {"Fn::Equals": [{"Ref": "CreateProvider"}, "true"]}},
            "Resources": {
                "Provider": {
                    "Type": "AWS::IAM::OIDCProvider",
                    "Condition": "CreateProvider",
                    "Properties": {"Url": self.issuer, "ClientIdList": [self.audience]},
                },
                "Role": {
                    "Type": "AWS::IAM::Role",
                    "Properties": {
                        "Path": self.path,
                        "RoleName": self.name,
                        "AssumeRolePolicyDocument": self.trust,
                        "Policies": [{"PolicyName": POLICY, "PolicyDocument": self.policy}],
                    },
                },
            },
            "Outputs": {"RoleArn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}},
        })
    }

    /// A Terraform configuration.
    pub(super) fn terraform(&self) -> String {
        let mut text = String::new();
        let mut block = |head: &str, arguments: &[(&str, String)]| {
            let width = arguments.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            let lines = arguments.iter().map(|(name, value)| format!("  {name:<width$} = {value}\n"));
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = write!(text, "{gap}{head} {{\n{}}}\n", lines.collect::<String>());
        };
        let one = format!("An account has one OIDC provider for {}: false uses the existing one", self.issuer);
        block(
            "variable \"create_provider\"",
            &[("type", "bool".to_owned()), ("default", "true".to_owned()), ("description", string(&one))],
        );
        block(
            "resource \"aws_iam_openid_connect_provider\" \"github\"",
            &[
                ("count", "var.create_provider ? 1 : 0".to_owned()),
                ("url", string(self.issuer)),
                ("client_id_list", format!("[{}]", string(self.audience))),
            ],
        );
        block(
            "resource \"aws_iam_role\" \"ami_bake\"",
            &[
                ("name", string(self.name)),
                ("path", string(self.path)),
                ("assume_role_policy", format!("jsonencode({})", expression(self.trust, 2))),
            ],
        );
        block(
            "resource \"aws_iam_role_policy\" \"ami_bake\"",
            &[
                ("name", string(POLICY)),
                ("role", "aws_iam_role.ami_bake.id".to_owned()),
                ("policy", format!("jsonencode({})", expression(self.policy, 2))),
            ],
        );
        block("output \"role_arn\"", &[("value", "aws_iam_role.ami_bake.arn".to_owned())]);
        text
    }
}

/// A JSON value as an HCL expression. Maps and lists of maps get a line for each entry, indented by `indent` + 2 spaces.
fn expression(value: &Value, indent: usize) -> String {
    let inner = " ".repeat(indent + 2);
    let outer = " ".repeat(indent);
    match value {
        Value::String(text) => string(text),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) && items.len() < 3 => {
            format!("[{}]", items.iter().map(|item| expression(item, 0)).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            let lines = items.iter().map(|item| format!("{inner}{},\n", expression(item, indent + 2)));
            format!("[\n{}{outer}]", lines.collect::<String>())
        }
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let lines =
                map.iter().map(|(key, value)| format!("{inner}{} = {}\n", name(key), expression(value, indent + 2)));
            format!("{{\n{}{outer}}}", lines.collect::<String>())
        }
        other => other.to_string(),
    }
}

/// A key of an object: an identifier, or quoted.
fn name(key: &str) -> String {
    if key.chars().all(|c| c.is_ascii_alphabetic()) { key.to_owned() } else { string(key) }
}

/// A string literal of HCL (HCL native syntax specification, "Template Expressions").
fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.replace("${", "$${").replace("%{", "%%{").chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
