//! Statements about users: their syntax, and what they do.
//!
//! ```text
//! CREATE USER name PASSWORD '..' [ADMIN]
//! ALTER USER name PASSWORD '..'
//! DROP USER [IF EXISTS] name
//! SHOW USERS
//! ```
//! The parser has statements of the same names with another syntax, so these are read from the tokens.
//! A name without quotes means its lower case, like every other name.
//! Errors: no message repeats a word of the statement other than the user's name, because any may be a password.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BooleanArray, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use catalog::{Password, Users};
use datafusion::sql::sqlparser::{
    ast::Ident,
    dialect::GenericDialect,
    tokenizer::{Token, Tokenizer},
};

use crate::{Outcome, QueryError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UserStatement {
    Create {
        name: String,
        password: Password,
        admin: bool,
    },
    SetPassword {
        name: String,
        password: Password,
    },
    Drop {
        name: String,
        if_exists: bool,
    },
    Show,
}

impl UserStatement {
    /// The statement in `sql`, where it is about users.
    pub(crate) fn parse(sql: &str) -> Result<Option<Self>, QueryError> {
        let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize() else {
            return Ok(None);
        };
        let mut rest = Rest(&tokens);
        if rest.word("show") && rest.word("users") {
            return rest.end(SHOW).map(|()| Some(Self::Show));
        }
        for (verb, parse) in VERBS {
            let mut rest = Rest(&tokens);
            if rest.word(verb) && rest.word("user") {
                return parse(&mut rest).map(Some);
            }
        }
        Ok(None)
    }

    /// Passwords are hashed here, which takes a while: on the query threads.
    pub(crate) fn run(&self, users: &Users) -> Result<Outcome, QueryError> {
        match self {
            Self::Create {
                name,
                password,
                admin,
            } => users.create(name, password, *admin)?,
            Self::SetPassword { name, password } => users.set_password(name, password)?,
            Self::Drop { name, if_exists } => users.remove(name, *if_exists)?,
            Self::Show => return Ok(list(users)),
        }
        Ok(Outcome::done())
    }
}

type Parse = fn(&mut Rest<'_>) -> Result<UserStatement, QueryError>;
const VERBS: [(&str, Parse); 3] = [("create", create), ("alter", alter), ("drop", drop_user)];

const CREATE: &str = "CREATE USER name PASSWORD '..' [ADMIN]";
const ALTER: &str = "ALTER USER name PASSWORD '..'";
const DROP: &str = "DROP USER [IF EXISTS] name";
const SHOW: &str = "SHOW USERS";

fn create(rest: &mut Rest<'_>) -> Result<UserStatement, QueryError> {
    let (name, password) = name_and_password(rest, CREATE)?;
    let admin = rest.word("admin");
    rest.end(CREATE)?;
    Ok(UserStatement::Create {
        name,
        password,
        admin,
    })
}

fn alter(rest: &mut Rest<'_>) -> Result<UserStatement, QueryError> {
    let (name, password) = name_and_password(rest, ALTER)?;
    rest.end(ALTER)?;
    Ok(UserStatement::SetPassword { name, password })
}

fn drop_user(rest: &mut Rest<'_>) -> Result<UserStatement, QueryError> {
    let mut after_if = Rest(rest.0);
    let if_exists = after_if.word("if") && after_if.word("exists");
    if if_exists {
        *rest = after_if;
    }
    let name = rest.name(DROP)?;
    rest.end(DROP)?;
    Ok(UserStatement::Drop { name, if_exists })
}

fn name_and_password(
    rest: &mut Rest<'_>,
    form: &'static str,
) -> Result<(String, Password), QueryError> {
    let name = rest.name(form)?;
    if !rest.word("password") {
        return Err(not_in_form(form));
    }
    let Some(Token::SingleQuotedString(text)) = rest.next() else {
        return Err(not_in_form(form));
    };
    let invalid = |detail| catalog::CatalogError::UserInvalid {
        user: name.clone(),
        detail,
    };
    let password = Password::new(text.as_str()).map_err(invalid)?;
    Ok((name, password))
}

fn not_in_form(form: &'static str) -> QueryError {
    QueryError::Syntax {
        detail: format!("a statement about users has the form {form}"),
    }
}

/// The tokens that are still to be read.
struct Rest<'a>(&'a [Token]);

impl<'a> Rest<'a> {
    fn next(&mut self) -> Option<&'a Token> {
        let at = self
            .0
            .iter()
            .position(|token| !matches!(token, Token::Whitespace(_)))?;
        let token = &self.0[at];
        self.0 = &self.0[at + 1..];
        Some(token)
    }

    fn word(&mut self, wanted: &str) -> bool {
        let before = self.0;
        let found = matches!(self.next(), Some(Token::Word(word))
            if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted));
        if !found {
            self.0 = before;
        }
        found
    }

    fn name(&mut self, form: &'static str) -> Result<String, QueryError> {
        match self.next() {
            Some(Token::Word(word)) => {
                let Ident {
                    value, quote_style, ..
                } = word.to_ident(datafusion::sql::sqlparser::tokenizer::Span::empty());
                Ok(match quote_style {
                    Some(_) => value,
                    None => value.to_lowercase(),
                })
            }
            _ => Err(not_in_form(form)),
        }
    }

    fn end(&mut self, form: &'static str) -> Result<(), QueryError> {
        loop {
            match self.next() {
                None => return Ok(()),
                Some(Token::SemiColon) => {}
                Some(_) => return Err(not_in_form(form)),
            }
        }
    }
}

