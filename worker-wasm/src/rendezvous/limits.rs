//! How much and how long: of the rendezvous, and of a worker's attempts.

use std::time::Duration;

/// Bytes of one message on the wire at most, its length excluded.
pub(super) const MESSAGE_BYTES_MAX: usize = 4096;
/// Endpoints that one message may list.
pub(super) const ENDPOINTS_MAX: usize = 8;
/// A worker says at least this often that it lives, and hears an answer.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(5);
/// Without a word for this long, the other end counts as lost.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(20);

/// What the rendezvous allows. Whatever is beyond a limit is refused or closed; nothing waits without an end.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections that have not shown a token or a pairing's key yet; more are closed at once.
    pub strangers_max: usize,
    /// From TCP connection to a valid first message.
    pub greeting_max: Duration,
    pub workers_max: usize,
    /// Tokens and slots given out and not used yet.
    pub expected_max: usize,
    /// How long a one-time token is good.
    pub expected_age_max: Duration,
    /// Pairings whose workers may still meet.
    pub pairings_max: usize,
    /// How long the workers of a pairing may meet.
    pub pairing_age_max: Duration,
    /// How long one worker waits for the other at a meeting.
    pub meeting_max: Duration,
    /// Connections that all workers together keep ready. Who gets no more of them dials when a pair needs one.
    pub spares_max: usize,
    /// One that is not used for this long is closed; workers replace theirs after 60 to 70 seconds.
    pub spare_age_max: Duration,
    pub relays_max: usize,
    /// Bytes held for each direction of a relay; the writer waits when they are full.
    pub relay_buffer_bytes: usize,
    /// A relay that carries nothing for this long is closed.
    pub relay_idle_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            strangers_max: 1024,
            greeting_max: Duration::from_secs(10),
            workers_max: 10_000,
            expected_max: 20_000,
            expected_age_max: Duration::from_secs(120),
            pairings_max: 100_000,
            pairing_age_max: Duration::from_secs(30),
            meeting_max: Duration::from_secs(5),
            spares_max: 10_000,
            spare_age_max: Duration::from_secs(90),
            relays_max: 10_000,
            relay_buffer_bytes: 64 * 1024,
            relay_idle_max: Duration::from_secs(300),
        }
    }
}

/// How long a worker tries each way. The two workers of a pair should agree on these.
#[derive(Debug, Clone)]
pub struct Timings {
    /// One connection or message to the rendezvous.
    pub rendezvous_max: Duration,
    /// Dialling the peer's own address, authentication included.
    pub direct_max: Duration,
    /// Connections to the rendezvous that a worker which cannot be dialled keeps ready for punching and relays. A pair takes
    /// two.
    pub spares: usize,
    /// Tries of punching for one connection, each from a fresh local port. Zero: relayed at once.
    pub punch_tries: u32,
    /// One try, from its start time, authentication included.
    pub punch_max: Duration,
    /// A relayed connection, authentication included.
    pub relay_max: Duration,
    /// How much longer the TLS server of a dialled or punched connection waits where it has answered a client, whose choice
    /// may be on its way: more than a slow round trip, as the two disagree about the connection if it gives up before.
    pub grace: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            rendezvous_max: Duration::from_secs(10),
            direct_max: Duration::from_secs(1),
            spares: 2,
            punch_tries: 3,
            punch_max: Duration::from_millis(400),
            relay_max: Duration::from_secs(10),
            grace: Duration::from_secs(1),
        }
    }
}
