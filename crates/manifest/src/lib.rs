//! The bake manifest: YAML to a tree with places, judged as a whole, typed, and lowered to core's plan.

pub mod diagnostic;
mod expression;
pub mod model;
mod schema;
mod words;
pub mod yaml;

pub use schema::schema;
