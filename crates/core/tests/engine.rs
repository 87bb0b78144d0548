//! Tests of the engine against a platform in memory.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ami_bake_core::engine::{self, BakeContext, Options, PlannedImage};
use ami_bake_core::event::{Decision, Envelope, Event, EventReceiver};
use ami_bake_core::plan::{ImageKey, OnFailure, Retention, VersionRule};
use ami_bake_core::report::Report;
use ami_bake_core::rollout::RolloutOutcome;
use ami_bake_core::{Error, ErrorKind, Run};
use ami_bake_testkit::fake::Fake;
use ami_bake_testkit::recipe::{Plain, PlainImage, Scripted, step};
use ami_bake_testkit::runs;
use semver::Version;

struct Fixture {
    fake: Fake,
    scripted: Scripted,
    run: Run,
    events: EventReceiver,
}

impl Fixture {
    fn new() -> Self {
        let (run, events) = runs::run();
        Self { fake: Fake::default(), scripted: Scripted::default(), run, events }
    }

    fn context(&self, images: &[PlainImage]) -> BakeContext {
        BakeContext {
            platform: Arc::new(self.fake.clone()),
            recipe: Arc::new(Plain(images.to_vec())),
            provisioner: Arc::new(self.scripted.clone()),
        }
    }

    async fn bake(&self, images: &[PlainImage]) -> u8 {
        self.bake_with(images, &Options::default()).await
    }

    async fn bake_with(&self, images: &[PlainImage], options: &Options) -> u8 {
        engine::bake(&self.run, &self.context(images), options).await
    }

    fn reported(&mut self) -> Vec<Envelope> {
        std::iter::from_fn(|| self.events.try_recv()).collect()
    }

    fn versions(&self) -> Vec<String> {
        self.fake.state.lock().unwrap().images.values().map(|image| image.name.clone()).collect()
    }

    fn nothing_is_left(&self) {
        assert!(self.fake.is_clean(), "{:?}", self.fake.state.lock().unwrap());
        assert_eq!(self.run.ledger().open_entries(), []);
    }
}

#[tokio::test]
async fn a_bake_ends_with_one_tested_image_and_nothing_else() {
    let fixture = Fixture::new();
    assert_eq!(fixture.bake(&[PlainImage::new("web")]).await, 0);
    assert_eq!(fixture.versions(), ["shop/web/0.1.0"]);
    fixture.nothing_is_left();
    let calls = fixture.fake.calls();
    let at = |call: &str| calls.iter().position(|seen| seen == call).unwrap_or_else(|| panic!("{call} in {calls:?}"));
    assert!(at("capture web") < at("available web") && at("available web") < at("boot web"));
    assert!(at("boot web") < at("register web 0.1.0"), "no untested image gets its final name");
}

/// The image becomes available only after the machine is gone; both are one stage.
#[tokio::test]
async fn every_stage_is_reported_once() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.bake(&[PlainImage::new("web")]).await, 0);
    let mut begun = Vec::new();
    let mut open = Vec::new();
    for told in fixture.reported() {
        match told.event {
            Event::StageStarted { stage } => {
                begun.push(stage.as_str());
                open.push(stage);
            }
            Event::StageFinished { stage, failure, .. } => assert_eq!((open.pop(), failure), (Some(stage), None)),
            _ => {}
        }
    }
    let all = ["source", "launch", "connect", "build", "validate", "seal", "capture", "test", "publish"];
    assert_eq!(begun, all);
}

