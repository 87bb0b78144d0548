//! The command `ami-bake policy`.

use ami_bake_aws::{Outline, PolicyScope, RoleArn, policy, policy_of_target, subject_forms, targets, trust_policy};
use ami_bake_component::grants;
use ami_bake_core::{Error, Result};
use ami_bake_manifest::Manifest;
use semver::Version;
use serde_json::Value;

use super::iam_template::BakeRole;
use crate::args::TargetArgs;
use crate::facts::Facts;
use crate::host::Host;
use crate::program::Program;
use crate::session::{Purpose, load};

/// The OIDC provider of github.com; GitHub Enterprise Server has its own (GitHub: OpenID Connect reference).
const GITHUB: &str = "https://token.actions.githubusercontent.com";
/// Two versions without a common part: text that differs between their plans depends on the version.
const VERSIONS: [Version; 2] = [Version::new(11, 22, 33), Version::new(44, 55, 66)];

/// Print the least-privilege IAM policy for this manifest, or the role's trust policy
///
/// A bake tags resources when it creates them, and the policy allows it to change or delete only tagged resources. The
/// trust policy allows the workflows of a repository to assume the role with their OIDC token. With --format, a template
/// creates all of it: OIDC provider, role and policy.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("trusting").args(["trust", "format"]))]
#[command(after_help = "\
Examples:
  ami-bake policy > policy.json
  aws iam put-role-policy --role-name bake --policy-name ami-bake --policy-document file://policy.json
  ami-bake policy --trust --subject ref:refs/heads/main --subject environment:production
  ami-bake policy --format cloudformation --role arn:aws:iam::111111111111:role/bake > bake-role.json
  ami-bake policy --format terraform --role arn:aws:iam::111111111111:role/bake > bake-role.tf
  ami-bake policy --for arn:aws:iam::222222222222:role/publish     for a role that the manifest names")]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,

    /// Print the policy of this role, which the manifest publishes or deploys with
    #[arg(long = "for", value_name = "ARN", conflicts_with = "trusting")]
    for_role: Option<String>,

    /// Print the role's trust policy instead
    #[arg(long)]
    trust: bool,

    /// Print a template that creates the OIDC provider, the role and its policy
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,

    /// Which workflow runs to trust: ref:refs/heads/main, environment:production, pull_request, …; may be repeated
    ///
    /// Default: the branch or tag of this workflow run, else the branch main.
    #[arg(long, value_name = "CONTEXT", requires = "trusting")]
    subject: Vec<String>,

    /// Repository to trust. Default: the workflow's, else that of the git remote
    #[arg(long, value_name = "OWNER/NAME", requires = "trusting")]
    repository: Option<String>,

    /// IDs of the owner and the repository, which are part of the subject for repositories created after July 2026
    ///
    /// Default: from the workflow, in a workflow of the repository. Otherwise look them up with
    /// `gh api repos/OWNER/NAME --jq '.owner.id, .id'`.
    #[arg(long, value_name = "OWNER/NAME", requires = "trusting")]
    ids: Option<String>,

    /// Issuer of the OIDC tokens
    #[arg(long, value_name = "URL", default_value = GITHUB, requires = "trusting")]
    issuer: String,
}

/// The language of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// AWS CloudFormation, as JSON; needs CAPABILITY_NAMED_IAM
    Cloudformation,
    /// Terraform or OpenTofu, with the provider hashicorp/aws
    Terraform,
}

