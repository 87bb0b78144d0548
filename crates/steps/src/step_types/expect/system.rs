//! `expect: {service: …}` and `expect: {package: …}`.

use ami_bake_core::plan::Step;
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result, Run};

use crate::poll::Observation;
use crate::shell::ask;

/// Checks whether a service runs and starts at boot, with systemd or OpenRC.
pub(super) async fn service(
    run: &Run,
    on: &ConnectedMachine<'_>,
    step: &Step,
    name: &str,
    running: bool,
    enabled: Option<bool>,
) -> Result<Observation> {
    let script = format!("name={}\n{}", quote(name), include_str!("service.sh"));
    let text = ask(run, on, "query the service", &script).await?.text("query the service")?;
    let mut lines = text.lines();
    let (active, boot) = (lines.next().unwrap_or_default().trim(), lines.next().unwrap_or_default().trim());
    if active == "no-init" {
        return Err(Error::build(format!(
            "step `{}`: can't check the service `{name}`: the machine runs neither systemd nor OpenRC",
            step.name
        ))
        .help(
            "In a sandbox or container, skip the step with `platforms: [aws]`, or expect a port or a command instead.",
        )
        .at(step.route.clone()));
    }
    if active == "unknown" {
        return Ok(Observation::unmet(format!("expected the service `{name}`, but there is no such service")));
    }
    // `reloading` is a running service in transition.
    let runs = active == "active" || active == "reloading";
    if runs != running {
        let expected = if running { "to be running" } else { "not to be running" };
        return Ok(Observation::unmet(format!("expected the service `{name}` {expected}, but it is {active}")));
    }
    if let Some(enabled) = enabled {
        let seen = boot.starts_with("enabled")
            || boot == "static"
            || boot == "alias"
            || boot == "generated"
            || boot == "indirect";
        if seen != enabled {
            let expected = if enabled { "to start at boot" } else { "not to start at boot" };
            return Ok(Observation::unmet(format!("expected the service `{name}` {expected}, but it is {boot}")));
        }
    }
    Ok(Observation::Met)
}

/// Checks whether a package is installed.
pub(super) async fn package(
    run: &Run,
    on: &ConnectedMachine<'_>,
    step: &Step,
    name: &str,
    version: Option<&str>,
    installed: bool,
) -> Result<Observation> {
    let script = format!("name={}\n{}", quote(name), include_str!("package.sh"));
    let text = ask(run, on, "query the package", &script).await?.text("query the package")?;
    let seen = text.trim();
    if seen == "no-manager" {
        return Err(Error::build(format!(
            "step `{}`: can't check the package `{name}`: the machine has none of dpkg, rpm and apk",
            step.name
        ))
        .help("Expect a file or a command instead.")
        .at(step.route.clone()));
    }
    let found = seen.strip_prefix("installed ").map(str::trim);
    Ok(match (found, installed) {
        (None, false) => Observation::Met,
        (None, true) => Observation::unmet(format!("expected the package `{name}` to be installed, but it is not")),
        (Some(seen), false) => {
            Observation::unmet(format!("expected the package `{name}` not to be installed, but {seen} is"))
        }
        (Some(seen), true) => match version {
            // People omit the epoch (`1:`), which is not part of the upstream version.
            Some(version)
                if !seen.starts_with(version)
                    && !seen.split_once(':').is_some_and(|(_, rest)| rest.starts_with(version)) =>
            {
                Observation::unmet(format!(
                    "expected the package `{name}` in a version that begins with {version}, but {seen} is installed"
                ))
            }
            _ => Observation::Met,
        },
    })
}
