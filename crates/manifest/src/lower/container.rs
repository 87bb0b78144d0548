//! Lowers `publish.docker` to the plan of core.

use crate::secret::value;
use ami_bake_core::plan::{ContainerChanges, ContainerPublish, RegistryLogin};

use crate::model::{DockerChanges, DockerPublish};

/// The plan for publishing a container image; `published` is the value of `publish.if`. Pushing is the default.
pub(super) fn container(docker: &DockerPublish, published: bool) -> ContainerPublish {
    ContainerPublish {
        repository: docker.repository.clone(),
        tags: docker.tags.iter().map(|tag| tag.0.clone()).collect(),
        push: docker.push.unwrap_or(true),
        published,
        login: docker
            .login
            .as_ref()
            .map(|login| RegistryLogin { username: value(&login.username), password: value(&login.password) }),
        changes: docker.changes.as_ref().map(changes).unwrap_or_default(),
    }
}

fn changes(changes: &DockerChanges) -> ContainerChanges {
    ContainerChanges {
        labels: changes.labels.0.clone(),
        env: changes.env.0.clone(),
        entrypoint: changes.entrypoint.clone(),
        cmd: changes.cmd.clone(),
        expose: changes.expose.clone(),
        user: changes.user.clone(),
        workdir: changes.workdir.clone(),
    }
}
