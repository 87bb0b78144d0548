//! Refusals of S3, Systems Manager and Image Builder, and their help.

use std::sync::Arc;

use ami_bake_core::platform::Platform as _;
use ami_bake_core::services::{ObjectPath, Services};
use ami_bake_core::{Error, ErrorKind};
use serde_json::json;

use crate::fixture::in_cloud;

/// Asserts that an error with its causes and help contains these parts.
#[track_caller]
fn says(error: &Error, parts: &[&str]) {
    let mut text = error.message().to_owned();
    for cause in error.causes() {
        text = format!("{text} | {cause}");
    }
    text = format!("{text} | {}", error.help_text().unwrap_or("-"));
    assert_eq!(error.kind(), ErrorKind::Build, "{text}");
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
}

fn at(place: &str) -> ObjectPath {
    ObjectPath::parse(place).unwrap()
}

fn statement(action: &str, resource: &str) -> String {
    format!(
        r#"Add this statement to the role's policy: {{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}"#
    )
}

#[test]
fn a_refusal_of_s3_names_object_statement_and_fix() {
    in_cloud(|fixture| async move {
        let services: Arc<dyn Services> = fixture.aws.services().unwrap();
        let run = &fixture.run;
        fixture.cloud.put_object("assets", "tool", b"tool");
        fixture.cloud.put_object_in("eu-west-1", "far", "away", b"from afar");
        let file = tempfile::NamedTempFile::new().unwrap();
        let object = async |place: &str| services.object(run, &at(place)).await.map(|_| ()).unwrap_err();

        fixture.cloud.deny(&["s3:*"]);
        let arn = "arn:aws:s3:::assets/tool";
        let denied = format!("is not allowed s3:GetObject on {arn}");
        let get = statement("s3:GetObject", arn);
        says(
            &object("s3://assets/tool").await,
            &[
                "read s3://assets/tool in us-east-1",
                &denied,
                &get,
                "Without s3:ListBucket on arn:aws:s3:::assets, S3 also answers AccessDenied",
            ],
        );
        let list = services.objects(run, &at("s3://assets/t")).await.unwrap_err();
        says(&list, &["list s3://assets/t in us-east-1", &statement("s3:ListBucket", "arn:aws:s3:::assets")]);
        let put = services.store(run, &at("s3://assets/out"), file.path()).await.unwrap_err();
        says(&put, &["store s3://assets/out in us-east-1", &statement("s3:PutObject", "arn:aws:s3:::assets/out")]);
        // In its own region the request is refused.
        says(
            &object("s3://far/away").await,
            &["read s3://far/away in eu-west-1", &statement("s3:GetObject", "arn:aws:s3:::far/away")],
        );
        fixture.cloud.deny(&["s3:ListBucket"]);
        says(
            &object("s3://assets/none").await,
            &[&statement("s3:ListBucket", "arn:aws:s3:::assets"), "when the object does not exist"],
        );
        fixture.cloud.deny(&[]);

        says(
            &object("s3://assets/none").await,
            &["NoSuchKey", "no object with the key `none`. Keys are case-sensitive"],
        );
        says(&object("s3://nowhere/k").await, &["NoSuchBucket", "There is no bucket nowhere: check the name"]);
        let owned = ObjectPath { owner: Some("999999999999".to_owned()), ..at("s3://assets/tool") };
        let error = services.object(run, &owned).await.map(|_| ()).unwrap_err();
        says(
            &error,
            &[&get, "the bucket assets does not belong to the account 999999999999 that `expectedBucketOwner` names"],
        );
        let fault = |code: &str, message: &str, http: u16| {
            fixture.cloud.fault(&json!({"kind": "error", "action": "s3:GetObject", "error": {"code": code, "message": message, "http": http}}));
        };
        let key = "arn:aws:kms:us-east-1:111122223333:key/1";
        fault(
            "AccessDenied",
            &format!(
                "User: arn:aws:iam::1:user/u is not authorized to perform: kms:Decrypt on resource: {key} because no identity-based policy allows the kms:Decrypt action"
            ),
            403,
        );
        says(&object("s3://assets/tool").await, &["is not allowed kms:Decrypt", &statement("kms:Decrypt", key)]);
        fault("KMS.DisabledException", "the key is disabled", 400);
        says(&object("s3://assets/tool").await, &["KMS.DisabledException", "The KMS key of the object can't be used"]);
        fault("PermanentRedirect", "The bucket must be addressed using the specified endpoint.", 301);
        says(&object("s3://assets/tool").await, &["aws s3api head-bucket --bucket assets"]);
        services.object(run, &at("s3://assets/tool")).await.map(|_| ()).unwrap();

        fixture.cloud.deny(&["ssm:GetParameter"]);
        let error = services.parameter(run, "/app/token").await.map(|_| ()).unwrap_err();
        says(
            &error,
            &["read the parameter /app/token in us-east-1", "parameter/app/token", r#""Action":"ssm:GetParameter""#],
        );
        fixture.cloud.deny(&[]);
        let fault = json!({"code": "AccessDeniedException", "message": "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.", "http": 400});
        fixture.cloud.fault(&json!({"kind": "error", "action": "ssm:GetParameter", "error": fault}));
        let error = services.parameter(run, "/app/token").await.map(|_| ()).unwrap_err();
        says(&error, &[r#""Action":"kms:Decrypt""#]);
    });
}

#[test]
fn a_component_is_read_from_image_builder() {
    in_cloud(|fixture| async move {
        let services: Arc<dyn Services> = fixture.aws.services().unwrap();
        let run = &fixture.run;
        let arn = |version: &str| format!("arn:aws:imagebuilder:eu-west-1:111122223333:component/web/{version}");
        for (version, text) in [("1.0.0/1", "one"), ("1.0.0/2", "two"), ("1.10.0/1", "ten"), ("2.0.0/1", "")] {
            fixture.cloud.put_component(&json!({"arn": arn(version), "platform": "Linux", "data": text}));
        }
        let ask = async |version: &str| services.component(run, &arn(version)).await;
        for (asked, build, text) in
            [("1.0.0/1", "1.0.0/1", "one"), ("1.0.0", "1.0.0/2", "two"), ("1.x.x", "1.10.0/1", "ten")]
        {
            let got = ask(asked).await.unwrap();
            assert_eq!((got.arn, got.text.as_str()), (arn(build), text));
        }
        // A pattern means the same document until the end of the run.
        fixture.cloud.put_component(&json!({"arn": arn("1.11.0/1"), "platform": "Linux", "data": "eleven"}));
        assert_eq!(ask("1.x.x").await.unwrap().text, "ten");
        says(&ask("x.x.x").await.unwrap_err(), &["Image Builder does not return its document", "`obfuscate`"]);
        says(&ask("3.0.0").await.unwrap_err(), &["component/web/3.0.0: no component has this ARN", "the region"]);
        fixture.cloud.put_component(&json!({"arn": arn("4.0.0/1"), "platform": "Windows", "data": "x"}));
        says(&ask("4.0.0/1").await.unwrap_err(), &["it is a Windows component"]);
        let calls = fixture.cloud.calls_of("GetComponent");
        assert!(
            calls.iter().all(|call| call["region"] == "eu-west-1"),
            "a component is asked for in its region: {calls:?}"
        );
        let error = json!({"code": "CallRateLimitExceededException", "message": "Slow down", "http": 429});
        fixture.cloud.fault(&json!({"kind": "error", "action": "GetComponent", "error": error, "times": 2}));
        assert_eq!(ask("1.0.0/2").await.unwrap().text, "two");
        fixture.cloud.deny(&["imagebuilder:GetComponent"]);
        let denied = statement("imagebuilder:GetComponent", &arn("1.0.x"));
        says(&ask("1.0.x").await.unwrap_err(), &["is not allowed imagebuilder:GetComponent", &denied]);
        fixture.cloud.deny(&[]);
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1";
        let message = format!(
            "User: arn:aws:iam::1:user/u is not authorized to perform: kms:Decrypt on resource: {key} because no"
        );
        let error = json!({"code": "AccessDeniedException", "message": message, "http": 403});
        fixture.cloud.fault(&json!({"kind": "error", "action": "GetComponent", "error": error}));
        says(&ask("1.0.x").await.unwrap_err(), &[&statement("kms:Decrypt", key)]);
    });
}
