//! All forms of all secrets as one automaton.

use std::collections::HashMap;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::{Anchored, BuildError, MatchError, StartKind, dfa, nfa};

use super::forms::{Forms, Rule};

/// Bytes of all forms up to which there is a table for each state: faster, and a few megabytes at most.
const TABLE: usize = 8 << 10;

/// Finds all forms.
pub(super) struct Matcher {
    /// The automaton.
    pub(super) automaton: Engine,
    /// The rule of each form.
    rules: Vec<Rule>,
    /// How many bytes of a form that may go on each state has seen.
    depths: HashMap<StateID, usize>,
    /// The state before any byte.
    pub(super) start: StateID,
    /// Bytes of the longest form.
    pub(super) longest: usize,
}

/// The two kinds of automata.
pub(super) enum Engine {
    /// With a table.
    Table(dfa::DFA),
    /// Compact.
    Compact(nfa::contiguous::NFA),
}

/// Why there is no automaton.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildMatcherError {
    /// More text than an automaton can hold: gigabytes.
    #[error(transparent)]
    Size(#[from] BuildError),
    /// An automaton without a start.
    #[error(transparent)]
    Start(#[from] MatchError),
}

impl Matcher {
    /// Finds `forms`.
    ///
    /// # Errors
    /// When they are larger than an automaton can be.
    pub(super) fn new(forms: &Forms) -> Result<Self, BuildMatcherError> {
        let size: usize = forms.keys().map(Vec::len).sum();
        let nfa = nfa::noncontiguous::NFA::builder().prefilter(false).build(forms.keys())?;
        let automaton = if size <= TABLE {
            let mut builder = dfa::DFA::builder();
            Engine::Table(builder.start_kind(StartKind::Unanchored).prefilter(false).build_from_noncontiguous(&nfa)?)
        } else {
            Engine::Compact(nfa::contiguous::NFA::builder().prefilter(false).build_from_noncontiguous(&nfa)?)
        };
        let (start, depths) = match &automaton {
            Engine::Table(automaton) => depths(automaton, forms)?,
            Engine::Compact(automaton) => depths(automaton, forms)?,
        };
        let longest = forms.keys().map(Vec::len).max().unwrap_or_default();
        Ok(Self { automaton, rules: forms.values().copied().collect(), depths, start, longest })
    }

    /// Bytes of the longest beginning of a form that a text ends with.
    pub(super) fn depth(&self, state: StateID) -> usize {
        if state == self.start { 0 } else { self.depths.get(&state).copied().unwrap_or_default() }
    }

    /// Length and rule of each form that ends in a state.
    pub(super) fn found<A: Automaton>(&self, automaton: &A, state: StateID, mut each: impl FnMut(usize, Rule)) {
        for index in 0..automaton.match_len(state) {
            let form = automaton.match_pattern(state, index);
            each(automaton.pattern_len(form), self.rules.get(form.as_usize()).copied().unwrap_or_default());
        }
    }
}

/// The start, and the depth of each state: the length of the longest beginning of a form that every text in this state
/// ends with. A whole form counts only as what a longer one begins with.
fn depths<A: Automaton>(automaton: &A, forms: &Forms) -> Result<(StateID, HashMap<StateID, usize>), BuildMatcherError> {
    let start = automaton.start_state(Anchored::No)?;
    let next = |state: StateID, byte: &u8| automaton.next_state(Anchored::No, state, *byte);
    let (mut depths, mut whole) = (HashMap::new(), Vec::new());
    for form in forms.keys() {
        let mut state = start;
        for (before, byte) in form.iter().enumerate() {
            state = next(state, byte);
            if before + 1 < form.len() {
                depths.insert(state, before + 1);
            }
        }
        whole.push((form, state));
    }
    // The shortest first: what is left of a form without its first byte ends in a state of fewer bytes.
    whole.sort_by_key(|(form, _)| form.len());
    for (form, state) in whole {
        if !depths.contains_key(&state) {
            let rest = form.iter().skip(1).fold(start, next);
            depths.insert(state, depths.get(&rest).copied().unwrap_or_default());
        }
    }
    Ok((start, depths))
}
