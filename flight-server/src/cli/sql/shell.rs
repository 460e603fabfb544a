//! The interactive shell.

use std::{borrow::Cow, path::PathBuf};

use anyhow::Context;
use reedline::{
    DefaultHinter, Prompt, PromptEditMode, PromptHistorySearch, PromptHistorySearchStatus,
    Reedline, Signal, ValidationResult, Validator,
};

use super::{
    commands::{HELP, ShellCommand},
    connection::{Connection, StatementError},
    execute, history,
    output::Output,
    read_file, statements,
};

/// Reads and runs statements until the user leaves.
pub(super) async fn run(connection: &mut Connection, out: &mut Output) -> anyhow::Result<()> {
    let mut shell = Shell {
        connection,
        out,
        timing: true,
    };
    let mut editor = editor();
    eprintln!(
        "murre {}. \\? for help, \\q to leave.",
        env!("CARGO_PKG_VERSION")
    );
    loop {
        // The editor waits for keys, which must not hold up the connection's tasks.
        let (returned, signal) = tokio::task::spawn_blocking(move || {
            let signal = editor.read_line(&ShellPrompt);
            (editor, signal)
        })
        .await
        .context("the line editor stopped")?;
        editor = returned;
        match signal.context("cannot read from the terminal")? {
            Signal::Success(text) => match shell.enter(&text).await {
                Next::Stay => {}
                Next::Leave => break,
            },
            Signal::CtrlD => break,
            // Ctrl-C has cleared the line.
            _ => {}
        }
    }
    Ok(())
}

struct Shell<'a> {
    connection: &'a mut Connection,
    out: &'a mut Output,
    timing: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    Stay,
    Leave,
}

impl Shell<'_> {
    /// Runs what was entered. A statement that fails stops neither the shell nor the ones after it.
    async fn enter(&mut self, text: &str) -> Next {
        if !text.trim_start().starts_with('\\') {
            for sql in statements::split(text) {
                if self.statement(sql).await == Ended::Cancelled {
                    break;
                }
            }
            return Next::Stay;
        }
        match ShellCommand::parse(text) {
            Err(message) => eprintln!("error: {message}"),
            Ok(ShellCommand::Quit) => return Next::Leave,
            Ok(ShellCommand::Help) => eprintln!("{HELP}"),
            Ok(ShellCommand::Timing) => {
                self.timing = !self.timing;
                eprintln!(
                    "(times are {})",
                    if self.timing { "shown" } else { "not shown" }
                );
            }
            Ok(ShellCommand::Format(format)) => {
                if let Err(error) = self.out.set_format(format) {
                    eprintln!("error: {error:#}");
                }
            }
            Ok(ShellCommand::Sql(sql)) => {
                self.statement(&sql).await;
            }
            Ok(ShellCommand::Include(file)) => self.include(file).await,
        }
        Next::Stay
    }

    async fn include(&mut self, file: PathBuf) {
        let text = match read_file(&file) {
            Ok(text) => text,
            Err(error) => return eprintln!("error: {error:#}"),
        };
        for sql in statements::split(&text) {
            if self.statement(sql).await != Ended::Done {
                break;
            }
        }
    }

    async fn statement(&mut self, sql: &str) -> Ended {
        let outcome = tokio::select! {
            outcome = execute::statement(self.connection, sql, self.out) => outcome,
            // Dropping the statement cancels it.
            _ = tokio::signal::ctrl_c() => {
                eprintln!("(cancelled)");
                return Ended::Cancelled;
            }
        };
        match outcome {
            Ok(summary) if self.timing => {
                eprintln!(
                    "({}, {})",
                    summary.text(),
                    execute::human_time(summary.elapsed)
                );
                Ended::Done
            }
            Ok(summary) => {
                eprintln!("({})", summary.text());
                Ended::Done
            }
            Err(error) => {
                match error.downcast_ref::<StatementError>() {
                    Some(error) => eprintln!("error: {error}"),
                    None => eprintln!("error: {error:#}"),
                }
                Ended::Failed
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Done,
    Failed,
    Cancelled,
}

fn editor() -> Reedline {
    let editor = Reedline::create()
        .with_validator(Box::new(EndsWithSemicolon))
        .with_hinter(Box::new(DefaultHinter::default()))
        // Statements with passwords are left out anyway; a leading space leaves out any other.
        .with_history_exclusion_prefix(Some(" ".to_owned()))
        .use_bracketed_paste(true);
    match history::open() {
        Ok(history) => editor.with_history(history),
        Err(error) => {
            eprintln!("warning: no history: {error:#}");
            editor
        }
    }
}

/// Enter ends a command, and a statement that has its `;`.
struct EndsWithSemicolon;

impl Validator for EndsWithSemicolon {
    fn validate(&self, text: &str) -> ValidationResult {
        if text.trim_start().starts_with('\\') || statements::is_complete(text) {
            ValidationResult::Complete
        } else {
            ValidationResult::Incomplete
        }
    }
}

struct ShellPrompt;

impl Prompt for ShellPrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        "murre".into()
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        "> ".into()
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        "    -> ".into()
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        let failing = match search.status {
            PromptHistorySearchStatus::Passing => "",
            PromptHistorySearchStatus::Failing => "nothing ",
        };
        format!(" ({failing}found for \"{}\") ", search.term).into()
    }
}
