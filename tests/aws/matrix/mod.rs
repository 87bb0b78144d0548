//! The fault matrix: every call of a run that changes something, with every fault, and a kill at every stage. The rules
//! of what may come of it are in docs/dev/lifecycle.md, "Faults"; `bench/faults/run` prints the whole table.

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
