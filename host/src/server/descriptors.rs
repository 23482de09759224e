//! File descriptors: as many as the system gives, and no more connections than they are enough for.

use crate::config::Limits;

/// For what is neither a client's connection nor one to an upstream: the admin address, files, what
/// watches them.
const OTHERS: u64 = 64;

/// Raises the process's limit as far as that goes, and gives how many client connections may be open
/// at a time. Each may need another to an upstream: where clients had them all, nobody would get an
/// answer.
pub(super) fn connections(limits: &Limits) -> usize {
    let wanted = limits.max_connections;
    let available = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(available) => available,
        Err(error) => {
            tracing::warn!(%error, "the limit of file descriptors cannot be raised");
            return wanted;
        }
    };
    // Of a few, half.
    let possible = ((available - OTHERS.min(available / 2)) / 2).max(1);
    let possible = usize::try_from(possible).unwrap_or(usize::MAX);
    if possible < wanted {
        tracing::warn!(
            file_descriptors = available,
            connections = possible,
            limit = wanted,
            "too few file descriptors for limits.max_connections: fewer clients are let in at a time; \
             raise the limit (LimitNOFILE=, ulimit -n) or lower max_connections"
        );
    }
    possible.min(wanted)
}
