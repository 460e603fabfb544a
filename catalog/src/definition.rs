//! What the catalog remembers of a table or view, and how it is written down.
//!
//! Shapes: Arrow schemas are stored as base64 of an IPC schema, so that every Arrow type survives.
//! Invariant: a definition never changes in place; a new version of it replaces the old one.

use std::{fmt, sync::Arc};

use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::{
    convert::{IpcSchemaEncoder, fb_to_schema},
    root_as_schema,
    writer::DictionaryTracker,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A relation's full name inside the one catalog.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    pub schema: String,
    pub table: String,
}

impl TableName {
    /// Names are taken as they are: folding unquoted ones to lower case is the parser's.
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            table: table.into(),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schema != crate::DEFAULT_SCHEMA {
            write!(f, "{}.", self.schema)?;
        }
        f.write_str(&self.table)
    }
}

/// Names a managed table's folder; a table dropped and created again has another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableId(pub String);

impl TableId {
    /// A new one; 128 random bits do not meet again.
    pub fn random() -> Self {
        Self(uuid::Uuid::now_v7().simple().to_string())
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One Parquet file of a managed table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// File name inside the table's folder.
    pub file: String,
    pub rows: u64,
    pub bytes: u64,
}

/// A table whose files Murre writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedTable {
    pub id: TableId,
    #[serde(with = "schema_text")]
    pub schema: SchemaRef,
    /// `(column, SQL expression)` for columns declared with `DEFAULT`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defaults: Vec<(String, String)>,
    #[serde(default)]
    pub files: Vec<DataFile>,
}

impl ManagedTable {
    /// Rows of all its files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

/// A table over files that others write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalTable {
    /// The `CREATE EXTERNAL TABLE` statement as the user wrote it: format options, column list and sort order come from here.
    pub sql: String,
    /// Absolute path or URL, with a `/` at the end where it is a folder.
    pub location: String,
    /// Which files of a folder belong to the table, for example `*.parquet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glob: Option<String>,
    /// Full schema, partition columns at the end.
    #[serde(with = "schema_text")]
    pub schema: SchemaRef,
    /// Hive partition columns, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_columns: Vec<String>,
}

/// A named query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The `CREATE VIEW` statement; it is planned again at each use.
    pub sql: String,
    /// The schema that bare names in `sql` meant when the view was made.
    pub default_schema: String,
    /// Whether whoever made it was allowed to name files of the server's machine: then all who read the view read them.
    /// `None` for views stored before this was written down; their paths are for those who may name files themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names_files: Option<bool>,
}

/// What a name in a schema stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    Managed(ManagedTable),
    External(ExternalTable),
    View(View),
}

impl Relation {
    /// With its article, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Managed(_) => "a table",
            Self::External(_) => "an external table",
            Self::View(_) => "a view",
        }
    }
}

mod schema_text {
    use super::*;

    pub(super) fn serialize<S: Serializer>(schema: &SchemaRef, to: S) -> Result<S::Ok, S::Error> {
        let mut dictionaries = DictionaryTracker::new(false);
        let encoded = IpcSchemaEncoder::new()
            .with_dictionary_tracker(&mut dictionaries)
            .schema_to_fb(schema);
        to.serialize_str(&BASE64_STANDARD.encode(encoded.finished_data()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SchemaRef, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = BASE64_STANDARD.decode(text).map_err(D::Error::custom)?;
        let encoded = root_as_schema(&bytes).map_err(|e| D::Error::custom(e.to_string()))?;
        let schema: Schema = fb_to_schema(encoded);
        Ok(Arc::new(schema))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{DataType, Field, TimeUnit};

    #[test]
    fn a_view_stored_before_it_said_who_made_it_does_not_know() {
        let text = r#"{"view":{"sql":"CREATE VIEW v AS SELECT 1","default_schema":"public"}}"#;
        let Ok(Relation::View(view)) = serde_json::from_str::<Relation>(text) else {
            panic!("{text} is a view")
        };
        assert_eq!(view.names_files, None);
        assert_eq!(serde_json::to_string(&Relation::View(view)).unwrap(), text);
    }

    #[test]
    fn a_definition_is_read_back_as_it_was_written() {
        let dictionary = DataType::Dictionary(DataType::UInt16.into(), DataType::Utf8.into());
        let schema = Schema::new(vec![
            Field::new("a", DataType::Int32, false),
            Field::new("b", DataType::Utf8View, true),
            Field::new("c", DataType::Decimal128(38, -3), true),
            Field::new(
                "d",
                DataType::Timestamp(TimeUnit::Nanosecond, Some("Europe/Berlin".into())),
                true,
            ),
            Field::new(
                "e",
                DataType::List(Field::new("item", dictionary.clone(), true).into()),
                true,
            ),
            Field::new("f", dictionary, true),
        ]);
        let table = ManagedTable {
            id: TableId::random(),
            schema: Arc::new(schema),
            defaults: vec![("a".into(), "1 + 1".into())],
            files: vec![DataFile {
                file: "x.parquet".into(),
                rows: 3,
                bytes: 99,
            }],
        };
        let text = serde_json::to_string(&Relation::Managed(table.clone())).unwrap();
        assert_eq!(
            serde_json::from_str::<Relation>(&text).unwrap(),
            Relation::Managed(table)
        );
    }
}
