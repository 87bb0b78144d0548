//! How the command line behaves: the program itself, in a folder of its own, with nothing of this machine's environment.

mod check;
mod first_steps;
mod local;
mod setting;
mod usage;
