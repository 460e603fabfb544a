//! A Substrait plan -> a bound query.
//!
//! Its tables are found as SQL's are, with the same rights: whoever may not name files may not read them this way either.
//! A plan is a query; relations that define or write are not supported. Functions are found by their names.
//! Errors: [`QueryError::Substrait`] for bytes that are no plan, and for plans that contradict themselves;
//! [`QueryError::Unsupported`] for versions, relations and functions that are not known here.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use catalog::CATALOG;
use datafusion::{
    catalog::TableProvider,
    common::{
        DFSchema, DataFusionError, Result as DataFusionResult, TableReference, not_impl_err,
        tree_node::TreeNodeRecursion,
    },
    execution::FunctionRegistry,
    logical_expr::{Expr, LogicalPlan},
};
use datafusion_substrait::{
    extensions::Extensions,
    logical_plan::consumer::{
        DefaultSubstraitConsumer, SubstraitConsumer, from_read_rel,
        from_substrait_plan_with_consumer,
    },
    substrait::{
        proto::{
            Plan, ReadRel,
            read_rel::{LocalFiles, NamedTable, ReadType, local_files::file_or_files::PathType},
        },
        version,
    },
};
use prost::Message;
use url::Url;

use super::names;
use crate::{QueryContext, QueryError, inspect, parameters};

/// A plan as a client sends it.
#[derive(Debug, Clone)]
pub struct SubstraitPlan {
    /// The message `substrait.Plan`.
    pub bytes: Bytes,
    /// The version of the format that the client says beside it; empty where it leaves that to the plan.
    pub version: String,
}

impl SubstraitPlan {
    /// What stands for its text in lists and logs.
    pub(crate) fn title(&self) -> String {
        format!("-- a Substrait plan of {} bytes", self.bytes.len())
    }
}

/// Of the format. Versions before 1.0 may change anything in each minor one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubstraitVersion {
    major: u32,
    minor: u32,
    patch: u32,
}

impl SubstraitVersion {
    /// Since this one functions are named as now.
    pub const MIN: Self = Self::new(0, 32, 0);
    /// A plan of a later one is taken if it has no fields that are not known: they would be passed over in silence.
    pub const MAX: Self = Self::new(
        version::SUBSTRAIT_MAJOR_VERSION,
        version::SUBSTRAIT_MINOR_VERSION,
        u32::MAX,
    );

    const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// `0.85.0`, or `0.85`.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        let version = Self::new(
            parts.next()??,
            parts.next()??,
            parts.next().unwrap_or(Some(0))?,
        );
        parts.next().is_none().then_some(version)
    }

    /// `whole` says whether all fields of the plan are known.
    fn check(self, whole: bool) -> Result<(), QueryError> {
        let (least, most) = (Self::MIN, Self::MAX);
        let what = match self {
            later if later.major == most.major && later > most && !whole => {
                format!("a field that Substrait {self} has and {most} has not")
            }
            known if known >= least && known.major == most.major => return Ok(()),
            _ => format!("Substrait {self} instead of a version from {least} to {most}"),
        };
        Err(QueryError::Unsupported { what, hint: None })
    }
}

impl fmt::Display for SubstraitVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Any patch of the last minor version is known.
        let patch = if *self == Self::MAX { 0 } else { self.patch };
        write!(f, "{}.{}.{patch}", self.major, self.minor)
    }
}

/// The query of a plan, and the number of its parameters.
pub(super) async fn query(
    ctx: &QueryContext,
    plan: &SubstraitPlan,
) -> Result<(LogicalPlan, usize), QueryError> {
    let decoded = Plan::decode(plan.bytes.clone());
    let message = decoded.map_err(|e| broken(format!("it cannot be decoded: {e}")))?;
    let whole = message.encoded_len() == plan.bytes.len();
    check_version(&plan.version, &message, whole)?;
    let logical = convert(ctx, &message).await.map_err(|error| {
        match QueryError::planning(ctx.id(), error) {
            QueryError::NotFound { what, hint: None } => names::missing_table(ctx, what),
            // DataFusion says it, too.
            QueryError::Unsupported { what, hint } => QueryError::Unsupported {
                what: what.trim_start_matches("Unsupported ").to_owned(),
                hint,
            },
            other => other,
        }
    })?;
    let count = parameters_of(&logical)?;
    Ok((logical, count))
}

fn broken(detail: String) -> QueryError {
    QueryError::Substrait { detail }
}

/// The client may say the version beside the plan, in it, or both.
fn check_version(beside: &str, plan: &Plan, whole: bool) -> Result<(), QueryError> {
    let own = plan.version.as_ref();
    let own =
        own.map(|own| SubstraitVersion::new(own.major_number, own.minor_number, own.patch_number));
    let beside = match beside {
        "" => None,
        text => Some(
            SubstraitVersion::parse(text)
                .ok_or_else(|| broken(format!("\"{text}\" is no version: it is written 0.85.0")))?,
        ),
    };
    if own.is_none() && beside.is_none() {
        return Err(broken("it does not say the version of its format".into()));
    }
    let mut said = own.into_iter().chain(beside);
    said.try_for_each(|version| version.check(whole))
}

async fn convert(ctx: &QueryContext, plan: &Plan) -> DataFusionResult<LogicalPlan> {
    let extensions = Extensions::try_from(&plan.extensions)?;
    if !extensions.type_variations.is_empty() {
        return not_impl_err!("a variation of a type in a Substrait plan");
    }
    let consumer = Consumer {
        ctx,
        usual: DefaultSubstraitConsumer::new(&extensions, &ctx.state),
    };
    from_substrait_plan_with_consumer(&consumer, plan).await
}

