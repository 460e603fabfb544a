//! Plans with fragments, written and read again as a worker reads them.

use std::sync::Arc;

use datafusion::{
    common::Result,
    execution::TaskContext,
    physical_plan::{ExecutionPlan, collect, displayable},
};
use datafusion_proto::{physical_plan::AsExecutionPlan, protobuf::PhysicalPlanNode};
use prost::Message;
use worker_wasm::{
    exec::{FragmentCodec, ModuleSource, Modules, own_kept_text},
    lower::lower,
    module::ModuleHash,
};

use crate::plans::{Compile, plan, sorted, with_table};

/// The code that the other side has.
#[derive(Debug)]
pub(crate) struct There(pub(crate) Vec<Arc<Modules>>);

impl ModuleSource for There {
    fn modules(&self, hash: &ModuleHash) -> Option<Arc<Modules>> {
        let mut modules = self.0.iter();
        let found = modules.find(|of| of.module().hash() == *hash);
        found.map(Arc::clone)
    }
}

/// The plan as the other side reads it.
pub(crate) fn sent(
    plan: &Arc<dyn ExecutionPlan>,
    there: There,
    context: &TaskContext,
) -> Result<Arc<dyn ExecutionPlan>> {
    let codec = FragmentCodec::new(Arc::new(there));
    let bytes = PhysicalPlanNode::try_from_physical_plan(Arc::clone(plan), &codec)?.encode_to_vec();
    PhysicalPlanNode::try_decode(&bytes)?.try_into_physical_plan(context, &codec)
}

const JOINED: &str = "SELECT a.k, sum(b.i), max(b.u) FROM t a JOIN t b ON a.i = b.i \
                      WHERE a.k > 3 GROUP BY a.k ORDER BY a.k";

#[tokio::test]
async fn a_plan_that_was_sent_is_the_same_plan() {
    let context = with_table();
    let native = plan(&context, JOINED).await;
    let again = plan(&context, JOINED).await;
    let mut compile = Compile::new(|_| true);
    let lowered = lower(&again, true, &mut compile).unwrap();
    assert!(compile.compiled > 1);
    let there = There(compile.fragments.clone());
    let sent = sent(&lowered.plan, there, &context.task_ctx()).unwrap();
    let shown =
        |plan: &Arc<dyn ExecutionPlan>| displayable(plan.as_ref()).indent(false).to_string();
    assert_eq!(shown(&sent), shown(&lowered.plan));
    let expected = collect(native, context.task_ctx()).await.unwrap();
    let actual = collect(sent, context.task_ctx()).await.unwrap();
    assert!(!expected.is_empty());
    assert_eq!(sorted(&actual), sorted(&expected));
}

#[tokio::test]
async fn text_that_a_join_keeps_is_its_own_there_too() {
    let context = with_table();
    let native = plan(&context, "SELECT a.v, b.i, b.d, b.z FROM (SELECT k, arrow_cast(z, 'Utf8View') AS v FROM t) a JOIN t b ON a.k = b.k").await;
    let owned = own_kept_text(native).unwrap();
    let shown =
        |plan: &Arc<dyn ExecutionPlan>| displayable(plan.as_ref()).indent(false).to_string();
    assert!(shown(&owned).contains("OwnTextExec"), "{}", shown(&owned));
    let sent = sent(&owned, There(Vec::new()), &context.task_ctx()).unwrap();
    assert_eq!(shown(&sent), shown(&owned));
}

#[tokio::test]
async fn code_that_is_not_there_is_named_and_other_code_is_refused() {
    let context = with_table();
    let natives = plan(&context, "SELECT i + 1 FROM t").await;
    let mut compile = Compile::new(|_| true);
    let lowered = lower(&natives, true, &mut compile).unwrap();
    let own = compile.fragments[0].module().name();
    let error = sent(&lowered.plan, There(Vec::new()), &context.task_ctx()).unwrap_err();
    let expected = format!("module {own} is not on this worker");
    assert!(error.to_string().contains(&expected), "{error}");

    /// Answers every hash with the same code.
    #[derive(Debug)]
    struct Wrong(Arc<Modules>);

    impl ModuleSource for Wrong {
        fn modules(&self, _: &ModuleHash) -> Option<Arc<Modules>> {
            Some(Arc::clone(&self.0))
        }
    }

    let natives = plan(&context, "SELECT i * 2 - k FROM t").await;
    let mut other = Compile::new(|_| true);
    lower(&natives, true, &mut other).unwrap();
    let wrong = FragmentCodec::new(Arc::new(Wrong(Arc::clone(&other.fragments[0]))));
    let node = PhysicalPlanNode::try_from_physical_plan(Arc::clone(&lowered.plan), &wrong).unwrap();
    let error = node.try_into_physical_plan(&context.task_ctx(), &wrong);
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("is not of the shape of its operators"),
        "{error}"
    );
}
