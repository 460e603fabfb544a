//! How much of what clients leave behind is kept, and for how long.

use std::time::Duration;

/// Times count from the last use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlightLimits {
    /// Sessions of all clients; another is refused.
    pub sessions_max: usize,
    /// A session that was named by a cookie, and a prepared statement.
    pub session_idle: Duration,
    /// A ticket, with the answer of a command or the plan of a query. A query that was begun ahead of its ticket's use is
    /// stopped much sooner, and begins again when the ticket is used.
    pub result_idle: Duration,
    /// Tickets of all clients; of whoever has most, the ones longest without use go first.
    pub results_max: usize,
    /// Prepared statements of one session; another is refused.
    pub prepared_per_session_max: usize,
    /// Prepared statements of all clients; the ones longest without use go first.
    pub prepared_max: usize,
}

impl Default for FlightLimits {
    fn default() -> Self {
        Self {
            sessions_max: 10_000,
            session_idle: Duration::from_secs(1800),
            result_idle: Duration::from_secs(300),
            results_max: 10_000,
            prepared_per_session_max: 1_000,
            prepared_max: 20_000,
        }
    }
}
