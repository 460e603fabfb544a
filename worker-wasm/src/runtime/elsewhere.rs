//! Code for other processes: of another kind of processor, or whose memories are protected otherwise.

use std::sync::LazyLock;

use wasmtime::Engine;

use super::{
    artefact,
    baseline::Baseline,
    engine::{compile, engine_config},
    protection::Protection,
};
use crate::{RuntimeError, module::FragmentModule};

/// Every target, by what [`super::Runtime::target`] says there.
static TARGETS: LazyLock<Vec<(String, Engine)>> = LazyLock::new(|| {
    let all = Baseline::ALL.into_iter().flat_map(|baseline| {
        [Protection::Guarded, Protection::Checked].map(|protection| (baseline, protection))
    });
    let targets = all.map(|(baseline, protection)| {
        let engine = Engine::new(&engine_config(baseline, protection)?)?;
        Ok((artefact::target(&engine, baseline, protection), engine))
    });
    let targets = targets.collect::<wasmtime::Result<_>>();
    targets.unwrap_or_else(|error| {
        tracing::warn!(%error, "no code is made for other processes");
        Vec::new()
    })
});

/// Code of `module` for processes that say so of themselves; `None` where this build makes none for `target`.
pub(crate) fn compile_for(
    target: &str,
    module: &FragmentModule,
) -> Option<Result<Vec<u8>, RuntimeError>> {
    let found = TARGETS.iter().find(|(name, _)| name == target);
    found.map(|(_, engine)| compile(engine, module))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_for_a_target_is_of_its_processor() {
        let fragment = "(fragment (input (column int64)) (params) (pipeline (input 0) (emit)))";
        let module = crate::compile(&fragment.parse().unwrap()).unwrap();
        let mut machines = Vec::new();
        for (name, _) in TARGETS.iter() {
            let code = compile_for(name, &module).unwrap().unwrap();
            // An ELF file: e_machine.
            machines.push(u16::from_le_bytes(code[18..20].try_into().unwrap()));
        }
        let (x86_64, aarch64) = (62, 183);
        assert_eq!(machines, [x86_64, x86_64, aarch64, aarch64]);
        assert!(compile_for("pdp-11", &module).is_none());
    }
}
