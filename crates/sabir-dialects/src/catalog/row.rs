//! A row of the table, packed.

use sabir_core::{Efforts, ModelTraits};

/// One model of one provider.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) id: &'static str,
    /// The flags that are known to hold, as bits; `FLAGS` in the table names them.
    pub(super) yes: u16,
    /// The flags that are known not to hold.
    pub(super) no: u16,
    /// The efforts, as [`Efforts::from_bits`] takes them, and [`KNOWN`].
    efforts: u8,
    /// Tokens; 0 for unknown.
    context_window: u32,
    /// Tokens; 0 for unknown.
    max_output: u32,
}

/// Set where the efforts are known.
const KNOWN: u8 = 0x80;

pub(super) const fn row(id: &'static str, yes: u16, no: u16, efforts: u8, context_window: u32, max_output: u32) -> Row {
    Row { id, yes, no, efforts, context_window, max_output }
}

impl Row {
    pub(super) fn traits(&self) -> ModelTraits {
        let flag = |at: u8| match (self.yes >> at & 1, self.no >> at & 1) {
            (1, _) => Some(true),
            (_, 1) => Some(false),
            _ => None,
        };
        let tokens = |count: u32| Some(u64::from(count)).filter(|count| *count > 0);
        let mut traits = ModelTraits::default();
        traits.tools = flag(0);
        traits.vision = flag(1);
        traits.structured_output = flag(2);
        traits.reasoning = flag(3);
        traits.adaptive_thinking = flag(4);
        traits.budget_thinking = flag(5);
        traits.thinking_always_on = flag(6);
        traits.forced_tool_use = flag(7);
        traits.sampling = flag(8);
        traits.sampling_with_reasoning = flag(9);
        traits.prefill = flag(10);
        traits.mid_system = flag(11);
        traits.tools_with_reasoning = flag(12);
        traits.efforts = (self.efforts & KNOWN != 0).then_some(Efforts::from_bits(self.efforts));
        traits.context_window = tokens(self.context_window);
        traits.max_output = tokens(self.max_output);
        traits
    }
}
