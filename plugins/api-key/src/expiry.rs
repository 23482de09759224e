//! The time when a key stops to open.

use std::borrow::Cow;
use std::time::Duration;

use tollgate_plugin::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use tollgate_plugin::serde::Deserialize;

/// A point in time after 1970.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(crate = "tollgate_plugin::serde", try_from = "String")]
pub(crate) struct Expiry(Duration);

impl Expiry {
    /// Whether it is reached, with `now` since 1970.
    pub(crate) fn is_past(self, now: Duration) -> bool {
        now >= self.0
    }
}

impl TryFrom<String> for Expiry {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse(&text).map(Self).ok_or_else(|| {
            format!(
                "`{text}` is not a time such as 2026-12-31T12:00:00Z or a day such as 2026-12-31"
            )
        })
    }
}

/// An RFC 3339 `date-time`, or a `full-date` as the end of that day.
fn parse(text: &str) -> Option<Duration> {
    if !text.is_ascii() {
        return None;
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let day = i64::from(days(date)?);
    let seconds = match time {
        None => (day + 1) * 86_400,
        Some(time) => day * 86_400 + seconds(time)?,
    };
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

/// Days since 1970-01-01 of `YYYY-MM-DD`.
fn days(date: &str) -> Option<i32> {
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    if year < 1970 || !(1..=length).contains(&day) {
        return None;
    }
    let leap_days = |year: i32| year / 4 - year / 100 + year / 400;
    let before_year = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    let before_month: i32 = lengths.iter().take(usize::try_from(month).ok()? - 1).sum();
    Some(before_year + before_month + day - 1)
}

/// Seconds since midnight UTC of `HH:MM:SS` with fraction and offset; the fraction is dropped.
fn seconds(time: &str) -> Option<i64> {
    let zone_at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at(zone_at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    // 60 is a leap second.
    if hour > 23 || minute > 59 || second > 60 || !digits {
        return None;
    }
    let offset = match zone {
        "Z" | "z" => 0,
        _ => {
            let [hours, minutes] = numbers(&zone[1..], ':', [2, 2])?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 3600 + minutes * 60;
            if zone.starts_with('-') { -offset } else { offset }
        }
    };
    Some(i64::from(hour * 3600 + minute * 60 + second - offset))
}

/// Numbers of so many digits each.
fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i32; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

impl JsonSchema for Expiry {
    fn schema_name() -> Cow<'static, str> {
        "Expiry".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}",
            "x-expected": "a moment such as `2026-12-31T12:00:00Z`, or a day such as `2026-12-31`",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_rfc_3339() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-12-31T23:59:59Z", 1_798_761_599),
            ("2026-12-31", 1_798_761_600),
            ("2026-12-31T23:59:59.75+01:00", 1_798_757_999),
            ("2026-06-01t00:00:00-02:30", 1_780_281_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).map(|time| time.as_secs()), Some(expected), "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_times_are_refused() {
        let texts = [
            "",
            "2026",
            "2026-1-1",
            "2026-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "2026-01-01T00:00:00",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00Z",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:00.Z",
            "1969-12-31",
            "2026-01-01ü",
        ];
        for text in texts {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
