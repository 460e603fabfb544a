//! `FragmentExec` on its way to a worker: the hashes of its modules, and the operators that it replaced.
//!
//! ```text
//! FragmentExec over sources  ->  hashes of its modules + its operators over stubs (+ the sources, as its inputs)
//! ```
//! The operators hold the parameters, and the expressions that the host computes. The other side lowers them again, which
//! gives the very piece that was sent, and checks that each module is of its part's shape. Code never travels in a plan.
//! Errors: [`CodecError`], inside a `DataFusionError`.

use std::{fmt, sync::Arc};

use datafusion::{
    common::{DataFusionError, Result, not_impl_err},
    execution::TaskContext,
    physical_plan::ExecutionPlan,
};
use datafusion_proto::{
    physical_plan::{AsExecutionPlan, PhysicalExtensionCodec},
    protobuf::PhysicalPlanNode,
};
use prost::{Message, Oneof};

use super::{FragmentExec, Modules, filters, own_text::OwnTextExec};
use crate::{
    lower::{self, Assemble, Piece, Reason, SourceStub, replaced},
    module::{ModuleHash, hex},
};

/// Where a decoded fragment finds its code.
pub trait ModuleSource: fmt::Debug + Send + Sync {
    /// The code of the module with this hash, if it is here.
    fn modules(&self, hash: &ModuleHash) -> Option<Arc<Modules>>;
}

/// Why a fragment of a plan cannot be put together again.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error("module {module} is not on this worker")]
    ModuleMissing {
        /// Its hash in hexadecimal.
        module: String,
    },
    #[error("module {module} is not of the shape of its operators")]
    Differs { module: String },
    #[error("a fragment in a plan cannot be read: {detail}")]
    Malformed { detail: String },
}

impl From<CodecError> for DataFusionError {
    fn from(error: CodecError) -> Self {
        Self::External(Box::new(error))
    }
}

/// A node that DataFusion does not know.
#[derive(Clone, PartialEq, Message)]
struct OwnNode {
    #[prost(oneof = "Own", tags = "1, 2")]
    own: Option<Own>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Own {
    #[prost(message, tag = "1")]
    Fragment(FragmentNode),
    /// An [`OwnTextExec`].
    #[prost(message, tag = "2")]
    Text(()),
}

impl OwnNode {
    fn write(own: Own, buf: &mut Vec<u8>) {
        buf.extend(Self { own: Some(own) }.encode_to_vec());
    }
}

/// A [`FragmentExec`] in a plan; its sources are the node's inputs.
#[derive(Clone, PartialEq, Message)]
struct FragmentNode {
    /// Hashes of the modules, by the numbers of the parts.
    #[prost(bytes = "vec", repeated, tag = "1")]
    modules: Vec<Vec<u8>>,
    /// The operators that were replaced, over a [`StubNode`] for each source: a DataFusion `PhysicalPlanNode`.
    #[prost(bytes = "vec", tag = "2")]
    native: Vec<u8>,
    /// For each source, whether it reads data.
    #[prost(bool, repeated, tag = "3")]
    scans: Vec<bool>,
}

/// A [`SourceStub`].
#[derive(Clone, PartialEq, Message)]
struct StubNode {
    #[prost(uint32, tag = "1")]
    index: u32,
}

/// Writes and reads the fragments of a plan, and what else in it is our own.
#[derive(Debug)]
pub struct FragmentCodec(Arc<dyn ModuleSource>);

impl FragmentCodec {
    pub fn new(modules: Arc<dyn ModuleSource>) -> Self {
        Self(modules)
    }
}

impl PhysicalExtensionCodec for FragmentCodec {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        ctx: &TaskContext,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let malformed = |detail: String| CodecError::Malformed { detail };
        let node = OwnNode::decode(buf).map_err(|e| malformed(e.to_string()))?;
        let node = match (node.own, inputs) {
            (Some(Own::Fragment(node)), _) => node,
            (Some(Own::Text(())), [input]) => return Ok(OwnTextExec::of(Arc::clone(input))),
            (Some(Own::Text(())), _) => {
                return Err(malformed(format!("{} inputs for one text", inputs.len())).into());
            }
            (None, _) => return Err(malformed("a node of a later version".to_owned()).into()),
        };
        if node.scans.len() != inputs.len() {
            let detail = format!("{} inputs for {} sources", inputs.len(), node.scans.len());
            return Err(malformed(detail).into());
        }
        let stubs = StubCodec(stubs(inputs, &node.scans));
        let native = PhysicalPlanNode::try_decode(&node.native)?;
        let native = native.try_into_physical_plan(ctx, &stubs)?;
        let mut rebuild = Rebuild {
            modules: self.find_all(&node.modules)?,
            inputs: linked(&native, inputs)?,
            made: 0,
        };
        // What one side lets the host compute, the other does too: only operators that were lowered are in here.
        let lowered = lower::lower(&native, true, &mut rebuild)?;
        match rebuild.made == 1 && lowered.plan.is::<FragmentExec>() {
            true => Ok(lowered.plan),
            false => {
                let detail = format!("its operators make {} pieces", rebuild.made);
                Err(malformed(detail).into())
            }
        }
    }

