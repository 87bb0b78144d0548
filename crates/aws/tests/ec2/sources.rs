//! Finding source images.

use std::collections::BTreeMap;

use ami_bake_aws::{Identity, Settings};
use ami_bake_core::ErrorKind;
use ami_bake_core::plan::{BakedQuery, ImageKey, SourceQuery};
use ami_bake_core::platform::Platform;

use crate::fixture::{RHEL, UBUNTU, in_cloud};

#[test]
fn sources_are_found_by_name_id_and_parameter() {
    in_cloud(|fixture| async move {
        let newest = fixture.source(UBUNTU).await;
        assert!(newest.name.ends_with("20261101"), "{newest:?}");
        assert_eq!(newest.owner, UBUNTU.0);
        let same = fixture.aws.find_source(&fixture.run, &SourceQuery::Id(newest.id.clone())).await.unwrap();
        assert_eq!(same, newest);
        let parameter = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id";
        let pointed =
            fixture.aws.find_source(&fixture.run, &SourceQuery::Parameter(parameter.to_owned())).await.unwrap();
        assert_eq!(pointed.id, newest.id);
        assert_eq!(fixture.cloud.count("DescribeImages"), 3);
    });
}

#[test]
fn a_role_is_assumed_once_for_all_calls() {
    in_cloud(|fixture| async move {
        let roles = vec!["arn:aws:iam::222222222222:role/bake".to_owned()];
        let fixture =
            fixture.with(Settings { identity: Identity { roles, ..Identity::default() }, ..Settings::default() }).await;
        // The same source is looked up once; another one is another call.
        for source in [UBUNTU, UBUNTU, RHEL] {
            fixture.source(source).await;
        }
        assert_eq!(fixture.cloud.count("AssumeRole"), 1);
        let asked = fixture.cloud.calls_of("DescribeImages");
        assert!(asked.iter().all(|call| call["account"] == "222222222222"), "{asked:?}");
        assert_eq!(fixture.aws.calls()["DescribeImages"], 2);
    });
}

#[test]
fn a_missing_source_is_reported_with_a_fix() {
    in_cloud(|fixture| async move {
        let baked =
            BakedQuery { namespace: "shop".to_owned(), key: ImageKey::new("base"), version: None, sibling: false };
        let queries = [
            (SourceQuery::Id("ami-0123456789abcdef0".to_owned()), "image ami-0123456789abcdef0 not found in us-east-1"),
            (
                SourceQuery::Newest {
                    owners: vec![UBUNTU.0.to_owned()],
                    name: "ubuntu-warty-*".to_owned(),
                    architecture: None,
                    filters: BTreeMap::new(),
                },
                "no image of 099720109477 matches ubuntu-warty-* in us-east-1",
            ),
            (SourceQuery::Parameter("/no/such".to_owned()), "parameter /no/such not found in us-east-1"),
            (SourceQuery::Baked(baked), "no tested image base of shop matches any release in us-east-1"),
        ];
        for (query, message) in queries {
            let error = fixture.aws.find_source(&fixture.run, &query).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Preflight, "{error}");
            assert!(error.message().starts_with(message), "{error}");
            assert!(error.help_text().is_some(), "{error}");
        }
    });
}
