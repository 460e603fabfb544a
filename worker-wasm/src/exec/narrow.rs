//! What the tables of a join tell the scan below its right side: the smallest and the largest of their keys, and of few
//! rows the keys themselves.
//!
//! Rows with other keys have no match, so a scan that leaves them out changes nothing. What is told must be about all
//! tables of the join, so partitions with tables of their own wait for each other here, as in DataFusion; one that goes
//! away before it has a table leaves the scan as it is.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use datafusion::{
    common::{DataFusionError, Result},
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr,
        expressions::{BinaryExpr, in_list, lit},
        utils::conjunction_opt,
    },
};
use tokio_util::sync::CancellationToken;

use crate::{
    fragment::Type,
    lower::{Narrowing, scalar},
    runtime::{JoinTable, Wanted},
};

/// Different keys up to which a scan is told each of them.
const KEYS_MAX: usize = 150;

/// The keys of a join's tables, as far as they are known.
#[derive(Debug)]
pub(super) struct Keys {
    narrowing: Narrowing,
    known: Mutex<Known>,
    /// Set when nothing more will become known.
    complete: CancellationToken,
}

#[derive(Debug)]
struct Known {
    /// Tables that have not been built.
    missing: usize,
    /// Whether all tables so far were.
    whole: bool,
    /// Of each key, `None` before any is known.
    keys: Vec<Option<KeyValues>>,
}

/// The values of one key that are not null.
#[derive(Debug)]
struct KeyValues {
    ty: Type,
    low: i128,
    high: i128,
    /// Empty when there are too many.
    each: BTreeSet<i128>,
}

impl Keys {
    /// Of a join that builds so many tables.
    pub(super) fn new(narrowing: Narrowing, tables: usize) -> Self {
        Self {
            known: Mutex::new(Known {
                missing: tables,
                whole: true,
                keys: narrowing.keys.iter().map(|_| None).collect(),
            }),
            narrowing,
            complete: CancellationToken::new(),
        }
    }

    /// A table more is built, or one will never be.
    fn report(&self, table: Option<&JoinTable>) -> Result<()> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match table {
            Some(table) => known.add(table),
            None => known.whole = false,
        }
        known.missing = known.missing.saturating_sub(1);
        if known.missing > 0 {
            return Ok(());
        }
        let narrowed = match known.whole {
            true => self.narrow(&known),
            false => Ok(()),
        };
        self.narrowing.filter.mark_complete();
        self.complete.cancel();
        narrowed
    }

    fn narrow(&self, known: &Known) -> Result<()> {
        let schema = &self.narrowing.schema;
        let mut conditions = Vec::new();
        for (key, values) in self.narrowing.keys.iter().zip(&known.keys) {
            let Some(values) = values else { continue };
            let literal = |value| scalar(&values.ty, value).map(lit);
            // Nothing is cast here: a literal has the key's very type, or the key is left out.
            if key.data_type(schema)? != values.ty.to_arrow() {
                continue;
            }
            let (Some(low), Some(high)) = (literal(values.low), literal(values.high)) else {
                continue;
            };
            let compare = |op, bound| -> Arc<dyn PhysicalExpr> {
                Arc::new(BinaryExpr::new(Arc::clone(key), op, bound))
            };
            conditions.push(compare(Operator::GtEq, low));
            conditions.push(compare(Operator::LtEq, high));
            let each = values.each.iter().map(|value| literal(*value));
            let each: Option<Vec<_>> = each.collect();
            if let Some(each) = each.filter(|each| !each.is_empty()) {
                conditions.push(in_list(Arc::clone(key), each, &false, schema)?);
            }
        }
        match conjunction_opt(conditions) {
            Some(condition) => self.narrowing.filter.update(condition),
            None => Ok(()),
        }
    }
}

impl Known {
    fn add(&mut self, table: &JoinTable) {
        let keys = &mut self.keys;
        let types = table.key_types();
        let read = table.each_key(keys.len(), &mut |key, value| {
            let values = keys[key].get_or_insert_with(|| KeyValues {
                ty: types[key].clone(),
                low: value,
                high: value,
                each: BTreeSet::from([value]),
            });
            values.low = values.low.min(value);
            values.high = values.high.max(value);
            if !values.each.is_empty() {
                values.each.insert(value);
                if values.each.len() > KEYS_MAX {
                    values.each.clear();
                }
            }
            match values.each.is_empty() {
                true => Wanted::Ends,
                false => Wanted::Each,
            }
        });
        // What cannot be read is not known.
        self.whole &= read.is_ok();
    }
}

/// The duty of one builder to say what its table has.
pub(super) struct Report {
    keys: Arc<Keys>,
    done: bool,
}

impl Report {
    pub(super) fn new(keys: Arc<Keys>) -> Self {
        Self { keys, done: false }
    }

    /// Says it, and waits until it is known of all tables.
    pub(super) async fn table(mut self, table: &JoinTable) -> Result<()> {
        self.done = true;
        self.keys.report(Some(table))?;
        self.keys.complete.cancelled().await;
        Ok(())
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if !self.done {
            // Nobody is left to hear of an error, and without bounds a scan is right too.
            let _: Result<(), DataFusionError> = self.keys.report(None);
        }
    }
}
