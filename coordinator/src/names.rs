//! What table names mean to one statement: temporary tables first, then one version of the catalog, then paths.
//!
//! DataFusion asks for a table by name while it binds. All answers to one statement come from the same
//! catalog version, so a self-join never sees two versions of a table.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use async_trait::async_trait;
use catalog::{
    CATALOG, Entry, ManagedTableProvider, Relation, Snapshot, TableName, View, external,
};
use datafusion::{
    catalog::{
        CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider,
        information_schema::INFORMATION_SCHEMA,
    },
    common::{DFSchema, DataFusionError, Result, not_impl_err, plan_err},
    datasource::{ViewTable, empty::EmptyTable},
    execution::context::SessionState,
    logical_expr::{DdlStatement, Expr, LogicalPlan, LogicalPlanBuilder, TableType},
};

use tracing::debug;

use crate::{
    QueryError, bind, identity, information_schema::InformationSchema, temporary::TemporaryTable,
};

/// Every name one statement can use. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Names(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Settings and functions for planning views and opening files; its own catalog list is not used.
    state: Arc<SessionState>,
    snapshot: Arc<Snapshot>,
    temporary: Arc<BTreeMap<String, Arc<TemporaryTable>>>,
    /// Whether a path is a name.
    paths: bool,
    /// The same for the session's own statements; `paths` of a view is its maker's.
    own_paths: bool,
    /// Whether a relation that cannot be opened is shown without.
    lists: bool,
    /// Views being planned around this lookup, outermost first.
    within: Vec<TableName>,
}

impl Names {
    pub(crate) fn new(
        state: Arc<SessionState>,
        snapshot: Arc<Snapshot>,
        temporary: Arc<BTreeMap<String, Arc<TemporaryTable>>>,
        paths: bool,
    ) -> Self {
        Self(Arc::new(Inner {
            state,
            snapshot,
            temporary,
            paths,
            own_paths: paths,
            lists: false,
            within: Vec::new(),
        }))
    }

    /// The same for showing what there is: a relation that cannot be opened has the columns that are known all the same.
    pub(crate) fn for_lists(&self) -> Self {
        Self(Arc::new(Inner {
            state: Arc::clone(&self.0.state),
            snapshot: Arc::clone(&self.0.snapshot),
            temporary: Arc::clone(&self.0.temporary),
            within: self.0.within.clone(),
            lists: true,
            ..*self.0
        }))
    }

    /// All relations, as a user would write them: for proposing a name.
    pub(crate) fn all(&self) -> impl Iterator<Item = String> {
        let stored = self
            .0
            .snapshot
            .schemas
            .iter()
            .flat_map(|(schema, relations)| {
                relations
                    .keys()
                    .map(move |table| TableName::new(schema, table).to_string())
            });
        stored.chain(self.0.temporary.keys().cloned())
    }

    /// The schema in which the session's temporary tables stand: that of names that give none.
    fn own_schema(&self) -> &str {
        &self.0.state.config_options().catalog.default_schema
    }

    /// The state in which the view `name` is planned.
    fn within(&self, name: &TableName, view: &View) -> Result<SessionState> {
        let mut within = self.0.within.clone();
        if within.contains(name) {
            return plan_err!("view \"{name}\" refers to itself");
        }
        within.push(name.clone());
        let mut state = SessionState::clone(&self.0.state);
        let options = state.config_mut().options_mut();
        options
            .catalog
            .default_schema
            .clone_from(&view.default_schema);
        let inner = Inner {
            state: Arc::new(state.clone()),
            snapshot: Arc::clone(&self.0.snapshot),
            // A stored view never means a session's temporary table.
            temporary: Arc::default(),
            paths: view.names_files.unwrap_or(self.0.own_paths),
            own_paths: self.0.own_paths,
            lists: false,
            within,
        };
        state.register_catalog_list(Arc::new(Self(Arc::new(inner))));
        Ok(state)
    }

    async fn open(&self, name: &TableName, entry: &Entry) -> Result<Arc<dyn TableProvider>> {
        let state = &*self.0.state;
        match (&entry.relation, &entry.folder) {
            (Relation::Managed(table), Some(folder)) => {
                let mut defaults = HashMap::new();
                for (column, sql) in &table.defaults {
                    defaults.insert(column.clone(), parse_default(state, sql)?);
                }
                Ok(Arc::new(ManagedTableProvider::new(
                    state, table, folder, defaults,
                )?))
            }
            (Relation::Managed(table), None) => Err(DataFusionError::Internal(format!(
                "table {} has no folder",
                table.id
            ))),
            (Relation::External(table), _) => external::open(state, table).await,
            (Relation::View(view), _) => {
                let plan = Box::pin(self.plan_view(name, view)).await;
                let plan =
                    plan.map_err(|e| e.context(format!("view \"{name}\" cannot be used")))?;
                Ok(Arc::new(ViewTable::new(plan, Some(view.sql.clone()))))
            }
        }
    }