/// Retention counts what is registered and reports what it deletes; its failure does not fail the bake.
#[tokio::test]
async fn older_versions_go_once_the_new_one_is_there() {
    let mut fixture = Fixture::new();
    let web = |change: &str| {
        let retention = Retention { last: Some(2), newer_than: None };
        let build = vec![step(change, "pass")];
        [PlainImage { retention, build, ..PlainImage::new("web") }, PlainImage::new("other")]
    };
    for change in ["one", "two", "three"] {
        assert_eq!(fixture.bake(&web(change)).await, 0);
    }
    let mut left = fixture.versions();
    left.sort();
    assert_eq!(left, ["shop/other/0.1.0", "shop/web/0.1.1", "shop/web/0.1.2"]);
    let calls = fixture.fake.calls();
    let at = |begin: &str| calls.iter().position(|call| call.starts_with(begin)).unwrap();
    assert!(at("register web 0.1.2") < at("delete "), "{calls:?}");
    let retired: Vec<_> = fixture
        .reported()
        .into_iter()
        .filter_map(|told| match told.event {
            Event::Retired { image } => Some((told.image, image.version.to_string())),
            _ => None,
        })
        .collect();
    assert_eq!(retired, [(Some(ImageKey::new("web")), "0.1.0".to_owned())]);

    let doomed =
        fixture.fake.state.lock().unwrap().images.values().find(|image| image.version.patch == 1).unwrap().id.clone();
    fixture.fake.fail(&format!("delete {doomed}"), Error::new(ami_bake_core::ErrorKind::Publish, "not today"));
    assert_eq!(fixture.bake(&web("four")).await, 0);
    assert!(fixture.reported().iter().any(
        |told| matches!(&told.event, Event::Warning { message, .. } if message.contains("could not delete web 0.1.1"))
    ));
}

#[tokio::test]
async fn an_unchanged_manifest_starts_no_machine() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.bake(&[PlainImage::new("web")]).await, 0);
    let before = fixture.fake.calls().len();
    fixture.reported();
    assert_eq!(fixture.bake(&[PlainImage::new("web")]).await, 0);
    assert_eq!(fixture.fake.calls()[before..], ["find-source", "images", "close"]);
    let told = fixture.reported();
    assert!(told.iter().any(|told| matches!(&told.event, Event::Planned { decision: Decision::Reuse { .. }, .. })));
}

#[tokio::test]
async fn a_changed_step_is_baked_under_the_next_version() {
    let fixture = Fixture::new();
    fixture.bake(&[PlainImage::new("web")]).await;
    let mut changed = PlainImage::new("web");
    changed.build.push(step("more", "pass"));
    assert_eq!(fixture.bake(&[changed]).await, 0);
    assert_eq!(fixture.versions(), ["shop/web/0.1.0", "shop/web/0.1.1"]);
}

#[tokio::test]
async fn a_chain_is_baked_in_order_and_side_by_side_where_it_can() {
    let fixture = Fixture::new();
    let images = [PlainImage::new("web").on("base"), PlainImage::new("base"), PlainImage::new("other")];
    // The base's launch waits for the other image's launch: if images were baked one after the other, this would never
    // end.
    fixture.fake.hold("launch base", "launch other");
    assert_eq!(fixture.bake(&images).await, 0);
    let calls = fixture.fake.calls();
    let at = |call: &str| calls.iter().position(|seen| seen == call).unwrap();
    assert!(at("register base 0.1.0") < at("launch web"));
    assert!(at("launch other") < at("register base 0.1.0"));
    assert_eq!(calls.iter().filter(|call| *call == "images").count(), 1, "several images are looked up together");
    fixture.nothing_is_left();
}

#[tokio::test]
async fn one_failure_stops_only_what_is_built_on_it() {
    let mut fixture = Fixture::new();
    let mut base = PlainImage::new("base");
    base.build = vec![step("break", "fail")];
    let images = [base, PlainImage::new("web").on("base"), PlainImage::new("other")];
    assert_eq!(fixture.bake(&images).await, 5);
    assert_eq!(fixture.versions(), ["shop/other/0.1.0"]);
    fixture.nothing_is_left();
    let skipped: Vec<_> = fixture
        .reported()
        .into_iter()
        .filter_map(|told| match told.event {
            Event::ImageFinished { skipped: true, failure: Some(failure), .. } => Some((told.image, failure.message)),
            _ => None,
        })
        .collect();
    assert_eq!(skipped, [(Some(ImageKey::new("web")), "base, which it is built on, failed".to_owned())]);
}

