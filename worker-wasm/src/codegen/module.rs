//! Functions -> module: imports, exports, helpers and the description.

use prost::Message;
use wasm_encoder::{
    CodeSection, CustomSection, EntityType, ExportKind, ExportSection, FunctionSection,
    ImportSection, MemoryType, Module, TypeSection, ValType,
};

use super::{
    builder::{Finished, Function, I32, Kind, Local, Value},
    calendar, memory, text,
    wide::{self, Helper},
};
use crate::{
    abi::{self, Reason},
    module::Description,
};

/// Index of `murre.raise`, the only function every module imports.
const RAISE: u32 = 0;

fn index(helper: Helper) -> u32 {
    RAISE + 1 + helper as u32
}

impl Function {
    /// Calls a helper with the arguments put before.
    pub(crate) fn call_helper(&mut self, helper: Helper) {
        self.call(index(helper));
    }

    /// Ends the call with an error of the user's data where the condition holds.
    pub(crate) fn raise_if(
        &mut self,
        condition: impl Into<Value<I32>>,
        reason: Reason,
        row: Local<I32>,
    ) {
        self.note_raise();
        self.if_(condition, |f| {
            f.argument::<I32>(reason as i32);
            f.argument(row);
            f.call(RAISE);
            f.return_result();
        });
    }
}

/// Puts a module together. The same parts give the same bytes.
pub(crate) fn assemble(exports: Vec<(String, Finished)>, description: &Description) -> Vec<u8> {
    let mut types = TypeSection::new();
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    let mut names = ExportSection::new();

    let mut imports = ImportSection::new();
    let memory = MemoryType {
        minimum: 1,
        maximum: Some(abi::Windows::FULL.build_end / abi::PAGE_BYTES),
        memory64: false,
        shared: false,
        page_size_log2: None,
    };
    imports.import(abi::IMPORT_MODULE, abi::MEMORY, EntityType::Memory(memory));
    imports.import(abi::IMPORT_MODULE, abi::RAISE, EntityType::Function(0));
    types.ty().function([I32::TYPE, I32::TYPE], [I32::TYPE]);

    // Helpers call none of each other, so what the exports call is all that is needed.
    let helpers = Helper::ALL.map(|helper| {
        let written = match helper {
            Helper::MulChecked => wide::mul_checked(),
            Helper::DivRem => wide::div_rem(),
            Helper::ToF64 => wide::to_f64(),
            Helper::Reserve => memory::reserve(),
            Helper::PackBits => memory::pack_bits(),
            Helper::StoreView => text::store_view(),
            Helper::EqualText => text::equal_text(),
            Helper::OrderText => text::order_text(),
            Helper::HashText => text::hash_text(),
            Helper::ContainsText => text::contains_text(),
            Helper::MatchText => text::match_text(),
            Helper::Substring => text::substring(),
            Helper::Civil => calendar::civil(),
            Helper::DayOf => calendar::day_of(),
        };
        let index = index(helper);
        match exports
            .iter()
            .any(|(_, export)| export.calls.contains(&index))
        {
            true => written,
            false => written.emptied(),
        }
    });
    let first_export = RAISE + 1 + helpers.len() as u32;
    for (index, (name, _)) in exports.iter().enumerate() {
        names.export(name, ExportKind::Func, first_export + index as u32);
    }
    let bodies = helpers
        .into_iter()
        .chain(exports.into_iter().map(|(_, body)| body));
    for (index, finished) in bodies.enumerate() {
        let Finished {
            params,
            results,
            body,
            ..
        } = finished;
        types.ty().function(params, results);
        functions.function(1 + index as u32);
        code.function(&body);
    }

    let data = description.encode_to_vec();
    let section = CustomSection {
        name: abi::SECTION.into(),
        data: data.as_slice().into(),
    };
    let mut module = Module::new();
    module
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&names)
        .section(&code)
        .section(&section);
    module.finish()
}

/// Result type of every call.
pub(crate) const STATUS: &[ValType] = &[ValType::I32];