    fn try_encode(&self, node: Arc<dyn ExecutionPlan>, buf: &mut Vec<u8>) -> Result<()> {
        if node.is::<OwnTextExec>() {
            OwnNode::write(Own::Text(()), buf);
            return Ok(());
        }
        let Some(fragment) = node.downcast_ref::<FragmentExec>() else {
            return not_impl_err!("{} cannot be sent to a worker", node.name());
        };
        let sources = fragment.piece.sources();
        let scans: Vec<bool> = sources.iter().map(|of| lower::is_scan(of)).collect();
        let stubs = stubs(sources.iter().copied(), &scans);
        let native = fragment.piece.part.operators()?;
        let native = replaced(&native, &sources, &stubs.iter().collect::<Vec<_>>())?;
        let native = PhysicalPlanNode::try_from_physical_plan(native, &StubCodec(Vec::new()))?;
        let hashes = fragment.modules.iter();
        let hashes = hashes.map(|modules| modules.module().hash().to_vec());
        let node = FragmentNode {
            modules: hashes.collect(),
            native: native.encode_to_vec(),
            scans,
        };
        OwnNode::write(Own::Fragment(node), buf);
        Ok(())
    }
}

impl FragmentCodec {
    fn find_all(&self, hashes: &[Vec<u8>]) -> Result<Vec<Arc<Modules>>, CodecError> {
        let find = |hash: &Vec<u8>| {
            let hash: ModuleHash =
                hash.as_slice()
                    .try_into()
                    .map_err(|_| CodecError::Malformed {
                        detail: format!("a hash of {} bytes", hash.len()),
                    })?;
            let found = self.0.modules(&hash);
            found.ok_or_else(|| CodecError::ModuleMissing { module: hex(&hash) })
        };
        hashes.iter().map(find).collect()
    }
}

/// The sources of operators that were replaced; a join among these that no scan listens to tells nothing.
fn linked(
    native: &Arc<dyn ExecutionPlan>,
    inputs: &[Arc<dyn ExecutionPlan>],
) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
    let filters = filters::filters(native)?;
    let inputs = inputs.iter();
    let inputs = inputs.map(|input| filters::link(&filters, Arc::clone(input)));
    inputs.collect()
}

fn stubs<'a>(
    sources: impl IntoIterator<Item = &'a Arc<dyn ExecutionPlan>>,
    scans: &[bool],
) -> Vec<Arc<dyn ExecutionPlan>> {
    let stubs = sources.into_iter().zip(scans).enumerate();
    let stubs = stubs.map(|(index, (source, is_scan))| -> Arc<dyn ExecutionPlan> {
        Arc::new(SourceStub::new(index, source, *is_scan))
    });
    stubs.collect()
}

/// Writes the number of a stub, and reads it as one of these.
#[derive(Debug)]
struct StubCodec(Vec<Arc<dyn ExecutionPlan>>);

impl PhysicalExtensionCodec for StubCodec {
    fn try_decode(
        &self,
        buf: &[u8],
        _inputs: &[Arc<dyn ExecutionPlan>],
        _ctx: &TaskContext,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let malformed = |detail: String| CodecError::Malformed { detail };
        let stub = StubNode::decode(buf).map_err(|e| malformed(e.to_string()))?;
        let found = self.0.get(stub.index as usize);
        let found = found.ok_or_else(|| malformed(format!("there is no source {}", stub.index)))?;
        Ok(Arc::clone(found))
    }

    fn try_encode(&self, node: Arc<dyn ExecutionPlan>, buf: &mut Vec<u8>) -> Result<()> {
        let Some(stub) = node.downcast_ref::<SourceStub>() else {
            return not_impl_err!("{} cannot be part of a fragment", node.name());
        };
        let index = u32::try_from(stub.index).expect("a fragment has few sources");
        buf.extend(StubNode { index }.encode_to_vec());
        Ok(())
    }
}

/// Makes the node of the one piece that there should be.
struct Rebuild {
    modules: Vec<Arc<Modules>>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    /// Pieces found.
    made: usize,
}

impl Assemble for Rebuild {
    fn node(
        &mut self,
        piece: Piece,
    ) -> Result<std::result::Result<Arc<dyn ExecutionPlan>, Reason>> {
        self.made += 1;
        for (part, modules) in piece.parts().into_iter().zip(&self.modules) {
            // Facts come from statistics, which only the sender has; each batch is checked against them anyway.
            if part.bound.fragment.general() != modules.module().fragment().general() {
                let module = modules.module().name();
                return Err(CodecError::Differs { module }.into());
            }
        }
        let piece = piece.with_sources(std::mem::take(&mut self.inputs))?;
        let node = FragmentExec::new(piece, std::mem::take(&mut self.modules))?;
        Ok(Ok(Arc::new(node)))
    }
}
