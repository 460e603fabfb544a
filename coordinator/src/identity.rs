//! Who a session belongs to, and what they may do.
//!
//! There are two kinds of users. An administrator may do everything. Everybody else may query and change all tables,
//! but not what reaches outside of them: users, secrets, other people's statements, and files of the server's machine
//! by path, among which are the users' and the secrets' own.

use catalog::UserId;
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
    /// Which user of that name it is; `None` for those that this server does not keep.
    pub user: Option<UserId>,
    pub admin: bool,
}

impl Identity {
    /// Whoever reaches a server without users, or has the data folder in their own process.
    pub fn nobody() -> Self {
        Self {
            name: None,
            user: None,
            admin: true,
        }
    }

    /// Whether both are the same user, whatever rights they had at the time; a later user of the same name is another.
    pub fn is(&self, other: &Self) -> bool {
        self.name == other.name && self.user == other.user
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

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use catalog::{Relation, TableName, View};
    use futures::StreamExt;

    use super::*;
    use crate::{
        Engine, IfExists, IngestTarget, Session, StatementOptions,
        drive::tests::{engine, run},
    };

    fn session(engine: &Arc<Engine>, name: &str, admin: bool) -> Arc<Session> {
        engine.session_of(Identity {
            name: Some(name.into()),
            user: None,
            admin,
        })
    }

    /// An administrator, another user, and a file that only the first may name.
    fn around(folder: &Path) -> (Arc<Engine>, Arc<Session>, Arc<Session>, String) {
        let engine = engine(&folder.join("data"));
        let (ada, bob) = (
            session(&engine, "ada", true),
            session(&engine, "bob", false),
        );
        let path = folder.join("secret.csv");
        std::fs::write(&path, "a\nhidden\n").unwrap();
        (engine, ada, bob, path.display().to_string())
    }

    async fn refused(session: &Arc<Session>, sql: &str, said: &str) {
        let error = match run(session, sql).await {
            Ok(rows) => panic!("{sql} gave {rows:?}"),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(said), "{sql}: {error}");
    }

    const FORBIDDEN: &str = "only an administrator is allowed";

    async fn ingest(session: &Arc<Session>, table: &str) -> Result<(), QueryError> {
        let target = IngestTarget {
            schema: None,
            table: table.into(),
            temporary: true,
            create: true,
            if_exists: IfExists::Fail,
        };
        let column: ArrayRef = Arc::new(StringArray::from(vec!["mine"]));
        let rows = RecordBatch::try_from_iter([("a", column)]).unwrap();
        let (schema, rows) = (rows.schema(), futures::stream::iter([Ok(rows)]).boxed());
        let options = StatementOptions::default();
        let prepared = session
            .prepare_ingest(target, schema, rows, options)
            .await?;
        prepared.run(None).await.map(drop)
    }

    #[tokio::test]
    async fn a_name_that_is_a_path_is_a_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (_, ada, bob, file) = around(dir.path());
        let error = ingest(&bob, &file).await.unwrap_err().to_string();
        assert!(error.contains("the name of a table"), "{error}");
        for sql in [
            format!("CREATE TABLE \"{file}\" (a VARCHAR)"),
            format!("CREATE TEMPORARY TABLE \"{file}\" AS SELECT 'mine' AS a"),
        ] {
            assert!(run(&bob, &sql).await.is_err(), "{sql}");
            refused(&ada, &sql, "the name of a table").await;
        }
        refused(
            &bob,
            &format!("CREATE VIEW v AS SELECT * FROM \"{file}\""),
            FORBIDDEN,
        )
        .await;
        refused(&bob, &format!("SELECT * FROM \"{file}\""), FORBIDDEN).await;
    }

