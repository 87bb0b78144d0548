//! Sample plans that use everything in a manifest that needs a permission of AWS.

use std::time::Duration;

use ami_bake_core::Route;
use ami_bake_core::plan::{
    self, Deployment, Digest, Distribution, ImageKey, ImagePlan, ImageSettings, MachineSettings, Refresh, RegionPlan,
    Retention, Share, SourceImage, SourceQuery, Strategy, TargetPlan,
};
use ami_bake_core::platform::Grant;
use semver::Version;

use super::outline::Outline;

/// The role that bakes.
pub(crate) const HOME: &str = "arn:aws:iam::111111111111:role/bake";
/// The role that publishes to another account.
pub(crate) const OTHER: &str = "arn:aws:iam::222222222222:role/publish";

/// A plan with these settings.
pub(crate) fn image(machine: MachineSettings, settings: ImageSettings, version: Version) -> ImagePlan {
    let source = SourceImage {
        id: String::new(),
        name: String::new(),
        owner: String::new(),
        created: None,
        tags: std::collections::BTreeMap::new(),
        architecture: None,
        identity: String::new(),
        version: None,
    };
    ImagePlan {
        key: ImageKey::new("web"),
        route: Route::root(),
        namespace: "shop".into(),
        source,
        machine,
        build: vec![],
        validate: vec![],
        test: vec![],
        settings,
        version,
        digest: Digest::from_text("sha256:00"),
        parts: ami_bake_core::plan::DigestParts::default(),
    }
}

/// A refresh.
pub(crate) fn refresh() -> Refresh {
    Refresh {
        min_healthy: None,
        max_healthy: None,
        warmup: None,
        wait: Duration::ZERO,
        checkpoints: vec![],
        pause: Duration::ZERO,
        skip_matching: true,
        alarms: vec![],
        rollback: true,
    }
}

/// A deployment of a launch template, to a group if one is named.
pub(crate) fn deployment(role: Option<&str>, group: Option<&str>, strategy: Strategy) -> Deployment {
    Deployment {
        route: Route::root(),
        wanted: true,
        template: "lt-0abc".into(),
        region: None,
        role: role.map(str::to_owned),
        source_version: None,
        set_default: None,
        group: group.map(str::to_owned),
        strategy,
        keep_old: Duration::ZERO,
        keep_versions: group.is_none().then_some(3),
    }
}

/// Plans with every setting that changes the policy, and grants of every kind.
pub(crate) fn everything() -> (Vec<Outline>, Vec<Grant>) {
    let key = |name: &str| plan::Disk { kms_key: Some(name.to_owned()), ..plan::Disk::default() };
    let own = MachineSettings {
        policy: Some("{}".into()),
        spot: true,
        disk: key("alias/images"),
        ..MachineSettings::default()
    };
    let given = MachineSettings {
        profile: Some("baker".into()),
        lineage: true,
        disk: key("1234"),
        ..MachineSettings::default()
    };
    let region = |name: &str| RegionPlan { region: name.into(), kms_key: Some("1234".into()) };
    let settings = || ImageSettings {
        distribution: Distribution {
            wanted: true,
            regions: vec![region("us-east-1"), region("eu-west-1")],
            targets: vec![TargetPlan { role: OTHER.into(), regions: vec![region("eu-west-1")] }],
            copy: plan::CopyMethod::Image,
            share: Share { accounts: vec!["333333333333".into()], public: true, ..Share::default() },
            parameters: vec!["/images/web/latest".into()],
            deprecate_after: Some(Duration::from_hours(24)),
            protect: true,
            ..Distribution::default()
        },
        retention: Retention { last: Some(2), newer_than: None },
        deployments: [None, Some(OTHER)]
            .into_iter()
            .flat_map(|role| {
                [
                    deployment(role, None, Strategy::Refresh(refresh())),
                    deployment(role, Some("web"), Strategy::Refresh(refresh())),
                    deployment(role, Some("web"), Strategy::Replace(refresh())),
                ]
            })
            .collect(),
        ..ImageSettings::default()
    };
    let source = SourceQuery::Parameter("/aws/service/ami".into());
    let of = |machine: &MachineSettings| {
        let plan = image(machine.clone(), settings(), Version::new(1, 0, 0));
        Outline { source: source.clone(), other: plan.clone(), plan }
    };
    let grant = |action, resource: &str| Grant { action, resource: resource.to_owned() };
    let grants = vec![
        grant("imagebuilder:GetComponent", "imagebuilder:eu-west-1:aws:component/web/*"),
        grant("s3:GetObject", "s3:::b/k"),
        grant("s3:ListBucket", "s3:::b"),
        grant("s3:PutObject", "s3:::b/out/*"),
        grant("ssm:GetParameter", "ssm:*:*:parameter/app/token"),
    ];
    (vec![of(&own), of(&given)], grants)
}
