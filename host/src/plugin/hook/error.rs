//! Why a hook has no result, and what that is called in logs and metrics.

use std::time::Duration;

use wasmtime::{PoolConcurrencyLimitError, Trap};

use crate::{
    plugin::{
        meter::CpuExceeded,
        state::{MemoryExceeded, TableExceeded},
        trace,
    },
    printable,
};

/// Why a hook has no result.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum HookError {
    /// The hook's own `err(text)`; the instance lives on.
    #[error("it said: {0}")]
    Failed(String),
    /// A component gave no response, or none that can be sent to a client.
    #[error("{0}")]
    NoResponse(String),
    /// The guest panicked, or broke one of WebAssembly's rules.
    #[error("it trapped: {0}")]
    Trapped(String),
    #[error("{0}")]
    CpuExceeded(String),
    #[error("{0}")]
    MemoryExceeded(String),
    #[error("{0}")]
    TableExceeded(String),
    #[error("it overflowed its stack")]
    StackOverflow,
    /// The use's own limit for one hook.
    #[error("the hook took longer than {0:?} (`limits.timeout`)")]
    TimedOut(Duration),
    #[error("the exchange's time was up while it ran")]
    DeadlinePassed,
    /// The use has trapped too often; its guest was not asked.
    #[error("it is in quarantine")]
    Quarantined { retry_after: Duration },
    /// No instance was free in time, or the process has no room for more.
    #[error("no instance was free")]
    Busy,
    /// A chunk hook returned more than the use's `max_body`.
    #[error("it returned more than {limit} bytes for one chunk")]
    TooMuch { limit: u64 },
    /// A chunk hook could not be shown a body whose content coding nobody can undo.
    #[error("the body has a content coding that is not known")]
    UnknownCoding,
}

/// Most bytes of what a hook says of its failure: each may have a line of the log.
const MAX_SAID: usize = 4096;

/// Most bytes of what `configure` says: all that is wrong with a configuration.
const MAX_REFUSAL: usize = 64 << 10;

impl HookError {
    /// A hook's own `err(text)`.
    pub(in crate::plugin) fn failed(text: &str) -> Self {
        Self::Failed(printable::beginning(text, MAX_SAID).into_owned())
    }

    /// The same of `configure`.
    pub(in crate::plugin) fn refused(text: &str) -> Self {
        Self::Failed(printable::beginning(text, MAX_REFUSAL).into_owned())
    }

    /// The labels in metrics of hooks that ran and failed.
    pub(in crate::plugin) const KINDS: [&'static str; 11] = [
        "failed", "trapped", "cpu", "memory", "table", "stack", "timeout", "deadline", "busy",
        "output", "coding",
    ];

    /// The label in metrics, one of [`Self::KINDS`] or `quarantined`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Failed(_) | Self::NoResponse(_) => "failed",
            Self::Trapped(_) => "trapped",
            Self::CpuExceeded(_) => "cpu",
            Self::MemoryExceeded(_) => "memory",
            Self::TableExceeded(_) => "table",
            Self::StackOverflow => "stack",
            Self::TimedOut(_) => "timeout",
            Self::DeadlinePassed => "deadline",
            Self::Quarantined { .. } => "quarantined",
            Self::Busy => "busy",
            Self::TooMuch { .. } => "output",
            Self::UnknownCoding => "coding",
        }
    }

    /// Whether the guest broke a rule or a limit: its instance is gone.
    pub(in crate::plugin) fn is_trap(&self) -> bool {
        match self {
            Self::Trapped(_)
            | Self::CpuExceeded(_)
            | Self::MemoryExceeded(_)
            | Self::TableExceeded(_)
            | Self::StackOverflow
            | Self::TimedOut(_) => true,
            Self::Failed(_)
            | Self::NoResponse(_)
            | Self::DeadlinePassed
            | Self::Quarantined { .. }
            | Self::Busy
            | Self::TooMuch { .. }
            | Self::UnknownCoding => false,
        }
    }

    /// The same with what the guest itself has said of its end.
    pub(in crate::plugin) fn said(self, panic: Option<String>) -> Self {
        match (self, panic) {
            (Self::Trapped(_), Some(panic)) => Self::Trapped(panic),
            (error, _) => error,
        }
    }

    pub(in crate::plugin) fn from_engine(error: wasmtime::Error) -> Self {
        Self::of_engine(&error)
    }

    pub(in crate::plugin) fn of_engine(error: &wasmtime::Error) -> Self {
        if error.is::<CpuExceeded>() {
            return Self::CpuExceeded(error.root_cause().to_string());
        }
        if error.is::<MemoryExceeded>() {
            return Self::MemoryExceeded(error.root_cause().to_string());
        }
        if error.is::<TableExceeded>() {
            return Self::TableExceeded(error.root_cause().to_string());
        }
        if error.is::<PoolConcurrencyLimitError>() {
            return Self::Busy;
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => Self::StackOverflow,
            Some(Trap::MemoryOutOfBounds) if trace::fell_below_memory(error) => Self::StackOverflow,
            _ => Self::Trapped(trace::reason(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_hook_says_has_a_bound() {
        let told = |error: HookError| error.to_string().len();
        assert_eq!(told(HookError::failed("x")), "it said: x".len());
        assert_eq!(
            told(HookError::failed(&"\u{e4}".repeat(4 << 20))),
            "it said: ... (8388608 bytes in all)".len() + MAX_SAID
        );
        assert_eq!(
            told(HookError::refused(&"x".repeat(1 << 20))),
            "it said: ... (1048576 bytes in all)".len() + MAX_REFUSAL
        );
    }
}
