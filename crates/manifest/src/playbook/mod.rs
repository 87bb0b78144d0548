//! Finds the local files of Ansible playbooks.

mod parts;
mod references;

pub(crate) use parts::parts;
