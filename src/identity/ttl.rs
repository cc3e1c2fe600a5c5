//! How long a token lives: `30m`, `12h`, `90d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest life: ten years.
const LONGEST_SECONDS: u64 = 3650 * 86_400;

/// A token's life, from one second to ten years. There is no endless token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ttl(Duration);

/// A life that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a life of a token: write a number with `s`, `m`, `h` or `d`, at most ten years, for instance `90d`"
)]
pub struct BadTtl;

impl Ttl {
    /// As microseconds, the unit of the clock.
    pub fn as_us(self) -> i64 {
        i64::try_from(self.0.as_micros()).unwrap_or(i64::MAX)
    }

    /// As a duration.
    pub fn as_duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Ttl {
    type Err = BadTtl;

    fn from_str(text: &str) -> Result<Self, BadTtl> {
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(BadTtl)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(BadTtl),
        };
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadTtl);
        }
        let total =
            number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds)).ok_or(BadTtl)?;
        if (1..=LONGEST_SECONDS).contains(&total) {
            Ok(Self(Duration::from_secs(total)))
        } else {
            Err(BadTtl)
        }
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        for (unit, length) in [("d", 86_400), ("h", 3600), ("m", 60)] {
            if seconds.is_multiple_of(length) {
                return write!(f, "{}{unit}", seconds / length);
            }
        }
        write!(f, "{seconds}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_read_and_written() {
        for (text, seconds, shown) in [
            ("30m", 1800, "30m"),
            ("12h", 43_200, "12h"),
            ("90d", 7_776_000, "90d"),
            ("90s", 90, "90s"),
            ("24h", 86_400, "1d"),
        ] {
            let ttl: Ttl = text.parse().unwrap();
            assert_eq!(ttl.as_duration().as_secs(), seconds);
            assert_eq!(ttl.to_string(), shown);
        }
        for bad in
            ["", "d", "0d", "-1d", "+1d", "1", "1w", "1.5h", "3651d", "99999999999999999999d", "1 d", "ä"]
        {
            assert_eq!(bad.parse::<Ttl>(), Err(BadTtl), "{bad}");
        }
    }
}
