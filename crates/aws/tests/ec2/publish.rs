//! Publishing cases whose waits need a clock that is moved by hand.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::ErrorKind;
use ami_bake_core::plan::Distribution;
use ami_bake_core::platform::Platform;
use ami_bake_testkit::clock::ManualClock;
use ami_bake_testkit::runs;
use serde_json::json;

use crate::fixture::{CloudFixture, UBUNTU, in_cloud};

#[test]
fn a_parameter_that_is_refused_after_the_answer_fails_the_publication() {
    in_cloud(|fixture| async move {
        let mut plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        let candidate = fixture.candidate(&plan).await.unwrap();
        let image = fixture.register(&plan, &candidate).await.unwrap();
        let parameters = vec!["/images/web".to_owned()];
        plan.settings.distribution = Distribution { wanted: true, parameters, ..Distribution::default() };
        fixture.cloud.fault(&json!({"kind": "parameter-refused", "action": "PutParameter"}));

        // Calls take real time; the waits between them take none.
        let clock = Arc::new(ManualClock::skipping(Duration::from_mins(1), || ()));
        let (run, _events) = runs::with(clock, &[]);
        let error = fixture.aws.publish(&run, &plan, &image, false).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Publish);
        let causes = error.causes().join(": ");
        assert!(
            causes.contains("set the parameter /images/web") && causes.contains("after a minute"),
            "{error}: {causes}"
        );
        assert_eq!(fixture.cloud.count("PutParameter"), 1, "the call is not repeated");

        // The next publication completes the image.
        fixture.aws.publish(&fixture.run, &plan, &image, false).await.unwrap();
        assert_eq!(fixture.cloud.count("PutParameter"), 2);
        fixture.closed().await;
    });
}
