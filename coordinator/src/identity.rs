//! Who a session belongs to, and what they may do.
//!
//! There are two kinds of users. An administrator may do everything. Everybody else may query and change all tables,
//! but not what reaches outside of them: users, secrets, other people's statements, and files of the server's machine
//! by path, among which are the users' and the secrets' own.

use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    logical_expr::LogicalPlan,
};

use crate::{QueryError, bind::Bound, command::Command, user_statement::UserStatement};

/// Who a session belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// `None` where nobody has to say who they are.
    pub name: Option<String>,
    pub admin: bool,
}

impl Identity {
    /// Whoever reaches a server without users, or has the data folder in their own process.
    pub fn nobody() -> Self {
        Self {
            name: None,
            admin: true,
        }
    }

    /// Whether both are the same user, whatever rights they had at the time.
    pub fn is(&self, other: &Self) -> bool {
        self.name == other.name
    }

    /// Errors: [`QueryError::Forbidden`] for a statement that is not theirs to run.
    pub(crate) fn check(&self, bound: &Bound) -> Result<(), QueryError> {
        match bound {
            _ if self.admin => Ok(()),
            Bound::Command(command) => self.check_command(command),
            Bound::Query(plan) => check_plan(plan),
        }
    }

    fn check_command(&self, command: &Command) -> Result<(), QueryError> {
        match command {
            Command::User(UserStatement::SetPassword { name, .. })
                if self.name.as_ref() == Some(name) =>
            {
                Ok(())
            }
            Command::User(_) => forbidden("to manage users"),
            Command::CreateSecret { .. } | Command::DropSecret { .. } | Command::ShowSecrets => {
                forbidden("to manage secrets")
            }
            Command::CreateExternalTable { .. } | Command::Copy(_) => forbidden(FILES),
            Command::ExplainFragments(plan) | Command::ExplainWat(plan) => check_plan(plan),
            Command::CreateTable(_)
            | Command::Insert(_)
            | Command::CreateView { .. }
            | Command::CreateSchema { .. }
            | Command::DropSchema { .. }
            | Command::Drop { .. }
            | Command::Set { .. }
            | Command::ShowProcesslist
            | Command::ShowWorkers => Ok(()),
            // Depends on whose statement it is: decided where that is known.
            Command::Kill { .. } => Ok(()),
        }
    }
}

pub(crate) const FILES: &str = "to name files of the server's machine";

/// `EXPLAIN ANALYZE COPY` is a query that writes files.
fn check_plan(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut copies = false;
    let walked = plan.apply(|node| {
        copies |= matches!(node, LogicalPlan::Copy(_));
        Ok(TreeNodeRecursion::Continue)
    });
    match copies || walked.is_err() {
        true => forbidden(FILES),
        false => Ok(()),
    }
}

pub(crate) fn forbidden<T>(what: &'static str) -> Result<T, QueryError> {
    Err(QueryError::Forbidden { what })
}
