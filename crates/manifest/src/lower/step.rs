//! Steps to core's.

use std::path::Path;

use ami_bake_core::Route;
use ami_bake_core::plan::{self, Expectation, OnFailure, Phase, Probe, SecretPart, WaitFor};

use crate::model::{
    self, ChefTool, Common, ComponentPhase, DurationText, Expect, OnFailureChoice, Step, Verb, WaitTarget,
};
use crate::resolve::SECRET;

/// The steps of a phase; paths become relative to the working directory.
pub(crate) fn steps(
    steps: Vec<(usize, Step)>,
    phase: Phase,
    route: &Route,
    folder: &Path,
    user: Option<&str>,
) -> Vec<plan::Step> {
    steps.into_iter().filter_map(|(index, step)| self::step(step, phase, route.index(index), folder, user)).collect()
}

fn step(step: Step, phase: Phase, route: Route, folder: &Path, user: Option<&str>) -> Option<plan::Step> {
    let Common { name, env, timeout, retries, on_failure, cache_for, .. } = step.common;
    let verb = verb(step.verb, phase, folder, user)?;
    Some(plan::Step {
        name: name.unwrap_or_else(|| default_name(&verb)),
        route,
        verb,
        env: env.0.into_iter().map(|(name, text)| (name, value(&text))).collect(),
        timeout: timeout.as_ref().and_then(DurationText::duration),
        retries,
        on_failure: match on_failure {
            None | Some(OnFailureChoice::Abort) => OnFailure::Abort,
            Some(OnFailureChoice::Continue) => OnFailure::Continue,
            Some(OnFailureChoice::Ignore) => OnFailure::Ignore,
        },
        cache_for: cache_for.as_ref().and_then(DurationText::duration),
    })
}

/// Text with the names of secrets between marks: every second part is a name.
pub(super) fn value(text: &str) -> plan::Value {
    if !text.contains(SECRET) {
        return plan::Value::Plain(text.to_owned());
    }
    let parts = text.split(SECRET).enumerate().filter(|(_, part)| !part.is_empty());
    plan::Value::Secret(
        parts
            .map(
                |(at, part)| {
                    if at % 2 == 1 { SecretPart::Name(part.to_owned()) } else { SecretPart::Text(part.to_owned()) }
                },
            )
            .collect(),
    )
}

/// Values as one JSON object, with the names of secrets between marks inside its strings. A mark would be escaped, so that
/// one that is not stands for it meanwhile; the manifest can't hold it, since it is no character (Unicode 23.7).
fn object(values: Vec<(String, serde_json::Value)>) -> plan::Value {
    const STAND_IN: char = '\u{10ffff}';
    fn swap(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = text.replace(SECRET, STAND_IN.encode_utf8(&mut [0; 4])),
            serde_json::Value::Array(items) => items.iter_mut().for_each(swap),
            serde_json::Value::Object(map) => map.values_mut().for_each(swap),
            _ => {}
        }
    }
    let mut object = serde_json::Value::Object(values.into_iter().collect());
    swap(&mut object);
    value(&object.to_string().replace(STAND_IN, SECRET.encode_utf8(&mut [0; 4])))
}

/// `None` for what the check refuses.
fn verb(verb: Verb, phase: Phase, folder: &Path, user: Option<&str>) -> Option<plan::Verb> {
    Some(match verb {
        Verb::Run(run) => plan::Verb::Run {
            script: run.run,
            shell: run.shell,
            user: run.r#as,
            working_directory: run.working_directory,
        },
        Verb::Script(script) => plan::Verb::Script {
            path: folder.join(script.script),
            args: script.args,
            shell: script.shell,
            user: script.r#as,
            working_directory: script.working_directory,
        },
        Verb::Upload(upload) => plan::Verb::Upload {
            from: folder.join(upload.upload.trim_end_matches('/')),
            contents: upload.upload.ends_with('/'),
            to: upload.to,
            exclude: upload.exclude,
            owner: upload.owner,
            mode: upload.mode.as_ref().and_then(model::Mode::bits),
        },
        Verb::Download(download) => {
            plan::Verb::Download { from: download.download, to: folder.join(download.to), exclude: download.exclude }
        }
        Verb::Component(component) => plan::Verb::Component {
            path: folder.join(component.component),
            parameters: component.with.0.into_iter().collect(),
            phases: if component.phases.is_empty() {
                vec![phase]
            } else {
                component.phases.into_iter().map(document_phase).collect()
            },
        },
        Verb::Reboot(_) => plan::Verb::Reboot,
        Verb::Wait(wait) => plan::Verb::Wait {
            until: until(wait.wait)?,
            interval: wait.interval.as_ref().and_then(DurationText::duration),
        },
        Verb::Expect(expectation) => plan::Verb::Expect(Expectation { probe: probe(expectation.expect)? }),
        Verb::Ansible(ansible) => plan::Verb::Ansible {
            playbook: folder.join(ansible.ansible),
            requirements: ansible.requirements.map(|path| folder.join(path)),
            folder: folder.to_owned(),
            vars: object(ansible.vars.0),
            args: ansible.args,
            groups: ansible.groups,
            user: user.map(str::to_owned),
        },
        Verb::Chef(chef) => plan::Verb::Chef {
            tool: match chef.chef {
                ChefTool::ChefSolo => "chef-solo".to_owned(),
                ChefTool::CincSolo => "cinc-solo".to_owned(),
            },
            cookbooks: chef.cookbooks.0.into_iter().map(|path| folder.join(path)).collect(),
            roles: chef.roles.map(|path| folder.join(path)),
            data_bags: chef.data_bags.map(|path| folder.join(path)),
            environments: chef.environments.map(|path| folder.join(path)),
            environment: chef.environment,
            run_list: chef.run_list.0,
            attributes: serde_json::Value::Object(chef.attributes.0.into_iter().collect()).to_string(),
        },
    })
}

