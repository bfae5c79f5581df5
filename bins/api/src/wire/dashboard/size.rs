//! Sizes for people.

const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];

/// `0 B`, else two decimals: `1000.00 B`, `58.24 KB`.
pub(super) fn size(bytes: u64) -> String {
    if bytes == 0 {
        return "0 B".to_owned();
    }
    let (number, unit) = scaled(bytes);
    format!("{number:.2} {unit}")
}

/// Whole bytes, else one decimal: `640 B`, `1.7 GB`.
pub(super) fn short_size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (number, unit) = scaled(bytes);
    format!("{number:.1} {unit}")
}

#[expect(
    clippy::cast_precision_loss,
    reason = "two decimals for people do not need 64 bits"
)]
fn scaled(bytes: u64) -> (f64, &'static str) {
    let mut number = bytes as f64;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if number < 1024.0 {
            break;
        }
        number /= 1024.0;
        unit = larger;
    }
    (number, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_the_python_product_wrote_them() {
        for (bytes, long, short) in [
            (0, "0 B", "0 B"),
            (640, "640.00 B", "640 B"),
            (1000, "1000.00 B", "1000 B"),
            (59_636, "58.24 KB", "58.2 KB"),
            (1_807_767_102, "1.68 GB", "1.7 GB"),
            (5 << 50, "5120.00 TB", "5120.0 TB"),
        ] {
            assert_eq!(
                (size(bytes), short_size(bytes)),
                (long.into(), short.into())
            );
        }
    }
}
