//! The model client applies every frame, and objects to a row that comes twice, one that leaves without being
//! there, an old row that is not the one held, and a SeqId that does not grow. Here its objections become
//! breaches: of the order, where it is about SeqIds, else of this promise.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Breach;

/// Runs something on the model client.
///
/// # Errors
/// What it objects to.
pub fn watch<T>(act: impl FnOnce() -> T) -> Result<T, Breach> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let what = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
        let about_order = ["in order", "torn", "progress", "ascends", "_seq grows", "nothing after its seq"];
        let order = about_order.iter().any(|words| what.contains(words));
        Breach { checker: if order { "order_kept" } else { "no_change_twice" }, what }
    })
}
