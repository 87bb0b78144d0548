//! The step type `chef`: chef-solo or cinc-solo on the machine, which has to have it.

mod configuration;
mod converge;
mod exit_status;
