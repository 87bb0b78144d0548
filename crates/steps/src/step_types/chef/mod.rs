//! The step type `chef`: runs chef-solo or cinc-solo, which must be installed on the machine.

mod configuration;
mod converge;
mod exit_status;