fn document_phase(phase: ComponentPhase) -> Phase {
    match phase {
        ComponentPhase::Build => Phase::Build,
        ComponentPhase::Validate => Phase::Validate,
        ComponentPhase::Test => Phase::Test,
    }
}

fn until(target: WaitTarget) -> Option<WaitFor> {
    target.port.map(WaitFor::Port).or(target.file.map(WaitFor::File)).or(target.command.map(WaitFor::Command))
}

fn probe(expect: Expect) -> Option<Probe> {
    if let Some(http) = expect.http {
        return Some(Probe::Http {
            host: http.host,
            port: http.port.unwrap_or(80),
            path: http.path.unwrap_or_else(|| "/".to_owned()),
            status: http.status,
            body: http.body,
            headers: http.headers.0.into_iter().map(|(name, text)| (name.to_ascii_lowercase(), text)).collect(),
        });
    }
    if let Some(port) = expect.port {
        return Some(Probe::Port { host: port.0.host, port: port.0.port, open: port.0.open.unwrap_or(true) });
    }
    if let Some(service) = expect.service {
        let service = service.0;
        return Some(Probe::Service {
            name: service.name,
            running: service.running.unwrap_or(true),
            enabled: service.enabled,
        });
    }
    if let Some(package) = expect.package {
        let package = package.0;
        return Some(Probe::Package {
            name: package.name,
            version: package.version,
            installed: package.installed.unwrap_or(true),
        });
    }
    if let Some(file) = expect.file {
        let file = file.0;
        return Some(Probe::File {
            path: file.path,
            exists: file.exists.unwrap_or(true),
            contains: file.contains,
            mode: file.mode.as_ref().and_then(model::Mode::bits),
            owner: file.owner,
            sha256: file.sha256.map(|sum| sum.to_ascii_lowercase()),
        });
    }
    if let Some(user) = expect.user {
        let user = user.0;
        return Some(Probe::User {
            name: user.name,
            exists: user.exists.unwrap_or(true),
            groups: user.groups.0,
            shell: user.shell,
            home: user.home,
        });
    }
    let command = expect.command?.0;
    Some(Probe::Command {
        run: command.run,
        status: command.status.unwrap_or(0),
        stdout: command.stdout,
        stderr: command.stderr,
    })
}

/// A name for a step without one: the verb, and what it is about.
fn default_name(verb: &plan::Verb) -> String {
    let about = match verb {
        plan::Verb::Run { script, .. } => first_line(script),
        plan::Verb::Script { path, .. }
        | plan::Verb::Component { path, .. }
        | plan::Verb::Ansible { playbook: path, .. } => {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        }
        plan::Verb::Upload { to, .. } => to.clone(),
        plan::Verb::Download { from, .. } => from.clone(),
        plan::Verb::Chef { run_list, .. } => run_list.join(", "),
        plan::Verb::Reboot => return "reboot".to_owned(),
        plan::Verb::Wait { until, .. } => match until {
            WaitFor::Port(port) => format!("port {port}"),
            WaitFor::File(path) => path.clone(),
            WaitFor::Command(command) => first_line(command),
        },
        plan::Verb::Expect(expectation) => match &expectation.probe {
            Probe::Http { port, path, .. } => format!("http :{port}{path}"),
            Probe::Port { port, .. } => format!("port {port}"),
            Probe::Service { name, .. } => format!("service {name}"),
            Probe::Package { name, .. } => format!("package {name}"),
            Probe::File { path, .. } => format!("file {path}"),
            Probe::User { name, .. } => format!("user {name}"),
            Probe::Command { run, .. } => first_line(run),
        },
    };
    format!("{} {about}", verb.name()).trim_end().to_owned()
}

/// The first line of a script that says something, cut to a title's length.
fn first_line(script: &str) -> String {
    const LENGTH: usize = 50;
    let line = script
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("set "))
        .unwrap_or_default();
    if line.chars().count() <= LENGTH {
        return line.to_owned();
    }
    let mut cut: String = line.chars().take(LENGTH - 1).collect();
    cut.push('…');
    cut
}
