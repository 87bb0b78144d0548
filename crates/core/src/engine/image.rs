//! Bakes one image, stage by stage.

use std::time::Duration;

use crate::engine::candidate_name::candidate_name;
use crate::engine::decide::Decided;
use crate::engine::options::{BakeContext, Options};
use crate::engine::phase::run_phase;
use crate::engine::retention::retire;
use crate::engine::stage::stage;
use crate::engine::tagging;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Stage};
use crate::image::ImageRecord;
use crate::ledger::{Closed, MACHINE};
use crate::machine::ConnectedMachine;
use crate::machine::{Candidate, Capture, Keep, Launch, Machine};
use crate::plan::{ImagePlan, Phase, SourceImage, Step, TestConnect};
use crate::platform::Registration;
use crate::run::Run;
use crate::version::next;

/// Time that is added to the steps' own time-outs for the lifetime of a machine.
const LIFETIME_SLACK: Duration = Duration::from_hours(2);
/// Number of attempts to register an automatic version when others take it meanwhile.
const VERSION_TRIES: usize = 5;

/// Bakes one image, from launch to publication. Returns the plan with its final version, and the image (`None` with
/// `until_validate`).
pub(super) async fn bake_image(
    run: &Run,
    context: &BakeContext,
    options: &Options,
    decided: &Decided,
) -> Result<Option<(ImagePlan, ImageRecord)>> {
    let plan = &decided.plan;
    preflight(run, context, plan, &[Phase::Build, Phase::Validate, Phase::Test]).await?;
    let Some(candidate) = build(run, context, options, plan).await? else { return Ok(None) };
    let test = async {
        let tested = boot_and_test(run, context, options, plan, &candidate.image).await;
        tested.map_err(|error| error.after_build(ErrorKind::Test))
    };
    let test = stage(run, Stage::Test, test);
    let tested = tokio::join!(test, prepare(run, context, plan, &candidate)).0?;
    // Publishing does not wait until the test machine is terminated.
    let published = stage(run, Stage::Publish, publish(run, context, options, decided, &candidate));
    tokio::join!(published, tested.terminate(run, options)).0.map(Some)
}

/// Checks that this computer has the tools that the steps of these phases need.
async fn preflight(run: &Run, context: &BakeContext, plan: &ImagePlan, phases: &[Phase]) -> Result<()> {
    let steps: Vec<&Step> = phases.iter().flat_map(|phase| plan.steps(*phase)).collect();
    context.provisioner.preflight(run, &steps).await
}

/// Starts the copies that publishing will need.
async fn prepare(run: &Run, context: &BakeContext, plan: &ImagePlan, candidate: &Candidate) {
    if plan.settings.distribution.is_needed() {
        context.platform.prepare(run, plan, candidate).await;
    }
}

/// Registers an existing image of the same content under another version.
pub(super) async fn reregister(
    run: &Run,
    context: &BakeContext,
    options: &Options,
    decided: &Decided,
    image: &ImageRecord,
) -> Result<(ImagePlan, ImageRecord)> {
    let candidate = Candidate { image: image.as_source(), parts: image.parts.clone() };
    stage(run, Stage::Publish, publish(run, context, options, decided, &candidate)).await
}

/// Publishes a reused image: the publish settings are not part of the digest and may have changed. Also deletes older
/// versions that an interrupted run left.
pub(super) async fn publish_again(
    run: &Run,
    context: &BakeContext,
    plan: &ImagePlan,
    image: &ImageRecord,
    force: bool,
) -> Result<()> {
    if plan.settings.goes_further() || plan.settings.distribution.environment.is_some() {
        stage(run, Stage::Publish, context.platform.publish(run, plan, image, force)).await?;
    }
    retire(run, context, plan).await;
    Ok(())
}

/// Registers the image under its final name and publishes it.
async fn publish(
    run: &Run,
    context: &BakeContext,
    options: &Options,
    decided: &Decided,
    candidate: &Candidate,
) -> Result<(ImagePlan, ImageRecord)> {
    let (plan, image) = register(run, context, decided, candidate, !options.force).await?;
    run.emit(Event::Registered { image: image.clone() });
    context.platform.publish(run, &plan, &image, options.force).await?;
    retire(run, context, &plan).await;
    Ok((plan, image))
}

