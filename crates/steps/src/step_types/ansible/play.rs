//! Runs one playbook.

use std::ffi::OsString;
use std::future::ready;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ami_bake_core::communicator::Exit;
use ami_bake_core::output::{Collect, OutputSink};
use ami_bake_core::plan::{AnsibleStep, Step};
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;
use tokio::net::UnixListener;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

use super::folder::{WorkFolder, inventory};
use super::process::LocalProgram;
use super::restart::fulfil;
use super::serve::{PlaybookReport, PlaybookServer};
use super::{failure, settings, tools, vars};
use crate::shell::{LastLines, Tail, ended, variables};
use crate::step_type::StepType;

/// Default user of a playbook.
const ROOT: &str = "root";
/// Time for commands on the machine to end after the step's time limit.
const SETTLE: Duration = Duration::from_secs(20);
/// Pause between two checks whether they have ended.
const PAUSE: Duration = Duration::from_millis(50);
/// Defaults for environment variables of Ansible; each is only set if the user has not set it.
const USUAL: [(&str, &str); 7] = [
    // Fewer commands for each task, and no file with a module's arguments.
    ("ANSIBLE_PIPELINING", "1"),
    // The seal empties /tmp; Ansible's own default folder would stay in the image. Each user that a task becomes has
    // its own.
    ("ANSIBLE_REMOTE_TMP", "/tmp/.ansible-${USER}"),
    ("ANSIBLE_PYTHON_INTERPRETER", "auto_silent"),
    ("ANSIBLE_RETRY_FILES_ENABLED", "0"),
    ("ANSIBLE_NOCOLOR", "1"),
    // Tools that fetch roles by SSH would prompt on the terminal and wait forever.
    ("SSH_ASKPASS_REQUIRE", "force"),
    ("SSH_ASKPASS", "false"),
];

#[async_trait]
impl StepType for AnsibleStep {
    async fn apply(
        &self,
        run: &Run,
        on: &ConnectedMachine<'_>,
        step: &Step,
        output: &mut dyn OutputSink,
    ) -> Result<()> {
        run.until_cancelled(play(run, on, step, self, output)).await?
    }

    async fn preflight(&self, run: &Run, steps: &[&Step]) -> Result<()> {
        match steps.first() {
            Some(step) => tools::preflight(run, step).await,
            None => Ok(()),
        }
    }
}

/// Runs a playbook against a machine.
///
/// # Errors
/// When a task fails, or something is missing on this computer; the error names it.
async fn play(
    run: &Run,
    on: &ConnectedMachine<'_>,
    step: &Step,
    playbook: &AnsibleStep,
    output: &mut dyn OutputSink,
) -> Result<()> {
    let deadline = step.timeout.map(|limit| (limit, Instant::now() + limit));
    let own = WorkFolder::new()?;
    let hidden: Vec<&str> = run.secrets().keys().map(String::as_str).collect();
    let said: Vec<(String, OsString)> =
        variables(run, step)?.into_iter().map(|(name, value)| (name, value.into())).collect();
    let mut env = environment(&own, &said, &hidden, playbook).await?;
    let mut tail = Tail::new(output);

    if let Some(requirements) = &playbook.requirements {
        let args = vec!["install".into(), "--role-file".into(), absolute(requirements)?.into()];
        let galaxy =
            LocalProgram { name: "ansible-galaxy", args, folder: &playbook.folder, env: &env, hidden: &hidden };
        let exit = galaxy.run(&mut tail, deadline, ready(())).await?;
        tail.finish();
        if !exit.success() {
            return Err(not_installed(step, &exit, tail.last_lines(run)));
        }
    }

    // A machine without a login is a sandbox or a container, which is entered.
    let entered = on.machine.login().authorized_keys.is_empty();
    let user = playbook.user.as_deref().filter(|_| !entered).unwrap_or(ROOT);
    if entered {
        env.push(("AMI_BAKE_ENTERED".to_owned(), "1".into()));
    }
    let image = || run.image().map_or_else(|| "machine".to_owned(), ToString::to_string);
    let host = playbook.host.clone().unwrap_or_else(image);
    let inventory = own.write("inventory.yml", &inventory(&host, user, &playbook.groups))?;
    let vars = own.write("vars.json", &vars::json(run, step, &playbook.vars)?)?;
    let mut args: Vec<OsString> = vec!["--inventory".into(), inventory.into()];
    args.push("--extra-vars".into());
    args.push(prefixed("@", &vars));
    args.extend(playbook.args.iter().map(OsString::from));
    args.push(absolute(&playbook.playbook)?.into());

    let report: Arc<Mutex<PlaybookReport>> = Arc::default();
    let running: Arc<AtomicUsize> = Arc::default();
    let listener = UnixListener::bind(own.socket())
        .map_err(|error| Error::build("could not listen for the playbook").because(error))?;
    let (wishes, wished) = unbounded_channel();
    let server = PlaybookServer {
        listener,
        machine: Arc::clone(&on.communicator),
        user: user.to_owned(),
        deadline: deadline.map(|(_, at)| at),
        wishes,
        report: Arc::clone(&report),
        running: Arc::clone(&running),
    };
    let program = LocalProgram { name: "ansible-playbook", args, folder: &playbook.folder, env: &env, hidden: &hidden };
    let exit = tokio::select! {
        exit = program.run(&mut tail, deadline, settle(running)) => exit?,
        () = fulfil(run, on, wished, deadline.map(|(_, at)| at)) => return Err(Error::internal("the playbook's machine ended")),
        () = server.serve() => return Err(Error::internal("the playbook's server ended")),
    };
    tail.finish();
    // Ansible may learn that a command on the machine timed out before this program does.
    let exit = match deadline {
        Some((limit, at)) if !exit.success() && Instant::now() >= at => Exit::TimedOut(limit),
        _ => exit,
    };
    let words = tail.last_lines(run);
    let report = report.lock().unwrap_or_else(PoisonError::into_inner);
    match failure::of(run, step, &playbook.folder, &exit, &report, words) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn not_installed(step: &Step, exit: &Exit, words: Option<LastLines>) -> Error {
    let error = ended(step, "ansible-galaxy install", exit, words);
    match exit {
        Exit::Status(_) => error
            .help("It downloads what `requirements` lists: see its output above.")
            .at(step.route.key("requirements")),
        _ => error,
    }
}

/// Waits until no command of the playbook runs on the machine: each has the same deadline there.
async fn settle(running: Arc<AtomicUsize>) {
    let idle = async {
        while running.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(PAUSE).await;
        }
    };
    // If the machine does not answer, its owner will end it.
    let _ = tokio::time::timeout(SETTLE, idle).await;
}

