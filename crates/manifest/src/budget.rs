//! A budget for evaluating a file. A file of a few hundred bytes can require more than any computer has: nested
//! references that multiply, collections of collections, patterns over long texts. Every evaluator takes its steps and
//! the bytes of its results off one budget, and stops with a finding when it is used up.

use std::cell::Cell;

/// Cost of a step in bytes of results: a step takes about as long as copying this many bytes.
pub const STEP: usize = 32;

/// The remaining budget for evaluating a file.
#[derive(Debug)]
pub struct Budget {
    left: Cell<usize>,
    depth: Cell<usize>,
    deepest: usize,
}

/// Why an evaluation stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// Too many steps, or results that are too large.
    Size,
    /// Too deeply nested.
    Depth,
}

impl std::fmt::Display for Exceeded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Size => "evaluating this file takes too long: its values are too large",
            Self::Depth => "the values of this file refer to each other too deeply",
        })
    }
}

impl Budget {
    /// A budget of this many bytes, for evaluations with at most `deepest` levels.
    pub fn new(bytes: usize, deepest: usize) -> Self {
        Self { left: Cell::new(bytes), depth: Cell::new(0), deepest }
    }

    /// Takes bytes off the budget.
    ///
    /// # Errors
    /// When the budget is used up; all later calls fail, too.
    pub fn spend(&self, bytes: usize) -> Result<(), Exceeded> {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or(Exceeded::Size)
    }

    /// Takes the cost of `count` results of `bytes` each off the budget, before they are created.
    ///
    /// # Errors
    /// When the budget is used up.
    pub fn spend_each(&self, count: usize, bytes: usize) -> Result<(), Exceeded> {
        self.spend(count.saturating_mul(bytes))
    }

    /// Runs `work` one level deeper, which costs a step.
    ///
    /// # Errors
    /// When the level is too deep or the budget is used up, and errors of `work`.
    pub fn deeper<T, E: From<Exceeded>>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        if self.depth.get() >= self.deepest {
            return Err(Exceeded::Depth.into());
        }
        self.spend(STEP)?;
        self.depth.set(self.depth.get() + 1);
        let result = work();
        self.depth.set(self.depth.get().saturating_sub(1));
        result
    }

    /// The remaining budget in bytes.
    pub fn left(&self) -> usize {
        self.left.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends_and_stays_ended() {
        let budget = Budget::new(100, 2);
        assert_eq!(budget.spend_each(usize::MAX, 2), Err(Exceeded::Size));
        assert_eq!((budget.left(), budget.spend(1)), (0, Err(Exceeded::Size)));
        let budget = Budget::new(100, 2);
        let deep = || budget.deeper(|| budget.deeper(|| budget.deeper(|| Ok::<_, Exceeded>(()))));
        assert_eq!(deep(), Err(Exceeded::Depth));
        assert_eq!(budget.left(), 100 - 2 * STEP);
        assert_eq!(budget.deeper(|| Ok::<_, Exceeded>(1)), Ok(1));
    }
}
