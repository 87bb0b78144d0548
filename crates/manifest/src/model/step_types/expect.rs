//! `expect`: asserts something about the machine.

use ami_bake_core::plan::{self, HttpProbe, Probe, Scheme, StepAction};
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Mode;
use super::probes::{Expect, HttpExpectation, SchemeChoice};
use super::run::first_line;
use super::step_type::{Keyed, StepContext, StepSettings};

/// Checks something about the machine until it is true or the time limit is over. Default `timeout`: `60s`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Expectation {
    /// What to check.
    expect: Expect,
}

impl Keyed for Expectation {
    const KEY: &'static str = "expect";
}

impl StepSettings for Expectation {
    fn about(&self) -> String {
        match probe(&self.expect) {
            Some(Probe::Http(http)) => format!("{} :{}{}", http.scheme.as_str(), http.port, http.path),
            Some(Probe::Port { port, .. }) => format!("port {port}"),
            Some(Probe::Service { name, .. }) => format!("service {name}"),
            Some(Probe::Package { name, .. }) => format!("package {name}"),
            Some(Probe::File { path, .. }) => format!("file {path}"),
            Some(Probe::User { name, .. }) => format!("user {name}"),
            Some(Probe::Command { run, .. }) => first_line(&run),
            None => String::new(),
        }
    }

    fn lower(&self, _: &StepContext<'_>) -> Option<StepAction> {
        Some(StepAction::Expect(plan::Expectation { probe: probe(&self.expect)? }))
    }
}

fn probe(expect: &Expect) -> Option<Probe> {
    if let Some(http) = &expect.http {
        return Some(Probe::Http(self::http(http)));
    }
    if let Some(port) = &expect.port {
        return Some(Probe::Port { host: port.0.host.clone(), port: port.0.port, open: port.0.open.unwrap_or(true) });
    }
    if let Some(service) = &expect.service {
        return Some(Probe::Service {
            name: service.0.name.clone(),
            running: service.0.running.unwrap_or(true),
            enabled: service.0.enabled,
        });
    }
    if let Some(package) = &expect.package {
        return Some(Probe::Package {
            name: package.0.name.clone(),
            version: package.0.version.clone(),
            installed: package.0.installed.unwrap_or(true),
        });
    }
    if let Some(file) = &expect.file {
        return Some(Probe::File {
            path: file.0.path.clone(),
            exists: file.0.exists.unwrap_or(true),
            contains: file.0.contains.clone(),
            mode: file.0.mode.as_ref().and_then(Mode::bits),
            owner: file.0.owner.clone(),
            sha256: file.0.sha256.as_ref().map(|sum| sum.to_ascii_lowercase()),
        });
    }
    if let Some(user) = &expect.user {
        return Some(Probe::User {
            name: user.0.name.clone(),
            exists: user.0.exists.unwrap_or(true),
            groups: user.0.groups.0.clone(),
            shell: user.0.shell.clone(),
            home: user.0.home.clone(),
        });
    }
    let command = &expect.command.as_ref()?.0;
    Some(Probe::Command {
        run: command.run.clone(),
        status: command.status.unwrap_or(0),
        stdout: command.stdout.clone(),
        stderr: command.stderr.clone(),
    })
}

fn http(http: &HttpExpectation) -> HttpProbe {
    let scheme = match http.scheme {
        None | Some(SchemeChoice::Http) => Scheme::Http,
        Some(SchemeChoice::Https) => Scheme::Https,
    };
    HttpProbe {
        scheme,
        tls_verify: http.tls_verify.unwrap_or(true),
        host: http.host.clone(),
        port: http.port.unwrap_or(scheme.default_port()),
        path: http.path.clone().unwrap_or_else(|| "/".to_owned()),
        status: http.status,
        body: http.body.clone(),
        headers: http.headers.0.iter().map(|(name, text)| (name.to_ascii_lowercase(), text.clone())).collect(),
    }
}