#[tokio::test]
async fn a_failing_test_leaves_no_image() {
    let fixture = Fixture::new();
    let mut web = PlainImage::new("web");
    web.test = vec![step("look", "fail")];
    assert_eq!(fixture.bake(&[web]).await, 6);
    assert!(fixture.versions().is_empty());
    fixture.nothing_is_left();
}

#[tokio::test]
async fn whatever_fails_nothing_is_left() {
    for (call, code) in [
        ("launch web", 5),
        ("connect web", 5),
        ("capture web", 5),
        ("available web", 5),
        ("boot web", 6),
        ("register web 0.1.0", 7),
    ] {
        let fixture = Fixture::new();
        let kind = if code == 7 { ami_bake_core::ErrorKind::Publish } else { ami_bake_core::ErrorKind::Build };
        fixture.fake.fail(call, Error::new(kind, format!("no {call} today")));
        assert_eq!(fixture.bake(&[PlainImage::new("web")]).await, code, "{call}");
        fixture.nothing_is_left();
    }
}

/// A failure after the launch, such as expired credentials, never has the exit code for "nothing was built".
#[tokio::test]
async fn a_refusal_after_the_launch_is_the_stages_failure() {
    for (call, code) in [
        ("find-source", 4),
        ("launch web", 4),
        ("connect web", 5),
        ("capture web", 5),
        ("available web", 5),
        ("boot web", 6),
        ("register web 0.1.0", 7),
    ] {
        let fixture = Fixture::new();
        fixture.fake.fail(call, Error::preflight("the credentials have expired").denied());
        assert_eq!(fixture.bake(&[PlainImage::new("web")]).await, code, "{call}");
        fixture.nothing_is_left();
    }
    // Nor when another image was built.
    let fixture = Fixture::new();
    fixture.fake.fail("launch web", Error::preflight("not allowed").denied());
    assert_eq!(fixture.bake(&[PlainImage::new("web"), PlainImage::new("db")]).await, 5);
}

/// A clean-up call that is refused for good does not fail the bake and is not repeated, but shows in exit code and
/// report.
#[tokio::test]
async fn a_refused_clean_up_is_not_clean_and_no_failure() {
    let mut fixture = Fixture::new();
    let refused = || Error::preflight("the role is not allowed to terminate").denied().help("Add this statement.");
    // The test machine; the build machine is terminated by the capture.
    let machine = "undo instance i-3";
    fixture.fake.fail("undo instance i-3", refused());
    fixture.fake.fail_nth("destroy web", 2, refused());
    let images = [PlainImage::new("web").deployed_to(&["production"])];
    assert_eq!(fixture.bake(&images).await, 9);
    let calls = fixture.fake.calls();
    assert!(calls.contains(&"deploy web production".to_owned()), "{calls:?}");
    assert_eq!(calls.iter().filter(|call| *call == machine).count(), 1, "{calls:?}");
    let report = Report::replay(&fixture.reported());
    assert_eq!(report.left.len(), 1);
    assert!(report.left[0].what.contains("instance i-3") && report.left[0].why.contains("Add this statement"));
    assert_eq!(report.images[0].failure, None);

    // The post step, or a sweep, retries on the same ledger.
    fixture.fake.state.lock().unwrap().faults.clear();
    assert!(engine::finish(&fixture.run, fixture.context(&images).platform.as_ref(), false).await);
    fixture.nothing_is_left();
}