/// Environment variables for the playbook: the step's, and those that make Ansible find our files.
async fn environment(
    own: &WorkFolder,
    said: &[(String, OsString)],
    hidden: &[&str],
    playbook: &AnsibleStep,
) -> Result<Vec<(String, OsString)>> {
    let get = |name: &str| {
        let of_step = said.iter().find(|(said, _)| said == name).map(|(_, value)| value.clone());
        of_step.or_else(|| std::env::var_os(name).filter(|_| !hidden.contains(&name)))
    };
    let mut env = said.to_vec();
    let mut set = |name: &str, value: OsString| env.push((name.to_owned(), value));
    let home = get("HOME").map(PathBuf::from);
    let config =
        settings::file(get("ANSIBLE_CONFIG").map(PathBuf::from), &playbook.folder, &playbook.playbook, home.as_deref());
    let mut folders = settings::SEARCHED.map(|(_, _, usual)| usual.to_owned()).to_vec();
    if let Some(config) = config {
        let config = absolute(&config)?;
        set("ANSIBLE_CONFIG", config.clone().into());
        let env = [said, &[("ANSIBLE_CONFIG".to_owned(), config.into())]].concat();
        let args = ["dump", "--format", "json"].map(OsString::from).to_vec();
        let dump = LocalProgram { name: "ansible-config", args, folder: &playbook.folder, env: &env, hidden };
        let mut collect = Collect::default();
        let limit = Duration::from_mins(1);
        let exit = dump.run(&mut collect, Some((limit, Instant::now() + limit)), ready(())).await?;
        if let Some(read) = settings::folders(&collect.stdout).filter(|_| exit.success()) {
            folders = read;
        }
    }
    let ours = ["connection", "callback", "roles", "collections"];
    for (((_, variable, _), ours), theirs) in settings::SEARCHED.iter().zip(ours).zip(folders) {
        let mut path = own.path(ours).into_os_string();
        path.push(":");
        path.push(get(variable).unwrap_or_else(|| theirs.into()));
        set(variable, path);
    }
    for (name, value) in USUAL {
        if get(name).is_none() {
            set(name, value.into());
        }
    }
    // Ansible refuses to start if the locale is not UTF-8.
    let utf8 = |name: &str| {
        get(name).is_some_and(|value| value.to_string_lossy().to_lowercase().replace('-', "").contains("utf8"))
    };
    if !["LC_ALL", "LC_CTYPE", "LANG"].into_iter().any(utf8) {
        set("LC_ALL", "C.UTF-8".into());
    }
    set("AMI_BAKE_SOCKET", own.socket().into());
    // A module that is killed on this computer can't delete its own temporary files.
    for name in ["TMPDIR", "ANSIBLE_LOCAL_TEMP"] {
        set(name, own.path("tmp").into());
    }
    set("PYTHONUNBUFFERED", "1".into());
    // A password prompt would wait forever.
    set("GIT_TERMINAL_PROMPT", "0".into());
    Ok(env)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| Error::build(format!("could not find {}", path.display())).because(error))
}

fn prefixed(prefix: &str, path: &Path) -> OsString {
    let mut text = OsString::from(prefix);
    text.push(path);
    text
}
