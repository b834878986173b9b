//! Which call fails or hangs, for tests that fail each step on purpose.

use crate::domain::Error;

/// What goes wrong.
#[derive(Debug)]
pub enum Fault {
    /// Nothing was done.
    FailBefore(Error),
    /// It was done, and the answer was lost.
    FailAfter(Error),
    /// Nothing was done and no answer comes, ever; the test ends the program here.
    HangBefore,
    /// It was done and no answer comes, ever.
    HangAfter,
}

/// Which call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The call with this number, counted from 1 over all calls since the last [`super::FakeRuntime::forget_calls`].
    Number(usize),
    /// The n-th call (from 1) of this name.
    Name(&'static str, usize),
}

/// Planned faults; each strikes once.
#[derive(Debug, Default)]
pub struct FaultPlan {
    planned: Vec<(At, Fault)>,
}

impl FaultPlan {
    /// Plans one more.
    pub fn add(&mut self, at: At, fault: Fault) {
        self.planned.push((at, fault));
    }

    /// Takes back what has not struck.
    pub fn clear(&mut self) {
        self.planned.clear();
    }

    /// The fault for the call that was just added to `calls`, if one is planned.
    pub(super) fn strike(&mut self, calls: &[&'static str]) -> Option<Fault> {
        let name = calls.last()?;
        let index = self.planned.iter().position(|(at, _)| match at {
            At::Number(n) => *n == calls.len(),
            At::Name(wanted, n) => wanted == name && calls.iter().filter(|c| c == &wanted).count() == *n,
        })?;
        Some(self.planned.remove(index).1)
    }
}