fn list(users: &Users) -> Outcome {
    let users = users.list();
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(
        users.iter().map(|user| &user.name),
    ));
    let admin: BooleanArray = users.iter().map(|user| Some(user.admin)).collect();
    Outcome::rows(users_schema(), vec![names, Arc::new(admin)])
}

pub(crate) fn users_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("name", DataType::Utf8, false),
        Field::new("admin", DataType::Boolean, false),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password() -> Password {
        Password::new("correct horse").unwrap()
    }

    #[test]
    fn each_form_is_read() {
        let created = |name: &str, admin| UserStatement::Create {
            name: name.into(),
            password: password(),
            admin,
        };
        for (sql, statement) in [
            (
                "CREATE USER Ada PASSWORD 'correct horse'",
                created("ada", false),
            ),
            (
                "create /* x */ user \"Ada\" password 'correct horse' admin ; ",
                created("Ada", true),
            ),
            (
                "ALTER USER ada PASSWORD 'correct horse'",
                UserStatement::SetPassword {
                    name: "ada".into(),
                    password: password(),
                },
            ),
            (
                "DROP USER IF EXISTS ada;",
                UserStatement::Drop {
                    name: "ada".into(),
                    if_exists: true,
                },
            ),
            (
                "DROP USER if",
                UserStatement::Drop {
                    name: "if".into(),
                    if_exists: false,
                },
            ),
            ("SHOW USERS", UserStatement::Show),
        ] {
            assert_eq!(UserStatement::parse(sql).unwrap(), Some(statement), "{sql}");
        }
    }

    #[test]
    fn other_statements_are_left_alone() {
        for sql in [
            "SELECT 1",
            "CREATE TABLE user (a INT)",
            "SHOW TABLES",
            "",
            "SELECT 'x",
        ] {
            assert_eq!(UserStatement::parse(sql).unwrap(), None, "{sql}");
        }
    }

    #[test]
    fn what_is_not_in_form_is_refused_without_its_words() {
        for sql in [
            "CREATE USER ada",
            "CREATE USER ada PASSWORD geheimes",
            "CREATE USER ada PASSWORD 'geheimes' 'geheimes'",
            "CREATE USER ada PASSWORD 'geheim'",
            "CREATE USER ada PASSWORD 'geheimes'; SELECT 1",
            "ALTER USER ada PASSWORD 'geheimes' ADMIN",
            "DROP USER 'geheimes'",
            "SHOW USERS geheimes",
        ] {
            let error = UserStatement::parse(sql).unwrap_err().to_string();
            assert!(!error.contains("geheim"), "{sql}: {error}");
        }
    }
}