pub(in crate::features) fn run(args: &Args, program: &Program) -> Result<u8> {
    let host = program.host.as_ref();
    let TargetArgs { manifest, platform } = &args.target;
    let loaded = load(program, manifest, platform.region.as_deref(), Purpose::Check)?;
    loaded.show(host);
    let Some(manifest) = loaded.manifest() else { return Ok(loaded.exit_code()) };
    let platform = platform.clone().resolve(Some(manifest));
    let role = platform.identity.role.last().map(String::as_str);
    let region = platform.region.as_deref().unwrap_or("*");
    let audience = platform.identity.audience.clone();
    let trust = || trust(args, role, audience.clone(), loaded.facts(), host);
    let policy = || permissions(manifest, args.for_role.as_deref(), role, region, host);
    let Some(format) = args.format else {
        host.json(&if args.trust { trust()? } else { policy()? }, false);
        return Ok(0);
    };
    let (trust, policy) = (trust()?, policy()?);
    let arn = RoleArn::parse(role.unwrap_or_default())?;
    let (path, name) = BakeRole::path_and_name(arn.as_str());
    let audience = audience.unwrap_or_else(|| arn.audience().to_owned());
    let role = BakeRole { path, name, issuer: &args.issuer, audience: &audience, trust: &trust, policy: &policy };
    match format {
        Format::Cloudformation => host.json(&role.cloudformation(), false),
        Format::Terraform => host.data(&role.terraform()),
    }
    Ok(0)
}

fn permissions(
    manifest: &Manifest,
    of: Option<&str>,
    role: Option<&str>,
    region: &str,
    host: &dyn Host,
) -> Result<Value> {
    let [one, other] = VERSIONS.map(|version| manifest.outlines(&version));
    let outlines: Vec<Outline> =
        one.into_iter().zip(other).map(|((source, plan), (_, other))| Outline { source, plan, other }).collect();
    let roles = targets(&outlines);
    if let Some(of) = of {
        return policy_of_target(&outlines, of, &PolicyScope::of(Some(of), region)).ok_or_else(|| {
            let known = if roles.is_empty() {
                "It names no roles.".to_owned()
            } else {
                format!("Use one of {}.", roles.join(", "))
            };
            Error::usage(format!("the manifest does not publish or deploy with role {of}")).help(known)
        });
    }
    if role.is_none() {
        host.say("No role is given, so the policy contains `*` for the account. Use --role, or set `aws: {role: …}` in the manifest.\n");
    }
    for role in roles {
        host.say(&format!("{role} needs a separate policy: ami-bake policy --for {role}\n"));
    }
    let plans = outlines.iter().map(|outline| &outline.plan);
    let grants = grants(plans.flat_map(|plan| plan.build.iter().chain(&plan.validate).chain(&plan.test)));
    Ok(policy(&outlines, &grants, &PolicyScope::of(role, region)))
}

fn trust(args: &Args, role: Option<&str>, audience: Option<String>, facts: &Facts, host: &dyn Host) -> Result<Value> {
    let role = role.ok_or_else(|| {
        Error::usage("no role given: the trust policy needs its account")
            .help("Use --role with the ARN that the role has or will have, or set `aws: {role: …}` in the manifest.")
    })?;
    let role = RoleArn::parse(role)?;
    let repository = args
        .repository
        .as_ref()
        .or(facts.repository.as_ref())
        .ok_or_else(|| Error::usage("no repository to trust").help("Use --repository OWNER/NAME."))?;
    let given = args.ids.as_deref().and_then(|ids| ids.split_once('/'));
    // Only this workflow's own repository has the workflow's IDs.
    let own = facts.ids.as_ref().filter(|_| facts.repository.as_ref() == Some(repository));
    let ids = given.or_else(|| own.map(|(owner, repository)| (owner.as_str(), repository.as_str())));
    if ids.is_none() {
        host.say(
            "The IDs of the repository are unknown. If it was created or renamed after July 2026, the subject of its tokens contains \
             them, and this policy does not accept these tokens. Use --ids.\n",
        );
    }
    let here = facts.reference.iter().map(|reference| format!("ref:{reference}"));
    let contexts: Vec<String> = match args.subject.as_slice() {
        [] => here.chain(["ref:refs/heads/main".to_owned()]).take(1).collect(),
        subjects => subjects.to_vec(),
    };
    let subjects: Vec<String> = contexts.iter().flat_map(|context| subject_forms(repository, ids, context)).collect();
    let audience = audience.unwrap_or_else(|| role.audience().to_owned());
    Ok(trust_policy(role.partition(), role.account(), &args.issuer, &audience, &subjects))
}
