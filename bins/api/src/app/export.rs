//! Parts of exports, so that nobody holds the whole of one.

use dilux_core::repository::Cursor;

/// Lines that an export reads at a time.
pub(super) const EXPORT_PART: usize = 200;

/// Some lines of an export.
#[derive(Debug)]
pub(crate) struct ExportPart<T> {
    /// Newest first.
    pub(crate) items: Vec<T>,
    /// Where it goes on, unless these are the last ones.
    pub(crate) next: Option<Cursor>,
}

impl<T> ExportPart<T> {
    /// The same part of what `show` makes of its lines.
    pub(crate) fn map<U>(self, show: impl FnMut(T) -> U) -> ExportPart<U> {
        ExportPart {
            items: self.items.into_iter().map(show).collect(),
            next: self.next,
        }
    }
}
