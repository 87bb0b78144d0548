//! The step type `ansible`: a real `ansible-playbook` on this computer, over the bake's own connection.
//!
//! Our connection plug-in sends Ansible's commands to a socket in a private folder, and [`serve`] runs them over the
//! [`Communicator`](ami_bake_core::communicator::Communicator). So the key never leaves memory, the host key stays
//! pinned, jump hosts work, and all platforms behave alike.

mod failure;
mod folder;
mod message;
mod play;
mod process;
mod restart;
mod serve;
mod settings;
mod tools;
mod vars;
