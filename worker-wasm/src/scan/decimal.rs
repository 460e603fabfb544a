//! The expression that narrows a decimal, and does nothing where its file already hands it out narrow.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::{
    array::RecordBatch,
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Schema},
};
use datafusion::{
    common::{Result, internal_err},
    logical_expr::ColumnarValue,
    physical_expr::{
        PhysicalExpr,
        expressions::{CastExpr, Column},
    },
};

/// A decimal of 128 bits as one of 64, or an integer of 64 bits as one of 32. A scan of memory that is asked for it may give
/// its column in any type that holds the values; a scan of files gives this one, and is asked for decimals alone.
#[derive(Debug, Clone, Eq)]
pub struct Narrowed {
    input: Arc<dyn PhysicalExpr>,
    ty: DataType,
}

impl Narrowed {
    /// `ty` is what [`super::narrow_type`] says of the input's; a decimal has the same digits and places.
    pub fn new(input: Arc<dyn PhysicalExpr>, ty: DataType) -> Self {
        Self { input, ty }
    }

    /// What is narrowed.
    pub fn input(&self) -> &Arc<dyn PhysicalExpr> {
        &self.input
    }

    fn wide(&self) -> DataType {
        match self.ty {
            DataType::Decimal64(precision, scale) => DataType::Decimal128(precision, scale),
            ref other => other.clone(),
        }
    }
}

// Derived ones do not compile for trait objects.
impl PartialEq for Narrowed {
    fn eq(&self, other: &Self) -> bool {
        self.input.eq(&other.input) && self.ty == other.ty
    }
}

impl Hash for Narrowed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.ty.hash(state);
    }
}

impl fmt::Display for Narrowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "narrow({})", self.input)
    }
}

impl PhysicalExpr for Narrowed {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(self.ty.clone())
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.input.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let array = self.input.evaluate(batch)?.into_array(batch.num_rows())?;
        if *array.data_type() == self.ty {
            return Ok(ColumnarValue::Array(array));
        }
        // A file that has the column in another type: what the scan would have made of it, narrowed.
        let options = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let wide = cast_with_options(&array, &self.wide(), &options)?;
        let narrow = cast_with_options(&wide, &self.ty, &options)?;
        Ok(ColumnarValue::Array(narrow))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.input]
    }

    /// A scan puts a cast to the plan's type around a column that its file has in another one, which is narrow mostly.
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let Ok([input]) = <[_; 1]>::try_from(children) else {
            return internal_err!("a narrowed column has one input");
        };
        let cast = input.downcast_ref::<CastExpr>();
        let cast =
            cast.filter(|cast| cast.expr().is::<Column>() && *cast.cast_type() == self.wide());
        let input = cast.map_or_else(|| Arc::clone(&input), |cast| Arc::clone(cast.expr()));
        Ok(Arc::new(Self::new(input, self.ty.clone())))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