#[tokio::test]
async fn a_cancel_in_every_stage_leaves_nothing() {
    for hang in ["find-source", "launch web", "connect web", "capture web", "available web", "boot web"] {
        let fixture = Fixture::new();
        fixture.fake.hang(hang);
        let cancel = fixture.run.cancel.clone();
        let fake = fixture.fake.clone();
        tokio::spawn(async move {
            while !fake.calls().iter().any(|call| call == hang) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            cancel.cancel();
        });
        assert_eq!(fixture.bake(&[PlainImage::new("web")]).await, 130, "{hang}");
        fixture.nothing_is_left();
    }
}

#[tokio::test]
async fn a_hanging_step_is_cancelled() {
    let fixture = Fixture::new();
    let mut web = PlainImage::new("web");
    web.build = vec![step("sleep", "hang")];
    let cancel = fixture.run.cancel.clone();
    let applied = Arc::clone(&fixture.scripted.applied);
    tokio::spawn(async move {
        while applied.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        cancel.cancel();
    });
    assert_eq!(fixture.bake(&[web]).await, 130);
    fixture.nothing_is_left();
}

#[tokio::test]
async fn failures_mean_what_the_step_says() {
    let fixture = Fixture::new();
    let mut web = PlainImage::new("web");
    let with = |name: &str, order: &str, on_failure| ami_bake_core::plan::Step { on_failure, ..step(name, order) };
    web.build = vec![
        with("shrug", "fail", OnFailure::Ignore),
        with("go on", "fail", OnFailure::Continue),
        with("still here", "pass", OnFailure::Abort),
    ];
    assert_eq!(fixture.bake(&[web]).await, 5, "continue still fails the bake");
    assert_eq!(fixture.scripted.applied.lock().unwrap()["still here"], 1);

    let fixture = Fixture::new();
    let mut web = PlainImage::new("web");
    web.build = vec![with("shrug", "fail", OnFailure::Ignore)];
    assert_eq!(fixture.bake(&[web]).await, 0);
}

#[tokio::test]
async fn a_failed_step_is_tried_again() {
    let fixture = Fixture::new();
    let mut web = PlainImage::new("web");
    web.build = vec![ami_bake_core::plan::Step { retries: 1, ..step("flaky", "fail-once") }];
    assert_eq!(fixture.bake(&[web]).await, 0);
    assert_eq!(fixture.scripted.applied.lock().unwrap()["flaky"], 2);
}

#[tokio::test]
async fn a_taken_automatic_version_gives_way_a_said_one_does_not() {
    let fixture = Fixture::new();
    fixture.fake.fail("register web 0.1.0", Error::taken("taken"));
    let web = PlainImage::new("web");
    assert_eq!(fixture.bake(std::slice::from_ref(&web)).await, 0);
    assert_eq!(fixture.versions(), ["shop/web/0.1.1"]);
    assert_eq!(web.reads.load(Ordering::Relaxed), 1, "another version does not read the image's files again");

    let fixture = Fixture::new();
    let web = PlainImage { version: VersionRule::Fixed(Version::new(0, 1, 0)), ..PlainImage::new("web") };
    fixture.fake.fail("register web 0.1.0", Error::taken("taken"));
    assert_eq!(fixture.bake(&[web]).await, 7, "4 would say that nothing was built");
    fixture.nothing_is_left();
}

#[tokio::test]
async fn until_validate_creates_no_image() {
    let fixture = Fixture::new();
    let options = Options { until_validate: true, ..Options::default() };
    assert_eq!(fixture.bake_with(&[PlainImage::new("web")], &options).await, 0);
    assert!(fixture.versions().is_empty());
    fixture.nothing_is_left();
}

