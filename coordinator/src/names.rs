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
    CATALOG, DEFAULT_SCHEMA, Entry, ManagedTableProvider, Relation, Snapshot, TableName, View,
    external,
};
use datafusion::{
    catalog::{
        CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider,
        information_schema::INFORMATION_SCHEMA,
    },
    common::{DFSchema, DataFusionError, Result, not_impl_err, plan_err},
    datasource::ViewTable,
    execution::context::SessionState,
    logical_expr::{DdlStatement, Expr, LogicalPlan, TableType},
};

use crate::{
    QueryError, identity, information_schema::InformationSchema, temporary::TemporaryTable,
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
            within: Vec::new(),
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

    /// The state in which the view `name` is planned.
    fn within(&self, name: &TableName, default_schema: &str) -> Result<SessionState> {
        let mut within = self.0.within.clone();
        if within.contains(name) {
            return plan_err!("view \"{name}\" refers to itself");
        }
        within.push(name.clone());
        let mut state = SessionState::clone(&self.0.state);
        state.config_mut().options_mut().catalog.default_schema = default_schema.to_owned();
        let inner = Inner {
            state: Arc::new(state.clone()),
            snapshot: Arc::clone(&self.0.snapshot),
            // A stored view never means a session's temporary table.
            temporary: Arc::default(),
            // Whoever made the view was allowed to name them.
            paths: true,
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
        let state = self.within(name, &view.default_schema)?;
        match state.create_logical_plan(&view.sql).await? {
            LogicalPlan::Ddl(DdlStatement::CreateView(view)) => {
                Ok(Arc::unwrap_or_clone(view.input))
            }
            _ => plan_err!("its definition is not a CREATE VIEW statement"),
        }
    }
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
            return Some(Arc::new(InformationSchema::of(Arc::new(self.clone()))));
        }
        let exists = self.0.snapshot.schemas.contains_key(name);
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
            .filter(|_| self.schema == DEFAULT_SCHEMA)
    }

    fn stored(&self, name: &str) -> Option<&Arc<Entry>> {
        self.names.0.snapshot.schemas.get(&self.schema)?.get(name)
    }
}

#[async_trait]
impl SchemaProvider for SchemaNames {
    fn table_names(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        if self.schema == DEFAULT_SCHEMA {
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
            return self
                .names
                .open(&TableName::new(&self.schema, name), entry)
                .await
                .map(Some);
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
