//! How many descriptors there may be.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit on open descriptors as far as the system lets this process, and tells how many
/// there may be then.
///
/// The limit is the process's: children inherit it.
pub fn raise_descriptor_limit() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    };
    // No limit at all means that something else will be exhausted first.
    current.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}
