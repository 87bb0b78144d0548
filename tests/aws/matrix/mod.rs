//! The fault matrix: every fault in every call of a run that changes something, and a kill at every stage. The rules
//! for the results are in docs/dev/lifecycle.md, "Faults"; `bench/faults/run` prints the whole table.

mod cell;
mod fault;
mod holdings;
mod process;
mod rules;
mod scenario;
mod storm;
mod survey;
mod table;
mod tests;
