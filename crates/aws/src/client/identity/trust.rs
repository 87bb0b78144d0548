//! Trust policies that allow a workflow to assume a role.

use ami_bake_core::token::Claims;
use serde_json::{Value, json};

use super::arn::RoleArn;

/// A trust policy for these subjects of an OIDC provider (IAM: "Create a role for OpenID Connect federation"). A
/// subject that contains `*` is a pattern.
pub fn trust_policy(partition: &str, account: &str, issuer: &str, audience: &str, subjects: &[String]) -> Value {
    let provider = issuer.trim_start_matches("https://").trim_end_matches('/');
    let test = if subjects.iter().any(|subject| subject.contains('*')) { "StringLike" } else { "StringEquals" };
    let mut condition = json!({"StringEquals": {format!("{provider}:aud"): audience}});
    condition[test][format!("{provider}:sub")] = match subjects {
        [one] => json!(one),
        several => json!(several),
    };
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": format!("arn:{partition}:iam::{account}:oidc-provider/{provider}")},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": condition,
        }],
    })
}

/// The trust policy that accepts a token with these claims for this role.
pub(super) fn that_accepts(role: &RoleArn, claims: &Claims) -> Value {
    trust_policy(role.partition(), role.account(), &claims.issuer, &claims.audience, &both_forms(claims))
}

/// The subject in its form with names and in its immutable form with IDs, the default of repositories created or
/// renamed after July 2026 (GitHub: OpenID Connect reference). The form in the token comes first.
pub fn both_forms(claims: &Claims) -> Vec<String> {
    let subject = &claims.subject;
    let parts = subject.strip_prefix("repo:").and_then(|rest| rest.split_once(':'));
    // A subject customized by a template has only that form.
    let Some((repository, context)) = parts else { return vec![subject.clone()] };
    let name = |part: &str| part.split('@').next().unwrap_or(part).to_owned();
    let repository: Vec<String> = repository.split('/').map(name).collect();
    let ids = claims.owner_id.as_deref().zip(claims.repository_id.as_deref());
    let mut forms = vec![subject.clone()];
    forms.extend(subject_forms(&repository.join("/"), ids, context).into_iter().filter(|form| form != subject));
    forms
}

/// Both forms of the subject of a repository's runs; `context` is `ref:refs/heads/main`, `environment:production`,
/// `pull_request`. Without IDs the immutable form is left out: a pattern in their place would trust unknown
/// repositories.
pub fn subject_forms(repository: &str, ids: Option<(&str, &str)>, context: &str) -> Vec<String> {
    let mut forms = vec![format!("repo:{repository}:{context}")];
    if let (Some((owner_id, repository_id)), Some((owner, name))) = (ids, repository.split_once('/')) {
        forms.push(format!("repo:{owner}@{owner_id}/{name}@{repository_id}:{context}"));
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(subject: &str) -> Claims {
        Claims {
            subject: subject.to_owned(),
            audience: "sts.amazonaws.com".to_owned(),
            issuer: "https://token.actions.githubusercontent.com".to_owned(),
            owner_id: Some("65".to_owned()),
            repository_id: Some("74".to_owned()),
            ..Claims::default()
        }
    }

    #[test]
    fn either_form_of_a_subject_gives_both() {
        let forms = both_forms(&claims("repo:shop/images:environment:production"));
        let immutable = "repo:shop@65/images@74:environment:production";
        assert_eq!(forms, ["repo:shop/images:environment:production", immutable]);
        assert_eq!(both_forms(&claims(immutable)), [immutable, "repo:shop/images:environment:production"]);
        assert_eq!(both_forms(&claims("workflow:x")), ["workflow:x"]);
    }

    #[test]
    fn the_policy_names_provider_audience_and_subjects() {
        let role = RoleArn::parse("arn:aws-us-gov:iam::111111111111:role/bake").unwrap();
        let policy = that_accepts(&role, &claims("repo:shop/images:pull_request"));
        let statement = &policy["Statement"][0];
        let provider = "token.actions.githubusercontent.com";
        assert_eq!(
            statement["Principal"]["Federated"],
            format!("arn:aws-us-gov:iam::111111111111:oidc-provider/{provider}")
        );
        let equals = &statement["Condition"]["StringEquals"];
        assert_eq!(equals[format!("{provider}:aud")], "sts.amazonaws.com");
        assert_eq!(equals[format!("{provider}:sub")].as_array().unwrap().len(), 2);
        let tags = ["repo:shop/images:ref:refs/tags/*".to_owned()];
        let policy = trust_policy("aws", "1", "https://x", "a", &tags);
        assert_eq!(policy["Statement"][0]["Condition"]["StringLike"]["x:sub"], tags[0]);
    }
}
