//! A job that uses the action, run as the GitHub runner does (actions/runner, ContainerActionHandler.cs): six mounts,
//! the environment of action.yml and of an event, both pipes through the runner's parsers, file commands, then the post
//! step. The program is a binary of this machine, or an image in a real engine.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::cloud::repository;
use crate::runner::{Step, read_file_command};
use crate::test_dir::{CommandOutcome, TestDir};

/// The value of `${{ github.token }}`.
pub const TOKEN: &str = "ghs_testtoken0123456789";

/// A job, whose workspace is a folder of its own.
#[derive(Debug)]
pub struct Job {
    dir: TestDir,
    variables: BTreeMap<String, String>,
    /// Inputs of action.yml with their defaults.
    declared: BTreeMap<String, String>,
    /// Address of the engine and the image, if the action runs in a container.
    container: Option<(String, String)>,
}

/// The result of a step.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Both pipes as the runner parsed them.
    pub step: Step,
    /// Outputs; the last value of a name wins.
    pub outputs: BTreeMap<String, String>,
    /// State saved for the post step.
    pub state: BTreeMap<String, String>,
    /// Text of the job summary.
    pub summary: String,
}

/// A step in progress.
#[derive(Debug)]
pub struct Running {
    /// The process.
    pub child: Child,
    files: PathBuf,
}

impl Job {
    /// A job for a push to the default branch of `shop/images`, run 4711.
    ///
    /// # Panics
    /// When action.yml can't be read.
    #[expect(clippy::new_without_default, reason = "a folder is made")]
    pub fn new() -> Self {
        let dir = TestDir::new();
        for folder in ["workspace", "home", "workflow", "file_commands", "runner_temp"] {
            std::fs::create_dir(dir.path(folder)).unwrap();
        }
        let action: Value =
            serde_yaml::from_str(&std::fs::read_to_string(repository().join("action.yml")).unwrap()).unwrap();
        let default =
            |input: &Value| input["default"].as_str().unwrap_or_default().replace("${{ github.token }}", TOKEN);
        let inputs = action["inputs"].as_object().unwrap().iter();
        let declared = inputs.map(|(name, input)| (name.clone(), default(input))).collect();
        let mut job = Self { dir, variables: BTreeMap::new(), declared, container: None };
        let folder = |name: &str| job.dir.path(name).display().to_string();
        let variables = [
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("HOME", folder("home")),
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_WORKSPACE", folder("workspace")),
            ("GITHUB_EVENT_PATH", folder("workflow/event.json")),
            ("RUNNER_TEMP", folder("runner_temp")),
            ("GITHUB_REPOSITORY", "shop/images".to_owned()),
            ("GITHUB_REPOSITORY_ID", "74".to_owned()),
            ("GITHUB_REPOSITORY_OWNER_ID", "65".to_owned()),
            ("GITHUB_RUN_ID", "4711".to_owned()),
            ("GITHUB_ACTOR", "octo".to_owned()),
            ("GITHUB_WORKFLOW", "Bake".to_owned()),
            ("GITHUB_JOB", "bake".to_owned()),
            ("GITHUB_SHA", "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d".to_owned()),
            // Nothing listens there: a test that needs GitHub names a server of its own.
            ("GITHUB_SERVER_URL", "http://127.0.0.1:9".to_owned()),
            ("GITHUB_API_URL", "http://127.0.0.1:9".to_owned()),
        ];
        job.variables.extend(variables.map(|(name, value)| (name.to_owned(), value)));
        let event = serde_json::json!({"repository": {"default_branch": "main", "full_name": "shop/images"}});
        job.event("push", "refs/heads/main", &event)
    }

    /// Sets the event that triggered the job.
    ///
    /// # Panics
    /// When its file can't be written.
    pub fn event(self, name: &str, reference: &str, payload: &Value) -> Self {
        self.dir.write("workflow/event.json", &payload.to_string());
        self.variable("GITHUB_EVENT_NAME", name).variable("GITHUB_REF", reference)
    }

    /// Sets an environment variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Runs the action as a container of `image`, in the Docker daemon that listens on the Unix socket `engine`.
    pub fn in_container(mut self, engine: &str, image: &str) -> Self {
        self.container = Some((engine.to_owned(), image.to_owned()));
        self
    }

    /// Writes a file in the workspace.
    pub fn write(&self, name: &str, content: &str) {
        self.dir.write(&format!("workspace/{name}"), content);
    }

