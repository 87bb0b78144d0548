//! Hourly prices of machines.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// US dollars per hour, in millionths; a number in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "f64", try_from = "f64")]
pub struct Price(u64);

impl Price {
    /// Parses a price such as EC2's `0.020800`; `None` when it is not a price.
    pub fn of_text(text: &str) -> Option<Self> {
        Self::try_from(text.trim().parse::<f64>().ok()?).ok()
    }

    /// The cost in dollars of a machine that ran for `ran`. EC2 charges by the second, for a minute at least (EC2
    /// pricing, "Per second billing").
    pub fn cost(self, ran: Duration) -> f64 {
        f64::from(self) * ran.max(Duration::from_mins(1)).as_secs_f64() / 3600.0
    }
}

impl From<Price> for f64 {
    fn from(price: Price) -> Self {
        price.0 as Self / 1e6
    }
}

impl TryFrom<f64> for Price {
    type Error = String;

    /// Converts dollars per hour.
    ///
    /// # Errors
    /// When the number is not a valid hourly price of a machine.
    fn try_from(dollars: f64) -> Result<Self, String> {
        if !(0.0..1e6).contains(&dollars) {
            return Err(format!("{dollars} is not a valid hourly price in US dollars"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is inside the range")]
        let millionths = (dollars * 1e6).round() as u64;
        Ok(Self(millionths))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_read_kept_and_multiplied() {
        let price = Price::of_text("0.020800").unwrap();
        assert_eq!(serde_json::to_string(&price).unwrap(), "0.0208");
        assert_eq!(serde_json::from_str::<Price>("0.0208").unwrap(), price);
        assert!((price.cost(Duration::from_hours(2)) - 0.0416).abs() < 1e-9);
        let least = price.cost(Duration::from_secs(1));
        assert!((least - price.cost(Duration::from_mins(1))).abs() < 1e-12, "a minute is the least");
        for text in ["", "-1", "NaN", "inf", "much"] {
            assert_eq!(Price::of_text(text), None, "{text}");
        }
    }
}
