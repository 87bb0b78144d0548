//! Tests of rendered reports: golden documents, hostile texts, limits.

#![allow(clippy::unwrap_used, reason = "tests end where they fail")]

mod golden;
mod hostile;
mod limits;
