//! The shell's own commands, which begin with a backslash.

use std::path::PathBuf;

use clap::ValueEnum;

use super::output::Format;

pub(super) const HELP: &str = "\
SQL statements end with ; and may span lines.
  \\d           list tables and views
  \\d NAME      columns of a table or view
  \\format F    how rows are written: table, csv, json or arrow
  \\i FILE      run the statements of a file
  \\timing      show times, or no longer
  \\?           this text
  \\q           leave (also Ctrl-D)
Ctrl-C clears the line, or cancels the statement that runs.";

/// One command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ShellCommand {
    /// SQL that answers it.
    Sql(String),
    Format(Format),
    Include(PathBuf),
    Timing,
    Help,
    Quit,
}

impl ShellCommand {
    /// Reads a line that begins with a backslash. Errors are texts for the user.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        // `\q;` is what fingers type.
        let line = line.trim().trim_end_matches(';').trim_end();
        let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let argument = argument.trim();
        let wants = |what: &str| format!("{name} wants {what}");
        match (name, argument) {
            ("\\d", "") => Ok(Self::Sql(RELATIONS.to_owned())),
            ("\\d", table) => Ok(Self::Sql(format!("DESCRIBE {table}"))),
            ("\\format", format) => Format::from_str(format, true)
                .map(Self::Format)
                .map_err(|_| wants("table, csv, json or arrow")),
            ("\\i", "") => Err(wants("the name of a file")),
            ("\\i", file) => Ok(Self::Include(file.into())),
            ("\\timing", "") => Ok(Self::Timing),
            ("\\?", "") => Ok(Self::Help),
            ("\\q", "") => Ok(Self::Quit),
            ("\\timing" | "\\?" | "\\q", _) => Err(wants("nothing after it")),
            _ => Err(format!("unknown command {name}; \\? lists the commands")),
        }
    }
}

const RELATIONS: &str = "\
SELECT table_schema AS schema, table_name AS name, table_type AS type \
FROM information_schema.tables WHERE table_schema <> 'information_schema' ORDER BY 1, 2";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: ShellCommand) {
        assert_eq!(ShellCommand::parse(line), Ok(expected), "{line:?}");
    }

    #[test]
    fn commands_are_read() {
        check("\\d", ShellCommand::Sql(RELATIONS.to_owned()));
        check(
            "\\d  sales.orders ;",
            ShellCommand::Sql("DESCRIBE sales.orders".to_owned()),
        );
        check("\\format JSON", ShellCommand::Format(Format::Json));
        check(
            "\\i a folder/file.sql",
            ShellCommand::Include("a folder/file.sql".into()),
        );
        check("\\timing", ShellCommand::Timing);
        check(" \\q; ", ShellCommand::Quit);
        check("\\?", ShellCommand::Help);
    }

    #[test]
    fn what_is_no_command_says_so() {
        for line in ["\\x", "\\format xml", "\\format", "\\i", "\\q now", "\\dx"] {
            assert!(ShellCommand::parse(line).is_err(), "{line:?}");
        }
    }
}
