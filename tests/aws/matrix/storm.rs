//! Many bakes at once: of one version side by side, and one bake of many images, with EC2's token buckets.

use std::path::Path;

use ami_bake_testkit::cloud::Cloud;

use super::cell::{Verdict, guarded};
use super::process::Process;
use super::table::Planned;
use crate::fixture::{Fixture, WEB, binary};

const BAKES: usize = 10;
const IMAGES: usize = 40;

/// The storms of the table.
pub(super) fn cells() -> Vec<Planned<'static>> {
    let storm = |column: &str, run: fn() -> Verdict| Planned {
        row: "storm".to_owned(),
        column: column.to_owned(),
        run: Box::new(run),
    };
    vec![
        storm("10 bakes of one version", || guarded(|verdict| same_version(BAKES, verdict))),
        storm("10 bakes of their own", || guarded(|verdict| own_images(BAKES, verdict))),
        storm("40 images", || guarded(|verdict| many_images(IMAGES, verdict))),
    ]
}

fn fixture(manifest: &str) -> Fixture {
    Fixture::on(Cloud::start_with(Path::new(binary()), &["--throttle"]), manifest)
}

/// Asserts that all bakes succeed, and that there is one image.
fn same_version(bakes: usize, verdict: &mut Verdict) {
    let fixture = fixture(&format!("version: 1.0.0\n{WEB}    build: [{{run: echo hello > /opt/hello}}]\n"));
    at_once(&fixture, (0..bakes).map(|_| "bake.yml".to_owned()), verdict);
    fixture.holds_only(&["shop/web/1.0.0"]);
}

fn own_images(bakes: usize, verdict: &mut Verdict) {
    let fixture = fixture("");
    let names: Vec<String> = (0..bakes).map(|number| format!("web{number}")).collect();
    for name in &names {
        let manifest = WEB.replace("  web:", &format!("  {name}:"));
        fixture.write(
            &format!("{name}.yml"),
            &format!("version: 1.0.0\n{manifest}    build: [{{run: echo {name} > /opt/hello}}]\n"),
        );
    }
    at_once(&fixture, names.iter().map(|name| format!("{name}.yml")), verdict);
    holds(&fixture, &names);
}

fn many_images(images: usize, verdict: &mut Verdict) {
    let names: Vec<String> = (0..images).map(|number| format!("web{number}")).collect();
    let (head, image) = WEB.split_once("  web:").unwrap_or_default();
    let images = names.iter().map(|name| format!("  {name}:{image}    build: [{{run: echo {name} > /opt/hello}}]\n"));
    let fixture = fixture(&format!("version: 1.0.0\n{head}{}", images.collect::<String>()));
    at_once(&fixture, std::iter::once("bake.yml".to_owned()), verdict);
    holds(&fixture, &names);
}

fn at_once(fixture: &Fixture, manifests: impl Iterator<Item = String>, verdict: &mut Verdict) {
    let start = |manifest: String| Process::start(fixture.command(&["bake", &manifest, "--json"]));
    let running: Vec<Process> = manifests.map(start).collect();
    for process in running {
        let outcome = process.end();
        if outcome.code != Some(0) {
            verdict.complaints.push(format!("a bake ends with {:?}", outcome.code));
            verdict.log = outcome.log;
        }
    }
}

fn holds(fixture: &Fixture, names: &[String]) {
    let mut images: Vec<String> = names.iter().map(|name| format!("shop/{name}/1.0.0")).collect();
    images.sort();
    fixture.holds_only(&images.iter().map(String::as_str).collect::<Vec<_>>());
}
