//! Which columns of a pipeline's input come late, and when; what that means is in [`crate::codegen::late`].

use super::{Context, Probing, Selection};
use crate::{
    codegen::late::Columns,
    fragment::{Pipeline, Source},
};

/// Columns of the input that do not come with their batch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Late {
    pub(super) all: Columns,
    /// Those that come when the selection is done.
    pub(super) behind_selection: Columns,
}

impl Late {
    /// What `probing` reads behind its look-up it asks for itself.
    pub(super) fn new(
        context: &Context<'_>,
        pipeline: &Pipeline,
        selection: Option<&Selection>,
        probing: Option<&mut Probing<'_>>,
    ) -> Self {
        let Source::Input(input) = pipeline.source else {
            return Self::default();
        };
        let can_be_late = Columns::of(&context.fragment.inputs[input]);
        let (selected, first) = selection.map(Selection::columns).unwrap_or_default();
        let behind = can_be_late.without(selected);
        let looked_up = match &probing {
            Some(probing) => behind.among(probing.lookup_columns()),
            None => behind,
        };
        if let Some(probing) = probing {
            probing.read_late(behind.without(looked_up));
        }
        // Without a selection nothing is before what a look-up reads, or before all there is.
        let (behind_selection, with_batch) = match selection {
            Some(_) => (looked_up, first),
            None => (Columns::default(), looked_up),
        };
        Self {
            all: can_be_late.without(with_batch),
            behind_selection,
        }
    }
}
