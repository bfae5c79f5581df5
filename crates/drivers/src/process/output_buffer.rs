//! A larger output buffer for tools that write through the C library in pieces of 4 KiB.

use std::ffi::OsString;
use std::path::Path;

/// Where distributions put the library by which coreutils' `stdbuf` sets a program's buffers.
const LIBRARIES: [&str; 4] = [
    "/usr/libexec/coreutils/libstdbuf.so",
    "/usr/lib/coreutils/libstdbuf.so",
    "/usr/lib64/coreutils/libstdbuf.so",
    "/usr/local/libexec/coreutils/libstdbuf.so",
];

/// Bytes of the buffer. Larger ones leave the processor's cache and cost more than they save.
const BUFFER_BYTES: usize = 64 * 1024;

/// The variables that give a tool this buffer; none where coreutils are not installed, and then
/// the tool writes as it always does.
pub(super) fn variables() -> Vec<(&'static str, OsString)> {
    LIBRARIES
        .iter()
        .find(|library| Path::new(library).is_file())
        .map(|library| {
            vec![
                ("LD_PRELOAD", OsString::from(library)),
                ("_STDBUF_O", BUFFER_BYTES.to_string().into()),
            ]
        })
        .unwrap_or_default()
}