    #[tokio::test]
    async fn a_view_reads_files_for_everybody_where_its_maker_was_allowed_to() {
        let dir = tempfile::tempdir().unwrap();
        let (engine, ada, bob, file) = around(dir.path());
        run(
            &ada,
            &format!("CREATE VIEW shown AS SELECT * FROM \"{file}\""),
        )
        .await
        .unwrap();
        assert_eq!(
            run(&bob, "SELECT * FROM shown").await.unwrap()[0].num_rows(),
            1
        );
        // However a view came to name a file: what counts is who made it.
        for (name, names_files) in [("of_bob", Some(false)), ("old", None)] {
            let view = View {
                sql: format!("CREATE VIEW {name} AS SELECT * FROM \"{file}\""),
                default_schema: catalog::DEFAULT_SCHEMA.into(),
                names_files,
            };
            let name = TableName::new(catalog::DEFAULT_SCHEMA, name);
            let defined = engine.store().define(&name, Relation::View(view), false);
            defined.await.unwrap();
        }
        refused(&bob, "SELECT * FROM of_bob", FORBIDDEN).await;
        refused(&ada, "SELECT * FROM of_bob", FORBIDDEN).await;
        refused(&bob, "SELECT * FROM old", FORBIDDEN).await;
        assert_eq!(
            run(&ada, "SELECT * FROM old").await.unwrap()[0].num_rows(),
            1
        );
        // Nor through a view of somebody who is allowed to.
        run(&ada, "CREATE VIEW around AS SELECT * FROM old")
            .await
            .unwrap();
        refused(&bob, "SELECT * FROM around", FORBIDDEN).await;
    }

    #[tokio::test]
    async fn a_stored_text_is_read_as_it_was_checked() {
        let dir = tempfile::tempdir().unwrap();
        let (_, ada, bob, file) = around(dir.path());
        let text = format!("CREATE VIEW v AS SELECT 'x\\' AS a, ' AS b, * FROM `{file}` -- '");
        run(&bob, &text).await.unwrap();
        refused(&bob, "SET datafusion.sql_parser.dialect = 'mysql'", "fixed").await;
        refused(
            &bob,
            "SET datafusion.sql_parser.dialect.x = 'mysql'",
            "no such setting",
        )
        .await;
        for who in [&ada, &bob] {
            let rows = run(who, "SELECT * FROM v").await.unwrap();
            assert_eq!(rows[0].num_columns(), 2, "{rows:?}");
        }
    }

    #[tokio::test]
    async fn a_view_has_nothing_of_the_session_that_makes_it() {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(&dir.path().join("data"));
        let session = engine.session();
        run(&session, "CREATE TEMPORARY TABLE hot AS SELECT 1 AS a")
            .await
            .unwrap();
        let sql = "CREATE VIEW v AS SELECT a FROM hot";
        refused(&session, sql, "a temporary table in a view").await;
        run(&session, "CREATE TABLE cold AS SELECT 2 AS b")
            .await
            .unwrap();
        run(&session, "CREATE TEMPORARY TABLE cold AS SELECT 1 AS a")
            .await
            .unwrap();
        run(&session, "CREATE VIEW v AS SELECT b FROM cold")
            .await
            .unwrap();
        assert_eq!(
            run(&session, "SELECT b FROM v").await.unwrap()[0].num_rows(),
            1
        );
        refused(
            &session,
            "CREATE VIEW w AS SELECT a FROM cold",
            "No field named a",
        )
        .await;
    }

    #[tokio::test]
    async fn nothing_is_written_by_explaining() {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(&dir.path().join("data"));
        let (ada, bob) = (
            session(&engine, "ada", true),
            session(&engine, "bob", false),
        );
        let folder = dir.path().join("files");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("one.csv"), "a\n1\n").unwrap();
        let location = folder.display();
        let sql = format!("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '{location}'");
        run(&ada, &sql).await.unwrap();
        for who in [&ada, &bob] {
            let sql = "EXPLAIN ANALYZE INSERT INTO x SELECT 2";
            refused(who, sql, "EXPLAIN ANALYZE of an INSERT").await;
        }
        let files = std::fs::read_dir(&folder).unwrap();
        assert_eq!(files.count(), 1);
        // What it would do may be seen.
        assert!(run(&bob, "EXPLAIN INSERT INTO x SELECT 2").await.is_ok());
    }
}
