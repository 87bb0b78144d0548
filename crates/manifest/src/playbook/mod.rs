//! Ansible playbooks: the local files that one is made of.

mod parts;
mod references;

pub(crate) use parts::parts;