#[tokio::test]
async fn a_kept_machine_stays_and_is_reported() {
    let mut fixture = Fixture::new();
    let mut web = PlainImage::new("web");
    web.build = vec![step("break", "fail")];
    let options = Options { keep_on_failure: Some(std::path::PathBuf::from("keys").into()), ..Options::default() };
    assert_eq!(fixture.bake_with(&[web], &options).await, 5);
    assert!(fixture.reported().iter().any(|told| matches!(&told.event, Event::Kept { .. })));
    assert_eq!(fixture.fake.state.lock().unwrap().machines.len(), 1);

    let fixture = Fixture::new();
    let mut web = PlainImage::new("web");
    web.test = vec![step("look", "fail")];
    assert_eq!(fixture.bake_with(&[web], &options).await, 6);
    let state = fixture.fake.state.lock().unwrap();
    assert_eq!((state.machines.len(), state.images.len()), (1, 1), "the candidate is kept beside its machine");
}

#[tokio::test]
async fn a_plan_says_what_a_bake_would_do() {
    let fixture = Fixture::new();
    let images = [PlainImage::new("base"), PlainImage::new("web").on("base")];
    let planned = engine::plan(&fixture.run, &fixture.context(&images), &Options::default()).await.unwrap();
    assert!(matches!(&planned[0], PlannedImage::Decided { version, .. } if *version == Version::new(0, 1, 0)));
    assert!(matches!(&planned[1], PlannedImage::WaitsFor { base, .. } if base.image == "base"));
    assert!(fixture.fake.calls().iter().all(|call| call == "find-source" || call == "images"));
}

#[tokio::test]
async fn no_event_holds_a_declared_secret() {
    let mut fixture = Fixture::new();
    fixture.run.masker().add("hunter22");
    fixture.run.masker().add("test");
    let mut web = PlainImage::new("web");
    web.build = vec![step("log in as hunter22", "fail")];
    assert_eq!(fixture.bake(&[web]).await, 5);
    let told = fixture.reported();
    let stages = told.iter().filter(|told| matches!(told.event, Event::StageStarted { .. })).count();
    assert_eq!(stages, 4, "a secret that is a word of the record does not tear it apart");
    let told = serde_json::to_string(&told).unwrap();
    assert!(!told.contains("hunter22") && told.contains("log in as ***"), "{told}");
}

/// When the first deployment fails the others are skipped; the image exists all the same, and the images built on it
/// are baked and deployed.
#[tokio::test]
async fn deployments_go_one_after_the_other_and_stop_nobody_else() {
    let mut fixture = Fixture::new();
    let images = [
        PlainImage::new("base").deployed_to(&["canary", "rest"]),
        PlainImage::new("web").on("base").deployed_to(&["one", "two"]),
    ];
    fixture.fake.fail("deploy base canary", Error::build("it does not get healthy"));
    assert_eq!(fixture.bake(&images).await, 8);
    assert_eq!(fixture.versions(), ["shop/base/0.1.0", "shop/web/0.1.0"]);
    let deployed: Vec<String> = fixture.fake.calls().into_iter().filter(|call| call.starts_with("deploy ")).collect();
    assert_eq!(deployed.iter().filter(|call| call.contains("base")).count(), 1, "{deployed:?}");
    let of_web: Vec<_> = deployed.iter().filter(|call| call.contains("web")).collect();
    assert_eq!(of_web, ["deploy web one", "deploy web two"]);
    let report = Report::replay(&fixture.reported());
    let base = report.image(&ImageKey::new("base")).unwrap();
    let outcomes: Vec<_> = base.deployed.iter().map(|rollout| rollout.outcome).collect();
    assert_eq!(outcomes, [RolloutOutcome::RolledBack, RolloutOutcome::Skipped]);
    assert!(base.image.is_some(), "it is registered and tested");
    assert_eq!(base.failure.as_ref().unwrap().kind, ErrorKind::Deploy);
    fixture.nothing_is_left();

    // A build without a capture is not deployed.
    let until_validate = Options { until_validate: true, force: true, ..Options::default() };
    let before = fixture.fake.calls().len();
    assert_eq!(fixture.bake_with(&images, &until_validate).await, 0);
    assert!(!fixture.fake.calls()[before..].iter().any(|call| call.starts_with("deploy ")));
}
