//! Values with units: `250ms`, `64KiB`, `5%`.

use std::time::Duration;

#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum BadUnit {
    #[error("must be {DURATION}")]
    Duration,
    #[error("must be {SIZE}")]
    Size,
    #[error("must be {PERCENT}")]
    Percent,
    #[error("is too large")]
    TooLarge,
    #[error("must be more than 0")]
    Zero,
}

pub(super) const DURATION: &str = "a duration such as `250ms`, `10s`, `5m` or `1h`";
pub(super) const SIZE: &str = "a size such as `64KiB`, `10MiB`, `1GiB` or a number of bytes";
pub(super) const PERCENT: &str = "a percentage from `0%` to `100%`";

/// More than zero.
pub(super) fn duration(text: &str) -> Result<Duration, BadUnit> {
    let (number, unit) = split(text);
    let number: u64 = parse(number, BadUnit::Duration)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(BadUnit::Duration),
    };
    // A thousand years are enough for everybody, and no sum of two can overflow.
    const LONGEST: u64 = 1_000 * 366 * 24 * 3_600_000;
    match number.checked_mul(milliseconds) {
        Some(0) => Err(BadUnit::Zero),
        Some(milliseconds) if milliseconds <= LONGEST => Ok(Duration::from_millis(milliseconds)),
        _ => Err(BadUnit::TooLarge),
    }
}

/// As [`duration`] reads it, in the largest unit that fits evenly.
pub(super) fn written_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let fits =
        |(_, size): &(&str, u128)| milliseconds >= *size && milliseconds.is_multiple_of(*size);
    match units.into_iter().find(fits) {
        Some((unit, size)) => format!("{}{unit}", milliseconds / size),
        None => format!("{milliseconds}ms"),
    }
}

/// As [`size`] reads it, in the largest unit that fits evenly.
pub(crate) fn written_size(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let fits = |(_, size): &(&str, u64)| bytes >= *size && bytes.is_multiple_of(*size);
    match units.into_iter().find(fits) {
        Some((unit, size)) => format!("{}{unit}", bytes / size),
        None => format!("{bytes}B"),
    }
}

/// Bytes, more than zero.
pub(super) fn size(text: &str) -> Result<u64, BadUnit> {
    let (number, unit) = split(text);
    let number: u64 = parse(number, BadUnit::Size)?;
    let bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(BadUnit::Size),
    };
    match number.checked_mul(bytes) {
        Some(0) => Err(BadUnit::Zero),
        Some(size) => Ok(size),
        None => Err(BadUnit::TooLarge),
    }
}

/// 0.0 to 1.0.
pub(super) fn percent(text: &str) -> Result<f64, BadUnit> {
    let number = text.strip_suffix('%').ok_or(BadUnit::Percent)?;
    let is_decimal = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    if !number.bytes().all(is_decimal) {
        return Err(BadUnit::Percent);
    }
    match number.parse::<f64>() {
        Ok(percent) if percent <= 100.0 => Ok(percent / 100.0),
        _ => Err(BadUnit::Percent),
    }
}

/// Number and unit.
fn split(text: &str) -> (&str, &str) {
    let unit = text.find(|character: char| !character.is_ascii_digit());
    text.split_at(unit.unwrap_or(text.len()))
}

fn parse(number: &str, malformed: BadUnit) -> Result<u64, BadUnit> {
    // `split` leaves digits only, so that too many of them is all that can be wrong.
    match number.parse() {
        Ok(number) => Ok(number),
        Err(_) if number.is_empty() => Err(malformed),
        Err(_) => Err(BadUnit::TooLarge),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        let ms = Duration::from_millis;
        assert_eq!(duration("250ms"), Ok(ms(250)));
        assert_eq!(duration("10s"), Ok(ms(10_000)));
        assert_eq!(duration("5m"), Ok(ms(300_000)));
        assert_eq!(duration("1h"), Ok(ms(3_600_000)));
        for text in ["", "10", "s", "-1s", "1.5s", "10 s", "10S", "1d", "10ss"] {
            assert_eq!(duration(text), Err(BadUnit::Duration), "{text}");
        }
        assert_eq!(duration("0s"), Err(BadUnit::Zero));
        assert_eq!(duration("99999999999999999999s"), Err(BadUnit::TooLarge));
        assert_eq!(duration("18446744073709551615h"), Err(BadUnit::TooLarge));
        assert_eq!(duration("18446744073709551615ms"), Err(BadUnit::TooLarge));
    }

    #[test]
    fn sizes_are_powers_of_two_or_bytes() {
        assert_eq!(size("17"), Ok(17));
        assert_eq!(size("17B"), Ok(17));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("10MiB"), Ok(10 << 20));
        assert_eq!(size("1GiB"), Ok(1 << 30));
        for text in ["", "KiB", "64KB", "64k", "64 KiB", "-1", "1.5MiB", "1kib"] {
            assert_eq!(size(text), Err(BadUnit::Size), "{text}");
        }
        assert_eq!(size("0KiB"), Err(BadUnit::Zero));
        assert_eq!(size("17179869184GiB"), Err(BadUnit::TooLarge));
    }

    #[test]
    fn percentages_end_at_a_hundred() {
        assert_eq!(percent("0%"), Ok(0.0));
        assert_eq!(percent("12.5%"), Ok(0.125));
        assert_eq!(percent("100%"), Ok(1.0));
        for text in ["", "%", "50", "101%", "-1%", "1e1%", "inf%", "nan%", "1.2.3%"] {
            assert_eq!(percent(text), Err(BadUnit::Percent), "{text}");
        }
    }
}
