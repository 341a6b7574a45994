//! Empty on purpose: cargo wants a target; this package exists for its lock file alone.
