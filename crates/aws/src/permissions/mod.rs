//! What the role may do: AWS is asked by dry run, once an action, and nothing is created.

mod bake;
mod check;
mod deploy;
mod probe;
mod publish;

pub(crate) use check::check;