    async fn plan_view(&self, name: &TableName, view: &View) -> Result<LogicalPlan> {
        let state = self.within(name, view)?;
        // Not as the session's settings would have it read: its maker was allowed what this text says.
        let (statement, _) =
            bind::parse(&view.sql).map_err(|e| DataFusionError::Plan(e.to_string()))?;
        match state.statement_to_plan(statement).await? {
            LogicalPlan::Ddl(DdlStatement::CreateView(view)) => {
                Ok(Arc::unwrap_or_clone(view.input))
            }
            _ => plan_err!("its definition is not a CREATE VIEW statement"),
        }
    }
}

/// What is known of a relation without opening it: the columns of a table, the definition of a view.
fn unopened(entry: &Entry) -> Result<Arc<dyn TableProvider>> {
    Ok(match &entry.relation {
        Relation::Managed(table) => Arc::new(EmptyTable::new(Arc::clone(&table.schema))),
        Relation::External(table) => Arc::new(EmptyTable::new(Arc::clone(&table.schema))),
        Relation::View(view) => {
            let nothing = LogicalPlanBuilder::empty(false).build()?;
            Arc::new(ViewTable::new(nothing, Some(view.sql.clone())))
        }
    })
}

/// A column's `DEFAULT`, from the text it is stored as.
pub(crate) fn parse_default(state: &SessionState, sql: &str) -> Result<Expr> {
    state.create_logical_expr(sql, &DFSchema::empty())
}

impl CatalogProviderList for Names {
    fn register_catalog(
        &self,
        _: String,
        _: Arc<dyn CatalogProvider>,
    ) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == CATALOG).then(|| Arc::new(self.clone()) as _)
    }
}

impl CatalogProvider for Names {
    fn schema_names(&self) -> Vec<String> {
        self.0.snapshot.schemas.keys().cloned().collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        if name == INFORMATION_SCHEMA {
            return Some(Arc::new(InformationSchema::of(self)));
        }
        let holds_temporary = !self.0.temporary.is_empty() && name == self.own_schema();
        let exists = holds_temporary || self.0.snapshot.schemas.contains_key(name);
        exists.then(|| {
            Arc::new(SchemaNames {
                names: self.clone(),
                schema: name.to_owned(),
            }) as _
        })
    }
}

/// The names of one schema.
#[derive(Debug)]
struct SchemaNames {
    names: Names,
    schema: String,
}

impl SchemaNames {
    fn temporary(&self, name: &str) -> Option<&Arc<TemporaryTable>> {
        self.names
            .0
            .temporary
            .get(name)
            .filter(|_| self.schema == self.names.own_schema())
    }

    fn stored(&self, name: &str) -> Option<&Arc<Entry>> {
        self.names.0.snapshot.schemas.get(&self.schema)?.get(name)
    }
}

#[async_trait]
impl SchemaProvider for SchemaNames {
    fn table_names(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        if self.schema == self.names.own_schema() {
            names.extend(self.names.0.temporary.keys().cloned());
        }
        if let Some(relations) = self.names.0.snapshot.schemas.get(&self.schema) {
            names.extend(relations.keys().cloned());
        }
        names.into_iter().collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(table) = self.temporary(name) {
            return Ok(Some(Arc::clone(table) as _));
        }
        if let Some(entry) = self.stored(name) {
            let table = TableName::new(&self.schema, name);
            let opened = self.names.open(&table, entry).await;
            return match opened {
                Err(error) if self.names.0.lists => {
                    debug!(relation = %table, %error, "a relation that is listed cannot be opened");
                    unopened(entry).map(Some)
                }
                opened => opened.map(Some),
            };
        }
        if external::looks_like_path(name) {
            if !self.names.0.paths {
                let error = QueryError::Forbidden {
                    what: identity::FILES,
                };
                return Err(DataFusionError::External(Box::new(error)));
            }
            return external::open_path(&self.names.0.state, name)
                .await
                .map(Some);
        }
        Ok(None)
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        if self.temporary(name).is_some() {
            return Ok(Some(TableType::Temporary));
        }
        Ok(self.stored(name).map(|entry| match entry.relation {
            Relation::Managed(_) | Relation::External(_) => TableType::Base,
            Relation::View(_) => TableType::View,
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.temporary(name).is_some() || self.stored(name).is_some()
    }

    fn register_table(
        &self,
        _: String,
        _: Arc<dyn TableProvider>,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        not_impl_err!("tables are created by the catalog")
    }
}
