//! Statements that DataFusion's planner does not know: commands of our own, and what is refused by name.

use std::collections::BTreeMap;

use catalog::Secret;
use datafusion::sql::{
    parser::Statement,
    sqlparser::ast::{Ident, ObjectType, Statement as SqlStatement},
};

use super::parse::parse;
use crate::{QueryError, command::Command};

/// `KILL` and `SHOW PROCESSLIST`, which must work also while every query thread is busy.
pub(crate) fn urgent(sql: &str) -> Option<Command> {
    let word = sql.split_whitespace().next()?;
    if !word.eq_ignore_ascii_case("kill") && !word.eq_ignore_ascii_case("show") {
        return None;
    }
    let command = command(&parse(sql).ok()?.0).ok()??;
    matches!(command, Command::Kill { .. } | Command::ShowProcesslist).then_some(command)
}

/// Statements that DataFusion's planner does not know.
pub(super) fn command(statement: &Statement) -> Result<Option<Command>, QueryError> {
    let Statement::Statement(statement) = statement else {
        return Ok(None);
    };
    let unsupported = |what: &str, hint| {
        Err(QueryError::Unsupported {
            what: what.into(),
            hint,
        })
    };
    Ok(Some(match statement.as_ref() {
        SqlStatement::CreateSecret {
            or_replace,
            if_not_exists,
            name,
            secret_type,
            options,
            temporary,
            ..
        } => {
            if *temporary == Some(true) {
                return unsupported("TEMPORARY SECRET", None);
            }
            let name = name.as_ref().map_or("default", |name| name.value.as_str());
            let mut pairs = BTreeMap::from([("type".to_owned(), secret_type.value.clone())]);
            for option in options {
                pairs.insert(
                    option.key.value.to_ascii_lowercase(),
                    option.value.value.clone(),
                );
            }
            let secret = Secret::from_options(name, pairs)?;
            Command::CreateSecret {
                secret,
                or_replace: *or_replace,
                if_not_exists: *if_not_exists,
            }
        }
        SqlStatement::DropSecret {
            if_exists, name, ..
        } => Command::DropSecret {
            name: name.value.clone(),
            if_exists: *if_exists,
        },
        SqlStatement::Kill { id, .. } => Command::Kill { id: *id },
        SqlStatement::ShowProcessList { .. } => Command::ShowProcesslist,
        SqlStatement::ShowVariable { variable }
            if variable.len() == 1 && is_word(&variable[0], "secrets") =>
        {
            Command::ShowSecrets
        }
        SqlStatement::ShowVariable { variable }
            if variable.len() == 1 && is_word(&variable[0], "workers") =>
        {
            Command::ShowWorkers
        }
        SqlStatement::StartTransaction { .. }
        | SqlStatement::Commit { .. }
        | SqlStatement::Rollback { .. }
        | SqlStatement::Savepoint { .. } => {
            return unsupported("a transaction", Some("every statement commits by itself"));
        }
        SqlStatement::Update { .. } => {
            return unsupported(
                "UPDATE",
                Some(
                    "write the changed rows with INSERT OVERWRITE or CREATE OR REPLACE TABLE .. AS",
                ),
            );
        }
        SqlStatement::Delete { .. } => {
            return unsupported(
                "DELETE",
                Some("keep the other rows with CREATE OR REPLACE TABLE .. AS"),
            );
        }
        SqlStatement::Truncate { .. } => {
            return unsupported(
                "TRUNCATE",
                Some("use INSERT OVERWRITE or CREATE OR REPLACE TABLE"),
            );
        }
        SqlStatement::Merge { .. } => return unsupported("MERGE", None),
        SqlStatement::AlterTable { .. } => return unsupported("ALTER TABLE", None),
        SqlStatement::CreateIndex { .. } => return unsupported("CREATE INDEX", None),
        SqlStatement::CreateFunction { .. } | SqlStatement::DropFunction { .. } => {
            return unsupported("a user function", None);
        }
        SqlStatement::CreateDatabase { .. } => {
            return unsupported("CREATE DATABASE", Some("use CREATE SCHEMA"));
        }
        SqlStatement::Prepare { .. }
        | SqlStatement::Execute { .. }
        | SqlStatement::Deallocate { .. } => {
            return unsupported("PREPARE and EXECUTE", None);
        }
        SqlStatement::Drop {
            object_type: ObjectType::Table | ObjectType::View | ObjectType::Schema,
            names,
            ..
        } if names.len() > 1 => {
            return unsupported("dropping several relations in one statement", None);
        }
        _ => return Ok(None),
    }))
}

fn is_word(ident: &Ident, word: &str) -> bool {
    ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case(word)
}
