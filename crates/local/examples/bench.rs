//! Measures the local platform: start of a sandbox, a command in it, capture and registration of 200 MB of changes
//! beside a plain copy of the same files. `bench/local/run` builds and runs it.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ami_bake_core::communicator::Exec;
use ami_bake_core::output::Collect;
use ami_bake_core::plan::{Digest, ImageKey, ImagePlan, ImageSettings, MachineSettings, Phase, SourceQuery};
use ami_bake_core::platform::{Capture, Launch, Machine, Platform, Registration};
use ami_bake_core::{Error, Result, Route, tags};
use ami_bake_local::Local;
use ami_bake_testkit::runs;

const ROUNDS: usize = 20;

/// 200 MB: one large file, and 2000 of 50 kB, as in a package. Then every file is read, as by the seal.
const CHANGE: &str = "mkdir -p /opt/big && head -c 100000000 /dev/urandom >/opt/big/one && \
                      split -b 50000 --additional-suffix=.part /opt/big/one /opt/big/small && find / -xdev -newer /opt/big/one >/dev/null";

#[expect(clippy::disallowed_methods, reason = "a benchmark")]
fn main() -> ExitCode {
    if let Some(code) = ami_bake_local::dispatch(std::env::args_os()) {
        return code;
    }
    let store = std::env::args_os().nth(1).unwrap_or_else(|| "/var/tmp/ami-bake-bench".into());
    let measured = tokio::runtime::Runtime::new()
        .map_err(|error| Error::internal("start a runtime").because(error))
        .and_then(|runtime| runtime.block_on(measure(Path::new(&store))));
    let mut out = std::io::stdout();
    match measured {
        Ok(rows) => {
            for (what, time) in rows {
                let _ = writeln!(out, "{what:<52} {:>9.1} ms", time.as_secs_f64() * 1000.0);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(out, "{error}: {:?}", error.causes());
            ExitCode::FAILURE
        }
    }
}

async fn measure(store: &Path) -> Result<Vec<(&'static str, Duration)>> {
    let local = Local::of_this_program(store)?;
    let (run, _events) = runs::run();
    let source = local.find_source(&run, &SourceQuery::Reference("host".to_owned())).await?;
    let key = ImageKey::new("bench");
    let machine = MachineSettings::default();
    let lifetime = Duration::from_mins(10);
    let launch =
        Launch { key: &key, namespace: "bench", phase: Phase::Build, source: &source, machine: &machine, lifetime };
    let (mut starts, mut commands, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let machine = local.launch(&run, &launch).await?;
        starts.push(begin.elapsed());
        let inside = machine.connect(&run).await?;
        let begin = Instant::now();
        inside.exec(Exec::new("true"), &mut Collect::default()).await?;
        commands.push(begin.elapsed());
        let begin = Instant::now();
        machine.destroy(&run).await?;
        ends.push(begin.elapsed());
    }
    let mut rows = vec![
        ("start of a sandbox (median of 20)", median(starts)),
        ("a command in it", median(commands)),
        ("its end", median(ends)),
    ];
    let machine = local.launch(&run, &launch).await?;
    let inside = machine.connect(&run).await?;
    let exit = inside.exec(Exec::new(CHANGE), &mut Collect::default()).await?;
    if !exit.success() {
        return Err(Error::build(format!("write 200 MB: {exit:?}")));
    }
    let upper = store.join("machines").join(machine.id()).join("upper/opt/big");
    let copy = store.join("copy");
    let begin = Instant::now();
    let copied = std::process::Command::new("cp").arg("-a").arg(&upper).arg(&copy).status();
    rows.push(("plain copy of 200 MB of changes (cp -a)", begin.elapsed()));
    copied.and_then(|_| std::fs::remove_dir_all(&copy)).map_err(|error| Error::build("copy").because(error))?;
    capture(&local, &run, machine.as_ref(), source.clone(), &mut rows).await?;
    Ok(rows)
}

async fn capture(
    local: &Local,
    run: &ami_bake_core::Run,
    machine: &dyn Machine,
    source: ami_bake_core::plan::SourceImage,
    rows: &mut Vec<(&'static str, Duration)>,
) -> Result<()> {
    let version = semver::Version::new(1, 0, 0);
    let plan = ImagePlan {
        key: ImageKey::new("bench"),
        route: Route::root(),
        namespace: "bench".to_owned(),
        source,
        machine: MachineSettings::default(),
        build: Vec::new(),
        validate: Vec::new(),
        test: Vec::new(),
        settings: ImageSettings::default(),
        version: version.clone(),
        digest: Digest::from_text("sha256:0"),
        parts: ami_bake_core::plan::DigestParts::default(),
    };
    let tags = [(tags::NAME, "bench"), (tags::IMAGE, "bench"), (tags::VERSION, "1.0.0"), (tags::DIGEST, "sha256:0")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let tags = std::collections::BTreeMap::from(tags);
    let begin = Instant::now();
    let wanted = Capture { plan: &plan, tags: tags.clone(), name: "candidate".to_owned() };
    let candidate = machine.capture(run, &wanted).await?.available(run).await?;
    rows.push(("capture of the same, the machine's end included", begin.elapsed()));
    let begin = Instant::now();
    let image = local.register(run, &candidate, &Registration { plan: &plan, tags, adopt: false }).await?;
    rows.push(("registration, with all of it on the disk", begin.elapsed()));
    machine.destroy(run).await?;
    local.delete_image(run, &image.id).await
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