    /// Path of a file in the job's folder: `workspace/…`, `runner_temp/…`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path(name)
    }

    /// Starts the main step. With a container, `program` is ignored: the image has its own.
    ///
    /// # Panics
    /// When an input is not one of action.yml, or the program can't be started.
    pub fn start(&self, program: &str, inputs: &[(&str, &str)]) -> Running {
        self.begin("main", program, inputs, &BTreeMap::new())
    }

    /// Runs the main step.
    ///
    /// # Panics
    /// As [`Job::start`].
    pub fn main(&self, program: &str, inputs: &[(&str, &str)]) -> Ended {
        self.start(program, inputs).end()
    }

    /// Runs the post step with the state that the main step saved, under the name that action.yml gives it.
    ///
    /// # Panics
    /// As [`Job::start`].
    pub fn post(&self, program: &str, inputs: &[(&str, &str)], main: &Ended) -> Ended {
        self.start_post(program, inputs, &main.state).end()
    }

    /// Starts the post step without waiting for the main step, which may outlive its `docker run`.
    ///
    /// # Panics
    /// As [`Job::start`].
    pub fn start_post(&self, program: &str, inputs: &[(&str, &str)], state: &BTreeMap<String, String>) -> Running {
        let link = self.dir.path("ami-bake-post");
        if self.container.is_none() && !link.exists() {
            symlink(program, &link).unwrap();
        }
        self.begin("post", &link.display().to_string(), inputs, state)
    }

    fn begin(&self, step: &str, program: &str, inputs: &[(&str, &str)], state: &BTreeMap<String, String>) -> Running {
        let files = self.dir.path(&format!("file_commands/{step}"));
        std::fs::create_dir_all(&files).unwrap();
        for name in ["output", "state", "summary"] {
            std::fs::write(files.join(name), "").unwrap();
        }
        let mut given = self.declared.clone();
        for (name, value) in inputs {
            assert!(given.insert((*name).to_owned(), (*value).to_owned()).is_some(), "action.yml has no input {name}");
        }
        let mut environment = self.variables.clone();
        environment.extend(given.iter().map(|(name, value)| (format!("INPUT_{}", name.to_uppercase()), value.clone())));
        environment.extend(state.iter().map(|(name, value)| (format!("STATE_{name}"), value.clone())));
        for (variable, file) in [("OUTPUT", "output"), ("STATE", "state"), ("STEP_SUMMARY", "summary")] {
            environment.insert(format!("GITHUB_{variable}"), files.join(file).display().to_string());
        }
        let mut command = if let Some((engine, image)) = &self.container {
            self.docker(engine, image, step, &environment)
        } else {
            // The program gets only the variables that `docker run` passes on.
            let mut command = Command::new(program);
            command.current_dir(self.dir.path("workspace")).env_clear().envs(environment);
            command
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running { child: command.spawn().unwrap(), files }
    }

    /// The `docker run` command as the runner builds it (DockerCommandManager.cs), without a network.
    fn docker(&self, engine: &str, image: &str, step: &str, environment: &BTreeMap<String, String>) -> Command {
        let folder = self.dir.folder().display().to_string();
        let mut command = Command::new("docker");
        command.args(["--host", &format!("unix://{engine}"), "run", "--rm", "--network", "none"]);
        command.args(["--workdir", "/github/workspace", "-v", &format!("{engine}:/var/run/docker.sock")]);
        for mount in ["runner_temp", "home", "workflow", "file_commands", "workspace"] {
            command.args(["-v", &format!("{folder}/{mount}:/github/{mount}")]);
        }
        if step == "post" {
            let action: Value =
                serde_yaml::from_str(&std::fs::read_to_string(repository().join("action.yml")).unwrap()).unwrap();
            command.args(["--entrypoint", action["runs"]["post-entrypoint"].as_str().unwrap()]);
        }
        for (name, value) in environment.iter().filter(|(name, _)| *name != "PATH") {
            // The runner rewrites a value that is a mounted folder or begins with one, but not a value that contains
            // one.
            let value = value.strip_prefix(&folder).map_or_else(|| value.clone(), |rest| format!("/github{rest}"));
            command.args(["-e", name]).env(name, value);
        }
        command.arg(image);
        command
    }
}

impl Running {
    /// State saved so far.
    ///
    /// # Panics
    /// When the file is not what the runner accepts.
    pub fn state(&self) -> BTreeMap<String, String> {
        let text = std::fs::read_to_string(self.files.join("state")).unwrap();
        read_file_command(&text).unwrap().into_iter().collect()
    }

    /// Waits for the end of the step.
    ///
    /// # Panics
    /// When a file command is not what the runner accepts.
    pub fn end(self) -> Ended {
        let outcome = CommandOutcome::of(self.child);
        let read = |name: &str| std::fs::read_to_string(self.files.join(name)).unwrap();
        Ended {
            code: outcome.code,
            step: Step::default().read(outcome.stdout.as_bytes()).read(outcome.stderr.as_bytes()),
            outputs: read_file_command(&read("output")).unwrap().into_iter().collect(),
            state: read_file_command(&read("state")).unwrap().into_iter().collect(),
            summary: read("summary"),
        }
    }
}

impl Ended {
    /// Asserts the exit code, and shows the log if it is another.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{:#?}", self.step.text(), self.step.commands);
        self
    }

    /// The value of an output; empty if it is not set.
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }

    /// The annotations of a level, as `title: message`.
    pub fn annotations(&self, level: &str) -> Vec<String> {
        let commands = self.step.commands.iter().filter(|command| command.name == level);
        let title = |properties: &BTreeMap<String, String>| properties.get("title").cloned().unwrap_or_default();
        commands.map(|command| format!("{}: {}", title(&command.properties), command.data)).collect()
    }
}
