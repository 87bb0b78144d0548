//! What the role may do: AWS is asked by dry run, once an action, and nothing is created.
//!
//! What is asked is what the [policy](crate::policy) of the manifest grants, action by action: [`ask`] has a question
//! for each, and [`unasked`] those that nobody can ask without doing them.

mod ask;
mod check;
mod grants;
mod look;
mod make;
mod probe;
mod publish;
mod question;
#[cfg(test)]
mod tests;
mod unasked;

pub(crate) use check::check;