/// Runs the stages from launch to capture. `None` with `until_validate`.
async fn build(run: &Run, context: &BakeContext, options: &Options, plan: &ImagePlan) -> Result<Option<Candidate>> {
    let launched = run.clock().elapsed();
    let machine = stage(run, Stage::Launch, launch(run, context, plan, &plan.source, Phase::Build)).await?;
    let sealed = on_machine(run, context, options, plan, machine.as_ref()).await;
    if !matches!(sealed, Ok(true)) {
        terminate(run, options, machine.as_ref(), launched, sealed.as_ref().err()).await;
        return sealed.map(|_| None);
    }
    stage(run, Stage::Capture, capture(run, options, plan, machine.as_ref(), launched)).await.map(Some)
}

/// Captures the image. The machine is terminated as soon as the platform does not need it any more, before the image
/// can be launched.
async fn capture(
    run: &Run,
    options: &Options,
    plan: &ImagePlan,
    machine: &dyn Machine,
    launched: Duration,
) -> Result<Candidate> {
    let capture = Capture { plan, tags: tagging::candidate(run, plan), name: candidate_name(run, plan) };
    match machine.capture(run, &capture).await {
        Ok(pending) => {
            emit_ended(run, machine, launched);
            pending.available(run).await
        }
        Err(error) => {
            terminate(run, options, machine, launched, Some(&error)).await;
            Err(error)
        }
    }
}

/// Runs all stages on the build machine. True when an image is to be captured.
async fn on_machine(
    run: &Run,
    context: &BakeContext,
    options: &Options,
    plan: &ImagePlan,
    machine: &dyn Machine,
) -> Result<bool> {
    let on = stage(run, Stage::Connect, connect(run, machine)).await?;
    let provisioner = context.provisioner.as_ref();
    let ((), before) = tokio::try_join!(provisioner.begin(run, &on), provisioner.packages(run, &on))?;
    stage(run, Stage::Build, run_phase(run, context, &on, Phase::Build, &plan.build)).await?;
    stage(run, Stage::Validate, run_phase(run, context, &on, Phase::Validate, &plan.validate)).await?;
    if options.until_validate {
        run.emit(Event::Packages { before, after: provisioner.packages(run, &on).await? });
        return Ok(false);
    }
    stage(run, Stage::Seal, async {
        let after = provisioner.packages(run, &on).await?;
        run.emit(Event::Packages { before, after });
        provisioner.clean(run, &on, &plan.settings).await?;
        provisioner.scan(run, &on, &plan.settings).await?;
        provisioner.seal(run, &on, &plan.settings, &machine.login()).await
    })
    .await
    .map(|()| true)
}

/// A machine on which an image has passed its tests, not terminated yet.
struct Passed {
    machine: Box<dyn Machine>,
    launched: Duration,
}

impl Passed {
    async fn terminate(self, run: &Run, options: &Options) {
        terminate(run, options, self.machine.as_ref(), self.launched, None).await;
    }
}

/// Tests an image and terminates the machine.
pub(super) async fn test_candidate(
    run: &Run,
    context: &BakeContext,
    options: &Options,
    plan: &ImagePlan,
    image: &SourceImage,
) -> Result<()> {
    preflight(run, context, plan, &[Phase::Test]).await?;
    context.platform.preflight_machine(run, plan).await?;
    boot_and_test(run, context, options, plan, image).await?.terminate(run, options).await;
    Ok(())
}

/// Boots the image on a new machine and runs the test steps; an image without test steps is still proven to boot.
async fn boot_and_test(
    run: &Run,
    context: &BakeContext,
    options: &Options,
    plan: &ImagePlan,
    image: &SourceImage,
) -> Result<Passed> {
    let launched = run.clock().elapsed();
    let machine = launch(run, context, plan, image, Phase::Test).await.map_err(as_test)?;
    let outside = plan.settings.test_connect == Some(TestConnect::None);
    let tested = async {
        let on = if outside {
            ConnectedMachine { machine: machine.as_ref(), communicator: machine.booted(run).await? }
        } else {
            connect(run, machine.as_ref()).await.map_err(|error| no_login(error, plan))?
        };
        run_phase(run, context, &on, Phase::Test, &plan.test).await
    }
    .await
    .map_err(|error| error.after_build(ErrorKind::Test));
    if tested.is_ok() && outside {
        run.progress(format!("Tested {} without a login (`test-connect: none`)", plan.key));
    }
    match tested {
        Ok(()) => Ok(Passed { machine, launched }),
        Err(error) => {
            terminate(run, options, machine.as_ref(), launched, Some(&error)).await;
            Err(error)
        }
    }
}

