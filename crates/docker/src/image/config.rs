//! Applies a plan's `container` changes to the configuration of a source image.

use ami_bake_core::plan::ContainerChanges;
use bollard::models::{ContainerConfig, ImageConfig};

/// The source image's configuration with `changes` applied, as the commit call expects it.
///
/// Entry point and command are always sent, even empty ones: the daemon would fill in missing ones from the container,
/// whose command is the bake's own (moby, `daemon/commit.go`, `merge`).
pub(super) fn changed(source: ImageConfig, changes: Option<&ContainerChanges>) -> ContainerConfig {
    let mut config = ContainerConfig {
        user: source.user,
        exposed_ports: source.exposed_ports,
        env: source.env,
        cmd: Some(source.cmd.unwrap_or_default()),
        healthcheck: source.healthcheck,
        args_escaped: source.args_escaped,
        volumes: source.volumes,
        working_dir: source.working_dir,
        entrypoint: Some(source.entrypoint.unwrap_or_default()),
        on_build: source.on_build,
        stop_signal: source.stop_signal,
        shell: source.shell,
        ..ContainerConfig::default()
    };
    let Some(changes) = changes else { return config };
    if !changes.entrypoint.is_empty() {
        config.entrypoint = Some(changes.entrypoint.clone());
        config.cmd = Some(Vec::new());
    }
    if !changes.cmd.is_empty() {
        config.cmd = Some(changes.cmd.clone());
    }
    for (name, value) in &changes.env {
        let env = config.env.get_or_insert_default();
        env.retain(|old| old.split('=').next() != Some(name.as_str()));
        env.push(format!("{name}={value}"));
    }
    for port in &changes.expose {
        let port = if port.contains('/') { port.clone() } else { format!("{port}/tcp") };
        let ports = config.exposed_ports.get_or_insert_default();
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    config.user = changes.user.clone().or(config.user);
    config.working_dir = changes.workdir.clone().or(config.working_dir);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn changes_follow_a_dockerfiles_rules() {
        let source = || ImageConfig {
            env: Some(words("PATH=/bin LANG=C")),
            cmd: Some(words("bash")),
            exposed_ports: Some(words("80/tcp")),
            user: Some("nobody".into()),
            ..ImageConfig::default()
        };
        let changes = ContainerChanges {
            env: vec![("LANG".into(), "C.UTF-8".into()), ("A".into(), "b=c".into())],
            entrypoint: words("/srv/run"),
            expose: words("80 53/udp"),
            workdir: Some("/srv".into()),
            ..ContainerChanges::default()
        };
        let config = changed(source(), Some(&changes));
        assert_eq!(config.env, Some(words("PATH=/bin LANG=C.UTF-8 A=b=c")));
        assert_eq!((config.entrypoint, config.cmd), (Some(words("/srv/run")), Some(Vec::new())));
        assert_eq!(config.exposed_ports, Some(words("80/tcp 53/udp")));
        assert_eq!((config.user.as_deref(), config.working_dir.as_deref()), (Some("nobody"), Some("/srv")));

        let same = changed(source(), None);
        assert_eq!((same.entrypoint, same.cmd), (Some(Vec::new()), Some(words("bash"))));
    }
}
