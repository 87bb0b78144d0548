//! Compiles all forms of all secrets into one automaton.

use std::collections::HashMap;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::{Anchored, BuildError, MatchError, StartKind, dfa, nfa};

use super::forms::{Forms, Rule};

/// Size of all forms in bytes up to which the automaton has a table per state, which is faster and takes a few
/// megabytes at most.
const TABLE: usize = 8 << 10;

/// Finds all forms of all secrets in a text.
pub(super) struct Matcher {
    /// The automaton.
    pub(super) automaton: Engine,
    /// The rule of each form, by pattern number.
    rules: Vec<Rule>,
    /// For each state, the number of bytes of an unfinished form that were matched.
    depths: HashMap<StateID, usize>,
    /// The start state.
    pub(super) start: StateID,
    /// Length of the longest form in bytes.
    pub(super) longest: usize,
}

/// The two kinds of automata.
pub(super) enum Engine {
    /// A DFA: fast, with a transition table per state.
    Table(dfa::DFA),
    /// An NFA: compact, for forms above [`TABLE`] bytes.
    Compact(nfa::contiguous::NFA),
}

/// Why the automaton could not be built.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildMatcherError {
    /// The forms are larger than an automaton can be: gigabytes.
    #[error(transparent)]
    Size(#[from] BuildError),
    /// The automaton has no start state.
    #[error(transparent)]
    Start(#[from] MatchError),
}

impl Matcher {
    /// Compiles `forms`.
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

    /// Length in bytes of the longest prefix of a form that a text in this state ends with.
    pub(super) fn depth(&self, state: StateID) -> usize {
        if state == self.start { 0 } else { self.depths.get(&state).copied().unwrap_or_default() }
    }

    /// Calls `each` with length and rule of each form that ends in a state.
    pub(super) fn found<A: Automaton>(&self, automaton: &A, state: StateID, mut each: impl FnMut(usize, Rule)) {
        for index in 0..automaton.match_len(state) {
            let form = automaton.match_pattern(state, index);
            each(automaton.pattern_len(form), self.rules.get(form.as_usize()).copied().unwrap_or_default());
        }
    }
}

/// The start state, and the depth of each state: the length of the longest prefix of a form that every text in this
/// state ends with. A whole form counts only as the prefix of a longer one.
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
    // Shortest first: a form without its first byte ends in a state of smaller depth.
    whole.sort_by_key(|(form, _)| form.len());
    for (form, state) in whole {
        if !depths.contains_key(&state) {
            let rest = form.iter().skip(1).fold(start, next);
            depths.insert(state, depths.get(&rest).copied().unwrap_or_default());
        }
    }
    Ok((start, depths))
}
