//! The step type `ansible`: a real `ansible-playbook` on this computer, over the bake's own connection.
//!
//! A plug-in of ours carries what Ansible does on the machine to a socket in a folder that only this user can enter, and
//! [`serve`] carries it on over the [`Communicator`](ami_bake_core::communicator::Communicator). So the key never leaves
//! memory, the host key stays pinned, jump hosts work, and every platform is the same.

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
