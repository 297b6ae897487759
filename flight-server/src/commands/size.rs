//! Sizes in bytes as people write and read them.

const UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// Reads `512MiB`, `2 GB`, `1048576`.
///
/// # Errors
/// A sentence that names the units.
pub(crate) fn parse(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let (number, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number, *factor)))
        .unwrap_or((text, 1));
    number
        .trim()
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| {
            format!("{text:?} is not a size: write a whole number with KiB, MiB, GiB, kB, MB or GB")
        })
}

/// Writes a number of bytes with three significant digits.
pub(crate) fn text(bytes: u64) -> String {
    const NAMES: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut names = NAMES.iter();
    let mut name = names.next().copied().unwrap_or_default();
    while value >= 1024.0 {
        let Some(larger) = names.next() else { break };
        (value, name) = (value / 1024.0, larger);
    }
    if value < 10.0 { format!("{value:.1} {name}") } else { format!("{value:.0} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(parse("512MiB"), Ok(512 << 20));
        assert_eq!(parse("2 GB"), Ok(2_000_000_000));
        assert_eq!(parse("1024"), Ok(1024));
        assert_eq!(parse("10B"), Ok(10));
        assert!(parse("a lot").is_err());
        assert!(parse("-1MiB").is_err());
        assert!(parse("99999999999GiB").is_err());
    }

    #[test]
    fn sizes_are_written() {
        assert_eq!(text(0), "0 B");
        assert_eq!(text(1023), "1023 B");
        assert_eq!(text(1536), "1.5 KiB");
        assert_eq!(text(25 << 20), "25 MiB");
        assert_eq!(text(u64::MAX), "16777216 TiB");
    }
}
