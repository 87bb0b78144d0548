//! The policy that `ami-bake policy` prints covers every call that the manifest's bake makes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::publish::web;

/// The actions that a policy allows, and those of them that it allows for anything at all.
fn allowed(policy: &Value) -> BTreeSet<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let statements = policy["Statement"].as_array().unwrap();
    statements.iter().flat_map(|one| list(&one["Action"])).map(|action| action.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_bake_makes_no_call_that_its_policy_does_not_allow() {
    let fixture = web("{regions: [eu-west-1], parameters: [/images/web/latest], deprecate-after: 90d, protect: true, \
         share: {accounts: [\"333333333333\"]}, keep: {last: 2}}");
    let policy: Value = serde_json::from_str(&fixture.run(&["policy"]).exits(0).stdout).unwrap();
    assert!(fixture.cloud.calls().is_empty(), "it is made without a cloud");
    fixture.bake().exits(0);
    let allowed = allowed(&policy);
    for call in fixture.cloud.calls() {
        let action = format!("{}:{}", call["service"].as_str().unwrap(), call["action"].as_str().unwrap());
        assert!(allowed.contains(&action), "{action} is not in {policy:#}");
    }
    for one in ["iam:PassRole", "ec2:ModifyLaunchTemplate", "ec2:StartInstances", "kms:CreateGrant"] {
        assert!(!allowed.contains(one), "{one} is not needed");
    }
}
