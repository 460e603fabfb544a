//! What a fragment's memory costs its account: asked for before the pages are touched, given back at the end.

use crate::RunError;

/// Who pays for guest memory. The coordinator puts the query's memory pool behind it.
pub trait MemoryAccount: Send {
    /// Asks for more. Bytes.
    fn grow(&mut self, bytes: u64) -> Result<(), Refused>;

    /// Gives back. Bytes.
    fn shrink(&mut self, bytes: u64);
}

/// Why an account gives no more.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// An account, and what it carries.
pub(super) struct Ledger {
    account: Box<dyn MemoryAccount>,
    charged: u64,
}

impl Ledger {
    pub(super) fn new(account: Box<dyn MemoryAccount>) -> Self {
        Self {
            account,
            charged: 0,
        }
    }

    pub(super) fn charged(&self) -> u64 {
        self.charged
    }

    /// Makes sure that the account carries `bytes` in all.
    pub(super) fn cover(&mut self, bytes: u64) -> Result<(), RunError> {
        let more = bytes.saturating_sub(self.charged);
        if more > 0 {
            self.account
                .grow(more)
                .map_err(|refused| RunError::Memory {
                    bytes: more,
                    detail: refused.to_string(),
                })?;
            self.charged = bytes;
        }
        Ok(())
    }

    /// The account itself, for memory that is counted elsewhere.
    pub(super) fn account(&mut self) -> &mut dyn MemoryAccount {
        self.account.as_mut()
    }

    /// Gives back what is charged, and the account away. Nothing more can be charged here.
    pub(super) fn hand_over(&mut self) -> Box<dyn MemoryAccount> {
        self.account.shrink(self.charged);
        self.charged = 0;
        std::mem::replace(&mut self.account, Box::new(Closed))
    }
}

/// Bytes of memory that are given back to their account when this goes.
pub(super) struct Charge {
    account: Box<dyn MemoryAccount>,
    bytes: u64,
}

impl Charge {
    /// Of bytes that the account carries.
    pub(super) fn new(account: Box<dyn MemoryAccount>, bytes: u64) -> Self {
        Self { account, bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.shrink(self.bytes);
    }
}

/// In place of an account that was given away.
struct Closed;

impl MemoryAccount for Closed {
    fn grow(&mut self, _: u64) -> Result<(), Refused> {
        Err(Refused("the instance has ended".to_owned()))
    }

    fn shrink(&mut self, _: u64) {}
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.account.shrink(self.charged);
    }
}