/// Finds tables as SQL does, files among them.
struct Consumer<'a> {
    ctx: &'a QueryContext,
    usual: DefaultSubstraitConsumer<'a>,
}

#[async_trait]
impl SubstraitConsumer for Consumer<'_> {
    async fn resolve_table_ref(
        &self,
        table: &TableReference,
    ) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        let found = match self.ctx.state.schema_for_ref(table.clone()) {
            Ok(schema) => schema.table(table.table()).await?,
            Err(_) => None,
        };
        if found.is_some() {
            return Ok(found);
        }
        // As DataFusion's SQL says it.
        let schema = &self.ctx.state.config_options().catalog.default_schema;
        let name = table.clone().resolve(CATALOG, schema);
        Err(DataFusionError::Plan(format!("table '{name}' not found")))
    }

    fn get_extensions(&self) -> &Extensions {
        self.usual.get_extensions()
    }

    fn get_function_registry(&self) -> &impl FunctionRegistry {
        self.usual.get_function_registry()
    }

    async fn consume_read(&self, read: &ReadRel) -> DataFusionResult<LogicalPlan> {
        let Some(ReadType::LocalFiles(files)) = &read.read_type else {
            return from_read_rel(self, read).await;
        };
        // A path is a name for those who may use it.
        let table = NamedTable {
            names: vec![path(files)?],
            ..NamedTable::default()
        };
        let read = ReadRel {
            read_type: Some(ReadType::NamedTable(table)),
            ..read.clone()
        };
        from_read_rel(self, &read).await
    }

    fn push_outer_schema(&self, schema: Arc<DFSchema>) {
        self.usual.push_outer_schema(schema);
    }

    fn pop_outer_schema(&self) {
        self.usual.pop_outer_schema();
    }

    fn get_outer_schema(&self, steps_out: usize) -> Option<Arc<DFSchema>> {
        self.usual.get_outer_schema(steps_out)
    }
}

/// The one path of `files`.
fn path(files: &LocalFiles) -> DataFusionResult<String> {
    let [file] = &files.items[..] else {
        return not_impl_err!("a list of {} files in a Substrait plan", files.items.len());
    };
    if (file.partition_index, file.start, file.length) != (0, 0, 0) {
        return not_impl_err!("a part of a file in a Substrait plan");
    }
    let uri = match &file.path_type {
        Some(
            PathType::UriPath(uri)
            | PathType::UriPathGlob(uri)
            | PathType::UriFile(uri)
            | PathType::UriFolder(uri),
        ) => uri,
        None => return not_impl_err!("a file without a path in a Substrait plan"),
    };
    let local = Url::parse(uri).ok().filter(|url| url.scheme() == "file");
    let local = local.and_then(|url| url.to_file_path().ok());
    Ok(local.map_or_else(|| uri.clone(), |path| path.display().to_string()))
}

/// The highest number of a parameter.
fn parameters_of(plan: &LogicalPlan) -> Result<usize, QueryError> {
    let mut count = 0;
    let walked = inspect::each_expression(plan, |expression| {
        if let Expr::Placeholder(parameter) = expression
            && let Some(index) = parameters::position(&parameter.id)
        {
            count = count.max(index.saturating_add(1));
        }
        TreeNodeRecursion::Continue
    });
    walked.map_err(|e| broken(e.strip_backtrace()))?;
    if count > parameters::PARAMETERS_MAX {
        return Err(broken(format!("parameter {count} is too many")));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use datafusion_substrait::substrait::proto::{Version, read_rel::local_files::FileOrFiles};

    use super::*;

    fn checked(beside: &str, own: Option<(u32, u32)>, whole: bool) -> Result<(), QueryError> {
        let version = own.map(|(major_number, minor_number)| Version {
            major_number,
            minor_number,
            ..Version::default()
        });
        let plan = Plan {
            version,
            ..Plan::default()
        };
        check_version(beside, &plan, whole)
    }

    #[test]
    fn versions_are_said_beside_the_plan_or_in_it() {
        for (beside, own) in [
            ("0.85.0", None),
            ("0.85", Some((0, 32))),
            ("", Some((0, 85))),
        ] {
            assert!(checked(beside, own, false).is_ok(), "{beside} {own:?}");
        }
        for (beside, own, text) in [
            ("", None, "does not say"),
            ("new", None, "is no version"),
            ("0.85.0.1", None, "is no version"),
            (
                "0.31.9",
                None,
                "Substrait 0.31.9 instead of a version from 0.32.0 to 0.85.0",
            ),
            (
                "0.85.0",
                Some((0, 86)),
                "a field that Substrait 0.86.0 has and 0.85.0 has not",
            ),
            ("1.0.0", None, "Substrait 1.0.0"),
        ] {
            let error = checked(beside, own, false).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        assert!(checked("0.86.0", Some((0, 86)), true).is_ok());
        assert!(checked("1.0.0", None, true).is_err());
    }

    #[test]
    fn a_file_is_named_by_its_path() {
        let files = |uri: &str, start| LocalFiles {
            items: vec![FileOrFiles {
                path_type: Some(PathType::UriFile(uri.into())),
                start,
                ..FileOrFiles::default()
            }],
            ..LocalFiles::default()
        };
        for (uri, name) in [
            ("file:///data/a%20b.parquet", "/data/a b.parquet"),
            ("/data/a.parquet", "/data/a.parquet"),
            ("s3://bucket/a.parquet", "s3://bucket/a.parquet"),
        ] {
            assert_eq!(path(&files(uri, 0)).unwrap(), name);
        }
        assert!(path(&files("/data/a.parquet", 1)).is_err());
        assert!(path(&LocalFiles::default()).is_err());
    }
}