/// An image that was hardened may refuse the bake's login on purpose.
fn no_login(error: Error, plan: &ImagePlan) -> Error {
    if error.kind() != ErrorKind::Build || plan.settings.test_connect.is_some() {
        return error;
    }
    let help = error.help_text().map(|help| format!("{help} ")).unwrap_or_default();
    error.help(format!(
        "{help}If the image forbids this login on purpose, set `test-connect: none`, or `test-connect: {{user: …, key: …}}` \
         for a login that it allows."
    ))
}

async fn launch(
    run: &Run,
    context: &BakeContext,
    plan: &ImagePlan,
    source: &SourceImage,
    phase: Phase,
) -> Result<Box<dyn Machine>> {
    let phases: &[Phase] = if phase == Phase::Test { &[Phase::Test] } else { &[Phase::Build, Phase::Validate] };
    let steps: Duration = phases.iter().flat_map(|phase| plan.steps(*phase)).map(crate::plan::Step::longest).sum();
    let settings = if phase == Phase::Test { plan.test_machine() } else { plan.machine.clone() };
    let launch = Launch {
        key: &plan.key,
        namespace: &plan.namespace,
        phase,
        source,
        machine: &settings,
        lifetime: plan.machine.lifetime.unwrap_or(steps + LIFETIME_SLACK),
    };
    let machine = context.platform.launch(run, &launch).await?;
    run.emit(Event::MachineStarted {
        id: machine.id().to_owned(),
        kind: machine.kind().to_owned(),
        place: machine.place(),
        phase,
    });
    Ok(machine)
}

async fn connect<'a>(run: &Run, machine: &'a dyn Machine) -> Result<ConnectedMachine<'a>> {
    Ok(ConnectedMachine { machine, communicator: machine.connect(run).await? })
}

/// Registers the image under its final name. If the version was taken meanwhile, the other image is used if its content
/// is the same and `adopt` allows it; else an automatic version is raised and tried again.
async fn register(
    run: &Run,
    context: &BakeContext,
    decided: &Decided,
    candidate: &Candidate,
    adopt: bool,
) -> Result<(ImagePlan, ImageRecord)> {
    let tested = run.clock().now();
    let mut plan = decided.plan.clone();
    for _ in 0..VERSION_TRIES {
        let registration = Registration { plan: &plan, tags: tagging::tested(run, &plan, tested), adopt };
        match context.platform.register(run, candidate, &registration).await {
            Err(error) if error.is_taken() && decided.automatic => {
                let version = next([&plan.version], crate::version::Bump::Patch);
                let again = decided.draft.at(&version)?;
                if !plan.version.pre.is_empty() || again.build != plan.build {
                    return Err(error);
                }
                run.warn(format!("version {} was taken meanwhile; using {version}", plan.version), None);
                plan = again;
            }
            result => return result.map(|image| (plan, image)),
        }
    }
    Err(Error::taken(format!("versions up to {} of {} are all taken", plan.version, plan.key))
        .help("Several bakes of this image seem to run at once. Retry, or serialize them with `concurrency:`."))
}

/// Turns a failure on a test machine into a failed test, unless its kind is more specific than "build".
fn as_test(error: Error) -> Error {
    if error.kind() == ErrorKind::Build { error.into_kind(ErrorKind::Test) } else { error }
}

/// Terminates a machine, or keeps it after a failure with `--keep-on-failure`. If neither works it is still in the
/// ledger, so the clean-up and sweep find it.
async fn terminate(run: &Run, options: &Options, machine: &dyn Machine, launched: Duration, failure: Option<&Error>) {
    if let (Some(error), Some(how)) = (failure, &options.keep_on_failure)
        && error.kind() != ErrorKind::Cancelled
    {
        match keep(run, machine, how).await {
            Ok(()) => return,
            Err(error) => run.warn(format!("could not keep machine {}: {error}", machine.id()), None),
        }
    }
    match machine.destroy(run).await {
        Ok(()) => emit_ended(run, machine, launched),
        Err(error) => run.warn(format!("could not terminate machine {}: {error}", machine.id()), None),
    }
}

async fn keep(run: &Run, machine: &dyn Machine, how: &Keep) -> Result<()> {
    let hint = machine.keep(run, how).await?;
    run.emit(Event::Kept { what: format!("machine {}", machine.id()), hint });
    run.ledger().close_id(MACHINE, machine.id(), Closed::Kept);
    Ok(())
}

fn emit_ended(run: &Run, machine: &dyn Machine, launched: Duration) {
    run.emit(Event::MachineEnded {
        id: machine.id().to_owned(),
        kind: machine.kind().to_owned(),
        ran: run.clock().elapsed().saturating_sub(launched),
        hourly: machine.hourly(),
    });
}
